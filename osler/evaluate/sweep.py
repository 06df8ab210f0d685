"""One data set under many settings of the search: quality against latency, and how long replies take.

The report is a folder: sweep.md, sweep.html, and the plot as PNG and SVG.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise, product
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.errors import UsageError, require
from osler.evaluate.report import MAIN, RunReport, p_text, table
from osler.evaluate.retrieval import TOTAL, OnQuery, StageRuns
from osler.protocols import Generator, Message
from osler.records import Answer, Query
from osler.search.searcher import Searcher


@dataclass(frozen=True, slots=True)
class Grid:
    """The settings that are combined with each other; UsageError where every number of candidates is below every k."""

    candidates: tuple[str, ...] = ("dense", "lexical", "hybrid")
    num_candidates: tuple[int, ...] = (10, 50, 100, 200)
    rerank: tuple[bool, ...] = (True, False)
    k: tuple[int, ...] = (10,)

    def __post_init__(self) -> None:
        if max(self.num_candidates) < min(self.k):
            raise UsageError(
                f"{max(self.num_candidates)} candidates are fewer than the {min(self.k)} passages that come back: "
                "raise --num-candidates, or lower -k."
            )

    def settings(self, base: SearchSettings) -> Iterator[SearchSettings]:
        """The base settings with each combination; a number of candidates below k would be raised to it, so is not."""
        for candidates, num_candidates, rerank, k in product(self.candidates, self.num_candidates, self.rerank, self.k):
            if num_candidates >= k:
                changes = {"candidates": candidates, "num_candidates": num_candidates, "rerank": rerank, "k": k}
                yield base.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One combination: what it found, and milliseconds of a query, by part of a search and in all.

    index: the name of the index that was searched, where there are several. replies: the seconds that a language model
    took to answer from k passages.
    """

    candidates: str
    num_candidates: int
    rerank: bool
    k: int
    report: RunReport
    p50: Mapping[str, float]
    p95: Mapping[str, float]
    index: str = ""
    replies: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The combination in words."""
        index = f"{self.index}: " if self.index else ""
        return f"{index}{self.candidates} {self.num_candidates}{' + MaxSim' if self.rerank else ''}, k = {self.k}"

    @property
    def quality(self) -> float:
        """nDCG@10."""
        return self.report.metrics[MAIN]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of nDCG@10."""
        return self.report.intervals[MAIN]

    def json(self) -> dict[str, Any]:
        """A line of `osler evaluate sweep --json`."""
        low, high = self.interval
        values = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "report"}
        return {**values, "quality": self.quality, "low": low, "high": high}


def sweep(
    dataset: Dataset, searchers: Mapping[str, Searcher], grid: Grid, *, on_query: OnQuery | None = None
) -> list[SweepPoint]:
    """A point for each combination of the grid over each index, every search alone in this process.

    Each query is asked under all combinations before the next one, in a random order: what slows the machine for a
    while slows them alike. searchers by the name of their index. Ask `coverage` first whether each can answer at all.
    """
    combinations = [
        (name if len(searchers) > 1 else "", searcher.with_settings(settings))
        for name, searcher in searchers.items()
        for settings in grid.settings(searcher.settings)
    ]
    runs = _runs(list(dataset.queries.values()), [searcher for _, searcher in combinations], on_query)
    return [_point(dataset, *combination, run) for combination, run in zip(combinations, runs, strict=True)]


# Queries searched before any is timed: the first of a process loads pages and compiles kernels.
_WARM: Final = 5


def _runs(queries: Sequence[Query], searchers: Sequence[Searcher], on_query: OnQuery | None) -> list[StageRuns]:
    """What each searcher finds, in their order."""
    # Every combination warms its own path.
    for query in queries[:_WARM]:
        for searcher in searchers:
            searcher.search(query.text, evidence=False)
    runs = [StageRuns() for _ in searchers]
    order = np.random.default_rng(0)
    for number, query in enumerate(queries, start=1):
        # What slows the machine for a while slows all combinations alike.
        for index in order.permutation(len(searchers)):
            runs[index].search(query, searchers[index], k=searchers[index].settings.k)
        if on_query:
            on_query(number, len(queries))
    return runs


def _point(dataset: Dataset, index: str, searcher: Searcher, runs: StageRuns) -> SweepPoint:
    settings = searcher.settings
    return SweepPoint(
        candidates=settings.candidates,
        num_candidates=settings.num_candidates,
        rerank=settings.rerank,
        k=settings.k,
        report=RunReport.of("", dataset.qrels, runs.ranked),
        p50={part: _milliseconds(seconds, 50) for part, seconds in runs.seconds.items()},
        p95={part: _milliseconds(seconds, 95) for part, seconds in runs.seconds.items()},
        index=index,
    )


def _milliseconds(seconds: ArrayLike, percent: int) -> float:
    return round(float(np.percentile(np.asarray(seconds), percent)) * 1000, 3)


def pareto_front(points: Iterable[SweepPoint]) -> list[SweepPoint]:
    """The points that no other beats in both quality and median time, fastest first."""
    front: list[SweepPoint] = []
    for point in sorted(points, key=lambda point: (point.p50[TOTAL], -point.quality)):
        if not front or point.quality > front[-1].quality:
            front.append(point)
    return front


GENERATE: Final = "generate"
"""The name of a language model's reply, which is no part of a search nor of its total."""


class TimedGenerator:
    """A language model whose replies are timed: `seconds` holds one number each, in order."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.seconds: list[float] = []

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The reply of the language model."""
        started = perf_counter()
        reply = self.generator.complete(messages, schema=schema)
        self.seconds.append(perf_counter() - started)
        return reply


def time_replies(
    questions: Sequence[str],
    answer: Callable[[str, int], Answer],
    generator: TimedGenerator,
    ks: Iterable[int],
) -> dict[int, list[float]]:
    """The seconds of the replies to these questions, by the number of passages found.

    answer: answers a question from k passages with this generator. A question that it abstains from has no reply, so
    there may be none at all. The first reply of a process loads the model, and is not counted.
    """
    seconds: dict[int, list[float]] = {}
    warm = False
    for k in ks:
        for question in questions:
            generator.seconds.clear()
            answer(question, k)
            if generator.seconds and not warm:
                generator.seconds.clear()
                answer(question, k)
                warm = True
            seconds.setdefault(k, []).extend(generator.seconds)
    return seconds


def with_replies(points: Iterable[SweepPoint], seconds: Mapping[int, Sequence[float]]) -> list[SweepPoint]:
    """The points with what a language model took for its replies to k passages, where any were timed."""
    return [
        replace(
            point,
            p50={**point.p50, GENERATE: _milliseconds(seconds[point.k], 50)},
            p95={**point.p95, GENERATE: _milliseconds(seconds[point.k], 95)},
            replies=tuple(seconds[point.k]),
        )
        if seconds.get(point.k)
        else point
        for point in points
    ]


_PARTS_OF_TIME: Final = (
    "The total is the time of a whole search without evidence. Words are looked up while the model reads the query: "
    "where both are needed, `candidates` is what is left to wait for."
)


def write_sweep(points: Sequence[SweepPoint], folder: Path, *, title: str, about: str) -> None:
    """Write the report; about: a sentence with the data set, its queries, the index and its size."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [about, _PARTS_OF_TIME, *reply_sentences(points)]
    (folder / "sweep.md").write_text(_markdown(points, title, sentences), encoding="utf-8")
    (folder / "sweep.html").write_text(_html(points, title, sentences), encoding="utf-8")
    _plot(points, folder, title)


# Fewer have no 95th percentile.
_FEW_REPLIES: Final = 20


def reply_sentences(points: Sequence[SweepPoint]) -> Iterator[str]:
    """A sentence for each number of passages that a language model was timed with."""
    for k, point in sorted({point.k: point for point in points if point.replies}.items()):
        seconds = point.replies
        far = f"{min(seconds):.1f} to {max(seconds):.1f} s"
        if len(seconds) >= _FEW_REPLIES:
            far = f"95th percentile {point.p95[GENERATE] / 1000:.1f} s"
        yield f"A reply to {k} passages takes {point.p50[GENERATE] / 1000:.1f} s, the median of {len(seconds)} ({far})."


ALL: Final = "All settings"
"""The heading of the table of every point."""

_PARTS: Final = (TOTAL, "encode", "candidates", "read", "maxsim")
_COLUMNS: Final = ("settings", MAIN, "95%", *(f"{part} p50 / p95 ms" for part in _PARTS), "front")
_FRONT: Final = (
    "Nothing beats these in both quality and median time. The last column says what paired tests over queries make of "
    "each against the one before it."
)


def _markdown(points: Sequence[SweepPoint], title: str, sentences: Sequence[str]) -> str:
    front = pareto_front(points)
    steps = [(*row[:-1], step) for row, step in zip(_rows(front), _steps(front), strict=True)]
    lines = [f"# {title}", "", " ".join(sentences), "", "![quality against time](sweep.png)", ""]
    lines += ["## Pareto front", "", _FRONT, "", *table((*_COLUMNS[:-1], "against the one before"), steps), ""]
    return "\n".join([*lines, f"## {ALL}", "", *table(_COLUMNS, _rows(points))]) + "\n"


def _steps(front: Sequence[SweepPoint]) -> Iterator[str]:
    """What may be said of each point of the front against the one before it."""
    yield ""
    for before, point in pairwise(front):
        comparison = point.report.compared(before.report)
        difference = comparison.difference
        yield f"{comparison.verdict}, {difference.difference:+.3f} ({p_text(difference.p)})"


def _rows(points: Sequence[SweepPoint]) -> list[tuple[str, ...]]:
    # Points may be equal in all that is shown, so identity tells them apart.
    front = {id(point) for point in pareto_front(points)}
    return [
        (
            point.label,
            f"{point.quality:.3f}",
            "–".join(f"{end:.3f}" for end in point.interval),
            *(f"{point.p50.get(part, 0.0):.1f} / {point.p95.get(part, 0.0):.1f}" for part in _PARTS),
            "yes" if id(point) in front else "",
        )
        for point in points
    ]


_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}tr.front td{font-weight:600}img{max-width:100%}"
    "code{background:#f3f3f3;padding:.1rem .3rem}"
)


def _html(points: Sequence[SweepPoint], title: str, sentences: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in _COLUMNS)
    body = ""
    for row in _rows(points):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        body += f'<tr class="{"front" if row[-1] else ""}">{cells}</tr>'
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(' '.join(sentences))}</p>"
        '<img src="sweep.svg" alt="quality against time"><p>Bold: the Pareto front.</p>'
        f"<table><tr>{head}</tr>{body}</table></html>\n"
    )


_COLOURS: Final = {"dense": "tab:blue", "lexical": "tab:green", "hybrid": "tab:purple"}
# Of an index, with re-ranking and without.
_MARKERS: Final = (("o", "x"), ("s", "+"), ("^", "1"), ("D", "2"))


def _plot(points: Sequence[SweepPoint], folder: Path, title: str) -> None:
    require("matplotlib", extra="evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Any = figure.subplots()
    indexes = list(dict.fromkeys(point.index for point in points))
    # A dot's colour and shape say its index, where candidates come from, and whether they are re-ranked.
    series: dict[tuple[str, str, bool], list[SweepPoint]] = {}
    for point in points:
        series.setdefault((point.index, point.candidates, point.rerank), []).append(point)
    for (index, candidates, rerank), chosen in series.items():
        label = f"{index}{': ' if index else ''}{candidates}{' + MaxSim' if rerank else ''}"
        marker = _MARKERS[indexes.index(index) % len(_MARKERS)][not rerank]
        axes.plot(*_coordinates(chosen), marker, color=_COLOURS.get(candidates), label=label, alpha=0.7)
    front = pareto_front(points)
    label = "Pareto front, candidates named where a step is more than noise"
    axes.plot(*_coordinates(front), "k--", lw=1, label=label)
    # Named are the quickest point, and each that paired tests call better than the one named before it.
    named = front[0]
    for point in front:
        if point is named or point.report.compared(named.report).verdict == "better":
            named = point
            at = (point.p50[TOTAL], point.quality)
            axes.annotate(str(point.num_candidates), at, (4, -12), textcoords="offset points")
    axes.set(title=title, xlabel="median milliseconds a query", ylabel=MAIN, xscale="log")
    axes.xaxis.set_major_formatter("{x:g}")  # 20, not 2 x 10^1
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize="small")
    for kind in ("png", "svg"):
        figure.savefig(folder / f"sweep.{kind}", dpi=150)


def _coordinates(points: Sequence[SweepPoint]) -> tuple[list[float], list[float]]:
    return [point.p50[TOTAL] for point in points], [point.quality for point in points]
