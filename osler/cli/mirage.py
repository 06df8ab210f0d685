"""`osler evaluate mirage`: multiple-choice questions to accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osler.cli import options
from osler.cli.outputs import check_folder

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.datasets.mirage import Benchmark
    from osler.evaluate.mirage.accuracy import Done
    from osler.evaluate.mirage.predictions import Place
    from osler.evaluate.mirage.runner import Passages
    from osler.index import LanceIndex
    from osler.protocols import Generator


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
    from osler.evaluate.mirage.predictions import Predictions, write_mirage
    from osler.evaluate.mirage.runner import Examinee, ask_questions
    from osler.index import open_index
    from osler.load import load_generator

    _check_flags(rag=rag, k=k, without_gold=without_gold)
    check_folder("--out", out)
    chosen = options.settings_from(settings, models={"device": device}, search={"k": k}, llm={"url": generator})
    asked = load_mirage(benchmark)
    theirs = _compared(compare, asked)
    opened = open_index(index) if rag else None
    model = load_generator(chosen.llm)
    chosen = _naming(model, chosen)
    predictions = Predictions(out, _provenance(asked, chosen, opened, cot=cot, without_gold=without_gold))
    examinee = Examinee(model, _passages(index, chosen, without_gold=without_gold) if rag else None, cot)
    with counting("asking") as on_prediction:
        ask_questions(asked.questions, examinee, predictions, at_once=at_once, on_prediction=on_prediction)
    write_mirage(out, asked.questions, predictions.done, _place(chosen, opened, index))
    _print(asked, predictions.done, str(compare), theirs, json=json)


def _check_flags(*, rag: bool, k: int | None, without_gold: bool) -> None:
    from osler.errors import UsageError

    given = {"-k": k is not None, "--without-gold": without_gold}
    for flag in (name for name, is_given in given.items() if is_given and not rag):
        raise UsageError(f"{flag} chooses passages, and --no-rag asks without any: leave one of the two out.")


def _compared(folder: Path | None, benchmark: Benchmark) -> Done | None:
    """The predictions of the run to compare with; UsageError where they are of other questions altogether."""
    from osler.errors import UsageError
    from osler.evaluate.mirage.predictions import read_predictions

    if folder is None:
        return None
    theirs = {(one.task, one.question_id): one for one in read_predictions(folder)}
    if theirs.keys().isdisjoint((one.task, one.question_id) for one in benchmark.questions):
        raise UsageError(
            f"--compare {folder}: none of its {len(theirs):,} predictions is of a question of this benchmark; "
            "name a run of the same file."
        )
    return theirs


def _naming(generator: Generator, settings: Settings) -> Settings:
    """The settings with the model that is asked: where they name none, the one that the endpoint offers first."""
    model = getattr(generator, "model", settings.llm.model)
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": model})})


def _passages(folder: str, settings: Settings, *, without_gold: bool) -> Passages:
    from osler.answer.prompt import estimate_tokens
    from osler.evaluate.mirage.runner import Passages
    from osler.load import load_searcher

    k, budget = settings.search.k, settings.answer.passage_tokens
    return Passages(load_searcher(folder, settings), k, budget, estimate_tokens, without_gold=without_gold)


def _place(settings: Settings, index: LanceIndex | None, folder: str) -> Place:
    from osler.evaluate.mirage.predictions import Place

    llm = settings.llm.model or settings.llm.shown_url
    if index is None:
        return Place(llm)
    models = f"{index.manifest.encoder.name}+{index.manifest.reranker.name}"
    return Place(llm, Path(folder).name, models, settings.search.k)


def _provenance(
    benchmark: Benchmark, settings: Settings, index: LanceIndex | None, *, cot: bool, without_gold: bool
) -> dict[str, Any]:
    """What the predictions depend on; a folder holds those of one run only."""
    from osler.evaluate.mirage.prompts import prompt_digest
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
    from osler.cli.evaluation_tables import print_mirage
    from osler.cli.printing import print_json, print_notice
    from osler.evaluate.mirage.accuracy import compare_runs, mirage_report

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
