"""The token vectors of a passage as one value of a column, and back. Knows arrays and the manifest, no table.

One value and not four: reading a row, Lance takes as long for a small value as for a large one.
A value is the number of vectors (uint32), their codes row by row, the scale of each in the type that `SCALES` names,
and the place of each token's vector among them, a byte a token, where tokens share vectors. Numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from osler.index.manifest import Manifest
from osler.late_interaction.token_vectors import SCALES, Bits
from osler.records import PooledTokens, TokenVectors

_COUNT: Final = np.dtype("<u4")

Part = NDArray[np.uint8]


def to_value(vectors: TokenVectors) -> bytes:
    """The value of the one passage that these are of.

    >>> from osler.late_interaction.token_vectors import quantise
    >>> to_value(quantise(np.zeros((1, 8), dtype=np.float32), [1], bits=1)).hex()
    '01000000ff0000'
    """
    scales = vectors.scales.astype(SCALES[vectors.bits])
    places = b"" if vectors.pooled is None else vectors.pooled.places.tobytes()
    return np.array(len(vectors.codes), _COUNT).tobytes() + vectors.codes.tobytes() + scales.tobytes() + places


def to_token_vectors(values: pa.ChunkedArray, manifest: Manifest) -> TokenVectors:
    """The token vectors of the passages with these values, in their order; none of the values may be null."""
    bits, dim = manifest.token_bits, manifest.reranker.dim
    parts = [_parts(value, dim, bits) for chunk in values.chunks for value in _views(chunk)]
    codes, scales, places = ([one[number] for one in parts] for number in range(3))
    pooled = PooledTokens(_joined(places), _sizes(places)) if manifest.token_pooling > 1 else None
    return TokenVectors(
        codes=_joined(codes).reshape(-1, dim * bits // 8),
        scales=_joined(scales).view(SCALES[bits]).astype(np.float32),
        lengths=_sizes(scales) // np.dtype(SCALES[bits]).itemsize,
        bits=bits,
        pooled=pooled,
    )


def _parts(value: Part, dim: int, bits: Bits) -> tuple[Part, Part, Part]:
    """The bytes of the codes, of the scales and of the places."""
    count, first = int(value[: _COUNT.itemsize].view(_COUNT)[0]), _COUNT.itemsize
    scales = first + count * (dim * bits // 8)
    places = scales + count * np.dtype(SCALES[bits]).itemsize
    return value[first:scales], value[scales:places], value[places:]


def _views(values: pa.LargeBinaryArray) -> Iterable[Part]:
    """Each value without a copy: a Python object for each would take as much memory again, and keep it."""
    _, ends, data = values.buffers()
    held = np.frombuffer(data or b"", dtype=np.uint8)
    bounds = np.frombuffer(ends, dtype=np.int64)[values.offset : values.offset + len(values) + 1].tolist()
    return (held[first:last] for first, last in pairwise(bounds))


def _joined(parts: list[Part]) -> Part:
    return np.concatenate([np.empty(0, np.uint8), *parts])


def _sizes(parts: list[Part]) -> NDArray[np.int64]:
    return np.array([len(one) for one in parts], dtype=np.int64)
