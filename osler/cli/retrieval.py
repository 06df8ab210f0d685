"""`osler evaluate retrieval`: the queries of a data set to measures, intervals and paired tests."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options
from osler.cli.options import check_corpus, check_file

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets import Dataset
    from osler.evaluate.measures import Scores
    from osler.evaluate.report import RunReport


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
    from osler.errors import UsageError
    from osler.evaluate.report import RunReport
    from osler.evaluate.runs import check_ids, write_run

    search = {"num_candidates": num_candidates, "candidates": candidates}
    flags = [f"--{name.replace('_', '-')}" for name, value in search.items() if value is not None]
    if run and flags:
        raise UsageError(f"--run measures a file and searches nothing: leave {' and '.join(flags)} out, or --run.")
    chosen = options.settings_from(settings, models={"device": device}, search=search)
    check_file("--run-out", run_out)
    _check_parts(baseline or [])
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


def _check_parts(baselines: list[str]) -> None:
    """Return where all that is measured with is there: a search may take an hour, and its end is too late to say so."""
    from osler.errors import require

    require("ir_measures", extra="evaluate")
    if baselines:
        from osler.evaluate.baselines import check_baselines

        check_baselines(baselines)


def _read(path: Path, dataset: Dataset) -> Scores:
    """The run in this file; a notice where it lacks queries of the data set."""
    from osler.cli.printing import print_notice
    from osler.evaluate.runs import lacking, read_run

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
