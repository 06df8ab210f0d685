"""Vectors in memory and the nearest of them, exactly, most told apart by 8 bits a component. Knows arrays only.

To compare a vector with many is to read them, and codes of a byte are a quarter to read. Let q be the query, v a
vector, and q', v' what their codes stand for. By Cauchy and Schwarz

    |q.v - q'.v'| <= |q| |v - v'| + |q - q'| |v'|

so a product of codes bounds that of the vectors from both sides. Whatever cannot reach the k-th highest lower bound is
not among the k nearest, and the others are compared as they are. They are few unless a component or two outweigh the
rest of every vector.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numkong
import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.token_vectors import centred, dequantise, quantise
from osler.parallel import map_cores
from osler.records import Vector, Vectors

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

_ROUNDING: Final = np.float32(1e-5)
"""The share of a product by which float32 may be off, with room to spare."""

_BLOCK: Final = 65_536
"""Vectors that one core compares at once: a millisecond, and threads cost a tenth of that."""

_CODED: Final = 8192
"""Vectors that are coded at once, so that it takes no memory to speak of."""

_FEW: Final = 1000
"""So many vectors are compared as they are: it takes a tenth of a millisecond."""

_COPY: Final = 8
"""About how many vectors are compared in the time that one is copied."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedVectors:
    """Vectors [P, d], with codes [P, d] int8, and scales, norms and errors [P].

    A vector v is about v' = scale * code; norms are |v'|, errors |v - v'|.

    >>> coded = CodedVectors.of(np.array([[1, 0], [0.6, 0.8], [0.1, 1]], dtype=np.float32))
    >>> places, products = coded.nearest(np.array([0, 1], dtype=np.float32), k=2)
    >>> places.tolist(), [f"{one:.1f}" for one in products]
    ([1, 2], ['0.8', '1.0'])
    """

    vectors: Vectors
    codes: NDArray[np.int8]
    scales: Floats
    norms: Floats
    errors: Floats

    @classmethod
    def of(cls, vectors: Vectors) -> CodedVectors:
        """The vectors with their codes."""
        count = len(vectors)
        made = cls(vectors, np.empty(vectors.shape, np.int8), *(np.empty(count, np.float32) for _ in range(3)))
        for first in range(0, count, _CODED):
            made._code(slice(first, first + _CODED))
        return made

    def at(self, places: Places) -> CodedVectors:
        """The vectors at these places. A copy."""
        return CodedVectors(*(getattr(self, field.name)[places] for field in fields(self)))

    def nearest(self, query: Vector, *, k: int, among: Places | None = None) -> tuple[Places, Floats]:
        """The vectors of the k highest dot products with the query [d], and those equal to the last: places, products.

        In no order. `among`, ascending, are the places to choose from, all where it is None.
        """
        if among is None or len(among) > _FEW:
            among = self.possible(query, k=k, among=among)
        products = self._compared(among, query)
        best = np.flatnonzero(products >= _highest(products, k))
        return among[best], products[best]

    def possible(self, query: Vector, *, k: int, among: Places | None = None) -> Places:
        """The places, ascending, of all that may be among the k nearest, and of few others; by the codes alone."""
        products, bounds = self._products(query)
        if among is not None:
            products, bounds = products[among], bounds[among]
        possible = np.flatnonzero(products + bounds >= _highest(products - bounds, k))
        return possible if among is None else among[possible]

    def _code(self, rows: slice) -> None:
        vectors = self.vectors[rows]
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

        map_cores(multiply, range(0, len(self.codes), _BLOCK))
        (length,) = _norms(query[None])
        bounds: Floats = length * self.errors + (coded.errors + _ROUNDING * length) * self.norms
        return products * (self.scales * coded.scales), bounds

    def _compared(self, places: Places, query: Vector) -> Floats:
        """The dot products, vector by vector: of a matrix, equal rows may differ in the last bit."""
        many = len(places) * _COPY > len(self.vectors)
        products: Floats = np.vecdot(self.vectors, query)[places] if many else np.vecdot(self.vectors[places], query)
        return products


def _norms(vectors: Vectors) -> Floats:
    norms: Floats = np.linalg.norm(vectors, axis=1)
    return norms


def _highest(values: Floats, k: int) -> float:
    """The k-th highest of the values: with more asked for than there are, less than all of them."""
    if k < 1:
        return np.inf
    return float(np.partition(values, len(values) - k)[len(values) - k]) if k < len(values) else -np.inf
