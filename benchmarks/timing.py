"""Fair timing: what is compared takes turns, and a ratio is taken within a turn. Knows callables, no model."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter

Work = Callable[[], object]

Seconds = Mapping[str, Sequence[float]]
"""By contender, one value a turn."""


def in_turns(contenders: Mapping[str, Work], *, turns: int) -> dict[str, list[float]]:
    """The seconds that each contender took in each turn, after a turn to warm up; every other turn goes backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns + 1):
        for name in list(contenders)[:: 1 if turn % 2 else -1]:
            sys.stderr.write(f"\r{'warming up' if turn == 0 else f'turn {turn} of {turns}'}: {name}".ljust(80))
            sys.stderr.flush()
            began = perf_counter()
            contenders[name]()
            if turn:
                seconds[name].append(perf_counter() - began)
    sys.stderr.write("\r".ljust(80) + "\r")
    return seconds


def times_faster(seconds: Seconds, name: str, than: str) -> str:
    """How many times faster one is than another: the median over turns, with the least and the most.

    >>> times_faster({"ours": [1.0, 2.0, 1.0], "theirs": [4.0, 6.0, 5.0]}, "ours", "theirs")
    '4.0 (3.0 to 5.0)'
    """
    ratios = [theirs / ours for ours, theirs in zip(seconds[name], seconds[than], strict=True)]
    return f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
