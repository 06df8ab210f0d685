"""Token vectors of many passages, joined, divided, taken and reordered. Knows arrays of unequal lengths only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from osler.records import PooledTokens, TokenVectors

Rows = slice | NDArray[np.int64]


def concatenate(parts: Sequence[TokenVectors]) -> TokenVectors:
    """The token vectors of all passages of all parts, in order. ValueError when there is no part.

    >>> from osler.late_interaction.token_vectors import quantise
    >>> passage = quantise(np.eye(2, dtype=np.float32), [2])
    >>> concatenate([passage, passage]).lengths.tolist()
    [2, 2]
    """
    pooled = [part.pooled for part in parts if part.pooled is not None]
    places, counts = [tokens.places for tokens in pooled], [tokens.counts for tokens in pooled]
    return TokenVectors(
        codes=np.concatenate([part.codes for part in parts]),
        scales=np.concatenate([part.scales for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
        bits=parts[0].bits,
        pooled=PooledTokens(np.concatenate(places), np.concatenate(counts)) if pooled else None,
    )


def take(token_vectors: TokenVectors, number: int) -> TokenVectors:
    """The one passage of this number, from 0. A view, no copy; for all of many passages `divide` is faster.

    >>> from osler.late_interaction.token_vectors import dequantise, quantise
    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> dequantise(take(three, 2)).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if not 0 <= number < len(token_vectors):
        raise ValueError(f"No passage {number}: there are {len(token_vectors)}, numbered from 0.")
    pooled = token_vectors.pooled
    tokens = None if pooled is None else _rows_at(pooled.counts, number)
    return _part(token_vectors, slice(number, number + 1), _rows_at(token_vectors.lengths, number), tokens)


def divide(token_vectors: TokenVectors) -> list[TokenVectors]:
    """Each passage on its own, in order. Views, no copies.

    >>> from osler.late_interaction.token_vectors import quantise
    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> [part.lengths.tolist() for part in divide(three)]
    [[1], [0], [2]]
    """
    pooled = token_vectors.pooled
    tokens = [None] * len(token_vectors) if pooled is None else _slices(pooled.counts)
    rows = zip(_slices(token_vectors.lengths), tokens, strict=True)
    return [_part(token_vectors, slice(number, number + 1), *of_passage) for number, of_passage in enumerate(rows)]


def reorder(token_vectors: TokenVectors, order: ArrayLike) -> TokenVectors:
    """The passages in the order of these numbers [P], from 0. A copy.

    >>> from osler.late_interaction.token_vectors import dequantise, quantise
    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> dequantise(reorder(three, [2, 1, 0])).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    numbers, pooled = np.asarray(order, dtype=np.int64), token_vectors.pooled
    tokens = None if pooled is None else _rows_of(pooled.counts, numbers)
    return _part(token_vectors, numbers, _rows_of(token_vectors.lengths, numbers), tokens)


def _part(token_vectors: TokenVectors, passages: Rows, vectors: Rows, tokens: Rows | None) -> TokenVectors:
    """These passages, of which these are the rows of vectors and, where they are pooled, of tokens."""
    pooled = token_vectors.pooled
    if pooled is not None and tokens is not None:
        pooled = PooledTokens(pooled.places[tokens], pooled.counts[passages])
    return TokenVectors(
        codes=token_vectors.codes[vectors],
        scales=token_vectors.scales[vectors],
        lengths=token_vectors.lengths[passages],
        bits=token_vectors.bits,
        pooled=pooled,
    )


def _slices(lengths: NDArray[np.int64]) -> list[slice]:
    """The rows of each passage."""
    return [slice(*bounds) for bounds in pairwise([0, *np.cumsum(lengths).tolist()])]


def _rows_at(lengths: NDArray[np.int64], number: int) -> slice:
    """The rows of the passage of this number."""
    start = int(lengths[:number].sum())
    return slice(start, start + int(lengths[number]))


def _rows_of(lengths: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of the passages of these numbers, one passage after another."""
    chosen = lengths[numbers]
    before, after = (np.cumsum(lengths) - lengths)[numbers], np.cumsum(chosen) - chosen
    rows: NDArray[np.int64] = np.repeat(before - after, chosen) + np.arange(chosen.sum())
    return rows
