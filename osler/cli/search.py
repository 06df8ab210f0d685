"""`osler search`, `osler answer` and `osler show`: what an index holds on a query, a question or an id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.records import Query, Ranking

_BATCH: Final = 256
"""Queries of a file that are searched for before any of them is shown."""


def search(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="Words, or ids of documents.")] = None,
    queries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Search for each query of a file: one per line, or JSON lines as in BEIR."),
    ] = None,
    index: options.Index = options.DEFAULT_INDEX,
    k: options.K = None,
    num_candidates: options.NumCandidates = None,
    candidates: options.Candidates = None,
    rerank: options.Rerank = None,
    where: options.Where = None,
    encoder: options.Encoder = None,
    reranker: options.Reranker = None,
    device: options.Device = None,
    settings: options.SettingsFile = None,
    json: options.AsJson = False,
) -> None:
    """Search an index: candidates first, then re-ranked, each with the sentence that supports it.

    osler search "aspirin after stroke" --index pubmed --where "year>=2015" --where type=Review

    osler search "PMID: 31588070, 10.1017/S0954422419000301" --index pubmed

    osler search --queries questions.txt --index pubmed -k 10 --json
    """
    from osler.cli.imports import import_lancedb

    batch = _read_batch(query, queries)
    import_lancedb()
    from osler.cli.terminal import OUT
    from osler.load import load_searcher
    from osler.search.where import parse_where

    chosen = options.settings_from(
        settings,
        models={"encoder": encoder, "reranker": reranker, "device": device},
        search={"k": k, "num_candidates": num_candidates, "candidates": candidates, "rerank": rerank},
    )
    where_filter = parse_where(where or [])
    searcher = load_searcher(index, chosen)
    if query is not None:
        _show(searcher.search(query, where=where_filter), json=json)
        return
    ids, texts = list(batch), [query_of_file.text for query_of_file in batch.values()]
    for start in range(0, len(ids), _BATCH):
        part = slice(start, start + _BATCH)
        rankings = searcher.search_many(texts[part], where=where_filter)
        for query_id, ranking in zip(ids[part], rankings, strict=True):
            if not json:
                OUT.rule(f"{query_id}: {ranking.query}", align="left")
            _show(ranking, json=json, query_id=query_id)


def _read_batch(query: str | None, queries: Path | None) -> Mapping[str, Query]:
    """The queries of the file; none if a query was given by itself. UsageError for both, and for neither."""
    from osler.datasets.layouts import read_queries
    from osler.errors import UsageError

    if (query is None) == (queries is None):
        raise UsageError("Give one query, or a file of them: osler search QUERY, or osler search --queries FILE.")
    return read_queries(queries) if queries else {}


def _show(ranking: Ranking, *, json: bool, query_id: str | None = None) -> None:
    """Print the ranked passages; as JSON with the id of the query, if it is one of a file."""
    from osler.cli.printing import print_json, print_notice, print_ranking, ranked_json

    if json:
        of_query = {} if query_id is None else {"query_id": query_id}
        for ranked in ranking.ranked:
            print_json(of_query | ranked_json(ranked))
    else:
        print_ranking(ranking)
    for warning in ranking.warnings:
        print_notice(f"note: {warning}")
    if not (ranking.ranked or ranking.warnings):
        print_notice("No passage matches; loosen the conditions or use other words.")


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


def show(
    doc_id: Annotated[
        str,
        typer.Argument(metavar="DOC_ID", help="As a search gives it, such as HP:0001698; or a PMID, DOI or PMCID."),
    ],
    index: options.Index = options.DEFAULT_INDEX,
    json: options.AsJson = False,
) -> None:
    """Show a whole document; the offsets that osler reports count characters of its text.

    osler show HP:0001698 --index ontology

    osler show https://doi.org/10.1017/S0954422419000301 --index pubmed
    """
    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import document_json, print_document, print_json, print_notice
    from osler.errors import StoreError
    from osler.index import open_index

    library = open_index(index).snapshot()
    doc_ids = library.find_documents([doc_id]).get(doc_id, [])
    document = library.document(doc_ids[0]) if doc_ids else None
    if document is None:
        raise StoreError(
            f"{doc_id!r} is not in {index}: take an id from `osler search`, "
            f"or add the document with `osler index SOURCE --index {index}`."
        )
    if json:
        print_json(document_json(document))
    else:
        print_document(document)
    if other_ids := doc_ids[1:]:
        print_notice(f"note: {document.doc_id} is shown; this id is also that of {', '.join(other_ids)}.")
