"""What a run reaches, with intervals, and whether it differs from another; tables and figures in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Final

from osler.evaluate.measures import Qrels, Run, per_query
from osler.evaluate.significance import Comparison, compare, interval, mcnemar

_LEAST_P: Final = 0.0001

MAIN: Final = "nDCG@10"
"""The measure that runs are compared in."""

HIT: Final = "Recall@10"
"""A query is a hit where this is above 0: a relevant document is among the first ten."""

SIGNIFICANT: Final = 0.05
"""A difference is named one where the p-values of both tests lie below this."""

FEWEST_QUERIES: Final = 20
"""With fewer nothing is said: a handful of queries that happen to agree would prove everything."""


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


@dataclass(frozen=True)
class RunReport:
    """The values of a run's queries, measure -> query_id -> value, and what follows from them."""

    name: str
    values: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, name: str, qrels: Qrels, run: Run) -> RunReport:
        """The report of a run; a judged query that it lacks counts as zero."""
        return cls(name, per_query(qrels, run))

    @property
    def queries(self) -> int:
        """How many queries were judged."""
        return len(self.values[MAIN])

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The mean over queries, by measure."""
        return {measure: fmean(of_query.values()) for measure, of_query in self.values.items()}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95% bootstrap interval of each mean."""
        return {measure: interval({"": list(of_query.values())}) for measure, of_query in self.values.items()}

    def compared(self, other: RunReport, measure: str = MAIN) -> RunComparison:
        """This run less the other; both hold the values of one data set's qrels, in their order."""
        # One data set, whose name plays no part.
        ours, theirs = ({"": list(run.values[measure].values())} for run in (self, other))
        hits, hits_other = ([value > 0 for value in run.values[HIT].values()] for run in (self, other))
        p = mcnemar(hits, hits_other)
        return RunComparison(other.name, measure, self.queries, compare(ours, theirs), sum(hits), sum(hits_other), p)

    def json(self) -> dict[str, Any]:
        """The figures as `osler evaluate retrieval --json` gives them."""
        return {
            "queries": self.queries,
            "metrics": self.metrics,
            "intervals": {measure: list(pair) for measure, pair in self.intervals.items()},
        }


@dataclass(frozen=True, slots=True)
class RunComparison:
    """A paired difference from another run in one measure, and in hits among the first ten (McNemar's p)."""

    run: str
    measure: str
    queries: int
    difference: Comparison
    hits: int
    hits_other: int
    hits_p: float

    @property
    def verdict(self) -> str:
        """What may be said of it: better, worse, no difference that can be told from noise, or too few queries."""
        if self.queries < FEWEST_QUERIES:
            return "too few queries to tell"
        if max(self.difference.p, self.difference.bootstrap_p) >= SIGNIFICANT:
            return "no difference that can be told from noise"
        return "better" if self.difference.difference > 0 else "worse"

    def json(self) -> dict[str, Any]:
        """The comparison as `osler evaluate retrieval --json` gives it."""
        return {
            "run": self.run,
            "measure": self.measure,
            **asdict(self.difference),
            "hits": {"ours": self.hits, "theirs": self.hits_other, "p": self.hits_p},
            "verdict": self.verdict,
        }
