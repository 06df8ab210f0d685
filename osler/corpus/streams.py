"""Bytes and lines as they come from a file or a pipe, plain or compressed alike. Knows nothing of formats or records.

A compressed file that breaks off gives every byte that could be read, then raises `BrokenStreamError`.
"""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from osler.records import Damage

if TYPE_CHECKING:
    from zlib import _Decompress as Decompressor

    from _typeshed import WriteableBuffer

CHUNK_BYTES = 2**18
MAX_RECORD_BYTES = 2**25
"""32 MB, more than any article with all its tables: what bounds the memory when an end is missing."""

LINE_BYTES = 2**7
"""What a line takes in memory besides its text: a record of very many short lines is bounded too."""

_MAX_ZEROS = 2**20  # so many are no text: a download that was never finished, or /dev/zero
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_HEADER = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header and its checksum
_BZIP2_MAGIC = b"BZh"
_XZ_MAGIC = b"\xfd7zXZ\0"
_XZ_MEMORY = 2**28  # xz -9 asks for 65 MB; a hostile file may ask for 4 GB
_PIECE_BYTES = 2**12  # what a corrupt .bz2 or .xz loses with its damage: these cannot be taken up again
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NO_UTF8 = re.compile(r"([\udc80-\udcff]+)")  # what Python writes for bytes that it could not decode


class BrokenStreamError(Exception):
    """A stream that ends where it should not: `position` and `reason`, as a `Damage` tells them."""

    def __init__(self, position: str, reason: str) -> None:
        super().__init__(f"{position}: {reason}")
        self.position = position
        self.reason = reason


class ChunkStream(io.RawIOBase):
    """A stream of the bytes in `chunks`, whose head can be looked at before they are read.

    >>> stream = ChunkStream(iter([b"PM", b"ID- 1"]))
    >>> stream.head(4), stream.read(20)
    (b'PMID', b'PMID- 1')
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
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
            return next((chunk for chunk in self._chunks if chunk), b"")
        except BrokenStreamError as error:
            self._broken = error
            return b""


class SourceStream(ChunkStream):
    """The uncompressed bytes of `file`; `on_read` is told how many of its bytes, compressed as they may be, were read.

    >>> import gzip
    >>> SourceStream(io.BytesIO(gzip.compress(b"PMID- 1"))).head(4)
    b'PMID'
    """

    def __init__(self, file: BinaryIO | io.RawIOBase, on_read: Callable[[int], None] | None = None) -> None:
        super().__init__(_uncompressed(_plain(file, on_read)))


def text_stream(stream: ChunkStream) -> io.BufferedReader:
    """What a reader of text is given: text in UTF-16 or UTF-32 comes as UTF-8, and endless zero bytes end it.

    >>> text_stream(ChunkStream(iter(["PMID- 1".encode("utf-16")]))).read()
    b'PMID- 1'
    """
    encoding = wide_encoding(stream.head(4))
    chunks = iter(lambda: stream.read(CHUNK_BYTES) or b"", b"")
    return io.BufferedReader(ChunkStream(_as_utf8(chunks, encoding) if encoding else _not_zeros(chunks)), CHUNK_BYTES)


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by a byte order mark or by the zeros around the first character; None for any other text.

    >>> wide_encoding(b"{\\0"), wide_encoding(b"{}")
    ('utf-16-le', None)
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    shapes = {
        rb"[\t-~]\0\0\0": "utf-32-le",
        rb"\0\0\0[\t-~]": "utf-32-be",
        rb"[\t-~]\0": "utf-16-le",
        rb"\0[\t-~]": "utf-16-be",
    }
    return next((encoding for shape, encoding in shapes.items() if re.match(shape, head)), None)


def _as_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _not_zeros(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = zeros = 0
    for chunk in chunks:
        zeros = len(chunk) - len(chunk.rstrip(b"\0")) + (zeros if not chunk.strip(b"\0") else 0)
        size += len(chunk)
        if zeros >= _MAX_ZEROS:
            raise BrokenStreamError(f"byte {size - zeros}", "zero bytes from here on, which are no text; get it again")
        yield chunk


def _uncompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(chunks, b"")
    magics = (_GZIP_MAGIC, _BZIP2_MAGIC, _XZ_MAGIC)
    while any(magic.startswith(head) and magic != head for magic in magics) and (more := next(chunks, b"")):
        head += more
    if head.startswith(_GZIP_MAGIC):
        yield from _gunzip(head, chunks)
    elif head.startswith(_BZIP2_MAGIC) and head[3:4] in b"123456789":
        yield from _unpack(chain((head,), chunks), "bzip2")
    elif head.startswith(_XZ_MAGIC):
        yield from _unpack(chain((head,), chunks), "xz")
    else:
        yield head
        yield from chunks


def _unpack(chunks: Iterator[bytes], kind: str) -> Iterator[bytes]:
    """The content of all bzip2 or xz streams that `chunks` hold one after another."""

    def new_stream() -> bz2.BZ2Decompressor | lzma.LZMADecompressor:
        return bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    pieces = (chunk[start : start + _PIECE_BYTES] for chunk in chunks for start in range(0, len(chunk), _PIECE_BYTES))
    stream, size, data = new_stream(), 0, b""
    while True:
        data = data or (next(pieces, b"") if stream.needs_input else b"")
        if not data and stream.needs_input:
            reason = f"truncated {kind}: the file ends before its compressed data do"
            raise BrokenStreamError(_content_position(size), reason)
        try:
            content = stream.decompress(data, CHUNK_BYTES)
        except (OSError, lzma.LZMAError) as error:
            raise BrokenStreamError(_content_position(size), f"corrupt {kind} ({error})") from error
        size += len(content)
        yield content
        data = b""
        if stream.eof:
            if not (data := _skip_padding(stream.unused_data or next(pieces, b""), pieces)):
                return
            stream = new_stream()


def _plain(file: BinaryIO | io.RawIOBase, on_read: Callable[[int], None] | None) -> Iterator[bytes]:
    read, size = getattr(file, "read1", file.read), 0
    while True:
        try:
            chunk = read(CHUNK_BYTES)
        except OSError as error:
            raise BrokenStreamError(f"byte {size}", f"cannot be read further ({error.strerror})") from error
        if not chunk:
            return
        size += len(chunk)
        if on_read:
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
            raise BrokenStreamError(_content_position(size + len(content)), f"corrupt gzip ({error})") from error
        size += len(content)
        yield content
        data = member.unconsumed_tail or member.unused_data
        if not data and len(content) < CHUNK_BYTES:
            data = next(chunks, b"")
        if member.eof:
            data = _skip_padding(data, chunks)
            member = zlib.decompressobj(_GZIP_HEADER) if data else member
    if not member.eof:
        raise BrokenStreamError(_content_position(size), "truncated gzip: the file ends before its compressed data do")


def _skip_padding(data: bytes, chunks: Iterator[bytes]) -> bytes:
    """What follows the zeros that some tools pad a compressed file with."""
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


def _content_position(size: int) -> str:
    return f"after {size} bytes of uncompressed text"


class Line(NamedTuple):
    """A line without its end, and its number from 1."""

    number: int
    text: str


def read_lines(stream: io.BufferedIOBase, source: str) -> Iterator[Line | Damage]:
    """The lines of text that must be UTF-8, ended by \\n; a `Damage` for one that is not, or too long to be a record.

    >>> [line.text for line in read_lines(io.BytesIO(b"one\\r\\ntwo"), "a file")]
    ['one', 'two']
    """
    number = 0
    while raw := stream.readline(MAX_RECORD_BYTES):
        number += 1
        if len(raw) == MAX_RECORD_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_RECORD_BYTES)
            yield Damage(source, f"line {number}", f"longer than {MAX_RECORD_BYTES} bytes")
            continue
        try:
            text = raw.removeprefix(codecs.BOM_UTF8).decode()  # within a file too, where files were joined
        except UnicodeDecodeError as error:
            yield Damage(source, f"line {number}", f"not UTF-8 at byte {error.start} of the line")
            continue
        yield Line(number, text.rstrip("\r\n"))


def read_text_lines(stream: io.BufferedIOBase, source: str) -> Iterator[Line | Damage]:
    """The lines of a file of any tool, whatever ends them: UTF-8, or Windows-1252 and a `Damage` where it is not.

    Only the first line that is not UTF-8 is a damage, and each one that is too long to be a record.

    >>> [line.text for line in read_text_lines(io.BytesIO(b"one\\rtwo\\r\\nthree"), "a file")]
    ['one', 'two', 'three']
    """
    is_told = False
    for number, raw in enumerate(_raw_lines(stream), start=1):
        if len(raw) > MAX_RECORD_BYTES:
            yield Damage(source, f"line {number}", f"longer than {MAX_RECORD_BYTES} bytes")
            continue
        raw = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"")
        try:
            yield Line(number, raw.decode())
        except UnicodeDecodeError:
            if not is_told:
                is_told = True
                reason = (
                    "not UTF-8: this line and such ones are read as Windows-1252; convert the file if accents are wrong"
                )
                yield Damage(source, f"line {number}", reason)
            # Byte by byte, since files of two encodings occur.
            pieces = _NO_UTF8.split(raw.decode(errors="surrogateescape"))
            for index in range(1, len(pieces), 2):
                pieces[index] = pieces[index].encode(errors="surrogateescape").decode("cp1252", errors="replace")
            yield Line(number, "".join(pieces))


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
