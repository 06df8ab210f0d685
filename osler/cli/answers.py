"""`osler evaluate answers`: what answers cite, against what is relevant."""

from __future__ import annotations

from typing import Annotated

import typer

from osler.cli import options
from osler.cli.options import check_corpus


def answers(
    data: Annotated[str, typer.Option(metavar="DIR", help="A BEIR-style folder whose queries are questions.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="The split whose queries are asked.")] = "test",
    index: options.Index = options.DEFAULT_INDEX,
    queries: Annotated[int, typer.Option(metavar="N", min=1, help="Number of queries to sample from the split.")] = 100,
    k: options.K = None,
    generator: options.Generator = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="local|URL",
            help="A language model that judges each citation, with OSLER_JUDGE_MODEL and OSLER_JUDGE_KEY.",
            show_default="nobody",
        ),
    ] = None,
    settings: options.SettingsFile = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Measure answers: how often there is one, what it cites of what is relevant, and whether citations support it.

    osler evaluate answers --data bioasq --split dev --index bioasq --generator http://localhost:11434/v1
    """
    from osler.cli.printing import print_json, print_notice
    from osler.cli.progress import counting
    from osler.cli.tables import print_answers
    from osler.datasets import load_dataset, sample_queries
    from osler.evaluate.answers import evaluate_answers
    from osler.load import load_answerer, load_generator

    chosen = options.settings_from(
        settings, models={"device": device}, search={"k": k}, llm={"url": generator}, judge={"url": judge}
    )
    dataset = sample_queries(load_dataset(data, split), queries, seed=0)
    check_corpus(dataset, index)
    judging = load_generator(chosen.judge) if chosen.judge.url else None
    with counting("answering") as on_answer:
        report = evaluate_answers(dataset, load_answerer(index, chosen).answer, judge=judging, on_answer=on_answer)
    if report.failures:
        print_notice(f"no reply to {len(report.failures):,} of {report.questions:,} questions; {report.failures[-1]}")
    if json:
        print_json(report.json())
    else:
        print_answers(report)
