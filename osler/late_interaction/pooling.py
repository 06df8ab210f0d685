"""Token pooling: near vectors of a long passage become one. Knows arrays only.

Clavié, Chaffin and Adams (2024) found that a third of the vectors, clustered by Ward's criterion, ranks about as well
as all of them. That holds of long passages: a short one has few vectors to spare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from osler.records import PooledTokens, Vectors

KEPT_WHOLE: Final = 64
"""A passage keeps so many vectors: with a third of those of BioASQ's, 45 tokens long, nDCG@10 fell by 0.015."""

MOST: Final = 256
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
    return min(tokens, max(KEPT_WHOLE, -(-tokens // factor)), MOST)


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
