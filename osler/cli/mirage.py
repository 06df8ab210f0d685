"""`osler evaluate mirage`: multiple-choice questions to accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osler.cli import options
from osler.cli.options import check_folder

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets.mirage import Benchmark
    from osler.evaluate.mirage import Done
    from osler.evaluate.mirage_run import Passages, PredictionFolder
    from osler.index import LanceIndex


def mirage(
    benchmark: Annotated[Path, typer.Option(metavar="FILE", help="MIRAGE's benchmark.json, or a sample of it.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the predictions go; a stopped run goes on there.")],
    index: options.Index = options.DEFAULT_INDEX,
    rag: Annotated[bool, typer.Option("--rag/--no-rag", help="Put passages into the prompt.")] = True,
    cot: Annotated[bool, typer.Option("--cot", help="Let the model think step by step first.")] = False,
    k: options.K = None,
    without_gold: Annotated[
        bool, typer.Option("--without-gold", help="Leave out passages of the records that a question rests on.")
    ] = False,
    compare: Annotated[Path | None, typer.Option(metavar="DIR", help="The --out of a run to compare with.")] = None,
    at_once: Annotated[int, typer.Option(metavar="N", min=1, help="Number of questions asked at the same time.")] = 2,
    generator: options.Generator = None,
    settings: options.SettingsFile = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Ask MIRAGE's five tasks, zero-shot; count right answers, standard errors and replies that do not parse.

    Passages are found by the question alone, never by its options.

    DIR/prediction holds the files that MIRAGE's own evaluate.py reads.

        osler evaluate mirage --benchmark benchmark.json --index pubmed --out with-passages

        osler evaluate mirage --benchmark benchmark.json --no-rag --out alone --compare with-passages
    """
    from osler.cli.progress import counting
    from osler.datasets.mirage import load_mirage
    from osler.errors import UsageError
    from osler.evaluate.mirage_run import Examinee, Predictions, ask_questions, write_mirage
    from osler.index import open_index
    from osler.load import load_generator

    of_passages = {"-k": k is not None, "--without-gold": without_gold}
    for flag in (name for name, is_set in of_passages.items() if is_set and not rag):
        raise UsageError(f"{flag} chooses passages, and --no-rag asks without any: leave one of the two out.")
    check_folder("--out", out)
    chosen = options.settings_from(settings, models={"device": device}, search={"k": k}, llm={"url": generator})
    loaded = load_mirage(benchmark)
    theirs = _compared(compare, loaded)
    opened = open_index(index) if rag else None
    model = load_generator(chosen.llm)
    # Where the settings name no model, the one that is asked is what the endpoint offers first.
    named = {"model": getattr(model, "model", chosen.llm.model)}
    chosen = chosen.model_copy(update={"llm": chosen.llm.model_copy(update=named)})
    predictions = Predictions(out, _provenance(loaded, chosen, opened, cot=cot, without_gold=without_gold))
    examinee = Examinee(model, _passages(index, chosen, without_gold=without_gold) if rag else None, cot)
    with counting("asking") as on_prediction:
        ask_questions(loaded.questions, examinee, predictions, at_once=at_once, on_prediction=on_prediction)
    write_mirage(out, loaded.questions, predictions.done, _location(chosen, opened, index))
    _print(loaded, predictions.done, str(compare), theirs, json=json)


def _compared(folder: Path | None, benchmark: Benchmark) -> Done | None:
    """The predictions of the run to compare with; UsageError where they are of other questions altogether."""
    from osler.errors import UsageError
    from osler.evaluate.mirage_run import read_predictions

    if folder is None:
        return None
    theirs = {(prediction.task, prediction.question_id): prediction for prediction in read_predictions(folder)}
    if theirs.keys().isdisjoint((question.task, question.question_id) for question in benchmark.questions):
        raise UsageError(
            f"--compare {folder}: none of its {len(theirs):,} predictions is of a question of this benchmark; "
            "name a run of the same file."
        )
    return theirs


def _passages(folder: str, settings: Settings, *, without_gold: bool) -> Passages:
    from osler.answer.prompt import estimate_tokens
    from osler.evaluate.mirage_run import Passages
    from osler.load import load_searcher

    k, budget = settings.search.k, settings.answer.passage_tokens
    return Passages(load_searcher(folder, settings), k, budget, estimate_tokens, without_gold=without_gold)


def _location(settings: Settings, index: LanceIndex | None, folder: str) -> PredictionFolder:
    from osler.evaluate.mirage_run import PredictionFolder

    llm = settings.llm.model or settings.llm.shown_url
    if index is None:
        return PredictionFolder(llm)
    models = f"{index.manifest.encoder.name}+{index.manifest.reranker.name}"
    return PredictionFolder(llm, Path(folder).name, models, settings.search.k)


def _provenance(
    benchmark: Benchmark, settings: Settings, index: LanceIndex | None, *, cot: bool, without_gold: bool
) -> dict[str, Any]:
    """What the predictions depend on; a folder holds those of one run only."""
    from osler.evaluate.mirage import prompt_digest
    from osler.index.manifest import version_of_osler

    return {
        "osler": version_of_osler(),
        "prompt": prompt_digest(),
        "benchmark": benchmark.digest,
        "cot": cot,
        "without_gold": without_gold,
        "passage_tokens": settings.answer.passage_tokens if index else 0,
        "llm": {**settings.llm.model_dump(mode="json", exclude={"key", "timeout"}), "url": settings.llm.shown_url},
        "search": settings.search.model_dump(mode="json") if index else None,
        "index": _state(index) if index else None,
    }


def _state(index: LanceIndex) -> dict[str, Any]:
    """What built the index, and what it holds: an index that has changed since finds other passages."""
    counts = index.statistics()
    return {
        **index.manifest.model_dump(mode="json"),
        "documents": counts.documents,
        "passages": counts.passages,
        "unindexed": counts.unindexed,
        "changed": counts.changed.isoformat(),
    }


def _print(benchmark: Benchmark, done: Done, other: str, theirs: Done | None, *, json: bool) -> None:
    from osler.cli.printing import print_json, print_notice
    from osler.cli.tables import print_mirage
    from osler.evaluate.mirage import compare_runs, mirage_report

    report = mirage_report(benchmark.questions, done)
    compared = None if theirs is None else compare_runs(benchmark.questions, done, theirs)
    if compared and compared.questions < report.questions:
        print_notice(
            f"{other} answered {compared.questions:,} of these {report.questions:,} questions: compared on those"
        )
    if json:
        print_json(report.json() | ({"compared": {"run": other, **compared.json()}} if compared else {}))
    else:
        print_mirage(report, other, compared)
