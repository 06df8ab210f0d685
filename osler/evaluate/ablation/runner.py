"""Runs the cells of a grid under every seed and keeps what they reached. Knows callables and files, no model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from osler.evaluate.ablation.outcomes import Outcome, has_outcome, write_outcome

Work = Callable[[int], Outcome]
"""Trains and measures a cell under this seed."""


def run_cells(
    work: Mapping[str, Work],
    seeds: Sequence[int],
    folder: Path,
    *,
    on_outcome: Callable[[int, int], None] | None = None,
) -> None:
    """Run what is not done yet, all cells under one seed before the next; a run that was stopped goes on.

    work: by the name of the cell, each after those that it needs. on_outcome is told how many of the outcomes are
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
