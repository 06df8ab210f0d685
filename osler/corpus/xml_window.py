"""A window that slides over the bytes of an XML file, as UTF-8, and knows the line of each. Knows no elements."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from osler.corpus.streams import CHUNK_BYTES, wide_encoding

_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)")
_NO_TEXT = ("idna", "punycode", "unicode_escape", "raw-unicode-escape", "undefined")
_HEAD_BYTES = 1024  # where the XML declaration stands
_TAIL_BYTES = 4096  # enough to find the end tag of the root after comments and blank lines


class Window:
    """Bytes of a stream, addressed by their offset in it; those released in front are forgotten but counted.

    `keep` is the offset from which nothing may be forgotten, or None.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._chunks = _utf8_chunks(stream)
        self._data = bytearray()
        self._counted = (0, 1)  # an offset, and the line of the byte there
        self._last_tag_end = 0
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
        if (last := chunk.rfind(b">")) >= 0:
            self._last_tag_end = self.end + last + 1
        self._data += chunk

    def release(self, offset: int) -> None:
        """Forget the bytes before `offset`, save those to keep and a short tail."""
        offset = min(offset, self.end - _TAIL_BYTES, offset if self.keep is None else self.keep)
        if offset > self.first:
            self.line(max(offset, self._counted[0]))
            del self._data[: offset - self.first]
            self.first = offset

    def line(self, offset: int) -> int:
        """The line of the byte at `offset`, from 1; what was counted before is not counted again."""
        counted, line = self._counted
        if offset >= counted:
            line += self._data.count(b"\n", counted - self.first, offset - self.first)
            self._counted = (offset, line)
            return line
        return line - self._data.count(b"\n", offset - self.first, counted - self.first)

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
        return max(self._last_tag_end, self.first)


def _utf8_chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    head = stream.read(_HEAD_BYTES)
    encoding = _encoding(head) if head else "utf-8"
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
    """The encoding that a byte order mark or the XML declaration names; UTF-8 where none of text is known by that name.

    A declaration that can be read byte by byte is in no encoding of wider characters, whatever it says: files that were
    converted to UTF-8 often say so.
    """
    if wide := wide_encoding(head):
        return wide
    declared = _DECLARED.match(head)
    try:
        name = codecs.lookup(declared.group(1).decode() if declared else "utf-8").name
        "".encode(name)  # refuses what is no encoding of text, such as zlib
    except (LookupError, UnicodeError):
        return "utf-8"
    return "utf-8" if name.startswith(("utf-16", "utf-32")) or name in _NO_TEXT else name
