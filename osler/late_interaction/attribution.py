"""Where a MaxSim score comes from: the passage token that each query token matched. Knows arrays, not words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.maxsim import LOWEST
from osler.records import Vectors

_EQUAL: Final = np.float32(1e-6)
"""Cosines of equal vectors differ by this at most: a matrix product adds in another order at its edges."""


@dataclass(frozen=True, slots=True)
class TokenMatches:
    """The best passage token of each query token.

    tokens [q]: its number in the passage; similarities [q]: their cosine; weights [p]: the share of each passage token
    in the score, so that the weights add up to it (a token that no query token chose has weight 0; tokens that match a
    query token equally, as those that share a vector do, have equal parts).
    """

    tokens: NDArray[np.int64]
    similarities: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def score(self) -> float:
        """The MaxSim score of the passage."""
        return float(self.similarities.mean()) if len(self.similarities) else LOWEST


def token_matches(query_vectors: Vectors, passage_vectors: Vectors) -> TokenMatches:
    """What each of the query tokens [q, d] matched among the passage tokens [p, d]; of equal ones the first.

    ValueError when the passage has no tokens.

    >>> query, passage = np.eye(2, dtype=np.float32), np.array([[0, 1], [0.5, 0]], dtype=np.float32)
    >>> matches = token_matches(query, passage)
    >>> matches.tokens.tolist(), matches.weights.tolist(), matches.score
    ([1, 0], [0.5, 0.25], 0.75)
    """
    if not len(passage_vectors):
        raise ValueError("A passage without tokens matches nothing: leave it out.")
    similarities = query_vectors @ passage_vectors.T  # [q, p]
    best = similarities.max(axis=1)
    chosen = similarities >= best[:, None] - _EQUAL
    parts = best / (chosen.sum(axis=1) * np.float32(max(len(query_vectors), 1)))
    return TokenMatches(tokens=chosen.argmax(axis=1), similarities=best, weights=(parts @ chosen).astype(np.float32))


@dataclass(frozen=True, slots=True)
class SpanMatch:
    """A span of characters, the numbers of the tokens that begin in it, and what the query matched among these."""

    start: int
    end: int
    tokens: NDArray[np.int64]
    matches: TokenMatches


def best_span(
    query_vectors: Vectors,
    passage_vectors: Vectors,
    token_spans: NDArray[np.int64],
    spans: Sequence[tuple[int, int]],
) -> SpanMatch | None:
    """The span (start, end) whose own tokens have the highest MaxSim to the query; of equal ones the first.

    token_spans [p, 2] are the characters of the passage tokens [p, d], a token without characters -1; they and the
    spans are in order and do not overlap. None where no token begins in any span.

    >>> tokens, places = np.eye(2, dtype=np.float32), np.array([[0, 4], [6, 9]])
    >>> match = best_span(tokens[1:], tokens, places, [(0, 5), (6, 10)])
    >>> match.start, match.matches.score
    (6, 1.0)
    """
    inside = np.flatnonzero(token_spans[:, 0] >= 0)
    bounds = np.searchsorted(token_spans[inside, 0], np.array(spans, dtype=np.int64).reshape(-1, 2))
    filled = np.flatnonzero(bounds[:, 0] < bounds[:, 1])
    if not len(filled):
        return None
    scores = _segment_scores(query_vectors, passage_vectors[inside], bounds[filled])
    best = int(filled[(scores >= scores.max() - _EQUAL).argmax()])
    (start, end), tokens = spans[best], inside[slice(*bounds[best])]
    return SpanMatch(start, end, tokens, token_matches(query_vectors, passage_vectors[tokens]))


def _segment_scores(query_vectors: Vectors, vectors: Vectors, bounds: NDArray[np.int64]) -> NDArray[np.float32]:
    """The MaxSim of the vectors between each of these bounds [s, 2], in order, to the query."""
    if not len(query_vectors):
        return np.full(len(bounds), LOWEST, dtype=np.float32)
    similarities = query_vectors @ vectors[: bounds[-1, 1]].T
    # Every second segment lies between two pairs of bounds; the last one goes to the end.
    best = np.maximum.reduceat(similarities, bounds.ravel()[:-1], axis=1)[:, ::2]
    scores: NDArray[np.float32] = best.mean(axis=0, dtype=np.float32)
    return scores
