"""What a search reads of passages, held in memory. Knows columns and arrays, no SQL.

A query then asks the table for nothing but what its words match, and for the rows that a new filter lets through. After
a commit only the rows that it wrote are read: Lance never gives the id of a row to another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from time import monotonic

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.cores import on_every_core
from osler.index.lookup import ROW_ID
from osler.index.manifest import Manifest
from osler.index.rows import PASSAGE_COLUMNS, TOKEN_COLUMNS, to_passage, to_token_vectors, to_vectors
from osler.late_interaction.ragged import concatenate, divide, reorder
from osler.records import Candidate, Passage, TokenVectors, Vector, Vectors

MEMORY = 512_000_000
"""Bytes of vectors, token vectors and passages that are held unless told otherwise."""

CHECK_EVERY = 0.1
"""Seconds for which the table's version is taken as known: asking for it takes a hundredth of a search."""

_ID_BYTES = 250
"""About what an id takes: its text, its row, and the places of both in a dictionary."""

_WORTH_IT = 2
"""The search of a process from which on the rows are held."""

_SAMPLE = 256
"""About so many passages, taken from everywhere, whose size stands for that of all."""

_COPY = 8
"""About how many rows are compared in the time that one is copied."""

_SHARED = 8192
"""From so many rows on, cores share their comparison: it takes a millisecond, and threads a tenth of that."""

_OTHER_COLUMNS = tuple(column for column in PASSAGE_COLUMNS if column != "passage_id")

_MOST_CONDITIONS = 32
"""Filters whose rows are remembered until the next commit."""


@dataclass(frozen=True)
class ResidentRows:
    """Rows [P] in memory, in no order.

    token_vectors is None where none are stored, or they do not fit; passages is a table, None where it does not fit.
    """

    row_ids: NDArray[np.uint64]
    passage_ids: NDArray[np.object_]
    vectors: Vectors
    token_vectors: TokenVectors | None
    passages: pa.Table | None

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each passage by its id."""
        return {passage_id: place for place, passage_id in enumerate(self.passage_ids)}

    @cached_property
    def places_of_rows(self) -> dict[int, int]:
        """The place of each row by its row id."""
        return {row_id: place for place, row_id in enumerate(self.row_ids.tolist())}

    def nearest(self, vector: Vector, *, k: int, allowed: NDArray[np.int64] | None) -> list[Candidate]:
        """The k passages of the highest dot product with the vector [d], equal ones by id; allowed: places, or all."""
        scores = self._scores(vector, allowed)
        places = _highest(scores, k)
        rows = places if allowed is None else allowed[places]
        found = zip(self.passage_ids[rows].tolist(), scores[places].tolist(), strict=True)
        best = sorted(found, key=lambda one: (-one[1], one[0]))[:k]
        return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]

    def named(self, found: pa.Table, allowed: NDArray[np.int64] | None) -> pa.Table | None:
        """Those rows of the table that are at allowed places, with their passage_id; None where one is not held.

        The table has row ids; allowed: None allows all places.
        """
        places = np.array([self.places_of_rows.get(row_id, -1) for row_id in found[ROW_ID].to_pylist()], dtype=np.int64)
        if (places < 0).any():
            return None
        named = found.append_column("passage_id", pa.array(self.passage_ids[places], pa.string()))
        return named if allowed is None else named.filter(pa.array(np.isin(places, allowed)))

    def row_ids_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        """The row id of each of these passages that is there, by its id."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self.row_ids[list(places.values())].tolist(), strict=True))

    def vectors_of(self, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """The vector of each of these passages that is there, by its id."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self.vectors[list(places.values())], strict=True))

    def token_vectors_of(self, passage_ids: Sequence[str]) -> dict[str, TokenVectors]:
        """The token vectors of each of these passages that is there, by its id; ValueError where none are held."""
        if self.token_vectors is None:
            raise ValueError("No token vectors are in memory: read them from the table.")
        places = self._places_of(passage_ids)
        parts = divide(reorder(self.token_vectors, list(places.values())), [1] * len(places))
        return dict(zip(places, parts, strict=True))

    def passages_of(self, passage_ids: Sequence[str]) -> list[Passage]:
        """Those of these passages that are there, in this order; ValueError where none are held."""
        if self.passages is None:
            raise ValueError("No passages are in memory: read them from the table.")
        known = self.places
        rows = [known[passage_id] for passage_id in passage_ids if passage_id in known]
        return [to_passage(row) for row in self.passages.take(pa.array(rows, pa.int64())).to_pylist()]

    def kept(self, places: NDArray[np.int64], *, more: ResidentRows) -> ResidentRows:
        """The rows at these places, and more."""
        tokens = passages = None
        if self.token_vectors is not None and more.token_vectors is not None:
            tokens = concatenate([reorder(self.token_vectors, places), more.token_vectors])
        if self.passages is not None and more.passages is not None:
            passages = pa.concat_tables([self.passages.take(pa.array(places)), more.passages]).combine_chunks()
        return ResidentRows(
            np.concatenate([self.row_ids[places], more.row_ids]),
            np.concatenate([self.passage_ids[places], more.passage_ids]),
            np.concatenate([self.vectors[places], more.vectors]),
            tokens,
            passages,
        )

    def _scores(self, vector: Vector, allowed: NDArray[np.int64] | None) -> NDArray[np.float32]:
        # Copying rows costs several times what comparing them does.
        if allowed is not None and len(allowed) * _COPY < len(self.vectors):
            return self.vectors[allowed] @ vector
        scores = _products(self.vectors, vector)
        return scores if allowed is None else scores[allowed]

    def _places_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        known = self.places
        return {passage_id: known[passage_id] for passage_id in passage_ids if passage_id in known}


class Residence:
    """Keeps the rows of a table in memory as they are after its last commit, in about `memory` bytes.

    Vectors come first, then token vectors, then the passages: from the first that does not fit beside those before it
    on, they are read from the table. Nothing is held before the second search: a process that asks once is faster
    without.
    """

    def __init__(self, table: LanceTable, manifest: Manifest, *, memory: int) -> None:
        self._table = table
        self._manifest = manifest
        self._memory = memory
        self._lock = Lock()
        self._searches = 0
        self._version = -1
        self._known_until = 0.0
        self._columns: Sequence[str] = ()
        self._rows: ResidentRows | None = None
        self._allowed: dict[str, NDArray[np.int64]] = {}

    def note_search(self) -> None:
        """Count a search."""
        self._searches += 1

    def note_commit(self) -> None:
        """Ask for the table's version before the rows are next given."""
        with self._lock:
            self._known_until = 0.0

    def rows(self) -> ResidentRows | None:
        """The rows, of a version no older than CHECK_EVERY; None before the second search, and where none fit."""
        if self._searches < _WORTH_IT:
            return None
        if monotonic() < self._known_until:
            return self._rows
        with self._lock:
            known_until, version = monotonic() + CHECK_EVERY, self._table.version
            if version > self._version:
                self._rows, self._columns = self._read()
                self._allowed.clear()
                self._version = version
            self._known_until = known_until
            return self._rows

    def allowed(self, rows: ResidentRows, condition: str) -> NDArray[np.int64]:
        """The places among the rows of those that meet this SQL condition, ascending."""
        with self._lock:
            known = self._allowed.get(condition) if rows is self._rows else None
        if known is None:
            found = self._table.search().where(condition).select(["passage_id"]).to_arrow()["passage_id"].to_pylist()
            places = rows.places
            known = np.array(sorted(places[one] for one in found if one in places), dtype=np.int64)
            with self._lock:
                if rows is self._rows and len(self._allowed) < _MOST_CONDITIONS:
                    self._allowed[condition] = known
        return known

    def _read(self) -> tuple[ResidentRows | None, Sequence[str]]:
        """The rows as they are now, and their columns; only new rows are read where those held have these columns."""
        there = self._table.search().select(["tokens"]).with_row_id(True).to_arrow()
        columns = self._columns_that_fit(there)
        if not columns:
            return None, columns
        row_ids, old = there[ROW_ID].to_numpy(), self._rows
        if old is None or columns != self._columns:
            return self._rows_of(self._table.search().select(columns).with_row_id(True).to_arrow()), columns
        new = np.setdiff1d(row_ids, old.row_ids)
        kept = np.flatnonzero(np.isin(old.row_ids, row_ids))
        return old.kept(kept, more=self._rows_of(self._take(new, columns))), columns

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
        yield ("passage_id", "vector"), len(there) * (4 * self._manifest.encoder.dim + _ID_BYTES)
        if self._manifest.token_vectors:
            vectors = sum(chunk.to_numpy(zero_copy_only=False).sum() for chunk in there["tokens"].chunks)
            yield TOKEN_COLUMNS, vectors * self._manifest.compression.vector_bytes(self._manifest.reranker.dim)
        yield _OTHER_COLUMNS, len(there) * self._passage_bytes(len(there))

    def _passage_bytes(self, rows: int) -> float:
        offsets = range(0, rows, max(1, rows // _SAMPLE))
        sample = self._table.take_offsets(list(offsets)).select(list(_OTHER_COLUMNS)).to_arrow()
        return float(sample.nbytes) / max(1, len(sample))

    def _take(self, row_ids: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        query = self._table.take_row_ids(row_ids.tolist()).select(list(columns))
        return query.with_row_id().to_arrow()

    def _rows_of(self, table: pa.Table) -> ResidentRows:
        there = set(table.column_names)
        tokens = there.issuperset(TOKEN_COLUMNS) and not table["codes"].null_count
        return ResidentRows(
            table[ROW_ID].to_numpy(),
            np.array(table["passage_id"].to_pylist(), dtype=object),
            to_vectors(table["vector"]),
            to_token_vectors(table, self._manifest) if tokens else None,
            # In one piece: a row of many pieces is found slowly.
            table.select(PASSAGE_COLUMNS).combine_chunks() if there.issuperset(PASSAGE_COLUMNS) else None,
        )


def _products(vectors: Vectors, vector: Vector) -> NDArray[np.float32]:
    """The dot product [P] of each row with the vector, divided among cores where there are many rows."""
    if len(vectors) < _SHARED:
        return vectors @ vector
    products = np.empty(len(vectors), dtype=np.float32)

    def multiply(rows: slice) -> None:
        np.dot(vectors[rows], vector, out=products[rows])

    on_every_core(multiply, [slice(first, first + _SHARED // 2) for first in range(0, len(vectors), _SHARED // 2)])
    return products


def _highest(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """The places of the k highest scores and of those equal to the lowest of them."""
    if k >= len(scores):
        return np.arange(len(scores))
    lowest = np.partition(scores, len(scores) - k)[len(scores) - k] if k > 0 else np.inf
    return np.flatnonzero(scores >= lowest)
