"""`osler answer`: a question to an answer with citations."""

from __future__ import annotations

from typing import Annotated

import typer

from osler.cli import options


def answer(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to answer.")],
    index: options.Index = options.DEFAULT_INDEX,
    k: options.K = None,
    num_candidates: options.NumCandidates = None,
    candidates: options.Candidates = None,
    rerank: options.Rerank = None,
    where: options.Where = None,
    generator: options.Generator = None,
    encoder: options.Encoder = None,
    reranker: options.Reranker = None,
    device: options.Device = None,
    settings: options.SettingsFile = None,
    json: options.AsJson = False,
) -> None:
    """Answer a question from an index, with citations that are checked.

    An endpoint is named by --generator or OSLER_LLM_URL, with OSLER_LLM_MODEL and OSLER_LLM_KEY.

        osler answer "What is fluid around the heart called?" --index ontology

        osler answer "Does metformin delay ageing?" --generator http://localhost:11434/v1
    """
    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import answer_json, print_answer, print_json, print_ranking, working
    from osler.errors import GeneratorError
    from osler.load import load_answerer
    from osler.search.where import parse_where

    chosen = options.settings_from(
        settings,
        models={"encoder": encoder, "reranker": reranker, "device": device},
        search={"k": k, "num_candidates": num_candidates, "candidates": candidates, "rerank": rerank},
        llm={"url": generator},
    )
    where_filter = parse_where(where or [])
    answerer = load_answerer(index, chosen)
    ranking = answerer.search(question, where=where_filter)
    try:
        with working("the language model is writing"):
            answered = answerer.answer_from(ranking)
    except GeneratorError:
        if not json:  # the passages were found all the same
            print_ranking(ranking)
        raise
    if json:
        print_json(answer_json(answered))
    else:
        print_answer(answered)
