"""The plot of an ablation: a cell a row, its mean and 95% interval. Knows figures, no queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from osler.errors import require
from osler.evaluate.ablation.cells import BASE, Cell
from osler.evaluate.report import MAIN

Point = tuple[Cell, float, tuple[float, float]]
"""A cell with its mean and the ends of the interval."""

_COLOURS: Final = {"untrained": "0.5", "retriever": "tab:blue", "re-ranker": "tab:orange"}
_ROW: Final = 0.32  # inches


def write_plot(points: Sequence[Point], folder: Path) -> None:
    """Write `ablation.png` and `ablation.svg`: cells from top to bottom, a line through the base."""
    require("matplotlib", extra="evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + _ROW * len(points)), layout="constrained")
    axes: Any = figure.subplots()
    for row, (cell, mean, (low, high)) in enumerate(points):
        axes.plot([low, high], [row, row], color=_COLOURS[cell.stage], lw=2)
        axes.plot([mean], [row], "o", color=_COLOURS[cell.stage], label=cell.stage)
        if cell.name == BASE:
            axes.axvline(mean, color="0.7", lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(points)), [cell.name for cell, _, _ in points])
    axes.invert_yaxis()
    axes.set(xlabel=f"{MAIN}, macro average over data sets, with its 95% interval over seeds and queries")
    axes.grid(alpha=0.3, axis="x")
    shown = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one entry a stage
    if shown:
        axes.legend(shown.values(), shown.keys(), frameon=False, fontsize="small")
    for kind in ("png", "svg"):
        figure.savefig(folder / f"ablation.{kind}", dpi=150)
