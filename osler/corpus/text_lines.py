"""The lines of a text file of any tool: any line ends, UTF-8 or, where it is not, Windows-1252. Knows no format."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from osler.corpus.lines import Line
from osler.corpus.streams import CHUNK_BYTES, MAX_RECORD_BYTES
from osler.records import Damage

_LINE_END = re.compile(rb"\r\n|\n|\r")
_NO_UTF8 = re.compile(r"[\udc80-\udcff]+")  # what Python writes for bytes that it could not decode


def read_text_lines(stream: io.BufferedIOBase, source: str) -> Iterator[Line | Damage]:
    """The lines with their numbers; a `Damage` for one too long to be a record, and once where text is not UTF-8.

    >>> [line.text for line in read_text_lines(io.BytesIO(b"one\\rtwo\\r\\nthree"), "a file")]
    ['one', 'two', 'three']
    """
    told = False
    for number, raw in enumerate(_raw_lines(stream), start=1):
        if len(raw) > MAX_RECORD_BYTES:
            yield Damage(source, f"line {number}", f"longer than {MAX_RECORD_BYTES} bytes")
            continue
        raw = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"")
        try:
            yield Line(number, raw.decode())
        except UnicodeDecodeError:
            if not told:
                told = True
                reason = (
                    "not UTF-8: this line and such ones are read as Windows-1252; convert the file if accents are wrong"
                )
                yield Damage(source, f"line {number}", reason)
            yield Line(number, _as_windows(raw))


def _raw_lines(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The lines without their ends; of one that is too long, a little more than what may be."""
    pending: list[bytes] = []
    size = 0
    while chunk := stream.read1(CHUNK_BYTES):
        if chunk.endswith(b"\r"):  # perhaps the first half of a line end
            chunk += stream.read1(1)
        for position, piece in enumerate(_LINE_END.split(chunk)):
            if position:
                yield b"".join(pending)
                pending, size = [], 0
            if size <= MAX_RECORD_BYTES:
                pending.append(piece)
                size += len(piece)
    if size:
        yield b"".join(pending)


def _as_windows(raw: bytes) -> str:
    """The text, each byte that is no part of UTF-8 read as Windows-1252, since files of two encodings occur."""
    text = raw.decode(errors="surrogateescape")
    return _NO_UTF8.sub(
        lambda match: match[0].encode(errors="surrogateescape").decode("cp1252", errors="replace"), text
    )
