"""How token vectors of passages are made small: pooled, then quantised. Knows arrays only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from osler.late_interaction.codes import Bits, quantise
from osler.late_interaction.pooling import pool
from osler.records import TokenVectors, Vectors


@dataclass(frozen=True, slots=True)
class Compression:
    """So many bits a component, and in long passages a vector for about `pooling` tokens (1: every token its own)."""

    bits: Bits = 8
    pooling: int = 1


def compress(vectors: Vectors, lengths: ArrayLike, compression: Compression) -> TokenVectors:
    """The token vectors [T, d] of passages that have `lengths` [P] tokens, as they are kept; ValueError as `quantise`.

    >>> import numpy as np
    >>> vectors = np.repeat(np.eye(64, dtype=np.float32), 2, axis=0)
    >>> kept = compress(vectors, [128], Compression(bits=4, pooling=2))
    >>> len(kept.codes), kept.pooled.counts.tolist()
    (64, [128])
    """
    if compression.pooling == 1:
        return quantise(vectors, lengths, bits=compression.bits)
    pooled = pool(vectors, lengths, factor=compression.pooling)
    return replace(quantise(pooled.vectors, pooled.lengths, bits=compression.bits), pooled=pooled.tokens)
