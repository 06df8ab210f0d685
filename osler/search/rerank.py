"""Stage 2: the candidates in the order of their final scores. Knows a re-ranker and passages, not where they lie.

Token vectors come from the index, or are made now by the re-ranker. Both are quantised alike, so the scores agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from osler.late_interaction.codes import concatenate, divide
from osler.late_interaction.maxsim import maxsim
from osler.protocols import Reranker
from osler.records import Candidate, Passage, RankedPassage, StoredPassage, TokenVectors, Vectors

_SLICE = 256
"""Passages encoded between two reports."""

BLOCK_PASSAGES = 512
"""Passages whose token vectors are laid side by side at once: 10,000 candidates are never copied as a whole."""


def token_vectors_of(
    passages: Sequence[StoredPassage], reranker: Reranker, *, stored: bool = True
) -> list[TokenVectors]:
    """The token vectors of each passage: those stored with it, and encoded now where none are (or `stored` is off)."""
    known = [passage.token_vectors if stored else None for passage in passages]
    missing = [number for number, vectors in enumerate(known) if vectors is None]
    if not missing:
        return [vectors for vectors in known if vectors is not None]
    encoded = reranker.encode_passages([passages[number].passage for number in missing])
    made = dict(zip(missing, divide(encoded, [1] * len(missing)), strict=True))
    return [made[number] if vectors is None else vectors for number, vectors in enumerate(known)]


def encode_by_id(
    passages: Iterable[Passage], reranker: Reranker, *, on_passages: Callable[[int, int], None]
) -> dict[str, TokenVectors]:
    """The token vectors of each passage by its id; one that is given twice is encoded once.

    on_passages is told how many are done, and of how many.
    """
    distinct = {passage.passage_id: passage for passage in passages}
    # Like lengths together: a batch is as slow as its longest passage.
    ordered = sorted(distinct.values(), key=lambda passage: -len(passage.text))
    encoded: dict[str, TokenVectors] = {}
    for first in range(0, len(ordered), _SLICE):
        block = ordered[first : first + _SLICE]
        vectors = divide(reranker.encode_passages(block), [1] * len(block))
        encoded.update(zip((passage.passage_id for passage in block), vectors, strict=True))
        on_passages(len(encoded), len(ordered))
    return encoded


def maxsim_scores(query_vectors: Vectors, token_vectors: Sequence[TokenVectors]) -> list[float]:
    """The MaxSim score of each of these passages for the query tokens [q, d]."""
    scores: list[float] = []
    for first in range(0, len(token_vectors), BLOCK_PASSAGES):
        block = concatenate(token_vectors[first : first + BLOCK_PASSAGES])
        scores.extend(maxsim(query_vectors, block).tolist())
    return scores


def interpolated(maxsim: Sequence[float], stage1: Sequence[float], *, weight: float) -> list[float]:
    """(1 - weight) * MaxSim + weight * stage-1 score of each passage; both in the same order.

    >>> interpolated([0.5, 1.0], [1.0, 0.25], weight=0.5)
    [0.75, 0.625]
    """
    return [(1 - weight) * late + weight * early for late, early in zip(maxsim, stage1, strict=True)]


def rerank(
    candidates: Sequence[Candidate],
    passages: Sequence[StoredPassage],
    scores: Sequence[float],
    *,
    k: int,
    maxsim: Sequence[float] | None = None,
) -> list[RankedPassage]:
    """The k candidates of the highest scores, best first; equal ones in the order that stage 1 gave them.

    Candidates, passages, scores and maxsim, where it was computed, speak of the same passages, in the same order.
    """
    best = sorted(range(len(candidates)), key=lambda number: (-scores[number], candidates[number].rank))[:k]
    return [
        RankedPassage(
            passage=passages[number].passage,
            rank=rank,
            score=scores[number],
            candidate_rank=candidates[number].rank,
            candidate_score=candidates[number].score,
            maxsim=None if maxsim is None else maxsim[number],
        )
        for rank, number in enumerate(best, start=1)
    ]
