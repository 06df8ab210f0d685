"""What a cell reached under each seed, as values of queries, and the files that keep it. Knows no model.

A folder holds `cells/NAME/seed-N.json`, each whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from osler.errors import UsageError
from osler.evaluate.ablation.seeds import SeedValues
from osler.evaluate.report import MAIN

MeasuredQueries = Mapping[str, Mapping[str, Mapping[str, float]]]
"""measure -> data set -> query_id -> value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell under one seed: the values of its queries, the settings it was made with, the seconds it took."""

    values: MeasuredQueries
    settings: Mapping[str, Any]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CellValues:
    """A cell under all of its seeds, in their order."""

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
        return sum(one.seconds for one in self.outcomes) / len(self.outcomes)

    def of(self, measure: str) -> SeedValues:
        """The values of this measure, by data set; the queries are in the order of their ids."""
        first = self.outcomes[0].values[measure]
        return {
            name: [[one.values[measure][name][query_id] for query_id in sorted(first[name])] for one in self.outcomes]
            for name in first
        }


def write_outcome(folder: Path, cell: str, seed: int, outcome: Outcome) -> None:
    """Keep what the cell reached under this seed."""
    path = _path(folder, cell, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    kept = {"cell": cell, "seed": seed, **asdict(outcome), "values": _rounded(outcome.values)}
    unfinished.write_text(json.dumps(kept) + "\n", encoding="utf-8")
    unfinished.replace(path)


def has_outcome(folder: Path, cell: str, seed: int) -> bool:
    """Whether the cell is done under this seed."""
    return _path(folder, cell, seed).is_file()


def read_cells(folder: Path, names: Iterable[str], seeds: Sequence[int]) -> dict[str, CellValues]:
    """The cells of these names that are done under all of the seeds, by name; UsageError for a damaged file."""
    done = [name for name in names if all(has_outcome(folder, name, seed) for seed in seeds)]
    return {
        name: CellValues(name, tuple(seeds), tuple(_read(_path(folder, name, seed)) for seed in seeds)) for name in done
    }


def _rounded(values: MeasuredQueries) -> MeasuredQueries:
    return {
        measure: {
            name: {query_id: round(value, 5) for query_id, value in of_query.items()}
            for name, of_query in of_dataset.items()
        }
        for measure, of_dataset in values.items()
    }


def _path(folder: Path, cell: str, seed: int) -> Path:
    return folder / "cells" / cell / f"seed-{seed}.json"


def _read(path: Path) -> Outcome:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(kept["values"], kept["settings"], kept["seconds"])
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{path}: damaged ({error}); delete that file, and the same command makes it again."
        ) from error
