"""Evidence: the sentence of a passage that matches a query best, and the words that did. Knows no index and no model.

It is handed the passage's token vectors, and where their tokens stand in the text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.attribution import best_span
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.token_vectors import vectors_per_token
from osler.records import EvidenceSpan, Passage, TokenVectors, Vectors
from osler.text.sentences import claim_spans


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
        if words and _within_word(text, words[-1][1], start):
            first, _, before = words.pop()
            words.append((first, end, before + weight))
        else:
            words.append((start, end, weight))
    return words


def _within_word(text: str, end: int, start: int) -> bool:
    return start == end and text[end - 1 : end].isalnum() and text[start : start + 1].isalnum()
