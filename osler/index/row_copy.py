"""A copy of what a search reads of each row, in a SQLite file beside the table. Knows rows by their ids, no search.

To read a row, Lance takes 15 to 40 microseconds a column, SQLite some ten in all. A search reads 200 rows, so an
index that is too large for memory has this copy. All of it is in the table too: what is not in the copy, or cannot be
read there, is read from the table, and the file may be deleted at any time. Each row has the checksums of its values: a
row whose bits have changed is read from the table.

Lance gives the id of a row to no other row of a table. But a table may be made anew, or brought back from a backup: so
a copy names the version that it was made of, and counts only where the table has that version in its history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable

from osler.index.lookup import ROW_ID
from osler.index.sums import SUM_COLUMN, value_sums
from osler.index.versions import history

DAMAGED: Final = (sqlite3.Error, ValueError, TypeError)
"""What reading a damaged copy raises; sqlite3.Error also while it is being written."""

_NAMED: Final = 500
"""Row ids that one statement names: every SQLite takes 999."""


class _File(sqlite3.Connection):
    """Closes when the last search that reads it is done."""

    def __del__(self) -> None:
        with suppress(sqlite3.Error):  # it was never open
            self.close()


class RowCopy:
    """The copy that lies beside a table, if any; threads may share it."""

    def __init__(self, table: LanceTable) -> None:
        self._table = table
        self._schema = table.schema  # asked for once, since it takes as long as a search of the copy
        self._path = copy_path(table)
        self._looked_at = (0, 0)
        self._lock = Lock()
        self._file: sqlite3.Connection | None = None
        self._columns: list[str] = []

    def look(self, version: int) -> None:
        """Take the copy that is there now, where it or the table's version is another than at the last look."""
        now = (_file_number(self._path), version)
        if now == self._looked_at:
            return
        self._file, self._looked_at = None, (0, 0)
        with suppress(*DAMAGED):  # or it is just being written, so that this is not the last look
            opened = open_copy(self._path) if self._path and now[0] else None
            if opened and source_of(opened) in history(self._table):
                self._columns, self._file = columns_of(opened), opened
            self._looked_at = now

    @property
    def columns(self) -> list[str]:
        """The columns that the copy has; none where there is no copy."""
        return self._columns if self._file is not None else []

    def row_ids(self) -> set[int]:
        """The ids of all rows in the copy; none where there is no copy."""
        if self._file is None:
            return set()
        with suppress(*DAMAGED), self._lock:
            return {row_id for (row_id,) in self._file.execute(f"SELECT {ROW_ID} FROM rows")}
        return set()

    def has(self, columns: Sequence[str]) -> bool:
        """Whether there is a copy, and of all these columns."""
        return self._file is not None and set(columns).issubset(self._columns)

    def take(self, row_ids: Sequence[int], columns: Sequence[str]) -> pa.Table | None:
        """These columns of those of these rows that are there, with their ids, in any order; None where none are."""
        file = self._file
        if file is None:
            return None
        rows: list[tuple[Any, ...]] = []
        names = listed((ROW_ID, SUM_COLUMN, *columns))
        places = [self._columns.index(name) for name in columns]
        with suppress(*DAMAGED), self._lock:  # or it is just being written
            for ids in _parts(row_ids):
                marks = ", ".join("?" * len(ids))
                read = file.execute(f"SELECT {names} FROM rows WHERE {ROW_ID} IN ({marks})", ids)
                rows += [(row_id, *values) for row_id, sums, *values in read if _as_written(values, sums, places)]
            return self._to_table(rows, columns) if rows else None
        return None

    def _to_table(self, rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pa.Table:
        row_ids, *values = zip(*rows, strict=True)
        fields = [self._schema.field(name) for name in columns]
        arrays = [_to_array(column, field.type) for column, field in zip(values, fields, strict=True)]
        schema = pa.schema([*fields, pa.field(ROW_ID, pa.uint64())])
        return pa.Table.from_arrays([*arrays, pa.array(row_ids, pa.uint64())], schema=schema)


def copy_path(table: LanceTable) -> Path | None:
    """Where the copy of a table lies; None on object storage, where there is none."""
    local = table.uri.removeprefix("file://")
    return None if "://" in local else Path(local).with_suffix(".copy.sqlite")


def open_copy(path: Path) -> sqlite3.Connection:
    """The file, to be read; sqlite3.Error where there is none."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=0, check_same_thread=False, factory=_File)


def listed(columns: Sequence[str]) -> str:
    """The columns as SQL names them.

    >>> listed(["start", "end"])
    '"start", "end"'
    """
    return ", ".join(f'"{name}"' for name in columns)


def columns_of(file: sqlite3.Connection) -> list[str]:
    """The columns that were copied."""
    return [name for _, name, *_ in file.execute("PRAGMA table_info(rows)") if name not in {ROW_ID, SUM_COLUMN}]


def source_of(file: sqlite3.Connection) -> tuple[int, str]:
    """The version that the rows were copied of, and when it was made; sqlite3.DatabaseError where none is named."""
    found = file.execute("SELECT version, made FROM source").fetchone()
    if found is None:
        raise sqlite3.DatabaseError("The copy names no version.")
    version, made = found
    return version, made


def copy_size(table: LanceTable) -> int:
    """The bytes that the copy takes, 0 where there is none."""
    path = copy_path(table)
    return path.stat().st_size if path and path.is_file() else 0


def _file_number(path: Path | None) -> int:
    """The number that the file system has for this file, 0 where there is none: a file in its place has another."""
    return path.stat().st_ino if path and path.is_file() else 0


def _parts(row_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (row_ids[first : first + _NAMED] for first in range(0, len(row_ids), _NAMED))


def _as_written(values: Sequence[Any], sums: bytes, places: Sequence[int]) -> bool:
    """Whether these values have their checksums, which stand at these places among those of the row."""
    return value_sums(values) == b"".join(sums[4 * place : 4 * place + 4] for place in places)


def _to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    vectors = np.frombuffer(b"".join(values), dtype=kind.value_type.to_pandas_dtype())
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors), type=kind)
