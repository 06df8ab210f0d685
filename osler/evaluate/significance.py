"""Whether a difference can be told from noise: intervals and paired tests. Knows numbers only.

Queries are resampled within their data set, and the mean over data sets is taken: a set with many queries does not
outvote a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

_SAMPLES: Final = 10_000
_INTERVAL: Final = (2.5, 97.5)

Z: Final = 1.959964
"""Standard errors to each side of a mean that hold 95% of a normal distribution."""

# Means as near as this are the same: equal runs differ by zero in every sample.
_ROUNDING: Final = 1e-12

# Queries drawn at once: 32 MB of indices.
_DRAWS: Final = 4_000_000

Array = NDArray[np.float64]

Values = Mapping[str, Sequence[float]]
"""One value a query, by data set."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference of macro means: its 95% interval, and two two-sided p-values of no difference.

    p: of the randomisation test, which holds its level for few queries too; bootstrap_p: of the paired bootstrap, which
    is too sure of itself there.
    """

    difference: float
    low: float
    high: float
    p: float
    bootstrap_p: float


def interval(values: Values, *, samples: int = _SAMPLES, seed: int = 42) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the macro mean (Efron, 1979); ValueError where a set has no values.

    >>> interval({"all": [1.0, 1.0, 1.0]})
    (1.0, 1.0)
    """
    low, high = np.percentile(resampled_means(values, samples, seed), _INTERVAL)
    return float(low), float(high)


def clustered_interval(clusters: Values, *, samples: int = _SAMPLES, seed: int = 42) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean over clusters: they are drawn, then values within each of them.

    For values that are alike within a cluster: however many they are, few clusters prove little (Davison & Hinkley,
    1997, ch. 3.8). ValueError where a cluster has no values.

    >>> clustered_interval({"one": [1.0, 1.0], "other": [1.0]})
    (1.0, 1.0)
    """
    _require_values(clusters)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(
        len(clusters), size=(samples, len(clusters))
    )  # [samples, clusters]: which cluster each draw is of
    means = np.empty(drawn.shape)
    for number, values in enumerate(clusters.values()):
        # A fresh resample for each draw of a cluster: values within it vary as well as the choice of clusters.
        chosen = drawn == number
        means[chosen] = _means_of(np.asarray(values, dtype=np.float64), int(chosen.sum()), generator)
    low, high = np.percentile(means.mean(axis=1), _INTERVAL)
    return float(low), float(high)


def compare(ours: Values, theirs: Values, *, samples: int = _SAMPLES, seed: int = 42) -> Comparison:
    """The macro mean of ours less that of theirs, by a paired randomisation test and a paired bootstrap.

    Both hold the values of the same queries in the same order, ValueError where their number differs. p: were there no
    difference, each query's could as well be turned round, so it is the share of samples with random signs whose macro
    mean is at least as far from zero as the one observed (Fisher, 1935; Smucker et al., 2007). bootstrap_p: the same
    share of resampled means shifted to zero (Efron & Tibshirani, 1993, ch. 16). Both count the observed mean among the
    samples, so they are never zero.

    >>> compare({"all": [0.5, 0.7]}, {"all": [0.5, 0.7]}).p
    1.0
    """
    differences = _differences(ours, theirs)
    observed = float(np.mean([difference.mean() for difference in differences.values()]))
    means = resampled_means(differences, samples, seed)
    low, high = np.percentile(means, _INTERVAL)
    return Comparison(
        difference=observed,
        low=float(low),
        high=float(high),
        p=_share_as_far(_turned_means(differences, samples, seed), observed),
        bootstrap_p=_share_as_far(means - observed, observed),
    )


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """The exact two-sided p-value of McNemar's test: 1.0 where both hit and miss the same.

    Of the pairs that differ, half would favour either by chance: a binomial with probability 1/2 (McNemar, 1947).
    ValueError where their number differs.

    >>> mcnemar([True, True, True, False], [False, False, False, False])
    0.25
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} and {len(theirs)} values make no pairs: evaluate the same queries twice.")
    only_ours = sum(hit and not other for hit, other in zip(ours, theirs, strict=True))
    only_theirs = sum(other and not hit for hit, other in zip(ours, theirs, strict=True))
    # Pairs that agree say nothing; without any that differ there is nothing to test.
    differing = only_ours + only_theirs
    return float(binomtest(only_ours, differing).pvalue) if differing else 1.0


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share of so many, 0 to 1 (Wilson, 1927): of some width for shares of 0 and 1 too.

    >>> [round(end, 3) for end in wilson(0.5, 100)], [round(end, 3) for end in wilson(1.0, 10)]
    ([0.404, 0.596], [0.722, 1.0])
    """
    ends = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


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
    if not values or not all(len(of_set) for of_set in values.values()):
        raise ValueError("A mean needs data sets, and values in each: evaluate at least one query.")


def _share_as_far(means: Array, observed: float) -> float:
    """The share of the means, the observed one among them, that are at least as far from zero as that one."""
    # The observed mean counts too: a p of 0 would claim more than so many samples can show.
    as_far = np.abs(means) >= abs(observed) - _ROUNDING
    return float((as_far.sum() + 1) / (len(means) + 1))


def resampled_means(values: Mapping[str, Sequence[float] | Array], samples: int = _SAMPLES, seed: int = 42) -> Array:
    """[samples], each the macro mean of queries drawn with replacement within each data set.

    Two systems with values of the same queries get the same draws under one seed.
    """
    _require_values(values)
    generator = np.random.default_rng(seed)
    means = [_means_of(np.asarray(of_set, dtype=np.float64), samples, generator) for of_set in values.values()]
    mean: Array = np.mean(means, axis=0)
    return mean


def _means_of(values: Array, samples: int, generator: np.random.Generator) -> Array:
    shapes = _blocks(len(values), samples)
    return np.concatenate([values[generator.integers(len(values), size=shape)].mean(axis=1) for shape in shapes])


def _turned_means(differences: Mapping[str, Array], samples: int, seed: int) -> Array:
    """[samples], each the macro mean of the differences with random signs."""
    generator = np.random.default_rng(seed)
    means = []
    for values in differences.values():
        # A mean with random signs follows from the sum of the values that are left as they are.
        shapes = _blocks(len(values), samples)
        left = np.concatenate([generator.integers(2, size=shape, dtype=np.int8) @ values for shape in shapes])
        means.append((2 * left - values.sum()) / len(values))
    mean: Array = np.mean(means, axis=0)
    return mean


def _blocks(queries: int, samples: int) -> Iterator[tuple[int, int]]:
    """[samples of the block, queries] of blocks that are drawn at once."""
    block = max(1, _DRAWS // queries)
    return ((min(block, samples - start), queries) for start in range(0, samples, block))
