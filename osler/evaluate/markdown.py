"""Tables and figures of reports in Markdown. Knows cells, not what they mean."""

from __future__ import annotations

from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table.

    >>> table(("system", "nDCG@10"), [("BM25", "0.606")])
    ['| system | nDCG@10 |', '|---|---|', '| BM25 | 0.606 |']
    """
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def with_interval(mean: float, interval: Sequence[float]) -> str:
    """A mean with the ends of its interval.

    >>> with_interval(0.5, (0.41, 0.6))
    '0.500 (0.410–0.600)'
    """
    low, high = interval
    return f"{mean:.3f} ({low:.3f}–{high:.3f})"
