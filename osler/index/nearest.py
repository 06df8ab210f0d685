"""The nearest of many vectors, most of them told apart by codes of 8 bits or 1 bit a component. Knows arrays only.

To compare a vector with many is to read them, and codes of a byte are a quarter to read. Let q be the query, v a
vector, and q', v' what their codes stand for. By Cauchy and Schwarz

    |q.v - q'.v'| <= |q| |v - v'| + |q - q'| |v'|

so a product of codes bounds that of the vectors from both sides. Whatever cannot reach the k-th highest lower bound is
not among the k nearest, and the others are compared as they are. They are few unless a component or two outweigh the
rest of every vector. So the result is exact.

Of very many vectors only the signs are read first, a bit a component, in three dozen bytes where the codes have
hundreds. Let u be the query in 16 steps, u = 8 p3 + 4 p2 + 2 p1 + p0 with bits p, and b the signs of v. Then

    sum of (u - 7.5) b = constant - (8 h3 + 4 h2 + 2 h1 + h0) / 2,   h = Hamming distance of p and b,

since the number of bits of b cancels out; this is what a float query and signs give, at the price of four Hamming
distances (an asymmetric comparison, as in RaBitQ; Gao and Long, 2024). The best few thousand are compared by their
codes, as above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numkong
import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.token_vectors import centred, dequantise, quantise
from osler.parallel import map_cores
from osler.records import Vector, Vectors

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_ROUNDING: Final = np.float32(1e-5)
"""The share of a product by which float32 may be off, with room to spare."""

_LIKELY: Final = 3000
_TIMES_K: Final = 10
"""So many rows, or times k, are nearest by their signs where they are not compared exactly: 0.99 of the nearest 100."""

_FEW: Final = 1000
"""So many vectors are compared as they are: it takes a tenth of a millisecond."""

_COPY: Final = 8
"""About how many vectors are compared in the time that one is copied."""

_SHARE: Final = 4
"""So many parts of 16,384 vectors are worth a thread, which takes as long to begin as one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedVectors:
    """Vectors [P, d], with codes [P, d] int8, scales, norms and errors [P], and signs [P, d / 8] uint8.

    A vector v is about v' = scale * code; norms are |v'|, errors |v - v'|. The arrays may be mapped from a file.
    """

    vectors: Vectors
    codes: NDArray[np.int8]
    scales: Floats
    norms: Floats
    errors: Floats
    signs: NDArray[np.uint8]

    @classmethod
    def of(cls, vectors: Vectors) -> CodedVectors:
        """The vectors with their codes."""
        coded = quantise(vectors, [len(vectors)])
        meant = dequantise(coded)
        codes = centred(coded).astype(np.int8)
        signs = np.packbits(vectors > 0, axis=1)
        norms: Floats = np.linalg.norm(meant, axis=1)
        errors: Floats = np.linalg.norm(vectors - meant, axis=1)
        return cls(vectors, codes, coded.scales, norms, errors, signs)

    def __len__(self) -> int:
        return len(self.scales)


def nearest(
    parts: Sequence[CodedVectors],
    query: Vector,
    *,
    k: int,
    passing: NDArray[np.bool_] | None = None,
    exact: bool = True,
) -> tuple[Rows, Floats]:
    """The rows of the k highest dot products with the query [d], and of those equal to the last; and these products.

    Rows count through all parts, and come in no order. passing [P]: which of them may be chosen; None: all of them.
    exact: whether signs may not decide which vectors are looked at.

    >>> part = CodedVectors.of(np.array([[1, 0], [0.6, 0.8], [0.1, 1]], dtype=np.float32))
    >>> rows, products = nearest([part], np.array([0, 1], dtype=np.float32), k=2)
    >>> rows.tolist(), [f"{product:.1f}" for product in products]
    ([1, 2], ['0.8', '1.0'])
    """
    if passing is not None and passing.all():
        passing = None
    if not exact:
        rows = likely(parts, query, count=max(_LIKELY, _TIMES_K * k), passing=passing)
    else:
        rows = np.arange(sum(map(len, parts))) if passing is None else np.flatnonzero(passing)
    if len(rows) > _FEW:
        rows = possible(parts, query, k=k, rows=rows)
    products = np.empty(len(rows), dtype=np.float32)
    for within, part, chosen in _by_part(parts, rows):
        # Vector by vector: of a matrix, the products of equal rows may differ in the last bit.
        whole = len(chosen) * _COPY > len(part)
        products[within] = np.vecdot(part.vectors, query)[chosen] if whole else np.vecdot(part.vectors[chosen], query)
    best = np.flatnonzero(products >= _highest(products, k))
    return rows[best], products[best]


def possible(parts: Sequence[CodedVectors], query: Vector, *, k: int, rows: Rows) -> Rows:
    """Those of these ascending rows that may be among their k nearest, and few others; by the codes alone."""
    products, bounds = (np.empty(len(rows), dtype=np.float32) for _ in range(2))
    coded = CodedVectors.of(query[None])
    length = np.linalg.norm(query)
    error = coded.errors[0] + _ROUNDING * length

    def multiply(share: tuple[slice, CodedVectors, Rows]) -> None:
        within, part, chosen = share
        # Of few rows the codes are copied, of many the products, and nothing where all of them are compared.
        before: Rows | slice = chosen if len(chosen) * _COPY <= len(part) else slice(None)
        after: Rows | slice = slice(None) if before is chosen or len(chosen) == len(part) else chosen
        product = np.asarray(numkong.cdist(coded.codes, part.codes[before], "dot"))[0]
        products[within] = (product * (part.scales[before] * coded.scales))[after]
        bounds[within] = (length * part.errors[before] + error * part.norms[before])[after]

    map_cores(multiply, list(_by_part(parts, rows)), share=_SHARE)
    return rows[products + bounds >= _highest(products - bounds, k)]


def likely(parts: Sequence[CodedVectors], query: Vector, *, count: int, passing: NDArray[np.bool_] | None) -> Rows:
    """About `count` rows, ascending: those nearest by their signs, of the rows that may be chosen."""
    steps = np.clip(np.rint(query * (7.5 / np.abs(query).max()) + 7.5), 0, 15).astype(np.uint8)
    planes = numkong.hammings_pack(np.packbits(steps >> np.arange(4, dtype=np.uint8)[:, None] & 1, axis=1))
    weights = np.array([1, 2, 4, 8], dtype=np.float32)
    farthest = 15 * 8 * parts[0].signs.shape[1] + 1 if parts else 0
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    distances = np.empty(sum(map(len, parts)), dtype=np.int32)
    counts = np.zeros((len(parts), farthest + 1), dtype=np.int64)  # of rows, by part and distance

    def compare(number: int) -> None:
        within = slice(ends[number] - len(parts[number]), ends[number])
        hamming = np.asarray(numkong.hammings_packed(parts[number].signs, planes)).astype(np.float32)
        distances[within] = hamming @ weights
        if passing is not None:
            distances[within][~passing[within]] = farthest
        counts[number] = np.bincount(distances[within], minlength=farthest + 1)

    map_cores(compare, range(len(parts)), share=_SHARE)
    # The distances are small whole numbers, so counting them gives the k-th lowest without sorting.
    limit = int(np.searchsorted(np.cumsum(counts.sum(axis=0)), count))
    return np.flatnonzero(distances <= min(limit, farthest - 1))


def _by_part(parts: Sequence[CodedVectors], rows: Rows) -> Iterator[tuple[slice, CodedVectors, Rows]]:
    """Ascending rows that count through the parts, part by part: where they stand, the part, the rows within it."""
    ends = np.cumsum([len(part) for part in parts])
    cuts = np.searchsorted(rows, ends).tolist()
    for part, first, last, end in zip(parts, [0, *cuts], cuts, ends.tolist(), strict=False):
        if last > first:
            yield slice(first, last), part, rows[first:last] - (end - len(part))


def _highest(values: Floats, k: int) -> float:
    """The k-th highest of the values: with more asked for than there are, less than all of them."""
    if k < 1:
        return np.inf
    return float(np.partition(values, len(values) - k)[len(values) - k]) if k < len(values) else -np.inf
