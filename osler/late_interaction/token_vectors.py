"""Token vectors of passages made small and read back: pooled, then floats or codes of 8, 4, 2 or 1 bits. Arrays only.

A component is scale * (code - offset), with one scale a vector and the offset in the middle of the codes, so that x and
-x are kept equally well. At 8 bits 0 has a code of its own and the scale is max|x| / 127: no component is off by more
than half a scale, for a unit vector at most 0.004. With fewer bits there is no code for 0, which no component is, and
the largest component is a poor measure of the others: the scale is the one that brings the vector nearest, made larger
by what rounding takes from a dot product on average, so that a MaxSim does not depend on the bits.

Pooling makes one vector of near ones. Clavié, Chaffin and Adams (2024) found that a third of the vectors, clustered by
Ward's criterion, ranks about as well as all of them. That holds of long passages: a short one has few to spare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from osler.records import PooledTokens, TokenVectors, Vectors

Bits = Literal[32, 8, 4, 2, 1]
"""32: floats, unchanged, for comparison."""

OFFSETS: Final = {32: 0.0, 8: 127.0, 4: 7.5, 2: 1.5, 1: 0.5}
"""By bits: the code of 0, were there one. Codes go from 0 to twice the offset."""

SCALES: Final = {32: "<f4", 8: "<f4", 4: "<f2", 2: "<f2", 1: "<f2"}
"""By bits: the type that a scale is stored in, and rounded to from the beginning."""

KEPT: Final = {4: 0.99, 2: 0.884, 1: 0.64}
"""By bits: the dot product of a unit vector and the nearest that its codes give, in the mean over random vectors."""


@dataclass(frozen=True, slots=True)
class Compression:
    """Bits per component, and how many tokens of a long passage share a vector on average (1: every token its own)."""

    bits: Bits = 8
    pooling: int = 1


def compress(vectors: Vectors, lengths: ArrayLike, compression: Compression) -> TokenVectors:
    """The token vectors [T, d] of passages that have `lengths` [P] tokens, as they are kept; ValueError as `quantise`.

    >>> vectors = np.repeat(np.eye(64, dtype=np.float32), 2, axis=0)
    >>> compressed = compress(vectors, [128], Compression(bits=4, pooling=2))
    >>> len(compressed.codes), compressed.pooled.counts.tolist()
    (64, [128])
    """
    if compression.pooling == 1:
        return quantise(vectors, lengths, bits=compression.bits)
    pooled = pool(vectors, lengths, factor=compression.pooling)
    return replace(quantise(pooled.vectors, pooled.lengths, bits=compression.bits), pooled=pooled.tokens)


def quantise(vectors: Vectors, lengths: ArrayLike, *, bits: Bits = 8) -> TokenVectors:
    """The codes of the vectors [T, d] of passages that have `lengths` [P] tokens, one passage after another.

    ValueError when the lengths do not add up to T, when a component is not finite, or when the components of a vector
    do not fill whole bytes.

    >>> vectors = np.array([[0.5, -1.0], [0.0, 0.0]], dtype=np.float32)
    >>> quantise(vectors, [2]).codes.tolist()
    [[191, 0], [127, 127]]
    >>> quantise(np.array([[0.3, -0.1] * 4], dtype=np.float32), [1], bits=1).codes.tolist()
    [[85]]
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if lengths.sum() != len(vectors):
        raise ValueError(f"{len(vectors)} token vectors for passages of {lengths.sum()} tokens: give a vector a token.")
    if not np.isfinite(vectors).all():
        raise ValueError("A token vector is not finite: check the model's precision before storing what it returns.")
    if vectors.shape[1] * bits % 8:
        raise ValueError(f"{vectors.shape[1]} components of {bits} bits do not fill bytes: choose a multiple of 8.")
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if bits == 32:
        codes = vectors.view(np.uint8).reshape(len(vectors), 4 * vectors.shape[1])
        scales = np.ones(len(vectors), dtype=np.float32)
    elif bits == 8:
        codes, scales = _by_largest(vectors)
    else:
        codes, scales = _nearest(vectors, bits)
        codes = _packed(codes, bits)
    return TokenVectors(codes, scales.astype(SCALES[bits]).astype(np.float32), lengths, bits)


class _Codes(NamedTuple):
    """Codes [T, d], one a component; and scales [T]."""

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]


def _by_largest(vectors: Vectors) -> _Codes:
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / OFFSETS[8]).astype(np.float32)
    # A vector of zeros has scale 0; the smallest floats divided by their rounded scale would leave the range.
    divisors = np.where(scales > 0, scales, np.float32(1))[:, None]
    return _Codes((np.clip(np.rint(vectors / divisors), -OFFSETS[8], OFFSETS[8]) + OFFSETS[8]).astype(np.uint8), scales)


_CLIPS: Final = (1.0, 0.85, 0.7, 0.55)
"""Shares of the largest component that the outermost codes may stand for; the best is taken vector by vector."""


def _nearest(vectors: Vectors, bits: Bits) -> _Codes:
    """Of the codes under each clip, vector by vector, those that come nearest; the scale makes up for the loss."""
    offset = OFFSETS[bits]
    largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
    best = _Codes(np.zeros(vectors.shape, dtype=np.uint8), np.zeros(len(vectors), dtype=np.float32))
    gains = np.full(len(vectors), -np.inf)
    for clip in _CLIPS if bits > 1 else _CLIPS[:1]:
        steps = np.maximum(largest * np.float32(clip / (offset + 0.5)), np.finfo(np.float32).tiny)
        codes = np.clip(np.floor(vectors / steps) + np.float32(offset + 0.5), 0, 2 * offset).astype(np.uint8)
        centred = codes - np.float32(offset)
        products, norms = (vectors * centred).sum(axis=1), (centred * centred).sum(axis=1)
        # The least squared distance over all scales is |x|^2 - (x.c)^2 / |c|^2.
        scales = products / norms
        nearer = products * scales > gains
        gains[nearer] = (products * scales)[nearer]
        best.codes[nearer], best.scales[nearer] = codes[nearer], scales[nearer]
    return best._replace(scales=best.scales / np.float32(KEPT[bits]))


def _packed(codes: NDArray[np.uint8], bits: Bits) -> NDArray[np.uint8]:
    """The codes in bytes, the first of a byte in its lowest bits."""
    parts = codes.reshape(len(codes), codes.shape[1] * bits // 8, 8 // bits)
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(parts << np.arange(0, 8, bits, dtype=np.uint8), axis=2)
    return packed


def centred(token_vectors: TokenVectors, rows: slice = slice(None)) -> Vectors:
    """[T, d], code - offset of each component of these vectors: the vectors as yet without their scales.

    >>> centred(quantise(np.array([[0.3, -0.1] * 4], dtype=np.float32), [1], bits=1)).tolist()
    [[0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5]]
    """
    codes, bits = token_vectors.codes[rows], token_vectors.bits
    if bits == 32:
        floats: Vectors = codes.view(np.float32)
        return floats
    if bits == 8:
        return codes.astype(np.float32) - np.float32(OFFSETS[bits])
    values: Vectors = np.take(_VALUES[bits], codes, axis=0).reshape(len(codes), token_vectors.dim)
    return values


def _values_of_bytes(bits: Bits) -> NDArray[np.float32]:
    """[256, 8 / bits], code - offset of the codes in each byte."""
    codes = np.arange(256)[:, None] >> np.arange(0, 8, bits) & (2**bits - 1)
    return (codes - OFFSETS[bits]).astype(np.float32)


_VALUES: Final = {bits: _values_of_bytes(bits) for bits in (4, 2, 1)}


def dequantise(token_vectors: TokenVectors) -> Vectors:
    """The vectors [T, d] that the codes stand for.

    >>> vectors = np.array([[0.5, -1.0]], dtype=np.float32)
    >>> bool(np.allclose(dequantise(quantise(vectors, [1])), vectors, atol=0.004))
    True
    """
    return centred(token_vectors) * token_vectors.scales[:, None]


def vectors_per_token(token_vectors: TokenVectors) -> Vectors:
    """[T, d], the vector of each token; tokens that share a vector have equal rows.

    >>> vectors_per_token(quantise(np.eye(2, dtype=np.float32), [2])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    vectors, pooled = dequantise(token_vectors), token_vectors.pooled
    if pooled is None:
        return vectors
    starts = np.cumsum(token_vectors.lengths) - token_vectors.lengths
    return vectors[np.repeat(starts, pooled.counts) + pooled.places]


FEWEST_POOLED: Final = 64
"""A passage keeps so many vectors: with a third of those of BioASQ's, 45 tokens long, nDCG@10 fell by 0.015."""

MOST_POOLED: Final = 256
"""Vectors of a pooled passage, so that the place of each token's vector is a byte."""


class Pooled(NamedTuple):
    """Vectors [V, d] of unit length, how many each passage has [P], and which of them each token has."""

    vectors: Vectors
    lengths: NDArray[np.int64]
    tokens: PooledTokens


def pool(vectors: Vectors, lengths: ArrayLike, *, factor: int) -> Pooled:
    """One vector for about `factor` tokens of the passages, whose vectors [T, d] have these lengths [P].

    Vectors that are joined become their mean, at unit length, in the order of the first token of each. Passages of up
    to 64 tokens keep a vector a token, longer ones at least 64 vectors and at most 256.

    >>> near = np.repeat(np.eye(64, dtype=np.float32), 2, axis=0)
    >>> pooled = pool(near, [128], factor=2)
    >>> pooled.vectors.shape, pooled.tokens.places[:5].tolist()
    ((64, 64), [0, 0, 1, 1, 2])
    """
    counts = np.asarray(lengths, dtype=np.int64)
    passages = [_pooled(part, factor) for part in np.split(vectors, np.cumsum(counts)[:-1])] if len(counts) else []
    pooled, clusters = zip(*passages, strict=True) if passages else ((), ())
    return Pooled(
        np.concatenate([*pooled, vectors[:0]]),
        np.array([len(part) for part in pooled], dtype=np.int64),
        PooledTokens(np.concatenate([*clusters, np.empty(0, dtype=np.uint8)]), counts),
    )


def num_vectors(tokens: int, factor: int) -> int:
    """How many vectors a passage of so many tokens is left with.

    >>> [num_vectors(tokens, 3) for tokens in (50, 100, 300, 1000)]
    [50, 64, 100, 256]
    """
    return min(tokens, max(FEWEST_POOLED, -(-tokens // factor)), MOST_POOLED)


def _pooled(vectors: Vectors, factor: int) -> tuple[Vectors, NDArray[np.uint8]]:
    """The vectors of one passage, and the place of each token's among them."""
    count = num_vectors(len(vectors), factor)
    if count == len(vectors):
        return vectors, np.arange(count, dtype=np.uint8)
    clusters = _clusters(vectors, count)
    members = (np.arange(int(clusters.max()) + 1)[:, None] == clusters).astype(np.float32)
    sums = members @ vectors
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny), clusters


def _clusters(vectors: Vectors, count: int) -> NDArray[np.uint8]:
    """[T], the cluster of each vector, numbered by their first members."""
    from scipy.cluster.hierarchy import linkage  # a search that reads stored vectors does not need it
    from scipy.spatial.distance import squareform

    products = vectors @ vectors.T
    squares = products.diagonal()
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    joins = linkage(squareform(distances, checks=False), "ward")[: len(vectors) - count, :2].astype(int)
    labels = _after_joins(len(vectors), joins.tolist())
    _, first_members, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_members)).astype(np.uint8)[numbers]


def _after_joins(count: int, joins: Sequence[tuple[int, int]]) -> list[int]:
    """The cluster of each of `count` vectors: join number n, from 0, makes cluster count + n of two others.

    >>> _after_joins(4, [(0, 2), (1, 4)])
    [5, 5, 5, 3]
    """
    clusters = list(range(count + len(joins)))
    for number in reversed(range(len(joins))):  # the last join first, so that those inside it take its cluster over
        for part in joins[number]:
            clusters[part] = clusters[count + number]
    return clusters[:count]
