"""Archives: the files that a tar or zip archive holds, one after another, as streams. Nothing is written to disk.

Both kinds are read from their beginning to their end, as they come through a pipe, so memory is constant, an archive
that was cut off gives what it holds, and a damaged member costs only itself. tarfile parses the headers of tar; zipfile
wants the table of contents at the end, so those of zip are parsed here. Knows nothing of what the members hold.
"""

from __future__ import annotations

import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from osler.corpus.streams import CHUNK_BYTES, BrokenStreamError, ChunkStream
from osler.records import Damage

_BLOCK = tarfile.BLOCKSIZE  # the length of a header of tar, which tells an archive
_NUMBER = re.compile(rb"\d{1,18}")
_MAX_HEADER = 2**20  # of the longer names and attributes that may stand before a member of a tar archive
_WITHOUT_CONTENT = b"123456"  # the types of links, devices, folders and pipes
_LOCAL, _CENTRAL, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_SIGNATURE = re.compile(rb"PK(?:\x03\x04|\x01\x02)")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIBED, _UTF8 = 1, 8, 2048  # flags of a zip member
_IN_EXTRA = 0xFFFFFFFF  # a size that stands in the extra field
_ZIP_FIELDS = struct.Struct("<2xHH4xLLLHH")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its name there, and its bytes, to be read before the next member is asked for."""

    name: str
    content: ChunkStream


def archive_kind(head: bytes) -> str | None:
    """`tar` or `zip` where a file begins with these bytes of an archive, else None.

    >>> archive_kind(b"PK\\3\\4"), archive_kind(b"PMID- 1")
    ('zip', None)
    """
    if head.startswith((_LOCAL, _END)):
        return "zip"
    return "tar" if _tar_header(head[:_BLOCK]) else None


def read_members(stream: ChunkStream, name: str, kind: str) -> Iterator[Member | Damage]:
    """The files of the archive in `stream`, and what could not be read of it; folders and links are passed over."""
    archive = _Archive(stream, name)
    try:
        for member in _tar_members(archive) if kind == "tar" else _zip_members(archive):
            yield member
            if isinstance(member, Member) and not archive.broken:
                yield from _passed_over(member, archive)
            if archive.broken:
                return
    except BrokenStreamError as error:
        yield Damage(name, error.position, error.reason)


def _passed_over(member: Member, archive: _Archive) -> Iterator[Damage]:
    """Read what is left of a member; a damage where the archive ends in it, which its reader has not come to."""
    try:
        while member.content.read(CHUNK_BYTES):
            pass
    except BrokenStreamError as error:
        if archive.broken:
            yield Damage(archive.name, error.position, error.reason)


@dataclass(slots=True)
class _Archive:
    """The bytes of an archive, read from its beginning; `broken` once they broke off within a member."""

    stream: ChunkStream
    name: str
    offset: int = 0
    broken: bool = False
    _returned: bytes = field(default=b"")

    def some(self, size: int) -> bytes:
        """Up to `size` of the next bytes, b"" at the end."""
        if self._returned:
            data, self._returned = self._returned[:size], self._returned[size:]
        else:
            data = self.stream.read(size) or b""
        self.offset += len(data)
        return data

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer where the archive ends."""
        taken = bytearray()
        while len(taken) < size and (data := self.some(size - len(taken))):
            taken += data
        return bytes(taken)

    def give_back(self, data: bytes) -> None:
        """Have these bytes be read once more."""
        self._returned = data + self._returned
        self.offset -= len(data)

    def content(self, size: int) -> Iterator[bytes]:
        """The bytes of a member that is `size` bytes long."""
        while size:
            self.broken = True  # unless the next bytes come
            data = self.some(min(size, CHUNK_BYTES))
            if not data:
                raise BrokenStreamError(f"byte {self.offset} of the archive", "the archive ends within this file")
            self.broken = False
            size -= len(data)
            yield data

    def damage(self, member: str, reason: str) -> Damage:
        return Damage(f"{self.name}:{member}" if member else self.name, f"byte {self.offset} of the archive", reason)


def _tar_members(archive: _Archive) -> Iterator[Member | Damage]:
    attributes: dict[str, bytes] = {}  # of the next file, as headers before its own give them
    lost = ended = False
    while block := archive.take(_BLOCK):
        if not block.strip(b"\0"):
            ended = True
            continue
        info = _tar_header(block)
        if info is None:
            if not lost:
                yield archive.damage("", "corrupt tar: no header where the next file should begin")
            lost = True
            continue
        lost = ended = False
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            attributes |= _attributes(archive, info)
            continue
        name = attributes.get("path", info.name.encode(errors="replace")).decode(errors="replace")
        size = int(attributes["size"]) if _NUMBER.fullmatch(attributes.get("size", b"")) else info.size
        is_sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in attributes)
        attributes = {}
        if info.isreg() and not is_sparse:
            yield Member(name, ChunkStream(archive.content(size)))
            archive.take(-size % _BLOCK)
            continue
        if is_sparse:
            yield archive.damage(name, "a sparse file, which osler does not read; pack it without --sparse")
        for _ in archive.content(0 if info.type in _WITHOUT_CONTENT else size + -size % _BLOCK):
            pass
    if not (ended or lost):
        yield archive.damage("", "the archive ends without an end mark: it may be cut off")


def _tar_header(block: bytes) -> tarfile.TarInfo | None:
    """The header in a block; None where that is none, or is cut off."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return None
    return info if info.size >= 0 else None


def _attributes(archive: _Archive, info: tarfile.TarInfo) -> dict[str, bytes]:
    """What a header of GNU or POSIX says of the file behind it: `path`, and with POSIX also `size` and others."""
    padded = info.size + -info.size % _BLOCK
    if padded > _MAX_HEADER:
        raise BrokenStreamError(f"byte {archive.offset} of the archive", "a name longer than 1 MB")
    header = archive.take(padded)[: info.size]
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": header.rstrip(b"\0")}
    attributes = {}
    while header:  # "27 path=PMC1/article.nxml\n", of which 27 is the length
        length, _, attribute = header.partition(b" ")
        if not _NUMBER.fullmatch(length) or not len(length) < (size := int(length)) <= len(header):
            break
        key, _, value = attribute[: size - len(length) - 1].rstrip(b"\n").partition(b"=")
        attributes[key.decode(errors="replace")] = value
        header = header[size:]
    return attributes


def _zip_members(archive: _Archive) -> Iterator[Member | Damage]:
    encrypted = False
    while (signature := archive.take(4)) not in (_CENTRAL, _END):
        header = _zip_header(archive) if signature == _LOCAL else None
        if signature not in (_LOCAL, b""):
            yield archive.damage("", "corrupt zip: no header where the next file should begin")
            _find_signature(archive)
            continue
        if not header:
            yield archive.damage("", "the archive ends before its table of contents: it may be cut off")
            return
        packed = archive.content(header.size or 0)
        if reason := header.obstacle():
            if not (encrypted and header.encrypted):  # one damage for an archive, not one a file
                yield archive.damage(header.name, reason)
            encrypted = encrypted or header.encrypted
        elif not header.name.endswith("/"):
            content = packed if header.method == _STORED else _inflate(archive, packed, sized=header.size is not None)
            yield Member(header.name, ChunkStream(_checked(content, header.checksum)))
        for _ in packed:
            pass
        if header.is_described:
            _find_signature(archive)
    while archive.some(CHUNK_BYTES):
        pass


@dataclass(frozen=True, slots=True)
class _ZipHeader:
    """What stands before a file: `size` as packed; None, like `checksum`, where only a description behind it tells."""

    name: str
    method: int
    encrypted: bool
    is_described: bool
    size: int | None
    checksum: int | None

    def obstacle(self) -> str:
        """Why the file cannot be read; "" where it can."""
        if self.encrypted:
            return "is encrypted; unzip the archive with its password"
        if self.method not in (_STORED, _DEFLATED):
            return f"is packed by method {self.method}, which osler does not read; unzip the archive"
        if self.method == _STORED and self.size is None:
            return "does not say how long it is; unzip the archive"
        return ""


def _zip_header(archive: _Archive) -> _ZipHeader | None:
    """The header behind a signature; None where the archive ends within it."""
    fixed = archive.take(_ZIP_FIELDS.size)
    if len(fixed) < _ZIP_FIELDS.size:
        return None
    flags, method, checksum, packed, size, name_length, extra_length = _ZIP_FIELDS.unpack(fixed)
    name, extra = archive.take(name_length), archive.take(extra_length)
    if packed == _IN_EXTRA:
        packed = _long_size(extra, skip=8 if size == _IN_EXTRA else 0)
    is_described = bool(flags & _DESCRIBED)
    return _ZipHeader(
        name.decode("utf-8" if flags & _UTF8 else "cp437", errors="replace"),
        method,
        bool(flags & _ENCRYPTED),
        is_described,
        None if is_described and not packed else packed,
        None if is_described else checksum,
    )


def _long_size(extra: bytes, *, skip: int) -> int:
    """The packed size in the extra field of a file of more than 4 GB, behind its own size."""
    while len(extra) >= 4:
        kind, length = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == 1:
            return int.from_bytes(extra[4 + skip : 12 + skip], "little")
        extra = extra[4 + length :]
    return 0


def _inflate(archive: _Archive, content: Iterator[bytes], *, sized: bool) -> Iterator[bytes]:
    """The unpacked bytes of a file; where its size is unknown, what stands behind it is given back to the archive."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    data = unpacked = b""
    while not unpacker.eof:
        if not data and len(unpacked) < CHUNK_BYTES:  # a full chunk: more may wait inside
            data = next(content, b"") if sized else archive.some(CHUNK_BYTES)
        if not data and len(unpacked) < CHUNK_BYTES:
            archive.broken = not sized
            raise BrokenStreamError(f"byte {archive.offset} of the archive", "the archive ends within this file")
        try:
            unpacked = unpacker.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            raise BrokenStreamError(f"byte {archive.offset} of the archive", f"corrupt zip ({error})") from error
        data = unpacker.unconsumed_tail
        yield unpacked
    if not sized:
        archive.give_back(unpacker.unused_data)


def _checked(content: Iterator[bytes], checksum: int | None) -> Iterator[bytes]:
    actual = 0
    for chunk in content:
        actual = zlib.crc32(chunk, actual)
        yield chunk
    if checksum not in (None, actual):
        raise BrokenStreamError("the end of the file", "corrupt zip (its checksum differs)")


def _find_signature(archive: _Archive) -> None:
    """Read on to the next file or the table of contents."""
    data = b""
    while more := archive.some(CHUNK_BYTES):
        data += more
        if match := _SIGNATURE.search(data):
            archive.give_back(data[match.start() :])
            return
        data = data[-3:]  # perhaps the first bytes of a signature
