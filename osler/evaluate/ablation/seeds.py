"""Means, intervals and differences of values that have two sources of chance: seeds and queries. Knows numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from osler.evaluate.significance import Values

SeedValues = Mapping[str, Sequence[Sequence[float]]]
"""[S, Q] by data set: the value of each query under each seed."""

Array = NDArray[np.float64]


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


def interval(values: SeedValues) -> tuple[float, float]:
    """The 95% interval of the macro mean over seeds and queries.

    The mean +- sqrt(t_S^2 v_S + t_Q^2 v_Q), where v_S is the squared standard error of the mean as the seeds' means
    show it, v_Q as the queries' means over seeds do, and t_S and t_Q are Student's quantiles for as many. It holds the
    true mean at least 95 times in a hundred (Banerjee, 1960), where a bootstrap takes three seeds that agree by luck
    for proof. All seeds answer the same queries, whose chance is not averaged away. A single seed tells nothing of
    seeds: its interval is that of its queries.

    >>> [round(end, 2) for end in interval({"a": [[0.4, 0.6, 0.5], [0.5, 0.7, 0.6]]})]
    [-0.13, 1.23]
    """
    rows = [np.asarray(one, dtype=np.float64) for one in values.values()]
    seeds, queries = len(rows[0]), min(one.shape[1] for one in rows)
    of_seeds = np.mean([one.mean(axis=1) for one in rows], axis=0).reshape(1, -1)
    of_queries = [one.mean(axis=0) for one in rows]
    half = np.hypot(_t(seeds) * _standard_error(of_seeds), _t(queries) * _standard_error(of_queries))
    mean = macro_mean(values)
    return float(mean - half), float(mean + half)


def differences(ours: SeedValues, theirs: SeedValues) -> dict[str, list[list[float]]]:
    """[S, Q] by data set: ours less theirs, by seed and query; ValueError where these are not the same.

    >>> differences({"a": [[1.0, 0.5]]}, {"a": [[0.5, 0.5]]})
    {'a': [[0.5, 0.0]]}
    """
    shapes = [{name: np.shape(rows) for name, rows in values.items()} for values in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"Seeds and queries differ ({shapes[0]}; {shapes[1]}): run both cells with the same ones.")
    return {name: (np.asarray(ours[name]) - np.asarray(theirs[name])).tolist() for name in ours}


def _standard_error(samples: Sequence[Array] | Array) -> float:
    """Of the mean of the means of these samples; a sample of one value is taken as certain."""
    variances = [sample.var(ddof=1) / len(sample) for sample in samples if len(sample) > 1]
    return float(np.sqrt(np.sum(variances))) / len(samples)


def _t(count: int) -> float:
    """Standard errors to each side of a mean of so many values that hold 95% of Student's distribution."""
    return float(stdtrit(count - 1, 0.975)) if count > 1 else 0.0
