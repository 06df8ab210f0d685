"""Which files a source stands for, and how each is opened. Knows nothing of what they hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from osler.corpus.streams import SourceStream
from osler.errors import CorpusError

STANDARD_INPUT = "-"

# Beside a corpus.jsonl in BEIR's layout, these hold queries and judgements, not documents.
_BEIR_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
_BEIR_QUERIES = ("queries.jsonl", "queries.jsonl.gz")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: its path, whether the user named it, and its format where that is known beforehand."""

    path: Path
    named: bool
    format: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return "standard input" if str(self.path) == STANDARD_INPUT else str(self.path)


def check_source(path: Path) -> None:
    """Nothing for a file, a folder or standard input that is there; else a `CorpusError`."""
    if str(path) != STANDARD_INPUT and not path.exists():
        raise CorpusError(f"{path}: no such file or folder; name one, `-` for standard input, or `hpo`.")


def find_files(path: Path) -> Iterator[SourceFile]:
    """The file at `path`, or all files below that folder in the order of their paths.

    Hidden files and checksums (`.md5`) are passed over; of a folder in BEIR's layout the corpus alone is taken.
    """
    if not path.is_dir():
        yield SourceFile(path, named=True)
        return
    for folder, subfolders, names in os.walk(path):
        if corpus := _beir_corpus(names):
            subfolders.clear()
            names = [corpus]
        # An index may lie beside what it was made from.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and not name.endswith(".lance"))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(".md5"):
                yield SourceFile(Path(folder, name), named=False)


@contextmanager
def open_source(path: Path, on_read: Callable[[int], None] | None = None) -> Iterator[SourceStream]:
    """The uncompressed bytes of the file, or of standard input for `-`; `on_read` is told of bytes read."""
    if str(path) == STANDARD_INPUT:
        yield SourceStream(sys.stdin.buffer, on_read)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be opened ({error.strerror}); mend its permissions or leave it out."
        ) from error
    with file:
        yield SourceStream(file, on_read)


def _beir_corpus(names: list[str]) -> str | None:
    if not any(name in names for name in _BEIR_QUERIES):
        return None
    return next((name for name in _BEIR_CORPUS if name in names), None)
