"""`osler evaluate sweep`: one data set under many settings of the search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options
from osler.cli.options import check_corpus, check_folder

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets import Dataset


def sweep(
    data: Annotated[str, typer.Option(metavar="DIR", help="A BEIR-style folder or builtin:hpo-lay.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the report goes.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="The split whose queries are asked.")] = "test",
    index: Annotated[
        list[str] | None,
        typer.Option(
            "--index",
            metavar="DIR",
            envvar="OSLER_INDEX",
            help="An index of that corpus; repeatable.",
            show_default=options.DEFAULT_INDEX,
        ),
    ] = None,
    num_candidates: Annotated[
        str, typer.Option(metavar="N,N,…", help="Number of candidates for the re-ranker.")
    ] = "10,50,100,200",
    k: Annotated[str, typer.Option("-k", metavar="N,N,…", help="Passages that come back.")] = "10",
    candidates: Annotated[str, typer.Option(metavar="NAME,…", help="Where candidates come from.")] = (
        "dense,lexical,hybrid"
    ),
    queries: Annotated[int, typer.Option(metavar="N", min=1, help="Number of queries to sample from the split.")] = 200,
    questions: Annotated[
        int, typer.Option(metavar="N", min=0, help="Questions that the language model answers from each k, timed.")
    ] = 0,
    generator: options.Generator = None,
    settings: options.SettingsFile = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Measure quality against latency, with and without re-ranking: a table and a plot as Markdown and HTML.

    osler evaluate sweep --data builtin:hpo-lay --index lay --out sweep
    """
    from osler.cli.printing import print_json, print_notice
    from osler.cli.progress import counting
    from osler.cli.tables import print_sweep
    from osler.datasets import load_dataset, sample_queries
    from osler.errors import UsageError, require
    from osler.evaluate.sweep import Grid, with_replies, write_sweep
    from osler.evaluate.sweep import sweep as run_sweep
    from osler.load import load_searcher

    if generator and not questions:
        raise UsageError("--generator writes replies, and none is asked for: add --questions 5, or leave it out.")
    grid = Grid(_names(candidates), _numbers("--num-candidates", num_candidates), k=_numbers("-k", k))
    check_folder("--out", out)
    for module in ("ir_measures", "matplotlib"):  # a sweep may take hours, and its end is too late to say so
        require(module, extra="evaluate")
    chosen = options.settings_from(settings, models={"device": device}, llm={"url": generator})
    dataset = sample_queries(load_dataset(data, split), queries, seed=0)
    folders = list(dict.fromkeys(index or [options.DEFAULT_INDEX]))
    for folder in folders:
        check_corpus(dataset, folder)
    searchers = {name: load_searcher(folder, chosen) for name, folder in zip(_short(folders), folders, strict=True)}
    # A language model that cannot be reached is said before the sweep, not after it.
    seconds = _replies(dataset, folders[0], grid.k, questions, chosen) if questions else {}
    with counting("sweep, queries under all settings") as on_query:
        points = run_sweep(dataset, searchers, grid, on_query=on_query)
    points = with_replies(points, seconds)
    write_sweep(points, out, title=f"{dataset.name} {split}: quality against time", about=_about(dataset, folders))
    if json:
        for point in points:
            print_json(point.json())
    else:
        print_sweep(points)
    print_notice(f"{out}: sweep.html, sweep.md and the plot")


def _replies(
    dataset: Dataset, folder: str, ks: tuple[int, ...], count: int, settings: Settings
) -> dict[int, list[float]]:
    """The seconds of the language model's replies, by the number of passages."""
    from osler.cli.printing import print_notice
    from osler.evaluate.sweep import TimedGenerator, time_replies
    from osler.load import load_answerer

    answerer = load_answerer(folder, settings)
    answerer.generator = generator = TimedGenerator(answerer.generator)
    questions = [query.text for query in list(dataset.queries.values())[:count]]
    seconds = time_replies(questions, lambda question, k: answerer.answer(question, k=k), generator, ks)
    if not any(seconds.values()):
        print_notice("The language model was asked nothing: no passage was good enough for an answer.")
    return seconds


def _short(folders: list[str]) -> list[str]:
    """The last parts of the paths, where they tell the indexes apart."""
    names = [Path(folder).resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else folders


def _about(dataset: Dataset, folders: list[str]) -> str:
    queries = f"{len(dataset.queries):,} queries, one at a time in one process."
    return " ".join([queries, *map(_about_index, _short(folders), folders)])


def _about_index(name: str, folder: str) -> str:
    from rich.filesize import decimal

    from osler.index import open_index

    opened = open_index(folder)
    counts, manifest = opened.statistics(), opened.manifest
    size = sum(counts.bytes.values())
    models = " and ".join(dict.fromkeys((manifest.encoder.name, manifest.reranker.name)))
    tokens = f"{counts.token_vector_bytes_per_passage:,.0f} bytes of them token vectors"
    return (
        f"{name}: {counts.passages:,} passages by {models} in {decimal(size)}, "
        f"{size // max(counts.passages, 1):,} bytes a passage, {tokens}."
    )


def _names(text: str) -> tuple[str, ...]:
    from osler.errors import UsageError

    sources, names = ("dense", "lexical", "hybrid"), tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in sources:
            raise UsageError(f"--candidates: {name!r} is none of {', '.join(sources)}.")
    return names


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    from osler.errors import UsageError

    try:
        numbers = tuple(int(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise UsageError(f"{flag} {text!r}: write whole numbers above 0 with commas between, as in 10,50,100.")
    return numbers
