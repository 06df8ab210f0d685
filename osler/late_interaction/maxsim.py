"""MaxSim, the score of late interaction. Knows arrays and lengths; knows nothing of tokenizers, passages or indexes.

There is no padding here: passages lie one after another with their lengths, so that a padded token cannot win the max.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.token_vectors import centred
from osler.parallel import map_cores
from osler.records import TokenVectors, Vectors

LOWEST = -1.0
"""The score where there is nothing to compare: the least mean of cosines, so it ranks last, and JSON can hold it."""

BLOCK_TOKENS = 8_192
"""Passage vectors scored at once: 3 to 4 MB of float32, which stay in a processor's cache."""

_ENOUGH_BLOCKS = 4
"""From so many on they are divided among cores; threads cost more than they bring where the whole takes 2 ms."""


def maxsim(query_vectors: Vectors, token_vectors: TokenVectors) -> NDArray[np.float32]:
    """The score [P] of each passage: the mean over query tokens [q, d] of the best cosine to one of its tokens.

    Khattab and Zaharia (2020) sum; the mean lets queries of different length compare. A passage without tokens scores
    `LOWEST`, and so does every passage for a query without tokens. ValueError when the dimensions differ.

    >>> from osler.late_interaction.token_vectors import quantise
    >>> passages = quantise(np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32), [2, 0, 1])
    >>> maxsim(np.eye(2, dtype=np.float32), passages).tolist()
    [1.0, -1.0, -0.5]
    """
    if query_vectors.shape[1] != token_vectors.dim:
        sizes = f"{query_vectors.shape[1]} and {token_vectors.dim}"
        raise ValueError(f"Query and passages have {sizes} dimensions: encode both with the same model.")
    scores = np.full(len(token_vectors), LOWEST, dtype=np.float32)
    if not len(query_vectors):
        return scores
    ends = np.cumsum(token_vectors.lengths)
    starts = ends - token_vectors.lengths

    def score(block: tuple[int, int]) -> None:
        start, stop = block
        # reduceat gives an empty segment the value at its start: a neighbour's. So only passages with tokens go in.
        filled = start + np.flatnonzero(token_vectors.lengths[start:stop])
        rows = slice(int(starts[start]), int(ends[stop - 1]))
        if len(filled):
            similarities = _similarities(query_vectors, token_vectors, rows)  # [q, vectors of the block]
            best = np.maximum.reduceat(similarities, starts[filled] - rows.start, axis=1)
            scores[filled] = best.mean(axis=0)

    blocks = list(_blocks(ends))
    if len(blocks) < _ENOUGH_BLOCKS:
        for block in blocks:
            score(block)
    else:
        map_cores(score, blocks)
    return scores


def _similarities(query_vectors: Vectors, token_vectors: TokenVectors, rows: slice) -> NDArray[np.float32]:
    """[q, vectors of these rows]: scales are applied to the products, d / q times fewer than the components."""
    queries = query_vectors.astype(np.float32, copy=False)
    similarities: NDArray[np.float32] = queries @ centred(token_vectors, rows).T
    similarities *= token_vectors.scales[rows]
    return similarities


def _blocks(ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of passages of at most BLOCK_TOKENS tokens together; a longer passage is a range of its own."""
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + BLOCK_TOKENS, side="right")))
        yield start, stop
        start = stop
