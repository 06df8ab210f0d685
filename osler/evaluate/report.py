"""What a run reaches, with intervals, and whether it differs from another. Knows values of queries, no search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Final

from osler.evaluate.measures import Qrels, Run, per_query
from osler.evaluate.significance import Comparison, compare, interval, mcnemar

MAIN: Final = "nDCG@10"
"""The measure that runs are compared in."""

HIT: Final = "Recall@10"
"""A query is a hit where this is above 0: a relevant document is among the first ten."""

SIGNIFICANT: Final = 0.05
"""A difference is named one where the p-values of both tests lie below this."""

FEWEST_QUERIES: Final = 20
"""With fewer nothing is said: a handful of queries that happen to agree would prove everything."""


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
        ours, theirs = ({"": list(one.values[measure].values())} for one in (self, other))
        hits, hits_other = ([value > 0 for value in one.values[HIT].values()] for one in (self, other))
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
