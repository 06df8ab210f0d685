"""Passages become vectors, in slices of like length. Knows what an encoder gives, not how.

A batch is as slow as its longest passage, so those of about equal length are encoded together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from osler.late_interaction.ragged import concatenate, reorder
from osler.records import Passage, TokenSpans, TokenVectors, Vectors

_FIRST_SLICE = 256
"""Passages of all lengths, which show how fast the others will be, and suffice to calibrate a network on."""

_LEAST_SLICE = 128
_SLICE_SECONDS = 3.0
"""Passages are encoded in slices that take about this long, so that progress moves."""


@dataclass(frozen=True, slots=True)
class EncodedPassages:
    """What the models make of passages: vectors [P, d], and token vectors and their spans where an index keeps them."""

    vectors: Vectors
    token_vectors: TokenVectors | None = None
    token_spans: Sequence[TokenSpans] | None = None


Encode = Callable[[Sequence[Passage]], EncodedPassages]


def encode_in_slices(passages: Sequence[Passage], encode: Encode) -> EncodedPassages:
    """The vectors of the passages in their order, encoded in slices of passages of about equal length."""
    order = _order([_length(passage) for passage in passages])
    parts, start, size = [], 0, _FIRST_SLICE
    while start < len(passages):
        began = time.perf_counter()
        parts.append(encode([passages[number] for number in order[start : start + size]]))
        start += size
        size = _next_size(size, time.perf_counter() - began)
    back = np.argsort(order)
    tokens = [part.token_vectors for part in parts if part.token_vectors is not None]
    spans = [one for part in parts for one in part.token_spans or ()]
    return EncodedPassages(
        np.concatenate([part.vectors for part in parts])[back],
        reorder(concatenate(tokens), back) if tokens else None,
        tuple(spans[place] for place in back) if spans else None,
    )


def _order(lengths: Sequence[int]) -> list[int]:
    """The numbers of the passages as they are encoded: a slice from all of them first, then the others, longest first.

    >>> _order([5, 9, 7])
    [1, 2, 0]
    """
    by_length = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    first = by_length[:: max(1, -(-len(lengths) // _FIRST_SLICE))]
    taken = set(first)
    return [*first, *(number for number in by_length if number not in taken)]


def _length(passage: Passage) -> int:
    return len(passage.title) + len(passage.heading) + len(passage.text)


def _next_size(size: int, seconds: float) -> int:
    if seconds < _SLICE_SECONDS / 2:
        return size * 2
    return max(size // 2, _LEAST_SLICE) if seconds > _SLICE_SECONDS * 2 else size
