"""What a search reads of a table, kept in memory as it is after the last commit. Knows the table and when to read it.

A query then asks the table for nothing but what its words match, and for the rows that a new filter lets through. After
a commit only the rows that it wrote are read: Lance never gives the id of a row to another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index.exact import CodedVectors
from osler.index.joining import join
from osler.index.lookup import ROW_ID
from osler.index.manifest import Manifest
from osler.index.recent import Recent
from osler.index.resident import ResidentRows
from osler.index.restriction import Restriction, restriction
from osler.index.row_copy import RowCopy, copy_path
from osler.index.rows import passage_columns, to_vectors
from osler.index.token_values import to_token_vectors
from osler.index.watch import TableWatch

MEMORY = 512_000_000
"""Bytes of vectors, token vectors and passages that are held unless told otherwise."""

_ID_BYTES = 48
"""About what an id takes: its text, its row, and the place of that."""

_PLACE_BYTES = 200
"""About what it takes to find a vector by its id."""

_COMPONENT_BYTES = 5
"""A vector is held as it is, and in codes of a byte."""

_WORTH_IT = 2
"""The search of a process from which on the rows are held."""

_SAMPLE = 256
"""About so many passages, taken from everywhere, whose size stands for that of all."""

_MOST_CONDITIONS = 32
"""Filters whose rows are remembered until the next commit: the last ones."""

_COPIED = 8192
"""Rows that are copied at once when others take the place of some."""


class Residence:
    """Keeps the rows of a table in memory as they are after its last commit, in about `memory` bytes.

    Ids come first, then vectors, token vectors, and the passages: from the first that does not fit beside those before
    it on, they are read from the table. Nothing is held before the second search: a process that asks once is faster
    without.
    """

    def __init__(self, table: LanceTable, manifest: Manifest, watch: TableWatch, *, memory: int) -> None:
        self._table = table
        self._watch = watch
        self._manifest = manifest
        self._passage_columns = passage_columns(table.schema)
        self._others = [column for column in self._passage_columns if column != "passage_id"]
        self._memory = memory
        self._lock = Lock()
        self._searches = Counter[str]()
        self._seen: tuple[int, int] | None = None
        self._columns: Sequence[str] = ()
        self._rows: ResidentRows | None = None
        self._copy = RowCopy(table)
        self._allowed = Recent[NDArray[np.int64]](_MOST_CONDITIONS)
        self._restrictions = Recent[Restriction](_MOST_CONDITIONS)

    def note_search(self, kind: str) -> None:
        """Count a search of this kind; one that takes several kinds is one search."""
        self._searches[kind] += 1

    def rows(self) -> ResidentRows | None:
        """The rows of the version that the table is at; None before the second search, and where none fit."""
        if not self._worth_it():
            return None
        with self._lock:
            seen = self._watch.seen
            if seen != self._seen:
                if self._seen and seen[0] != self._seen[0]:  # another epoch: no row id means what it meant
                    self._rows = None
                self._rows, self._columns = self._read()
                self._allowed.clear()
                self._restrictions.clear()
                self._seen = seen
            self._copy.look(seen[1])
            return self._rows

    def copied(self, row_ids: Sequence[int], columns: Sequence[str]) -> pa.Table | None:
        """These columns of those of these rows that are in the copy beside the table, with their ids; None if none are.

        None too where no ids are held: only they say that a row is still there.
        """
        rows = self.rows()
        return self._copy.take(rows.still_there(row_ids), columns) if rows and self._copy.has(columns) else None

    def reads_a_copy(self) -> bool:
        """Whether a search would read a copy: the ids fit in memory, not all that it reads, and the table is local."""
        if copy_path(self._table) is None:
            return False
        there = self._table.search().select(["token_bytes"]).with_row_id(True).to_arrow()
        fitting = self._columns_that_fit(there)
        return bool(fitting) and fitting != ["passage_id", *self.read_columns]

    @property
    def read_columns(self) -> list[str]:
        """What a search reads of a row beside its passage_id, in the order in which it is held."""
        token_vectors = ["token_vectors"] if self._manifest.token_vectors else []
        return ["vector", *token_vectors, *self._others]

    def allowed(self, rows: ResidentRows, condition: str) -> NDArray[np.int64] | None:
        """The places among the rows of those that meet this SQL condition, ascending; None where none fails it."""
        found = self.restriction(rows, condition)
        if not (found.sql or len(found.failing)):
            return None
        with self._lock:
            known = self._allowed.get(condition) if rows is self._rows else None
        if known is None:
            known = self._passing(rows, found)
            with self._lock:
                if rows is self._rows:
                    self._allowed.put(condition, known)
        return known

    def restriction(self, rows: ResidentRows | None, condition: str) -> Restriction:
        """What lets the rows through that meet this SQL condition, none where it is "".

        rows: as `rows` gave them. The condition as it is where a commit came in since: of which rows fail it, only the
        table knows then.
        """
        if not condition or not self._worth_it():
            return Restriction(condition)
        with self._lock:
            seen, known, current = self._seen, self._restrictions.get(condition), rows is self._rows
        if not current:
            return Restriction(condition)
        if known and rows:
            return known
        found = known or restriction(self._table, condition)
        if self._watch.seen != seen:
            return Restriction(condition)
        with self._lock:
            if seen == self._seen:
                self._restrictions.put(condition, found)
        return found

    def _worth_it(self) -> bool:
        return max(self._searches.values(), default=0) >= _WORTH_IT

    def _passing(self, rows: ResidentRows, found: Restriction) -> NDArray[np.int64]:
        if not found.sql:
            return np.flatnonzero(np.isin(rows.row_ids, found.failing, invert=True))
        meeting = self._table.search().where(found.sql).select(["position"]).with_row_id(True).to_arrow()
        return np.flatnonzero(np.isin(rows.row_ids, meeting[ROW_ID].to_numpy()))

    def _read(self) -> tuple[ResidentRows | None, Sequence[str]]:
        """The rows as they are now, and their columns; where those held have these columns, only new rows are read."""
        there = self._table.search().select(["token_bytes"]).with_row_id(True).to_arrow()
        columns = self._columns_that_fit(there)
        if not (columns and len(there)):
            return None, columns
        row_ids, old = there[ROW_ID].to_numpy(), self._rows
        if old is None or columns != self._columns:
            return self._all(columns), columns
        new = np.setdiff1d(row_ids, old.row_ids)
        if len(new) > len(row_ids) / 2:  # files were joined, which gives their rows new ids
            return self._all(columns), columns
        return join(self._renewed(old, row_ids, new, columns)), columns

    def _renewed(
        self, old: ResidentRows, row_ids: NDArray[np.uint64], new: NDArray[np.uint64], columns: Sequence[str]
    ) -> Iterator[ResidentRows]:
        """The old rows that are still there, part by part, then the new ones."""
        kept = np.flatnonzero(np.isin(old.row_ids, row_ids))
        for first in range(0, len(kept), _COPIED):
            yield old.at(kept[first : first + _COPIED])
        yield self._rows_of(self._take(new, columns))

    def _columns_that_fit(self, there: pa.Table) -> list[str]:
        fitting: list[str] = []
        left = float(self._memory)
        for columns, size in self._sizes(there):
            left -= size
            if left < 0:
                break
            fitting += columns
        return fitting

    def _sizes(self, there: pa.Table) -> Iterator[tuple[Sequence[str], float]]:
        """What is held in this order, and the bytes that it takes."""
        yield ("passage_id",), len(there) * _ID_BYTES
        yield ("vector",), len(there) * (_COMPONENT_BYTES * self._manifest.encoder.dim + _PLACE_BYTES)
        if self._manifest.token_vectors:
            yield ("token_vectors",), pc.sum(there["token_bytes"]).as_py() or 0
        yield self._others, len(there) * self._bytes_of(self._others, len(there))

    def _bytes_of(self, columns: Sequence[str], rows: int) -> float:
        offsets = range(0, rows, max(1, rows // _SAMPLE))
        sample = self._table.take_offsets(list(offsets)).select(list(columns)).to_arrow()
        return float(sample.nbytes) / max(1, len(sample))

    def _all(self, columns: Sequence[str]) -> ResidentRows:
        batches = self._table.search().select(list(columns)).with_row_id(True).to_batches()
        return join(self._rows_of(pa.Table.from_batches([batch])) for batch in batches)

    def _take(self, row_ids: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        query = self._table.take_row_ids(row_ids.tolist()).select(list(columns))
        return query.with_row_id().to_arrow()

    def _rows_of(self, table: pa.Table) -> ResidentRows:
        there = set(table.column_names)
        tokens = "token_vectors" in there and not table["token_vectors"].null_count
        return ResidentRows(
            table[ROW_ID].to_numpy(),
            table["passage_id"].combine_chunks(),
            CodedVectors.of(to_vectors(table["vector"])) if "vector" in there else None,
            to_token_vectors(table["token_vectors"], self._manifest) if tokens else None,
            table.select(self._passage_columns) if there.issuperset(self._passage_columns) else None,
        )
