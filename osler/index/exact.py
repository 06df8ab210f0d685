"""Which of many vectors may be the nearest, told from 8 bits a component, and surely. Knows arrays only.

To compare a vector with many is to read them, and codes of a byte are a quarter to read. Let q be the query, v a
vector, and q', v' what their codes stand for. By Cauchy and Schwarz

    |q.v - q'.v'| <= |q| |v - v'| + |q - q'| |v'|

so a product of codes bounds that of the vectors from both sides. Whatever cannot reach the k-th highest lower bound is
not among the k nearest; the few that can are to be compared as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numkong
import numpy as np
from numpy.typing import NDArray

from osler.cores import on_every_core
from osler.late_interaction.codes import centred, dequantise, quantise
from osler.records import Vector, Vectors

Floats = NDArray[np.float32]

_ROUNDING: Final = np.float32(1e-5)
"""What float32 may add to a bound or a product of about unit length."""

_BLOCK: Final = 65_536
"""Vectors that one core compares at once: a millisecond, and threads cost a tenth of that."""

_CODED: Final = 8192
"""Vectors that are coded at once, so that it takes no memory to speak of."""


@dataclass(frozen=True, slots=True)
class CodedVectors:
    """Vectors in 8 bits: codes [P, d] int8; scales, norms and errors [P].

    A vector v is about v' = scale * code; norms are |v'|, errors |v - v'|.

    >>> vectors = np.array([[1, 0], [0.6, 0.8], [0.1, 1]], dtype=np.float32)
    >>> CodedVectors.of(vectors).nearest(np.array([0, 1], dtype=np.float32), k=2).tolist()
    [1, 2]
    """

    codes: NDArray[np.int8]
    scales: Floats
    norms: Floats
    errors: Floats

    @classmethod
    def of(cls, vectors: Vectors) -> CodedVectors:
        """The codes of the vectors [P, d]."""
        count = len(vectors)
        made = cls(np.empty(vectors.shape, np.int8), *(np.empty(count, np.float32) for _ in range(3)))
        for first in range(0, count, _CODED):
            made._code(slice(first, first + _CODED), vectors[first : first + _CODED])
        return made

    def nearest(self, query: Vector, *, k: int, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The places of the vectors that may have one of the k highest dot products with the query [d], and few others.

        Ascending; `among`, ascending too, are the places to choose from, all where it is None.
        """
        products, bounds = self._products(query)
        if among is not None:
            products, bounds = products[among], bounds[among]
        possible = np.arange(len(products))
        if k < len(products):
            lowest = products - bounds
            reached = np.partition(lowest, len(lowest) - k)[len(lowest) - k] if k > 0 else np.inf
            possible = np.flatnonzero(products + bounds >= reached)
        return possible if among is None else among[possible]

    def _code(self, rows: slice, vectors: Vectors) -> None:
        coded = quantise(vectors, [len(vectors)])
        meant = dequantise(coded)
        self.codes[rows], self.scales[rows] = centred(coded), coded.scales
        self.norms[rows], self.errors[rows] = _norms(meant), _norms(vectors - meant)

    def _products(self, query: Vector) -> tuple[Floats, Floats]:
        """[P], the products of the codes, and how far off the vectors' own products may be."""
        coded = CodedVectors.of(query[None])
        products = np.empty(len(self.codes), dtype=np.float32)

        def multiply(first: int) -> None:
            rows = slice(first, first + _BLOCK)
            products[rows] = np.asarray(numkong.cdist(coded.codes, self.codes[rows], "dot"))[0]

        on_every_core(multiply, range(0, len(self.codes), _BLOCK))
        bounds = np.linalg.norm(query) * self.errors + coded.errors * self.norms + _ROUNDING
        return products * (self.scales * coded.scales), bounds


def _norms(vectors: Vectors) -> Floats:
    norms: Floats = np.linalg.norm(vectors, axis=1)
    return norms
