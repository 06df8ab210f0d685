"""How measured runs and trainings look on a terminal. Knows reports and Rich."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from osler.cli.terminal import OUT
from osler.evaluate.answers import AnswerReport
from osler.evaluate.mirage import MirageComparison, MirageReport
from osler.evaluate.report import MAIN, RunComparison, RunReport, p_text, p_value
from osler.evaluate.retrieval import TOTAL
from osler.evaluate.sweep import SweepPoint, pareto_front, reply_sentences
from osler.train.mining.audit import report_text

# The columns, measure by measure; `--json` has all of them.
_SHOWN: Final = {
    "nDCG@10": "nDCG@10",
    "RR@10": "RR@10",
    "Recall@1": "R@1",
    "Recall@10": "R@10",
    "Recall@100": "R@100",
}

_DEV_MEASURES: Final = ("nDCG@10", "RR@10", "Recall@1", "Recall@10")


def print_retrieval(
    stages: Sequence[RunReport], compared: Sequence[RunReport], comparisons: Sequence[RunComparison]
) -> None:
    """A row a run, nDCG@10 with its 95% interval; then what may be said of the last stage against each other run."""
    columns = [MAIN, "95%", *list(_SHOWN.values())[1:]]
    table = figures_table(["run"], columns, title=f"{stages[0].queries:,} queries")
    for number, report in enumerate((*compared, *stages), start=1):
        figures = [f"{report.metrics[measure]:.3f}" for measure in _SHOWN]
        figures.insert(1, interval_text(report.intervals[MAIN]))
        table.add_row(report.name, *figures, end_section=number == len(compared))
    OUT.print(table)
    for comparison in comparisons:
        OUT.print(sentence(stages[-1].name, comparison), soft_wrap=True)


def sentence(name: str, comparison: RunComparison) -> str:
    """What may be said of a run against another."""
    tested = comparison.difference
    p_values = f"{p_text(tested.p)} by randomisation, {p_value(tested.bootstrap_p)} by bootstrap"
    return (
        f"{name} against {comparison.run}: {comparison.measure} {tested.difference:+.3f} "
        f"({tested.low:+.3f} to {tested.high:+.3f}, {p_values}), hits in the first ten {comparison.hits:,} and "
        f"{comparison.hits_other:,} (McNemar {p_text(comparison.hits_p)}): {comparison.verdict}"
    )


def print_mirage(report: MirageReport, other: str, compared: MirageComparison | None) -> None:
    """Accuracy by task with its 95% interval, what guessing reaches, the cost, and the difference from another run."""
    table = figures_table([""], [*report.tasks, "macro"], title=f"{report.questions:,} questions")
    tasks = report.tasks.values()
    table.add_row("accuracy", *(f"{task.accuracy:.3f}" for task in tasks), f"{report.macro:.3f}")
    intervals = [*(task.interval for task in tasks), report.macro_interval]
    table.add_row("95%", *map(interval_text, intervals))
    errors = [*(task.standard_error for task in tasks), report.macro_se]
    table.add_row("standard error", *(f"{error:.3f}" for error in errors))
    failures = [task.parse_failures for task in tasks]
    table.add_row("not parsed", *map(str, (*failures, sum(failures))))
    table.add_row("most frequent reply", *(task.most_frequent for task in tasks), "", end_section=True)
    for name, values in report.baselines.items():
        table.add_row(name, *(f"{values[task]:.3f}" for task in (*report.tasks, "macro")))
    OUT.print(table)
    micro = report.all_tasks
    average = f"micro average {micro.accuracy:.3f} ({interval_text(micro.interval)})"
    OUT.print(f"{average}; {report.parse_failure_rate:.1%} not parsed")
    cost = report.cost
    characters = f"prompts of {cost.prompt_characters:,} characters and replies of {cost.reply_characters:,}"
    seconds = f"{cost.search_seconds:,.1f} s of searches, {cost.reply_seconds:,.1f} s of replies"
    OUT.print(f"cost: {characters} (about four make a token); {seconds}", soft_wrap=True)
    if compared:
        right = f"right answers {compared.right:,}, there {compared.right_there:,}"
        text = f"{compared.questions:,} questions that {other} answered too: {right}"
        OUT.print(f"{text} (McNemar {p_text(compared.p)}): {compared.verdict}", soft_wrap=True)


def print_sweep(points: Sequence[SweepPoint]) -> None:
    """A row a combination, the ones of the Pareto front marked."""
    front = pareto_front(points)
    table = figures_table(["settings"], [MAIN, "95%", "p50 ms", "p95 ms", "front"])
    for point in points:
        figures = (f"{point.quality:.3f}", interval_text(point.interval))
        times = (f"{point.p50[TOTAL]:.1f}", f"{point.p95[TOTAL]:.1f}")
        table.add_row(point.label, *figures, *times, "yes" if point in front else "")
    OUT.print(table)
    for sentence in reply_sentences(points):
        OUT.print(sentence, soft_wrap=True)


def print_answers(report: AnswerReport) -> None:
    """A row a measure, with its 95% interval and the number of questions that it is over."""
    table = figures_table([""], ["mean", "95%", "questions"], title=f"{report.questions:,} questions")
    for name, measure in report.json()["measures"].items():
        figures = (f"{measure['mean']:.3f}", interval_text(measure["interval"]), f"{measure['questions']:,}")
        table.add_row(name.replace("_", " "), *figures)
    OUT.print(table)


def figures_table(names: Sequence[str], figures: Sequence[str], *, title: str | None = None) -> Table:
    """An empty table whose columns hold names first, then figures."""
    table = Table(title=title, title_justify="left")
    for column in names:
        table.add_column(column, overflow="fold")
    for column in figures:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def interval_text(interval: Sequence[float]) -> str:
    """The ends of an interval."""
    low, high = interval
    return f"{low:.3f}–{high:.3f}"


def print_training(report: Mapping[str, Any]) -> None:
    """What was mined, stage 1's weight, and a table of the figures on dev, as far as the run has come."""
    if mined := report.get("mining"):
        OUT.print(report_text(mined), soft_wrap=True)
    if dev := report.get("dev"):
        OUT.print(f"weight of stage 1 in the final score, chosen on valid: {dev['stage1_weight']}")
        if "measures" in dev:
            OUT.print(_dev_table(dev))
            gain = dev["ranked_against_candidates"]
            text = f"the re-ranker changes nDCG@10 by {gain['difference']:+.3f} (95% interval {gain['low']:+.3f} to "
            OUT.print(f"{text}{gain['high']:+.3f}, {p_text(gain['p'])})", soft_wrap=True)
        else:
            OUT.print("no data set has a dev part: set dev or dev_share to get figures")


def _dev_table(dev: Mapping[str, Any]) -> Table:
    table = Table(title="dev", title_justify="left")
    for column in ("data set", "queries", "stage"):
        table.add_column(column, overflow="fold")
    for measure in _DEV_MEASURES:
        table.add_column(measure, justify="right")
    queries = {name: f"{count:,}" for name, count in dev["queries"].items()}
    for name, stages in (*dev["measures"].items(), ("macro average", dev["macro"])):
        for number, (stage, values) in enumerate(stages.items()):
            labels = ("", "") if number else (name, queries.get(name, ""))
            figures = (f"{values[measure]:.3f}" for measure in _DEV_MEASURES)
            table.add_row(*labels, stage, *figures, end_section=number == 1)
    return table
