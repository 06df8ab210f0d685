"""Tables and figures of reports in Markdown. Knows cells, not what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LEAST_P: Final = 0.0001


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; what is in a cell, such as the name of a file, cannot end it.

    >>> table(("system", "nDCG@10"), [("BM25", "0.606"), ("a|b", "0.5")])
    ['| system | nDCG@10 |', '|---|---|', '| BM25 | 0.606 |', '| a\\\\|b | 0.5 |']
    """
    lines = [" | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in row) for row in (columns, *rows)]
    return [f"| {lines[0]} |", "|---" * len(columns) + "|", *(f"| {line} |" for line in lines[1:])]


def p_value(p: float) -> str:
    """A p-value in a table; the least one that 10,000 samples can show is a bound.

    >>> p_value(0.0412), p_value(1e-12)
    ('0.0412', '≤ 0.0001')
    """
    return f"{p:.4f}" if p > _LEAST_P else f"≤ {_LEAST_P}"


def p_text(p: float) -> str:
    """A p-value in a sentence.

    >>> p_text(0.0412), p_text(1e-12)
    ('p = 0.0412', 'p ≤ 0.0001')
    """
    return f"p = {p:.4f}" if p > _LEAST_P else f"p {p_value(p)}"


def with_interval(mean: float, interval: Sequence[float]) -> str:
    """A mean with the ends of its interval.

    >>> with_interval(0.5, (0.41, 0.6))
    '0.500 (0.410–0.600)'
    """
    low, high = interval
    return f"{mean:.3f} ({low:.3f}–{high:.3f})"
