"""Means, intervals and differences of values that have two sources of chance: seeds and queries. Knows numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.evaluate.significance import Values

SeedValues = Mapping[str, Sequence[Sequence[float]]]
"""[S, Q] by data set: the value of each query under each seed."""

Array = NDArray[np.float64]

_SAMPLES: Final = 10_000
_INTERVAL: Final = (2.5, 97.5)
_DRAWS: Final = 2_000_000
"""Queries drawn at once: 16 MB of places, and as much again a seed."""


def macro_mean(values: SeedValues) -> float:
    """The mean over data sets of their mean over seeds and queries.

    >>> macro_mean({"a": [[0.0, 1.0], [1.0, 1.0]], "b": [[0.25], [0.25]]})
    0.5
    """
    return float(np.mean([np.mean(rows) for rows in values.values()]))


def seed_means(values: SeedValues) -> Values:
    """The mean over seeds of each query, by data set: what a paired test over queries takes.

    >>> seed_means({"a": [[0.0, 1.0], [1.0, 1.0]]})
    {'a': [0.5, 1.0]}
    """
    return {name: np.mean(rows, axis=0).tolist() for name, rows in values.items()}


def interval(values: SeedValues, *, samples: int = _SAMPLES, seed: int = 42) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the macro mean over seeds and queries.

    Each sample draws seeds with replacement, then queries with replacement within each data set. All seeds answered the
    same queries, so the queries drawn are the same for each of them: their chance is not averaged away over seeds.

    >>> interval({"a": [[0.0, 0.0], [1.0, 1.0]]})
    (0.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    seeds = len(next(iter(values.values())))
    shares = generator.multinomial(seeds, [1 / seeds] * seeds, size=samples) / seeds  # [samples, S]
    means = [_resampled(np.asarray(rows, dtype=np.float64), shares, generator) for rows in values.values()]
    low, high = np.percentile(np.mean(means, axis=0), _INTERVAL)
    return float(low), float(high)


def differences(ours: SeedValues, theirs: SeedValues) -> dict[str, list[list[float]]]:
    """[S, Q] by data set: ours less theirs, by seed and query; ValueError where these are not the same.

    >>> differences({"a": [[1.0, 0.5]]}, {"a": [[0.5, 0.5]]})
    {'a': [[0.5, 0.0]]}
    """
    shapes = [{name: np.shape(rows) for name, rows in values.items()} for values in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"Seeds and queries differ ({shapes[0]}; {shapes[1]}): run both cells with the same ones.")
    return {name: (np.asarray(ours[name]) - np.asarray(theirs[name])).tolist() for name in ours}


def _resampled(rows: Array, shares: Array, generator: np.random.Generator) -> Array:
    """[samples]: the mean over queries drawn with replacement and over seeds with these shares."""
    queries = rows.shape[1]
    block = max(1, _DRAWS // queries)
    parts = []
    for first in range(0, len(shares), block):
        chosen = shares[first : first + block]
        places = generator.integers(queries, size=(len(chosen), queries))
        of_seed = np.stack([row[places].mean(axis=1) for row in rows], axis=1)  # [block, S]
        parts.append((of_seed * chosen).sum(axis=1))
    return np.concatenate(parts)
