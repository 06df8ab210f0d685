"""An index in one LanceDB table, made or opened at a path; a `PassageIndex`. Knows no model, nor SQL but by filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, cast

import lancedb
import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.table import LanceTable

from osler.errors import StoreError
from osler.index import publications
from osler.index.blocks import BlockFiles, snapshot_folder
from osler.index.failures import opening, writing
from osler.index.filters import one_of
from osler.index.lock import is_local, lock_path, only_writer
from osler.index.maintenance import (
    IndexStatistics,
    compact_and_index,
    create_search_indexes,
    index_statistics,
    refresh_id_indexes,
)
from osler.index.manifest import Manifest
from osler.index.schema import MANIFEST_KEY, table_schema, to_table
from osler.index.snapshot import TableSnapshot, load_snapshot, tidy
from osler.index.watch import TableWatch, reads, writes
from osler.records import Document, DocumentVersion, EncodedDocument

TABLE: Final = "passages"


class LanceIndex:
    """Passages with their vectors in a LanceDB table; `create_index` and `open_index` make one.

    Every write is one commit: a reader sees all of it or nothing, and a killed writer leaves the last commit.
    Readers that have the table open see new commits within a second. Writers take turns; a reader waits for none.
    """

    def __init__(self, open_table: Callable[[], LanceTable], manifest: Manifest) -> None:
        """open_table: gives the table, opened anew each time, so that each snapshot stays at its version."""
        self._open_table = open_table
        self._table = table = open_table()
        self.manifest = manifest
        self.watch = TableWatch(table, manifest)
        self.files = BlockFiles(snapshot_folder(table.uri), manifest)
        self._lock = Lock()
        self._snapshot: TableSnapshot | None = None

    @reads
    def fingerprints(self, doc_ids: Sequence[str]) -> dict[str, DocumentVersion]:
        """The stored version of each of these documents, by doc_id; none of those that are not there."""
        if not doc_ids:
            return {}
        query = self._table.search().where(f"{one_of('doc_id', doc_ids)} AND position = 0")
        rows = query.select(["doc_id", "fingerprint", "version"]).to_list()
        return {row["doc_id"]: DocumentVersion(row["fingerprint"], row["version"]) for row in rows}

    def upsert(self, documents: Sequence[EncodedDocument]) -> None:
        """Store these documents in place of what was stored under their ids, in one commit.

        ValueError where two of them have one id, where the passages of one do not make up its text, or where token
        vectors are missing that the index keeps.
        """
        doc_ids = [encoded.document.doc_id for encoded in documents]
        if repeated := [doc_id for doc_id, count in Counter(doc_ids).items() if count > 1]:
            raise ValueError(f"Two documents of one call have the same id, {repeated[0]}: give one of them.")
        if any((encoded.token_vectors is None) is self.manifest.token_vectors for encoded in documents):
            raise ValueError("The documents must have token vectors where the index keeps them, and only there.")
        if documents:
            self._store([encoded.document for encoded in documents], to_table(documents, self._table.schema))

    @writes
    def delete(self, doc_ids: Sequence[str]) -> int:
        """How many documents went, in one commit: those of these ids, for `PMID:1` also those whose pmid is 1."""
        gone = publications.documents_taken_back(self._table, doc_ids)
        if not gone:
            return 0
        if told := publications.state_change(self._table, [], removed=gone).told:
            publications.replace_documents(self._table, self._table.schema.empty_table(), gone, told)
        else:
            self._table.delete(one_of("doc_id", gone))
        return len(gone)

    @reads
    def snapshot(self) -> TableSnapshot:
        """The last version of the index, which is at most a moment old."""
        with self._lock:
            if self._snapshot is None or self._snapshot.version != self.watch.version:
                self._snapshot = self._snapshot_of(self.watch.version)
            return self._snapshot

    @writes
    def optimise(self) -> None:
        """Bring search indexes and files of what a search reads up to date, and tidy them where it pays.

        It is the last step of a run.
        """
        compact_and_index(self._table)
        with self._lock:
            self._snapshot = self._snapshot_of(self._table.version)
            tidy(self._snapshot, self.files)

    @reads
    def statistics(self) -> IndexStatistics:
        """Counts and sizes as they are now."""
        return index_statistics(self._table, snapshot_bytes=self.files.bytes())

    def _snapshot_of(self, version: int) -> TableSnapshot:
        table = self._open_table()
        table.checkout(version)
        return load_snapshot(table, self.watch, self.manifest, self.files, self._snapshot)

    @writes
    def _store(self, documents: Sequence[Document], rows: pa.Table) -> None:
        change = publications.state_change(self._table, documents)
        rows = publications.with_metadata(rows, change.metadata)
        # Appending takes the same time whatever the size of the table; a merge reads all of its ids. But two writers
        # that append leave duplicates without a lock; of two merges, Lance sees that they write the same keys.
        if self.watch.locks and not (change.replaces or change.told):
            self._table.add(rows)
        else:
            doc_ids = [document.doc_id for document in documents]
            publications.replace_documents(self._table, rows, doc_ids, change.told)
        refresh_id_indexes(self._table, written=len(rows))


def create_index(path: str | Path, manifest: Manifest) -> LanceIndex:
    """A new, empty index at this folder or object-store URL (`s3://bucket/folder`).

    StoreError where an index is there already, or a folder that holds something else.
    """
    path = _expanded(path)
    _check_is_free(path)
    with writing(str(path)), only_writer(_lock_of(path)):
        _check_is_free(path)  # another process may have made one while this one waited for the lock
        connection = lancedb.connect(_address(path))
        create_search_indexes(cast("LanceTable", connection.create_table(TABLE, schema=table_schema(manifest))))
        return LanceIndex(partial(_open_table, connection), manifest)


def open_index(path: str | Path) -> LanceIndex:
    """The index at this folder or object-store URL; StoreError where there is none, or one that cannot be read."""
    path = _expanded(path)
    table = _table_at(path)
    if table is None:
        if _holds_something(path):
            raise StoreError(f"{path} holds other files and no index: name the folder of an index.")
        raise StoreError(f"{path} holds no index: make one with `osler index SOURCE --index {path}`.")
    with opening(str(path)):
        schema = table.schema
        written = (schema.metadata or {}).get(MANIFEST_KEY)
        if written is None:
            raise StoreError(f"{path} holds a table that osler did not write: name another folder.")
        manifest = Manifest.from_json(written)
        manifest.check_columns(schema)
        return LanceIndex(partial(_open_table, lancedb.connect(_address(path))), manifest)


def _open_table(connection: DBConnection) -> LanceTable:
    return cast("LanceTable", connection.open_table(TABLE))


def index_exists(path: str | Path) -> bool:
    """Whether an index is there; StoreError where it is damaged.

    >>> index_exists("no/such/folder")
    False
    """
    return _table_at(_expanded(path)) is not None


def _expanded(path: str | Path) -> str | Path:
    """The path with the home folder in place of a `~`, which a shell leaves as it is in `--index=~/library`."""
    if not is_local(path) or not str(path).strip():
        return path
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # nobody has that name
        return Path(path)


def _address(path: str | Path) -> str:
    """What LanceDB is given: an absolute path, since it takes each `~` at the beginning of another for the home."""
    return str(Path(path).absolute()) if is_local(path) else str(path)


def _table_at(path: str | Path) -> LanceTable | None:
    if not str(path).strip():
        raise StoreError("The name of the index is empty: name a folder or an object-store URL.")
    if is_local(path):
        _check_path(Path(path))
        if not _table_folder(path).is_dir():
            return None
    with opening(str(path)):
        try:
            # The table stays at its version until `TableWatch` moves it.
            return _open_table(lancedb.connect(_address(path)))
        except ValueError as error:
            if "was not found" not in str(error):
                raise
    if is_local(path) and (files := _written_files(path)):
        raise StoreError(
            f"{path} holds the files of an index that has lost the list of its versions ({files[0]} is there, "
            f"{_table_folder(path)}/_versions is not whole): bring the folder back from a backup, or index the corpus "
            "again into a new folder."
        )
    return None


def _check_path(path: Path) -> None:
    """StoreError where no folder can be at this path: its name is too long, a parent is a file, or has no rights."""
    if any(character < " " or character == "\x7f" for character in str(path.absolute())):
        raise StoreError(f"{str(path)!r} cannot be a folder (LanceDB reads no control characters): name another one.")
    try:
        str(path).encode()  # Lance takes no other names
        path.stat()
    except UnicodeEncodeError:
        raise StoreError(f"{str(path)!r} is not UTF-8: take a name in UTF-8.") from None
    except (FileNotFoundError, NotADirectoryError):
        parent = next(folder for folder in (*path.parents, Path()) if folder.exists())
        if not parent.is_dir():
            raise StoreError(f"{path} cannot be a folder, since {parent} is a file: name another one.") from None
    except OSError as error:
        raise StoreError(f"{_shortened(str(path))} cannot be a folder ({error.strerror}): name another one.") from error


def _check_is_free(path: str | Path) -> None:
    if _table_at(path) is not None:
        raise StoreError(f"{path} holds an index already: add to it, or name a new folder.")
    if _holds_something(path):
        raise StoreError(f"{path} holds other files and no index: name a new or an empty folder.")


def _lock_of(path: str | Path) -> Path | None:
    lock = lock_path(str(_table_folder(path))) if is_local(path) else lock_path(f"{path}/{TABLE}.lance")
    if lock:
        lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def _holds_something(path: str | Path) -> bool:
    """Whether a local path is taken by a file, or by a folder with anything but what is left of an index."""
    if not is_local(path) or not Path(path).exists():
        return False
    return not Path(path).is_dir() or any(not entry.name.startswith(f"{TABLE}.") for entry in Path(path).iterdir())


def _written_files(path: str | Path) -> list[Path]:
    """Files that a commit has written, some at least: rows, or lists of them."""
    folder = _table_folder(path)
    return [*folder.glob("data/*.lance"), *folder.glob("_versions/*.manifest")]


def _table_folder(path: str | Path) -> Path:
    return Path(path) / f"{TABLE}.lance"


def _shortened(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:40]}…{name[-20:]}"
