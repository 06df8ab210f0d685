"""Candidates of stage 1: two lists become one, and scores become comparable. Knows ranks and scores, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from osler.config import SearchSettings
from osler.records import Candidate


def fuse_scores(
    cosines: Mapping[str, float], lexical: Sequence[Candidate], *, num_candidates: int, lexical_weight: float
) -> list[Candidate]:
    """The passages of the highest cosine + lexical_weight * (BM25 / the query's highest), best first.

    cosines: by passage_id, of every passage that either search found; one that `lexical` lacks has no BM25, one that
    cosines lack is left out. Equal scores go by passage_id. BM25 grows with the words of a query, so its share of the
    highest stands for it; a cosine is comparable as it is.

    >>> lexical = [Candidate("b", 1, 8.0), Candidate("c", 2, 2.0)]
    >>> for candidate in fuse_scores({"a": 0.5, "b": 0.25, "c": 0.0}, lexical, num_candidates=2, lexical_weight=0.5):
    ...     print(candidate.passage_id, candidate.score)
    b 0.75
    a 0.5
    """
    shares = {one.passage_id: share for one, share in zip(lexical, shares_of_best(lexical), strict=True)}
    scores = {
        passage_id: cosine + lexical_weight * shares.get(passage_id, 0.0) for passage_id, cosine in cosines.items()
    }
    return _best(scores, num_candidates)


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


def stage1_scores(candidates: Sequence[Candidate], settings: SearchSettings) -> list[float]:
    """The scores of these candidates on a scale that all queries share, so that MaxSim can be added to them.

    Cosines and their fusion are on one already. BM25 becomes its share of the query's highest.

    >>> stage1_scores([Candidate("a", 1, 8.0), Candidate("b", 2, 2.0)], SearchSettings(candidates="lexical"))
    [1.0, 0.25]
    """
    if settings.candidates == "lexical":
        return shares_of_best(candidates)
    return [candidate.score for candidate in candidates]


def shares_of_best(candidates: Sequence[Candidate]) -> list[float]:
    """Each candidate's score divided by the highest, which is above 0 wherever a word was found."""
    best = max((candidate.score for candidate in candidates), default=0.0)
    return [candidate.score / best if best > 0 else 0.0 for candidate in candidates]


def _best(scores: Mapping[str, float], num_candidates: int) -> list[Candidate]:
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:num_candidates]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]
