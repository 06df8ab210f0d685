"""The token vectors of a passage, and where its tokens stand, each as one value of a column, and back.

One value and not four: reading a row, Lance takes as long for a small value as for a large one.

A value of token vectors is the number of vectors (uint32), their codes row by row, the scale of each in the type that
`late_interaction.token_vectors` names, and the place of each token's vector among them, a byte a token, where tokens
share vectors. Numbers are little-endian.

A value of spans is two numbers a token: how far it begins behind the one before, and how long it is. Each is a byte,
or, from 255 on, so many bytes of 255 and one for the rest. A token without characters in the text has no length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from osler.index.failures import DamageError
from osler.index.manifest import Manifest
from osler.late_interaction.token_vectors import SCALES
from osler.records import PooledTokens, TokenSpans, TokenVectors

_COUNT: Final = np.dtype("<u4")

Part = NDArray[np.uint8]


def packed_vectors(vectors: TokenVectors) -> bytes:
    """The value of the one passage that these are of.

    >>> from osler.late_interaction.token_vectors import quantise
    >>> packed_vectors(quantise(np.zeros((1, 8), dtype=np.float32), [1], bits=1)).hex()
    '01000000ff0000'
    """
    scales = vectors.scales.astype(SCALES[vectors.bits])
    places = b"" if vectors.pooled is None else vectors.pooled.places.tobytes()
    return np.array(len(vectors.codes), _COUNT).tobytes() + vectors.codes.tobytes() + scales.tobytes() + places


def unpacked_vectors(values: Sequence[Part], manifest: Manifest) -> TokenVectors:
    """The token vectors of the passages with these values, in their order; DamageError where a value is none."""
    bits, scale = manifest.token_bits, np.dtype(SCALES[manifest.token_bits])
    width, first = manifest.reranker.dim * bits // 8, _COUNT.itemsize
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    if lengths.min(initial=first) < first:
        raise DamageError(f"Token vectors of a passage take {first} bytes at least, and {lengths.min()} are stored")
    counts = _joined([value[:first] for value in values]).view(_COUNT).astype(np.int64)
    scales_starts, places_starts = first + counts * width, first + counts * (width + scale.itemsize)
    if (short := lengths < places_starts).any():
        needed, stored = places_starts[short][0], lengths[short][0]
        raise DamageError(f"Token vectors of a passage take {needed:,} bytes, and {stored:,} are stored")
    bounds = list(zip(values, scales_starts.tolist(), places_starts.tolist(), strict=True))
    places = _joined([value[end:] for value, _, end in bounds])
    return TokenVectors(
        codes=_joined([value[first:start] for value, start, _ in bounds]).reshape(-1, width),
        scales=_joined([value[start:end] for value, start, end in bounds]).view(scale).astype(np.float32),
        lengths=counts,
        bits=bits,
        pooled=PooledTokens(places, lengths - places_starts) if manifest.token_pooling > 1 else None,
    )


def values_of(column: pa.ChunkedArray) -> list[Part]:
    """Each value of the column, none of which may be null, without a copy."""
    chunks = [bytes_of(chunk) for chunk in column.chunks]
    return [data[start:end] for data, bounds in chunks for start, end in pairwise(bounds.tolist())]


def bytes_of(values: pa.LargeBinaryArray) -> tuple[Part, NDArray[np.int64]]:
    """The bytes of all values, one value after another, and where each begins and the last one ends."""
    _, ends, data = values.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8), bounds


def _joined(parts: Sequence[Part]) -> Part:
    return np.concatenate([np.empty(0, np.uint8), *parts])


_MORE: Final = 255
"""A byte that stands for as much, and says that the number goes on."""

_OUTSIDE: Final = -1


def packed_spans(spans: TokenSpans) -> bytes:
    """The value of these spans [p, 2], which are in order, as `Reranker.token_spans` gives them.

    >>> packed_spans(np.array([[-1, -1], [0, 5], [6, 306]])).hex(" ")
    '00 00 00 05 06 ff 2d'
    """
    starts, lengths = spans[:, 0], spans[:, 1] - spans[:, 0]
    # A token outside the text begins where the one before it does.
    starts = np.maximum.accumulate(np.maximum(starts, 0))
    numbers = np.stack([np.diff(starts, prepend=0), lengths], axis=1).ravel()
    full = numbers // _MORE
    value = np.full(len(numbers) + full.sum(), _MORE, dtype=np.uint8)
    value[np.cumsum(full + 1) - 1] = numbers % _MORE
    return value.tobytes()


def unpacked_spans(value: bytes) -> TokenSpans:
    """The spans [p, 2] of this value; DamageError where it is none.

    >>> unpacked_spans(bytes.fromhex("00 00 00 05 06 ff 2d")).tolist()
    [[-1, -1], [0, 5], [6, 306]]
    """
    parts = np.frombuffer(value, dtype=np.uint8)
    sums: NDArray[np.int64] = np.cumsum(parts, dtype=np.int64)[parts < _MORE]
    if len(sums) % 2:
        raise DamageError("Of a token span the end is not stored")
    numbers = np.diff(sums, prepend=0).reshape(-1, 2)
    starts = np.cumsum(numbers[:, 0])
    spans = np.stack([starts, starts + numbers[:, 1]], axis=1)
    spans[numbers[:, 1] == 0] = _OUTSIDE
    return spans
