"""An ablation as files: ablation.md, ablation.json, and its plot. Knows values and verdicts, no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from osler.evaluate.ablation.cells import Cell, Size
from osler.evaluate.ablation.claims import Ceiling, Claim, Judged, judge
from osler.evaluate.ablation.outcomes import CellValues
from osler.evaluate.ablation.plot import write_plot
from osler.evaluate.ablation.ranking import MEASURES
from osler.evaluate.ablation.seeds import interval, macro_mean
from osler.evaluate.markdown import p_value, table, with_interval
from osler.evaluate.report import MAIN, SIGNIFICANT

_HEADINGS: Final = (
    ("Retrievers, searched alone", ("untrained", "retriever")),
    ("Re-rankers, by MaxSim alone over the candidates of the base retriever", ("re-ranker",)),
)


@dataclass(frozen=True, slots=True)
class CellReport:
    """A cell's macro averages with their 95% intervals over seeds and queries, and its means by data set."""

    cell: Cell
    seeds: int
    queries: int
    seconds: float
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    datasets: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, cell: Cell, values: CellValues) -> CellReport:
        """The report of the values of a cell."""
        measured = {measure: values.of(measure) for measure in MEASURES}
        return cls(
            cell,
            len(values.seeds),
            values.queries,
            round(values.seconds, 1),
            {measure: macro_mean(one) for measure, one in measured.items()},
            {measure: interval(one) for measure, one in measured.items()},
            {measure: {name: float(np.mean(rows)) for name, rows in one.items()} for measure, one in measured.items()},
        )

    def json(self) -> dict[str, Any]:
        """The cell as `ablation.json` and `osler evaluate ablation --json` give it."""
        return {"name": self.cell.name, **asdict(self)}


@dataclass(frozen=True)
class AblationReport:
    """What a grid reached. about: sentences on corpora, training and tests, each a line of the report."""

    size: Size
    about: Sequence[str]
    cells: Sequence[CellReport]
    judged: Sequence[Judged]
    unjudged: Sequence[str]

    @classmethod
    def of(
        cls,
        size: Size,
        cells: Sequence[Cell],
        values: Mapping[str, CellValues],
        claims: Sequence[Claim | Ceiling],
        about: Sequence[str],
    ) -> AblationReport:
        """The report of the cells that have values; a claim about others is named as not judged."""
        reports = [CellReport.of(cell, values[cell.name]) for cell in cells if cell.name in values]
        open_claims = [one.sentence for one in claims if not all(name in values for name in one.cells)]
        return cls(size, tuple(about), reports, judge(claims, values), open_claims)

    @cached_property
    def text(self) -> str:
        """The report as Markdown."""
        lines = ["# Ablation", "", *self._about(), "", "![cells with their intervals](ablation.png)"]
        lines += ["", "## Claims", "", *_claims_table(self.judged)]
        if self.unjudged:
            lines += ["", f"Not judged, for want of a cell: {' '.join(self.unjudged)}"]
        for heading, stages in _HEADINGS:
            chosen = [one for one in self.cells if one.cell.stage in stages]
            if chosen:
                lines += ["", f"## {heading}", "", *_cells_table(chosen), "", *_datasets_table(chosen)]
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """The report as `ablation.json` holds it."""
        return {
            "size": asdict(self.size),
            "about": list(self.about),
            "cells": [one.json() for one in self.cells],
            "claims": [one.json() for one in self.judged],
            "not_judged": list(self.unjudged),
        }

    def write(self, folder: Path) -> None:
        """Write all files of the report; MissingDependencyError without matplotlib."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ablation.md").write_text(self.text, encoding="utf-8")
        text = json.dumps(self.json(), indent=2, ensure_ascii=False) + "\n"
        (folder / "ablation.json").write_text(text, encoding="utf-8")
        write_plot([(one.cell, one.metrics[MAIN], one.intervals[MAIN]) for one in self.cells], folder)

    def _about(self) -> list[str]:
        tests = (
            "Means are over seeds and queries within a data set, then over data sets. Intervals are 95% intervals over "
            "seeds and queries, by Student's t. A claim holds, or does not, where two paired tests over "
            f"queries (randomisation, whose p is shown, and bootstrap, p < {SIGNIFICANT}) and the interval of the "
            f"difference agree; {len(self.judged)} claims are each tested at that level, without a correction for "
            "their number."
        )
        return [f"- {sentence}" for sentence in (*self.about, tests)]


def _claims_table(judged: Sequence[Judged]) -> list[str]:
    rows = [
        (
            one.sentence,
            f"**{one.verdict}**",
            f"{one.measure} {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})",
            "–" if one.p is None else p_value(one.p),
            " − ".join(one.cells),
        )
        for one in judged
    ]
    return table(("claim", "verdict here", "difference, 95%", "p", "cells"), rows)


def _cells_table(cells: Sequence[CellReport]) -> list[str]:
    rows = [
        (
            one.cell.name,
            one.cell.about,
            *(with_interval(one.metrics[measure], one.intervals[measure]) for measure in MEASURES),
            f"{one.seconds / 60:.1f}",
        )
        for one in cells
    ]
    return table(("cell", "what it is", *MEASURES, "minutes a seed"), rows)


def _datasets_table(cells: Sequence[CellReport]) -> list[str]:
    names = list(cells[0].datasets[MAIN])
    rows = [(one.cell.name, *(f"{one.datasets[MAIN][name]:.3f}" for name in names)) for one in cells]
    return table((f"{MAIN} by data set", *names), rows)
