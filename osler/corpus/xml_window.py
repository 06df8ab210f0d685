"""A window that slides over the bytes of an XML file, as UTF-8, and knows the line of each. Knows no elements."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from osler.corpus.streams import CHUNK_BYTES

_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)")
_HEAD_BYTES = 1024  # where the XML declaration stands
_TAIL_BYTES = 4096  # enough to find the end tag of the root after comments and blank lines


class Window:
    """Bytes of a stream, addressed by their offset in it; those released in front are forgotten but counted.

    `keep` is the offset from which nothing may be forgotten, or None.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._chunks = _utf8_chunks(stream)
        self._data = bytearray()
        self._lines_before = 0
        self.first = 0
        self.ended = False
        self.keep: int | None = 0

    @property
    def end(self) -> int:
        """The offset behind the last byte read."""
        return self.first + len(self._data)

    def extend(self) -> None:
        """Read on; at the end of the stream, `ended` becomes true."""
        chunk = next(self._chunks, b"")
        self.ended = not chunk
        self._data += chunk

    def release(self, offset: int) -> None:
        """Forget the bytes before `offset`, save those to keep and a short tail."""
        offset = min(offset, self.end - _TAIL_BYTES, offset if self.keep is None else self.keep)
        if offset > self.first:
            self._lines_before += self._data.count(b"\n", 0, offset - self.first)
            del self._data[: offset - self.first]
            self.first = offset

    def line(self, offset: int) -> int:
        """The line of the byte at `offset`, from 1."""
        return 1 + self._lines_before + self._data.count(b"\n", 0, offset - self.first)

    def cut(self, start: int, end: int) -> bytes:
        """The bytes between two offsets."""
        return bytes(self._data[max(start - self.first, 0) : end - self.first])

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> re.Match[bytes] | None:
        """The first match between two offsets; its own numbers count from `first`."""
        return pattern.search(self._data, max(start - self.first, 0), end - self.first)

    def find(self, needle: bytes, start: int) -> int:
        """The offset of `needle` in what was read, at or after `start`; -1 where it is not."""
        found = self._data.find(needle, max(start - self.first, 0))
        return found if found < 0 else found + self.first

    def last_tag_end(self) -> int:
        """The offset behind the last `>` that was read; `first` where there is none."""
        return self.first + self._data.rfind(b">") + 1


def _utf8_chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    head = stream.read(_HEAD_BYTES)
    encoding = _encoding(head)
    if encoding in ("utf-8", "ascii"):
        yield head.removeprefix(codecs.BOM_UTF8)
        while chunk := stream.read1(CHUNK_BYTES):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    chunk = head
    while chunk:
        if text := decoder.decode(chunk):
            yield text.encode()
        chunk = stream.read1(CHUNK_BYTES)


def _encoding(head: bytes) -> str:
    """The encoding that a byte order mark or the XML declaration names; UTF-8 where none is known by that name."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(head)
    try:
        return codecs.lookup(declared.group(1).decode() if declared else "utf-8").name
    except LookupError:
        return "utf-8"
