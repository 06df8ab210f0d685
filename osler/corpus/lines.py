"""The lines of a text file with their numbers. Knows nothing of what they mean."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from osler.corpus.streams import MAX_RECORD_BYTES
from osler.records import Damage

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end, and its number from 1."""

    number: int
    text: str


def read_lines(stream: io.BufferedIOBase, source: str) -> Iterator[Line | Damage]:
    """The lines of UTF-8 text; a `Damage` for one that is not UTF-8, or too long to be a record.

    >>> [line.text for line in read_lines(io.BytesIO(b"one\\r\\ntwo"), "a file")]
    ['one', 'two']
    """
    number = 0
    while raw := stream.readline(MAX_RECORD_BYTES):
        number += 1
        if len(raw) == MAX_RECORD_BYTES and not raw.endswith(b"\n"):
            _skip_line(stream)
            yield Damage(source, f"line {number}", f"longer than {MAX_RECORD_BYTES} bytes")
            continue
        try:
            text = raw.removeprefix(_BYTE_ORDER_MARK).decode()  # within a file too, where files were joined
        except UnicodeDecodeError as error:
            yield Damage(source, f"line {number}", f"not UTF-8 at byte {error.start} of the line")
            continue
        yield Line(number, text.rstrip("\r\n"))


def _skip_line(stream: io.BufferedIOBase) -> None:
    while (rest := stream.readline(MAX_RECORD_BYTES)) and not rest.endswith(b"\n"):
        pass
