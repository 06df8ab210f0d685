"""Where the tokens of a passage stand in its text, as one value of a column, and back. Knows arrays, no table.

A value is two numbers a token: how far it begins behind the one before, and how long it is. Each is a byte, or, from
255 on, so many bytes of 255 and one for the rest. A token without characters in the text has no length.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.records import TokenSpans

_MORE: Final = 255
"""A byte that stands for as much, and says that the number goes on."""

_OUTSIDE: Final = -1


def to_value(spans: TokenSpans) -> bytes:
    """The value of these spans [p, 2], which are in order, as `Reranker.token_spans` gives them.

    >>> to_value(np.array([[-1, -1], [0, 5], [6, 306]])).hex(" ")
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


def to_spans(value: bytes) -> TokenSpans:
    """The spans [p, 2] of this value.

    >>> to_spans(bytes.fromhex("00 00 00 05 06 ff 2d")).tolist()
    [[-1, -1], [0, 5], [6, 306]]
    """
    parts = np.frombuffer(value, dtype=np.uint8)
    sums: NDArray[np.int64] = np.cumsum(parts, dtype=np.int64)[parts < _MORE]
    numbers = np.diff(sums, prepend=0).reshape(-1, 2)
    starts = np.cumsum(numbers[:, 0])
    spans = np.stack([starts, starts + numbers[:, 1]], axis=1)
    spans[numbers[:, 1] == 0] = _OUTSIDE
    return spans
