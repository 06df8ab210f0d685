"""Whether a difference can be told from noise: bootstrap intervals and paired tests. Knows numbers only.

Queries are resampled within their data set, and the mean over data sets is taken: a set with many queries does not
outvote a small one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SAMPLES: Final = 10_000
_INTERVAL: Final = (2.5, 97.5)

_DRAWS: Final = 4_000_000
"""Queries drawn at once: 32 MB of places."""

Array = NDArray[np.float64]

Values = Mapping[str, Sequence[float]]
"""One value a query, by data set."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference of macro means: its 95% interval, and the two-sided p-value of no difference."""

    difference: float
    low: float
    high: float
    p: float


def interval(values: Values, *, samples: int = _SAMPLES, seed: int = 42) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the macro mean (Efron, 1979); ValueError where a set has no values.

    >>> interval({"all": [1.0, 1.0, 1.0]})
    (1.0, 1.0)
    """
    low, high = np.percentile(_macro_means(values, samples, seed), _INTERVAL)
    return float(low), float(high)


def compare(ours: Values, theirs: Values, *, samples: int = _SAMPLES, seed: int = 42) -> Comparison:
    """The macro mean of ours less that of theirs, by a paired bootstrap (Efron & Tibshirani, 1993, ch. 16).

    Both hold the values of the same queries in the same order, ValueError where their number differs. p is the share
    of resampled differences, shifted to mean zero, that are at least as far from zero as the one observed, which is
    counted among them: so it is never zero.

    >>> compare({"all": [0.5, 0.7]}, {"all": [0.5, 0.7]}).p
    1.0
    """
    differences = _differences(ours, theirs)
    observed = float(np.mean([difference.mean() for difference in differences.values()]))
    means = _macro_means(differences, samples, seed)
    low, high = np.percentile(means, _INTERVAL)
    # As far as rounding can tell: equal runs differ by zero in every sample.
    as_far = np.abs(means - observed) >= abs(observed) - 1e-12
    return Comparison(observed, float(low), float(high), float((as_far.sum() + 1) / (samples + 1)))


def _differences(ours: Values, theirs: Values) -> dict[str, NDArray[np.float64]]:
    if ours.keys() != theirs.keys():
        raise ValueError(f"The data sets differ ({', '.join(ours)}; {', '.join(theirs)}): evaluate the same ones.")
    for name in ours:
        if len(ours[name]) != len(theirs[name]):
            counts = f"{len(ours[name])} and {len(theirs[name])} values"
            raise ValueError(f"{name}: {counts} make no pairs: evaluate the same queries twice.")
    _require_values(ours)
    return {name: np.asarray(ours[name]) - np.asarray(theirs[name]) for name in ours}


def _require_values(values: Mapping[str, Sequence[float] | Array]) -> None:
    if not values or not all(len(one) for one in values.values()):
        raise ValueError("A mean needs data sets, and values in each: evaluate at least one query.")


def _macro_means(values: Mapping[str, Sequence[float] | Array], samples: int, seed: int) -> Array:
    """[samples], each the macro mean of queries drawn with replacement within each data set."""
    _require_values(values)
    generator = np.random.default_rng(seed)
    means = [_resampled_means(np.asarray(one, dtype=np.float64), samples, generator) for one in values.values()]
    mean: Array = np.mean(means, axis=0)
    return mean


def _resampled_means(values: Array, samples: int, generator: np.random.Generator) -> Array:
    block = max(1, _DRAWS // len(values))
    sizes = [min(block, samples - first) for first in range(0, samples, block)]
    return np.concatenate([values[generator.integers(len(values), size=(n, len(values)))].mean(axis=1) for n in sizes])
