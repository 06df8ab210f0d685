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

    token_spans [p, 2] are the characters of the passage tokens [p, d]. None where no token begins in any span.

    >>> tokens, places = np.eye(2, dtype=np.float32), np.array([[0, 4], [6, 9]])
    >>> match = best_span(tokens[1:], tokens, places, [(0, 5), (6, 10)])
    >>> match.start, match.matches.score
    (6, 1.0)
    """
    starts = token_spans[:, 0]
    inside = [np.flatnonzero((starts >= start) & (starts < end)) for start, end in spans]
    found = [
        SpanMatch(start, end, tokens, token_matches(query_vectors, passage_vectors[tokens]))
        for (start, end), tokens in zip(spans, inside, strict=True)
        if len(tokens)
    ]
    return max(found, key=lambda match: match.matches.score, default=None)
