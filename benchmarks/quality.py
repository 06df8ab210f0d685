"""What several benchmarks measure of a run: nDCG@10, and its difference from another run of the same queries."""

from __future__ import annotations

from osler.datasets import Dataset
from osler.evaluate.measures import Run, per_query
from osler.evaluate.significance import compare

MEASURE = "nDCG@10"


def values_of(dataset: Dataset, run: Run) -> list[float]:
    """The measure of each judged query, in their order."""
    return list(per_query(dataset.qrels, run, [MEASURE])[MEASURE].values())


def difference(dataset: Dataset, ours: list[float], exact: list[float]) -> str:
    """The difference of the means with its interval, queries paired."""
    tested = compare({dataset.name: ours}, {dataset.name: exact})
    return f"{tested.difference:+.4f} ({tested.low:+.4f} to {tested.high:+.4f})"
