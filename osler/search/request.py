"""A query that can be searched, with what its stages make of it. Knows no index and no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from osler.errors import UsageError
from osler.records import Filter, TokenVectors, Vector, Vectors

STAGES = ("encode", "candidates", "read", "maxsim", "evidence")
"""What `Ranking.seconds` is split into: encode is the query and the passages without stored token vectors; maxsim is 0
with re-ranking off. Token vectors that are read with the vectors of hybrid candidates count as candidates."""


@dataclass(slots=True)
class Request:
    """A query that can be searched, what its stages need of it, and the time that they take.

    vector is None where no stage compares it; so are the token vectors. read: token vectors of passages, by
    passage_id, that stage 1 read with their vectors.
    """

    query: str
    k: int
    num_candidates: int
    where: Filter
    evidence: bool
    vector: Vector | None = None
    token_vectors: Vectors | None = None
    read: Mapping[str, TokenVectors] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what a block takes to the seconds of a stage."""
        began = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - began


def request_of(query: str, k: int, num_candidates: int, where: Filter, *, evidence: bool) -> Request:
    """The request for k passages; stage 1 hands on k where that is more. UsageError: a blank query, a k below 1."""
    return Request(_checked_query(query), _checked_k(k), max(num_candidates, k), where, evidence)


def _checked_query(query: str) -> str:
    if not query.strip():
        raise UsageError(f"The query {query!r} is empty: write what to search for.")
    return query.strip()


def _checked_k(k: int) -> int:
    if k < 1:
        raise UsageError(f"k = {k} is not possible: ask for at least one passage.")
    return k
