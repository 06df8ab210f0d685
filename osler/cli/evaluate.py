"""`osler evaluate`: what an index, its models and its answers reach, a command for each thing that is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from osler.cli import mirage, options
from osler.cli.options import check_corpus, check_file, check_folder, check_new_file
from osler.errors import UsageError, require

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets import Dataset
    from osler.evaluate.contamination import Kind, Overlap
    from osler.evaluate.measures import Scores
    from osler.evaluate.report import RunReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure what an index, its models and its answers reach, with intervals and paired tests."""


@app.command("retrieval")
def retrieval(
    data: Annotated[str, typer.Option(metavar="DIR", help="A BEIR-style folder or builtin:hpo-lay.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="The split whose queries are asked.")] = "test",
    index: options.Index = options.DEFAULT_INDEX,
    run: Annotated[Path | None, typer.Option(metavar="FILE", help="Measure this TREC run instead of an index.")] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="bm25, zero-shot, fusion, medcpt, dpr, contriever, or a bi-encoder's name or folder; repeatable.",
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A TREC run to compare with; repeatable.")
    ] = None,
    run_out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the final ranking as a TREC run.")] = None,
    num_candidates: options.NumCandidates = None,
    candidates: options.Candidates = None,
    settings: options.SettingsFile = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Measure an index on the queries of a data set: candidates and ranked, with 95% intervals and paired tests.

    An index that is not there is built from the data set's corpus first.

        osler evaluate retrieval --data builtin:hpo-lay --index lay --baseline bm25 --baseline zero-shot

        osler evaluate retrieval --data scifact --split train --index scifact --run-out ours.run
    """
    from osler.datasets import load_dataset
    from osler.evaluate.measures import check_ids, write_run
    from osler.evaluate.report import RunReport

    search = {"num_candidates": num_candidates, "candidates": candidates}
    flags = [f"--{name.replace('_', '-')}" for name, value in search.items() if value is not None]
    if run and flags:
        raise UsageError(f"--run measures a file and searches nothing: leave {' and '.join(flags)} out, or --run.")
    chosen = options.settings_from(settings, models={"device": device}, search=search)
    check_file("--run-out", run_out)
    require("ir_measures", extra="evaluate")  # a search may take an hour, and its end is too late to say so
    if baseline:
        from osler.evaluate.baselines import check_baselines

        check_baselines(baseline)
    dataset = load_dataset(data, split)
    if run_out:
        check_ids(chain(dataset.queries, dataset.documents))
    compared = {str(path): _read(path, dataset) for path in compare or []}
    measured = {str(run): _read(run, dataset)} if run else _stages(dataset, index, chosen)
    *_, final = measured.values()
    if run_out:
        write_run(run_out, final)
    baselines = _baselines(dataset, baseline or [], chosen.models.device)
    runs = (("run" if run else "stage", measured), ("run", compared), ("baseline", baselines))
    reports = [(kind, RunReport.of(name, dataset.qrels, scores)) for kind, of in runs for name, scores in of.items()]
    _print(reports, measured=len(measured), json=json)


def _read(path: Path, dataset: Dataset) -> Scores:
    """The run in this file; a notice where it lacks queries of the data set."""
    from osler.cli.printing import print_notice
    from osler.evaluate.measures import lacking, read_run

    run = read_run(path)
    missing = lacking(run, dataset.qrels, str(path))
    if missing:
        print_notice(f"{path} lacks {missing:,} of the {len(dataset.qrels):,} judged queries: they count as zero")
    return run


def _stages(dataset: Dataset, folder: str, settings: Settings) -> dict[str, Scores]:
    """The runs of both stages over this index, which is built from the data set's corpus where there is none."""
    from osler.cli.progress import counting
    from osler.evaluate.retrieval import search_dataset
    from osler.index import index_exists
    from osler.load import load_searcher

    if not index_exists(folder):
        _build(dataset, folder, settings)
    check_corpus(dataset, folder)
    with counting(f"searching {dataset.name}") as on_query:
        runs = search_dataset(dataset, load_searcher(folder, settings), on_query=on_query)
    return {"candidates": runs.candidates, "ranked": runs.ranked}


def _build(dataset: Dataset, folder: str, settings: Settings) -> None:
    from osler.cli.index import report_sentence
    from osler.cli.printing import print_notice
    from osler.cli.progress import indexing_progress
    from osler.load import add_documents

    print_notice(f"{folder}: no index there yet; indexing the {len(dataset.documents):,} documents of {dataset.name}")
    with indexing_progress(None) as shown:
        report = add_documents(dataset.documents.values(), folder, settings, on_progress=shown.report)
    print_notice(report_sentence(report, folder))


def _baselines(dataset: Dataset, names: list[str], device: str) -> dict[str, Scores]:
    if not names:
        return {}
    from osler.cli.progress import counting
    from osler.evaluate.baselines import Baselines

    with counting(f"encoding {dataset.name}") as on_documents:
        baselines = Baselines(dataset, device=device, on_documents=on_documents)
        return {name: baselines.run(name) for name in names}


def _print(reports: list[tuple[str, RunReport]], *, measured: int, json: bool) -> None:
    """The first ones are measured, the last of them against all others; each has its kind."""
    from osler.cli.printing import print_json
    from osler.cli.tables import print_retrieval

    all_of_them = [report for _, report in reports]
    stages, compared_with = all_of_them[:measured], all_of_them[measured:]
    comparisons = [stages[-1].compared(other) for other in (*stages[:-1], *compared_with)]
    if not json:
        print_retrieval(stages, compared_with, comparisons)
        return
    for kind, report in reports:
        compared = {"compared": [comparison.json() for comparison in comparisons]} if report is stages[-1] else {}
        print_json({kind: report.name, **report.json(), **compared})


@app.command("sweep")
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
    from osler.evaluate.sweep import Grid, with_replies, write_sweep
    from osler.evaluate.sweep import sweep as run_sweep
    from osler.load import load_searcher

    if generator and not questions:
        raise UsageError("--generator writes replies, and none is asked for: add --questions 5, or leave it out.")
    numbers, ks = _whole_numbers("--num-candidates", num_candidates), _whole_numbers("-k", k)
    grid = Grid(_candidate_sources(candidates), numbers, k=ks)
    check_folder("--out", out)
    for module in ("ir_measures", "matplotlib"):  # a sweep may take hours, and its end is too late to say so
        require(module, extra="evaluate")
    chosen = options.settings_from(settings, models={"device": device}, llm={"url": generator})
    dataset = sample_queries(load_dataset(data, split), queries, seed=0)
    folders = list(dict.fromkeys(index or [options.DEFAULT_INDEX]))
    for folder in folders:
        check_corpus(dataset, folder)
    indexes = dict(zip(index_names(folders), folders, strict=True))
    searchers = {name: load_searcher(folder, chosen) for name, folder in indexes.items()}
    # A language model that cannot be reached is said before the sweep, not after it.
    seconds = _replies(dataset, folders[0], ks, questions, chosen) if questions else {}
    with counting("sweep, queries under all settings") as on_query:
        points = with_replies(run_sweep(dataset, searchers, grid, on_query=on_query), seconds)
    write_sweep(points, out, title=f"{dataset.name} {split}: quality against time", about=_about(dataset, indexes))
    if json:
        for point in points:
            print_json(point.json())
    else:
        print_sweep(points)
    print_notice(f"{out}: sweep.html, sweep.md and the plot")


def _candidate_sources(text: str) -> tuple[str, ...]:
    sources, names = ("dense", "lexical", "hybrid"), tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in sources:
            raise UsageError(f"--candidates: {name!r} is none of {', '.join(sources)}.")
    return names


def _whole_numbers(flag: str, text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise UsageError(f"{flag} {text!r}: write whole numbers above 0 with commas between, as in 10,50,100.")
    return numbers


def index_names(folders: list[str]) -> list[str]:
    """The last parts of the paths, where they tell the indexes apart."""
    names = [Path(folder).resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else folders


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


def _about(dataset: Dataset, indexes: Mapping[str, str]) -> str:
    from rich.filesize import decimal

    from osler.index import open_index

    sentences = [f"{len(dataset.queries):,} queries, one at a time in one process."]
    for name, folder in indexes.items():
        opened = open_index(folder)
        counts, manifest = opened.statistics(), opened.manifest
        size = sum(counts.bytes.values())
        models = " and ".join(dict.fromkeys((manifest.encoder.name, manifest.reranker.name)))
        sentences.append(
            f"{name}: {counts.passages:,} passages by {models} in {decimal(size)}, "
            f"{size // max(counts.passages, 1):,} bytes a passage, "
            f"{counts.token_vector_bytes_per_passage:,.0f} bytes of them token vectors."
        )
    return " ".join(sentences)


app.command("mirage")(mirage.mirage)


@app.command("answers")
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


@app.command("contamination")
def contamination(
    train: Annotated[str, typer.Option(metavar="DIR[:SPLIT]", help="The training set.")],
    test: Annotated[
        str, typer.Option(metavar="DIR[:SPLIT]", help="The evaluation set, or MIRAGE's benchmark.json: its questions.")
    ],
    clean: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the training qrels without the queries that are touched.")
    ] = None,
    json: options.AsJson = False,
) -> None:
    """List training queries and positives that occur, exactly or nearly, in an evaluation set.

    osler evaluate contamination --train medquad --test medquad:dev --clean medquad/qrels_clean.tsv
    """
    from osler.cli.printing import print_json, print_notice
    from osler.cli.terminal import OUT
    from osler.datasets import load_dataset, parse_name
    from osler.evaluate.contamination import Texts, clean_qrels, find_overlaps, write_qrels

    check_new_file("--clean", clean)
    learned = load_dataset(*parse_name(train))
    by_kind = find_overlaps(learned, Texts.named(test))
    overlaps = [overlap for of_kind in by_kind.values() for overlap in of_kind]
    counts = {kind: len(by_kind[kind]) if kind in by_kind else None for kind in _COUNTED}
    left = clean_qrels(learned, overlaps)
    touched = len(learned.qrels) - len(left)
    if json:
        for overlap in overlaps:
            print_json(asdict(overlap))
        named = {name: counts[kind] for kind, (name, _) in _COUNTED.items()}
        print_json({"train": train, "test": test, **named, "touched": touched, "left": len(left)})
    else:
        lines = [
            *_overlap_lines(overlaps, counts),
            f"{test} touches {touched:,} of {len(learned.qrels):,} training queries",
        ]
        OUT.print("\n".join(lines), soft_wrap=True)
    if clean:
        write_qrels(clean, left)
        print_notice(f"{clean}: {len(left):,} training queries are left")


_SHOWN: Final = 10
# The name of each count, and what is counted.
_COUNTED: Final[Mapping[Kind, tuple[str, str]]] = {
    "query": ("queries", "training queries that are queries there"),
    "passage": ("passages", "training positives that are relevant documents there"),
    "title": ("titles", "training positives whose title is a query there"),
    "record": ("records", "training positives from a PubMed record that is relevant there"),
}


def _overlap_lines(overlaps: Sequence[Overlap], counts: Mapping[Kind, int | None]) -> Iterator[str]:
    """The first overlaps, then how many there are of each kind."""
    for overlap in overlaps[:_SHOWN]:
        shares = {"similarity": overlap.similarity, "containment": overlap.containment}
        shown = ", ".join(f"{name} {share:.2f}" for name, share in shares.items() if share is not None)
        yield f"{overlap.kind} {overlap.train_id} ~ {overlap.test_id}  {shown}".rstrip()
    if len(overlaps) > _SHOWN:
        yield f"and {len(overlaps) - _SHOWN:,} more (--json lists them all)"
    for kind, count in counts.items():
        yield f"{_COUNTED[kind][1]}: {'not compared' if count is None else f'{count:,}'}"
