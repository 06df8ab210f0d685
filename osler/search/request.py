"""A query that can be searched, with what its stages make of it. Knows no index and no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from osler.config import MOST_PASSAGES
from osler.errors import UsageError
from osler.protocols import CutsQueries
from osler.records import Filter, RankedPassage, Ranking, TokenVectors, Vector, Vectors

STAGES = ("encode", "candidates", "read", "maxsim", "evidence")
"""What `Ranking.seconds` is split into: encode is the query and the passages without stored token vectors; maxsim is 0
with re-ranking off. Token vectors that are read with the vectors of hybrid candidates count as candidates."""

_SHOWN = 40
"""Characters of a query that show where it was cut."""


@dataclass(slots=True)
class Request:
    """A query that can be searched, what its stages need of it, and the time that they take.

    vector is None where no stage compares it; so are the token vectors. read: token vectors of passages, by
    passage_id, that stage 1 read with their vectors. named: the passages of documents that the query names by their
    ids, which no stage is asked for; None for a query of words.
    """

    query: str
    k: int
    num_candidates: int
    where: Filter
    evidence: bool
    vector: Vector | None = None
    token_vectors: Vectors | None = None
    read: Mapping[str, TokenVectors] = field(default_factory=dict)
    named: tuple[RankedPassage, ...] | None = None
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def ranking(self, ranked: Sequence[RankedPassage]) -> Ranking:
        """The ranking of these passages for the query."""
        return Ranking(self.query, tuple(ranked), self.seconds, self.warnings)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what a block takes to the seconds of a stage."""
        began = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - began


def request_of(query: str, k: int, num_candidates: int, where: Filter, *, evidence: bool) -> Request:
    """The request for k passages; stage 1 hands on k where that is more.

    UsageError: a blank query, a k that is not from 1 to `MOST_PASSAGES`.
    """
    return Request(_checked_query(query), _checked_k(k), max(num_candidates, k), where, evidence)


def cut_warnings(query: str, models: Mapping[str, object]) -> list[str]:
    """A warning for each model, by its name, that does not read the query to its end; one for those that agree."""
    names: dict[int, list[str]] = {}
    for name, model in models.items():
        if isinstance(model, CutsQueries) and (end := model.query_end(query)) is not None:
            names.setdefault(end, []).append(f"the {name}")
    return [
        f"The query is too long: {' and '.join(readers)} read it up to “…{query[:end][-_SHOWN:].lstrip()}” and no "
        "further. Shorten it, or put first what matters."
        for end, readers in names.items()
    ]


def _checked_query(query: str) -> str:
    if not query.strip():
        raise UsageError(f"The query {query!r} is empty: write what to search for.")
    return query.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # no half of a surrogate pair


def _checked_k(k: int) -> int:
    if not 1 <= k <= MOST_PASSAGES:
        raise UsageError(f"k = {k} is not possible: ask for 1 to {MOST_PASSAGES:,} passages.")
    return k
