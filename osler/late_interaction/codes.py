"""Token vectors as int8 codes: made, read back, joined, divided, reordered. Knows arrays, not what a token is.

A token's vector is its codes times its scale. With the scale max|x| / 127 no component is off by more than half a
scale: for a unit vector at most 0.004, in a quarter of the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from osler.records import TokenVectors, Vectors

LARGEST_CODE = 127
"""The largest magnitude of a code; -128 is left out, so that x and -x have codes of one size."""


def quantise(vectors: Vectors, lengths: ArrayLike) -> TokenVectors:
    """The int8 codes of the vectors [T, d] of passages that have `lengths` [P] tokens, one passage after another.

    ValueError when the lengths do not add up to T, or when a component is not finite.

    >>> vectors = np.array([[0.5, -1.0], [0.0, 0.0]], dtype=np.float32)
    >>> quantise(vectors, [2]).codes.tolist()
    [[64, -127], [0, 0]]
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if lengths.sum() != len(vectors):
        raise ValueError(f"{len(vectors)} token vectors for passages of {lengths.sum()} tokens: give a vector a token.")
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / LARGEST_CODE).astype(np.float32)
    if not np.isfinite(scales).all():
        raise ValueError("A token vector is not finite: check the model's precision before storing what it returns.")
    # A vector of zeros has scale 0; the smallest floats divided by their rounded scale would leave the range of int8.
    divisors = np.where(scales > 0, scales, np.float32(1))[:, None]
    codes = np.clip(np.rint(vectors / divisors), -LARGEST_CODE, LARGEST_CODE)
    return TokenVectors(codes=codes.astype(np.int8), scales=scales, lengths=lengths)


def dequantise(token_vectors: TokenVectors) -> Vectors:
    """The vectors [T, d] that the codes stand for.

    >>> vectors = np.array([[0.5, -1.0]], dtype=np.float32)
    >>> bool(np.allclose(dequantise(quantise(vectors, [1])), vectors, atol=0.004))
    True
    """
    return token_vectors.codes.astype(np.float32) * token_vectors.scales[:, None]


def concatenate(parts: Sequence[TokenVectors]) -> TokenVectors:
    """The token vectors of all passages of all parts, in order. ValueError when there is no part.

    >>> one = quantise(np.eye(2, dtype=np.float32), [2])
    >>> concatenate([one, one]).lengths.tolist()
    [2, 2]
    """
    return TokenVectors(
        codes=np.concatenate([part.codes for part in parts]),
        scales=np.concatenate([part.scales for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
    )


def take(token_vectors: TokenVectors, number: int) -> TokenVectors:
    """The one passage of this number, from 0. A view, no copy; for many passages `divide` is faster.

    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> take(three, 2).codes.tolist()
    [[0, 127, 0], [0, 0, 127]]
    """
    if not 0 <= number < len(token_vectors):
        raise ValueError(f"No passage {number}: there are {len(token_vectors)}, numbered from 0.")
    start, lengths = int(token_vectors.lengths[:number].sum()), token_vectors.lengths[number : number + 1]
    return _view(token_vectors, slice(start, start + int(lengths[0])), lengths)


def divide(token_vectors: TokenVectors, counts: Sequence[int]) -> list[TokenVectors]:
    """The passages in consecutive parts of so many each. Views, no copies.

    ValueError when the counts do not add up to the passages.

    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> [part.lengths.tolist() for part in divide(three, [2, 1])]
    [[1, 0], [2]]
    """
    if sum(counts) != len(token_vectors):
        raise ValueError(f"{sum(counts)} passages of {len(token_vectors)} divided: divide them all.")
    bounds = [0, *accumulate(counts)]
    rows = [0, *np.cumsum(token_vectors.lengths).tolist()]  # where each passage begins, and the end
    return [
        _view(token_vectors, slice(rows[first], rows[last]), token_vectors.lengths[first:last])
        for first, last in pairwise(bounds)
    ]


def reorder(token_vectors: TokenVectors, order: ArrayLike) -> TokenVectors:
    """The passages in the order of these numbers [P], from 0. A copy.

    >>> three = quantise(np.eye(3, dtype=np.float32), [1, 0, 2])
    >>> reorder(three, [2, 1, 0]).codes.tolist()
    [[0, 127, 0], [0, 0, 127], [127, 0, 0]]
    """
    numbers = np.asarray(order, dtype=np.int64)
    lengths = token_vectors.lengths[numbers]
    starts_before = (np.cumsum(token_vectors.lengths) - token_vectors.lengths)[numbers]
    starts_after = np.cumsum(lengths) - lengths
    rows = np.repeat(starts_before - starts_after, lengths) + np.arange(lengths.sum())
    return TokenVectors(codes=token_vectors.codes[rows], scales=token_vectors.scales[rows], lengths=lengths)


def _view(token_vectors: TokenVectors, rows: slice, lengths: NDArray[np.int64]) -> TokenVectors:
    return TokenVectors(codes=token_vectors.codes[rows], scales=token_vectors.scales[rows], lengths=lengths)
