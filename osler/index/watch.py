"""Sees new commits of an open table, and that it was made anew, renamed or restored; and the files of its versions.

Numbers of versions and ids of rows mean something in one table only. Another one that came to lie in its place may
have as many versions and the same row ids, so whatever is held of the old one would answer for the new one. Three
things tell them apart: the id in the manifest, made with the table; a version lower than the last one seen; and, in a
folder, the file of the last version seen, which is written once and never again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from inspect import signature
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import lancedb
from lancedb.table import LanceTable

from osler.errors import StoreError
from osler.index.failures import attempt, reading, writing
from osler.index.lock import lock_path, only_writer
from osler.index.manifest import Manifest
from osler.index.schema import MANIFEST_KEY

CHECK_EVERY = 0.1
"""Seconds for which a table in a folder is taken as unchanged: to ask takes a hundredth of a search."""

CHECK_STORAGE_EVERY = 1.0
"""The same for object storage, where asking takes as long as a search."""

Mark = tuple[int, int, int]

P = ParamSpec("P")
R = TypeVar("R")


class TableWatch:
    """Keeps an open table at its last version; StoreError from then on where another table lies in its place.

    The table moves to a new version only when it is looked at here, so what is read between two looks is of one
    version, that of `version`.
    """

    def __init__(self, table: LanceTable, manifest: Manifest) -> None:
        version = table.version
        self.version = version
        self._table = table
        self._id = manifest.id
        self._uri = table.uri  # asked for once, since it takes as long as a small read
        self._lock_path = lock_path(self._uri)
        self._versions = versions_folder(self._uri)
        self._lock = RLock()
        self._known_until = 0.0
        self._replaced = False
        self._file = self._file_of(version)
        self._mark = _mark(self._file)

    @property
    def table(self) -> LanceTable:
        """The table that is watched."""
        return self._table

    @property
    def locks(self) -> bool:
        """Whether a write keeps others off: in a folder it does, on object storage it cannot."""
        return self._lock_path is not None

    def look(self) -> int:
        """The table's version, known for no longer than CHECK_EVERY."""
        if monotonic() < self._known_until and self.unchanged():
            return self.version
        return self.refresh()

    def refresh(self) -> int:
        """The table's version now."""
        with self._lock:
            known_until = monotonic() + (CHECK_EVERY if self._versions else CHECK_STORAGE_EVERY)
            self._check_place()
            self._table.checkout_latest()  # type: ignore[no-untyped-call]
            version = self._table.version
            file = self._file_of(version)
            # In this order: had another table taken the place before the new mark, the old one would show it.
            new, old = _mark(file), _mark(self._file)
            # Lance goes on with a version that it holds, also where a backup without it was brought back.
            gone = new is None and self._mark is not None
            restored = gone or version < self.version or (old is not None and old != self._mark)
            if restored or ((version != self.version or old is None) and self._id_now() != self._id):
                self._raise_replaced()
            self.version, self._file, self._mark = version, file, new
            self._known_until = known_until
            return version

    def note_commit(self) -> None:
        """Look again before anything is read."""
        self._known_until = 0.0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read meanwhile is of one table, or a StoreError tells that another one took its place."""
        with reading(self._uri):
            self.look()
            try:
                yield
            finally:
                if not self.unchanged():
                    self.refresh()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What is written meanwhile follows the table's last version, and no other process writes to it in a folder."""
        self._check_place()  # or the lock would make the folder of an index that was deleted
        with writing(self._uri), only_writer(self._lock_path):
            self.refresh()
            try:
                yield
            finally:
                self.note_commit()

    def unchanged(self) -> bool:
        """Whether the file of the last version seen is still that one: so cheap that every call may ask."""
        return not self._replaced and (self._mark is None or _mark(self._file) == self._mark)

    def _file_of(self, version: int) -> Path | None:
        return version_file(self._versions, version) if self._versions else None

    def _check_place(self) -> None:
        if self._replaced or (self._versions and not self._versions.is_dir()):
            self._raise_replaced()

    def _id_now(self) -> str:
        return Manifest.from_json((self._table.schema.metadata or {}).get(MANIFEST_KEY, b"")).id

    def _raise_replaced(self) -> None:
        self._replaced = True
        raise StoreError(
            f"{self._uri}: the index was deleted, replaced or restored since it was opened: open it again."
        )


class Watched(Protocol):
    """What has a table that is watched."""

    @property
    def watch(self) -> TableWatch:
        """The one that watches it."""
        ...


W = TypeVar("W", bound=Watched)


def reads(method: Callable[Concatenate[W, P], R]) -> Callable[Concatenate[W, P], R]:
    """The method, which reads of one table only, or ends in a StoreError."""

    takes = signature(method)

    @wraps(method)
    def read(self: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
        takes.bind(self, *args, **kwargs)  # or a wrong call would be told as a damaged table
        with self.watch.reading():
            return method(self, *args, **kwargs)

    return read


def writes(method: Callable[Concatenate[W, P], R]) -> Callable[Concatenate[W, P], R]:
    """The method, which writes while no other process does, or ends in a StoreError."""

    takes = signature(method)

    @wraps(method)
    def write(self: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
        takes.bind(self, *args, **kwargs)
        with self.watch.writing():
            return method(self, *args, **kwargs)

    return write


def _mark(path: Path | None) -> Mark | None:
    """What tells a file from another one under its name; None where there is none."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


_LAST: Final = 2**64 - 1
_SUFFIX: Final = ".manifest"
_MARK: Final = b"LANC"


def versions_folder(uri: str) -> Path | None:
    """Where the files of the versions lie; None on object storage, where nobody looks at them.

    >>> versions_folder("file:///library/passages.lance"), versions_folder("s3://bucket/passages.lance")
    (PosixPath('/library/passages.lance/_versions'), None)
    """
    local = uri.removeprefix("file://")
    return None if "://" in local else Path(local) / "_versions"


def version_file(folder: Path, version: int) -> Path:
    """The file of a version: Lance counts down, so that the last one comes first in a listing.

    >>> version_file(Path("_versions"), 7).name
    '18446744073709551608.manifest'
    """
    return folder / f"{_LAST - version:020}{_SUFFIX}"


def damaged_versions(table: LanceTable) -> list[int]:
    """The versions before the present one whose files cannot be read, ascending; none on object storage."""
    folder = versions_folder(table.uri)
    if folder is None:
        return []
    files = folder.glob(f"*{_SUFFIX}")
    versions = sorted(_LAST - int(file.stem) for file in files if file.stem.isdecimal())
    past = lancedb.connect(folder.parents[1]).open_table(table.name)
    before = (number for number in versions if number < table.version)
    unread = [number for number in before if attempt(partial(past.checkout, number))[1] or not _ends(folder, number)]
    return [number for number in unread if version_file(folder, number).is_file()]  # others were removed meanwhile


def _ends(folder: Path, version: int) -> bool:
    """Whether the file of a version has Lance's mark at its end: it opens a file of zeros too, but cannot list it."""
    content, _ = attempt(version_file(folder, version).read_bytes)
    return content is not None and content.endswith(_MARK)


def remove_versions(table: LanceTable, versions: Iterable[int]) -> None:
    """Remove the files of these versions; what only they hold goes with the next upkeep."""
    folder = versions_folder(table.uri)
    if folder:
        for version in versions:
            version_file(folder, version).unlink(missing_ok=True)
