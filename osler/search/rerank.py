"""Stage 2: the final scores of the candidates, their order, and the evidence in each passage.

Knows a re-ranker and passages, not where they lie. Token vectors come from the index, or are made now by the
re-ranker. Both are quantised alike, so the scores agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.attribution import best_span
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import concatenate, divide, reorder
from osler.late_interaction.token_vectors import vectors_per_token
from osler.protocols import Reranker, StoredPassages
from osler.records import Candidate, EvidenceSpan, Passage, TokenVectors, Vectors
from osler.text.sentences import claim_spans

_SLICE = 256
"""Passages encoded between two reports."""

BLOCK_PASSAGES = 1024
"""Passages whose token vectors are laid side by side at once: 10,000 candidates are never copied as a whole."""


@dataclass(frozen=True, slots=True)
class FreshPassages:
    """`StoredPassages` of an index without token vectors, with those that a re-ranker makes for this search."""

    stored: StoredPassages
    token_vectors: TokenVectors
    has_token_vectors: ClassVar[bool] = True
    token_spans: ClassVar[None] = None

    @classmethod
    def of(cls, stored: StoredPassages, reranker: Reranker) -> FreshPassages:
        """The stored passages, of which there is one at least, encoded by the re-ranker."""
        encoded = encode_by_id(stored.passages, reranker)
        return cls(stored, concatenate([encoded[passage_id] for passage_id in stored.passage_ids]))

    @property
    def passage_ids(self) -> Sequence[str]:
        """One a passage."""
        return self.stored.passage_ids

    @property
    def vectors(self) -> Vectors:
        """[P, d]"""
        return self.stored.vectors

    @property
    def passages(self) -> Sequence[Passage]:
        """The passages themselves."""
        return self.stored.passages

    def take(self, numbers: Sequence[int]) -> FreshPassages:
        """The passages of these numbers, in this order."""
        return FreshPassages(self.stored.take(numbers), reorder(self.token_vectors, numbers))


def encode_by_id(
    passages: Iterable[Passage], reranker: Reranker, *, on_passages: Callable[[int, int], None] | None = None
) -> dict[str, TokenVectors]:
    """The token vectors of each passage by its id; one that is given twice is encoded once.

    on_passages is told how many are done, and of how many.
    """
    distinct = {passage.passage_id: passage for passage in passages}
    # Like lengths together: a batch is as slow as its longest passage.
    ordered = sorted(distinct.values(), key=lambda passage: -len(passage.text))
    encoded: dict[str, TokenVectors] = {}
    for start in range(0, len(ordered), _SLICE):
        block = ordered[start : start + _SLICE]
        vectors = divide(reranker.encode_passages(block))
        encoded.update(zip((passage.passage_id for passage in block), vectors, strict=True))
        if on_passages:
            on_passages(len(encoded), len(ordered))
    return encoded


def maxsim_scores(
    query_vectors: Vectors, passage_ids: Sequence[str], token_vectors: Mapping[str, TokenVectors]
) -> list[float]:
    """The MaxSim score of each of these passages for the query tokens [q, d]."""
    scores: list[float] = []
    for start in range(0, len(passage_ids), BLOCK_PASSAGES):
        block = [token_vectors[passage_id] for passage_id in passage_ids[start : start + BLOCK_PASSAGES]]
        scores.extend(maxsim(query_vectors, concatenate(block)).tolist())
    return scores


def interpolated(maxsim: Sequence[float], stage1: Sequence[float], *, weight: float) -> list[float]:
    """(1 - weight) * MaxSim + weight * stage-1 score of each passage; both in the same order.

    >>> interpolated([0.5, 1.0], [1.0, 0.25], weight=0.5)
    [0.75, 0.625]
    """
    return [(1 - weight) * late + weight * early for late, early in zip(maxsim, stage1, strict=True)]


def best_first(candidates: Sequence[Candidate], scores: Sequence[float], *, k: int) -> list[int]:
    """The positions of the k candidates of the highest scores, best first; equal ones in the order of stage 1.

    >>> candidates = [Candidate("a", 1, 0.9), Candidate("b", 2, 0.8), Candidate("c", 3, 0.7)]
    >>> best_first(candidates, [0.5, 1.0, 0.5], k=2)
    [1, 0]
    """
    return sorted(range(len(candidates)), key=lambda number: (-scores[number], candidates[number].rank))[:k]


def best_evidence(
    query_vectors: Vectors, passage: Passage, token_vectors: TokenVectors, token_spans: NDArray[np.int64]
) -> EvidenceSpan:
    """The sentence whose own tokens have the highest MaxSim to the query [q, d]; of equal ones the first.

    Headings and labels are taken only where the passage has nothing else (see `claim_spans`).
    All offsets count in `Document.text`, also those of the words, whose weights add up to the score. Where no token
    lies in such a sentence (a passage that is only a title) the span is empty and the score that of the passage.
    token_vectors are this one passage's, token_spans [p, 2] as `Reranker.token_spans` gives them; ValueError when the
    two differ in length.
    """
    vectors = vectors_per_token(token_vectors)
    if len(token_spans) != len(vectors):
        counts = f"{len(vectors)} token vectors and {len(token_spans)} token spans"
        raise ValueError(f"{passage.passage_id}: {counts}: take both from the same re-ranker.")
    best = best_span(query_vectors, vectors, token_spans, claim_spans(passage.text))
    if best is None:
        return EvidenceSpan(passage.start, passage.start, "", float(maxsim(query_vectors, token_vectors)[0]))
    words = _words(passage.text, token_spans[best.tokens], best.matches.weights)
    return EvidenceSpan(
        start=passage.start + best.start,
        end=passage.start + best.end,
        text=passage.text[best.start : best.end],
        score=best.matches.score,
        words=tuple((passage.start + start, passage.start + end, weight) for start, end, weight in words if weight),
    )


def _words(text: str, spans: NDArray[np.int64], weights: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Whole words with the weights of their tokens: tokens that touch within letters or digits are one word."""
    words: list[tuple[int, int, float]] = []
    for (start, end), weight in zip(spans.tolist(), weights.tolist(), strict=True):
        touches = words and words[-1][1] == start
        if touches and text[start - 1 : start].isalnum() and text[start : start + 1].isalnum():
            word_start, _, before = words.pop()
            words.append((word_start, end, before + weight))
        else:
            words.append((start, end, weight))
    return words
