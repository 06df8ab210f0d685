"""Bytes as they come from a file or a pipe, plain or gzip alike. Knows nothing of formats or records.

A compressed file that breaks off gives every byte that could be read, then raises `BrokenStreamError`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from zlib import _Decompress as Decompressor

    from _typeshed import WriteableBuffer

CHUNK_BYTES = 2**18
MAX_RECORD_BYTES = 2**26
"""Longer than any article by an order of magnitude: what bounds the memory when an end is missing."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_HEADER = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header and its checksum


class BrokenStreamError(Exception):
    """A stream that ends where it should not: `position` and `reason`, as a `Damage` tells them."""

    def __init__(self, position: str, reason: str) -> None:
        super().__init__(f"{position}: {reason}")
        self.position = position
        self.reason = reason


class SourceStream(io.RawIOBase):
    """The uncompressed bytes of `file`, whose head can be looked at before they are read.

    `on_read` is told how many bytes of the file, compressed as they may be, were read.

    >>> import gzip, io
    >>> SourceStream(io.BytesIO(gzip.compress(b"PMID- 1"))).head(4)
    b'PMID'
    """

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None] | None = None) -> None:
        self._chunks = _uncompressed(_plain(file, on_read or _ignore))
        self._pending = b""
        self._broken: BrokenStreamError | None = None

    def readable(self) -> bool:
        """True: this stream is for reading."""
        return True

    def head(self, size: int) -> bytes:
        """The first bytes that are still to be read, `size` of them or all there are; they stay to be read."""
        while len(self._pending) < size and (chunk := self._next_chunk()):
            self._pending += chunk
        return self._pending[:size]

    def readinto(self, buffer: WriteableBuffer) -> int:
        """How many of the next bytes were put into `buffer`; 0 at the end; `BrokenStreamError` where they break off."""
        if not self._pending:
            self._pending = self._next_chunk()
        if not self._pending and self._broken:
            raise self._broken
        view = memoryview(buffer).cast("B")
        taken = self._pending[: len(view)]
        view[: len(taken)] = taken
        self._pending = self._pending[len(taken) :]
        return len(taken)

    def _next_chunk(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except BrokenStreamError as error:
            self._broken = error
            return b""


def _ignore(size: int) -> None:
    """Bytes that nobody counts."""


def _uncompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    while len(first) < len(_GZIP_MAGIC) and (more := next(chunks, b"")):
        first += more
    if first.startswith(_GZIP_MAGIC):
        yield from _gunzip(first, chunks)
        return
    yield first
    yield from chunks


def _plain(file: BinaryIO, on_read: Callable[[int], None]) -> Iterator[bytes]:
    read, size = getattr(file, "read1", file.read), 0
    while True:
        try:
            chunk = read(CHUNK_BYTES)
        except OSError as error:
            raise BrokenStreamError(f"byte {size}", f"cannot be read further ({error.strerror})") from error
        if not chunk:
            return
        size += len(chunk)
        on_read(len(chunk))
        yield chunk


def _gunzip(data: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The content of all gzip members that `data` and `chunks` hold one after another."""
    member, size, content = zlib.decompressobj(_GZIP_HEADER), 0, b""
    while data or len(content) == CHUNK_BYTES:  # a full chunk: more may wait inside
        before = member.copy()
        try:
            content = member.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            content = _before_the_damage(before, data)
            yield content
            raise BrokenStreamError(_gzip_position(size + len(content)), f"corrupt gzip ({error})") from error
        size += len(content)
        yield content
        data = member.unconsumed_tail or member.unused_data
        if not data and len(content) < CHUNK_BYTES:
            data = next(chunks, b"")
        if member.eof:
            data = _skip_padding(data, chunks)
            member = zlib.decompressobj(_GZIP_HEADER) if data else member
    if not member.eof:
        raise BrokenStreamError(_gzip_position(size), "truncated gzip: the file ends before its compressed data do")


def _skip_padding(data: bytes, chunks: Iterator[bytes]) -> bytes:
    """What follows the zeros that some tools pad a gzip file with."""
    while data and not (data := data.lstrip(b"\0")):
        data = next(chunks, b"")
    return data


def _before_the_damage(member: Decompressor, data: bytes) -> bytes:
    """What can still be decompressed: byte by byte, since zlib drops the output of a call that fails."""
    content = bytearray()
    with suppress(zlib.error):
        for byte in data:
            content += member.decompress(bytes((byte,)))
    return bytes(content)


def _gzip_position(size: int) -> str:
    return f"after {size} bytes of uncompressed text"
