"""Several rankings of candidates become one. Knows ranks, no scores, no index and no query."""

from __future__ import annotations

from collections.abc import Sequence

from osler.records import Candidate


def hybrid_candidates(
    rankings: Sequence[Sequence[Candidate]], *, num_candidates: int, constant: int = 60
) -> list[Candidate]:
    """The passages that rank best over all rankings, best first, equal ones by passage_id; their score is the fusion's.

    >>> dense = [Candidate("a", 1, 0.9), Candidate("b", 2, 0.8)]
    >>> lexical = [Candidate("b", 1, 7.5)]
    >>> [candidate.passage_id for candidate in hybrid_candidates([dense, lexical], num_candidates=1)]
    ['b']
    """
    passage_ids = [[candidate.passage_id for candidate in ranking] for ranking in rankings]
    scores = reciprocal_rank_fusion(passage_ids, constant=constant)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:num_candidates]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]], *, constant: int = 60) -> dict[str, float]:
    """Score per id: the sum over rankings of 1 / (constant + rank), rank from 1 (Cormack et al., 2009).

    >>> reciprocal_rank_fusion([["a", "b"], ["b"]], constant=1)
    {'a': 0.5, 'b': 0.8333333333333333}
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, passage_id in enumerate(ranking, start=1):
            scores[passage_id] = scores.get(passage_id, 0.0) + 1 / (constant + rank)
    return scores
