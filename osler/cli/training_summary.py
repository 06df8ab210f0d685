"""How the report of a training run looks on a terminal. Knows the report's fields and Rich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from osler.cli.terminal import OUT
from osler.evaluate.markdown import p_text
from osler.train.mining.audit import report_text

_SHOWN: Final = ("nDCG@10", "RR@10", "Recall@1", "Recall@10")


def print_training(report: Mapping[str, Any]) -> None:
    """What was mined, stage 1's weight, and a table of the figures on dev, as far as the run has come."""
    if mined := report.get("mining"):
        OUT.print(report_text(mined), soft_wrap=True)
    if dev := report.get("dev"):
        OUT.print(f"weight of stage 1 in the final score, chosen on valid: {dev['stage1_weight']}")
        if "measures" in dev:
            OUT.print(_table(dev))
            OUT.print(_gain(dev["ranked_against_candidates"]), soft_wrap=True)
        else:
            OUT.print("no data set has a dev part: set dev or dev_share to get figures")


def _table(dev: Mapping[str, Any]) -> Table:
    table = Table(title="dev", title_justify="left")
    for column in ("data set", "queries", "stage"):
        table.add_column(column, overflow="fold")
    for measure in _SHOWN:
        table.add_column(measure, justify="right")
    for name, stages in dev["measures"].items():
        _add_stages(table, name, f"{dev['queries'][name]:,}", stages)
    _add_stages(table, "macro average", "", dev["macro"])
    return table


def _add_stages(table: Table, name: str, queries: str, stages: Mapping[str, Mapping[str, float]]) -> None:
    for number, (stage, values) in enumerate(stages.items()):
        first = (name, queries) if number == 0 else ("", "")
        table.add_row(*first, stage, *(f"{values[measure]:.3f}" for measure in _SHOWN), end_section=number == 1)


def _gain(comparison: Mapping[str, float]) -> str:
    return (
        f"the re-ranker changes nDCG@10 by {comparison['difference']:+.3f} "
        f"(95% interval {comparison['low']:+.3f} to {comparison['high']:+.3f}, {p_text(comparison['p'])})"
    )
