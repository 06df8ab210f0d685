"""One data set under many settings of the search: quality against latency. Knows searchers, draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.errors import UsageError
from osler.evaluate.report import MAIN, RunReport
from osler.evaluate.retrieval import search_dataset
from osler.search.searcher import Searcher

TOTAL: Final = "total"
"""The name of the sum over the parts of a search."""

GENERATE: Final = "generate"
"""The name of a language model's reply, which is no part of a search nor of its total."""

_WARM: Final = 5
"""Queries searched before any is timed: the first of a process loads pages and compiles kernels."""


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
    """One combination: nDCG@10 with its 95% interval, and milliseconds of a query, by part of a search and in all.

    index: the name of the index that was searched, where there are several.
    """

    candidates: str
    num_candidates: int
    rerank: bool
    k: int
    quality: float
    low: float
    high: float
    p50: Mapping[str, float]
    p95: Mapping[str, float]
    index: str = ""

    @property
    def label(self) -> str:
        """The combination in words."""
        index = f"{self.index}: " if self.index else ""
        return f"{index}{self.candidates} {self.num_candidates}{' + MaxSim' if self.rerank else ''}, k = {self.k}"

    def json(self) -> dict[str, Any]:
        """A line of `osler evaluate sweep --json`."""
        return asdict(self)


def sweep(
    dataset: Dataset,
    searchers: Mapping[str, Searcher],
    grid: Grid,
    *,
    on_point: Callable[[int, int], None] | None = None,
) -> list[SweepPoint]:
    """A point for each combination of the grid over each index, every query asked one at a time in this process.

    searchers by the name of their index. Ask `coverage` first whether each index can answer at all.
    """
    combinations = [
        (name, one.with_settings(settings))
        for name, one in searchers.items()
        for settings in grid.settings(one.settings)
    ]
    points = []
    for number, (name, searcher) in enumerate(combinations, start=1):
        points.append(_point(dataset, searcher, name if len(searchers) > 1 else ""))
        if on_point:
            on_point(number, len(combinations))
    return points


def with_replies(points: Iterable[SweepPoint], seconds: Mapping[int, Sequence[float]]) -> list[SweepPoint]:
    """The points with what a language model took for its replies to k passages, where any were timed."""
    return [
        replace(
            point,
            p50={**point.p50, GENERATE: _milliseconds(seconds[point.k], 50)},
            p95={**point.p95, GENERATE: _milliseconds(seconds[point.k], 95)},
        )
        if seconds.get(point.k)
        else point
        for point in points
    ]


def pareto_front(points: Iterable[SweepPoint]) -> list[SweepPoint]:
    """The points that no other beats in both quality and median time, fastest first."""
    front: list[SweepPoint] = []
    for point in sorted(points, key=lambda one: (one.p50[TOTAL], -one.quality)):
        if not front or point.quality > front[-1].quality:
            front.append(point)
    return front


def _point(dataset: Dataset, searcher: Searcher, index: str) -> SweepPoint:
    for query in list(dataset.queries.values())[:_WARM]:
        searcher.search(query.text, evidence=False)
    runs = search_dataset(dataset, searcher, k=searcher.settings.k)
    report = RunReport.of("", dataset.qrels, runs.ranked)
    low, high = report.intervals[MAIN]
    settings = searcher.settings
    return SweepPoint(
        candidates=settings.candidates,
        num_candidates=settings.num_candidates,
        rerank=settings.rerank,
        k=settings.k,
        quality=report.metrics[MAIN],
        low=low,
        high=high,
        p50=_percentile(runs.seconds, 50),
        p95=_percentile(runs.seconds, 95),
        index=index,
    )


def _percentile(seconds: Mapping[str, Sequence[float]], percent: int) -> dict[str, float]:
    """Milliseconds, by part and in all."""
    total = np.sum([np.asarray(one) for one in seconds.values()], axis=0)
    parts = {**{part: np.asarray(one) for part, one in seconds.items()}, TOTAL: total}
    return {part: _milliseconds(one, percent) for part, one in parts.items()}


def _milliseconds(seconds: ArrayLike, percent: int) -> float:
    return round(float(np.percentile(np.asarray(seconds), percent)) * 1000, 3)
