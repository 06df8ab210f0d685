"""Keeps the copy of a table's rows true to the table: made, brought up to date, made anew. Knows both, no search."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.errors import StoreError
from osler.index.lookup import ROW_ID
from osler.index.row_copy import DAMAGED, columns_of, copy_path, listed, source_of
from osler.index.rows import to_vectors
from osler.index.sums import SUM_COLUMN, value_sums
from osler.index.versions import history

RowIds = NDArray[np.uint64]
Versions = Sequence[tuple[int, str]]

_AT_ONCE: Final = 8192
"""New rows that are taken from the table at once."""


def keep_copy(table: LanceTable, columns: Sequence[str], *, known: Versions) -> None:
    """Make the copy beside a table hold these columns of all rows that the table has now; not on object storage.

    known: versions that the table had of late, which may have been removed since. A run that is killed leaves the copy
    that was there before. StoreError where it cannot be written.
    """
    path = copy_path(table)
    if path is None:
        return
    try:
        _keep(path, table, columns, known)
    except (OSError, sqlite3.Error) as error:
        remedy = "free some space, or set `index.row_copy = false`; the index itself is whole"
        raise StoreError(f"{path} cannot be written ({error}): {remedy}.") from error


def _keep(path: Path, table: LanceTable, columns: Sequence[str], known: Versions) -> None:
    _begun(path).unlink(missing_ok=True)
    last, source = history(table)[-1], _source(path, columns)
    if source == last:
        return
    there = table.search().select(["position"]).with_row_id(True).to_arrow()[ROW_ID].to_numpy()
    copied = _row_ids(path) if source in known else np.empty(0, np.uint64)
    new, gone = np.setdiff1d(there, copied), np.setdiff1d(copied, there)
    # More than half are new also where files were joined, which gives their rows new ids.
    if 2 * len(new) >= len(there) or not _renewed(path, _taken(table, new, columns), gone, last):
        _make(path, _all(table, columns), columns, last)


def remove_copy(table: LanceTable) -> None:
    """Delete the copy beside a table, if there is one."""
    path = copy_path(table)
    if path is not None:
        _remove(path)
        _begun(path).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    # Only then: a journal undoes what a killed run began, in whatever file has this name.
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)


def _begun(path: Path) -> Path:
    return path.with_suffix(".begun")


def _source(path: Path, columns: Sequence[str]) -> tuple[int, str] | None:
    """The version that the copy was made of; None where there is none, where it lacks a column, or cannot be read."""
    if not path.is_file():
        return None
    # To open it for writing undoes what a killed run began.
    with suppress(*DAMAGED), closing(sqlite3.connect(path)) as file:
        return source_of(file) if columns_of(file) == list(columns) else None
    return None


def _row_ids(path: Path) -> RowIds:
    """The ids of the rows in the copy; none where it is damaged."""
    with suppress(*DAMAGED), closing(sqlite3.connect(path)) as file:
        return np.array(file.execute(f"SELECT {ROW_ID} FROM rows").fetchall(), np.uint64).reshape(-1)
    return np.empty(0, np.uint64)


def _make(path: Path, rows: Iterable[pa.Table], columns: Sequence[str], version: tuple[int, str]) -> None:
    begun = _begun(path)
    try:
        with closing(sqlite3.connect(begun)) as file:
            file.execute("PRAGMA journal_mode = OFF")  # what is begun and not ended is thrown away
            file.execute(f"CREATE TABLE rows ({ROW_ID} INTEGER PRIMARY KEY, {listed((*columns, SUM_COLUMN))})")
            file.execute("CREATE TABLE source (version INTEGER, made TEXT)")
            _write(file, rows, version)
        _remove(path)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)


def _renewed(path: Path, rows: Iterable[pa.Table], gone: RowIds, version: tuple[int, str]) -> bool:
    """Whether the copy could be brought up to date: it cannot where it is damaged."""
    try:
        with closing(sqlite3.connect(path)) as file:
            file.executemany(f"DELETE FROM rows WHERE {ROW_ID} = ?", ([one] for one in gone.tolist()))
            _write(file, rows, version)
    except sqlite3.OperationalError:  # the disk is full
        raise
    except sqlite3.DatabaseError:
        return False
    return True


def _write(file: sqlite3.Connection, rows: Iterable[pa.Table], version: tuple[int, str]) -> None:
    """Add the rows, and say of which version they are, in one commit."""
    for part in rows:
        marks = ", ".join("?" * (part.num_columns + 1))
        rows = zip(*map(_values, part.columns), strict=True)
        file.executemany(f"INSERT INTO rows VALUES ({marks})", ((*row, value_sums(row[1:])) for row in rows))
    file.execute("DELETE FROM source")
    file.execute("INSERT INTO source VALUES (?, ?)", version)
    file.commit()


def _values(column: pa.ChunkedArray) -> list[Any]:
    """What SQLite takes of each value: of a vector its bytes, of all else the value itself."""
    if pa.types.is_fixed_size_list(column.type):
        return [vector.tobytes() for vector in to_vectors(column)]
    values: list[Any] = column.to_pylist()
    return values


def _all(table: LanceTable, columns: Sequence[str]) -> Iterator[pa.Table]:
    for batch in table.search().select(list(columns)).with_row_id(True).to_batches():
        yield pa.Table.from_batches([batch]).select([ROW_ID, *columns])


def _taken(table: LanceTable, row_ids: RowIds, columns: Sequence[str]) -> Iterator[pa.Table]:
    for first in range(0, len(row_ids), _AT_ONCE):
        query = table.take_row_ids(row_ids[first : first + _AT_ONCE].tolist()).select(list(columns))
        yield query.with_row_id().to_arrow().select([ROW_ID, *columns])
