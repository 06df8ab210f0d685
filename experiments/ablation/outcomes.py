"""What variants reached under each seed: values of queries, their means and intervals, and the files that hold them.

Values have two sources of chance, seeds and queries. A folder holds `variants/NAME/seed-N.json`, each whole or not at
all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from osler.errors import UsageError
from osler.evaluate.report import MAIN
from osler.evaluate.significance import Values

SeedValues = Mapping[str, Sequence[Sequence[float]]]
"""[S, Q] by data set: the value of each query under each seed."""

MeasuredQueries = Mapping[str, Mapping[str, Mapping[str, float]]]
"""measure -> data set -> query_id -> value."""

Work = Callable[[int], "Outcome"]
"""Trains and measures a variant under this seed."""

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
    arrays = [np.asarray(rows, dtype=np.float64) for rows in values.values()]
    seeds, queries = len(arrays[0]), min(array.shape[1] for array in arrays)
    of_seeds = np.mean([array.mean(axis=1) for array in arrays], axis=0).reshape(1, -1)
    of_queries = [array.mean(axis=0) for array in arrays]
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
        raise ValueError(f"Seeds and queries differ ({shapes[0]}; {shapes[1]}): run both variants with the same ones.")
    return {name: (np.asarray(ours[name]) - np.asarray(theirs[name])).tolist() for name in ours}


def _standard_error(samples: Sequence[Array] | Array) -> float:
    """Of the mean of the means of these samples; a sample of one value is taken as certain."""
    variances = [sample.var(ddof=1) / len(sample) for sample in samples if len(sample) > 1]
    return float(np.sqrt(np.sum(variances))) / len(samples)


def _t(count: int) -> float:
    """Standard errors to each side of a mean of so many values that hold 95% of Student's distribution."""
    return float(stdtrit(count - 1, 0.975)) if count > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A variant under one seed: the values of its queries, the settings it was made with, the seconds it took."""

    values: MeasuredQueries
    settings: Mapping[str, Any]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class VariantValues:
    """A variant under all of its seeds, in their order."""

    name: str
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def queries(self) -> int:
        """How many queries were asked under each seed, in all data sets."""
        return sum(len(of_query) for of_query in self.outcomes[0].values[MAIN].values())

    @property
    def seconds(self) -> float:
        """What its training and its measuring took under one seed, in the mean."""
        return sum(outcome.seconds for outcome in self.outcomes) / len(self.outcomes)

    def of(self, measure: str) -> SeedValues:
        """The values of this measure, by data set; the queries are in the order of their ids."""
        by_seed = [outcome.values[measure] for outcome in self.outcomes]
        return {
            name: [[values[name][query_id] for query_id in sorted(of_query)] for values in by_seed]
            for name, of_query in by_seed[0].items()
        }


def write_outcome(folder: Path, variant: str, seed: int, outcome: Outcome) -> None:
    """Keep what the variant reached under this seed."""
    path = _path(folder, variant, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    rounded = {
        measure: {
            name: {query_id: round(value, 5) for query_id, value in of_query.items()}
            for name, of_query in of_dataset.items()
        }
        for measure, of_dataset in outcome.values.items()
    }
    entry = {"variant": variant, "seed": seed, **asdict(outcome), "values": rounded}
    unfinished.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    unfinished.replace(path)


def has_outcome(folder: Path, variant: str, seed: int) -> bool:
    """Whether the variant is done under this seed."""
    return _path(folder, variant, seed).is_file()


def read_variants(folder: Path, names: Iterable[str], seeds: Sequence[int]) -> dict[str, VariantValues]:
    """The variants of these names that are done under all of the seeds, by name; UsageError for a damaged file."""
    done = [name for name in names if all(has_outcome(folder, name, seed) for seed in seeds)]
    return {
        name: VariantValues(name, tuple(seeds), tuple(_read(_path(folder, name, seed)) for seed in seeds))
        for name in done
    }


def _path(folder: Path, variant: str, seed: int) -> Path:
    return folder / "variants" / variant / f"seed-{seed}.json"


def _read(path: Path) -> Outcome:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(entry["values"], entry["settings"], entry["seconds"])
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{path}: damaged ({error}); delete that file, and the same command makes it again."
        ) from error


def run_variants(
    work: Mapping[str, Work],
    seeds: Sequence[int],
    folder: Path,
    *,
    on_outcome: Callable[[int, int], None] | None = None,
) -> None:
    """Run what is not done yet, all variants under one seed before the next; a run that was stopped goes on.

    work: by the name of the variant, each after those that it needs. on_outcome is told how many of the outcomes are
    there, and of how many.
    """
    steps = [(seed, name) for seed in seeds for name in work]
    for number, (seed, name) in enumerate(steps, start=1):
        if not has_outcome(folder, name, seed):
            began = time.monotonic()
            outcome = work[name](seed)
            write_outcome(folder, name, seed, replace(outcome, seconds=round(time.monotonic() - began, 1)))
        if on_outcome:
            on_outcome(number, len(steps))
