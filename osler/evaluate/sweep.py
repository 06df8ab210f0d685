"""One data set under many settings of the search: quality against latency, and how long replies take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.errors import UsageError
from osler.evaluate.report import MAIN, RunReport
from osler.evaluate.retrieval import TOTAL, OnQuery, StageRuns
from osler.protocols import Generator, Message
from osler.records import Answer, Query
from osler.search.searcher import Searcher

GENERATE: Final = "generate"
"""The name of a language model's reply, which is no part of a search nor of its total."""

# Queries searched before any is timed: the first of a process loads pages and compiles kernels.
_WARM: Final = 5


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


def pareto_front(points: Iterable[SweepPoint]) -> list[SweepPoint]:
    """The points that no other beats in both quality and median time, fastest first."""
    front: list[SweepPoint] = []
    for point in sorted(points, key=lambda point: (point.p50[TOTAL], -point.quality)):
        if not front or point.quality > front[-1].quality:
            front.append(point)
    return front


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
