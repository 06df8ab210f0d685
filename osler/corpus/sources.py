"""Which files a source stands for, and how each is opened. Knows nothing of what they hold."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from osler.corpus.streams import SourceStream
from osler.errors import CorpusError, UsageError
from osler.records import Damage

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


def check_source(source: str | Path) -> None:
    """Nothing for a file, a folder, a pipe or standard input that is there; else an error that names the source."""
    if not str(source).strip():
        raise UsageError("a source is empty; name a file, a folder, `-` for standard input, or `hpo`.")
    path = Path(source)
    if str(path) == STANDARD_INPUT:
        return
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file or folder; name one, `-` for standard input, or `hpo`.") from error
    except PermissionError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}); mend its permissions or leave it out."
        ) from error
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not str(path).startswith(("/dev/stdin", "/dev/fd/")):
        raise CorpusError(f"{path}: is a device; name a file or a folder, or `-` for standard input.")
    if stat.S_ISSOCK(mode):
        raise CorpusError(f"{path}: is a socket; name a file or a folder, or `-` for standard input.")


def find_files(path: Path) -> Iterator[SourceFile | Damage]:
    """The file at `path`, or all files below that folder in the order of their paths.

    Hidden files and checksums (`.md5`) are passed over; of a folder in BEIR's layout the corpus alone is taken. A
    subfolder that cannot be read is a damage, and so is a pipe, socket or device: reading one might never end.
    """
    if not path.is_dir():
        yield SourceFile(path, named=True)
        return
    unreadable: list[OSError] = []
    visited = {_identity(path)}
    for folder, subfolders, names in os.walk(path, onerror=unreadable.append, followlinks=True):
        yield from (_unreadable_folder(error) for error in unreadable)
        unreadable.clear()
        if corpus := _beir_corpus(names):
            subfolders.clear()
            names = [corpus]
        subfolders[:] = [name for name in sorted(subfolders) if _is_new(Path(folder, name), visited)]
        for name in sorted(name for name in names if not is_passed_over(name)):
            yield _file_or_damage(Path(folder, name))
    yield from (_unreadable_folder(error) for error in unreadable)


def is_passed_over(name: str) -> bool:
    """Whether a file of this name in a folder is hidden, a checksum, or one of the lists beside PMC's packages.

    >>> is_passed_over("oa_comm_xml.PMC000xxxxxx.filelist.csv"), is_passed_over("corpus.csv")
    (True, False)
    """
    return name.startswith(".") or name.endswith((".md5", ".filelist.csv", ".filelist.txt"))


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


def _file_or_damage(path: Path) -> SourceFile | Damage:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Damage(str(path), "the whole file", f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(mode):
        return Damage(str(path), "the whole file", "is a pipe, socket or device, not a file")
    return SourceFile(path, named=False)


def _unreadable_folder(error: OSError) -> Damage:
    reason = f"cannot be read ({error.strerror}); mend its permissions"
    return Damage(str(error.filename), "the whole folder", reason)


def _is_new(folder: Path, visited: set[tuple[int, int]]) -> bool:
    """Whether files below this subfolder are to be read: it is not hidden, no index, and was not reached before."""
    # An index may lie beside what it was made from.
    if folder.name.startswith(".") or folder.name.endswith(".lance"):
        return False
    try:
        identity = _identity(folder)
    except OSError:
        return True  # walking into it will say why it cannot be read
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _identity(folder: Path) -> tuple[int, int]:
    """What tells two folders apart whatever links lead to them."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _beir_corpus(names: Sequence[str]) -> str | None:
    if not any(name in names for name in _BEIR_QUERIES):
        return None
    return next((name for name in _BEIR_CORPUS if name in names), None)
