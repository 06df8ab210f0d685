"""What a dense search and MaxSim read of every passage, held in memory. Knows columns and arrays, no SQL.

A query then reads nothing of the table but the few passages that it returns. After a commit only the rows that it wrote
are read: Lance never gives the id of a row to another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index.lookup import ROW_ID
from osler.index.manifest import Manifest
from osler.index.rows import TOKEN_COLUMNS, to_token_vectors, to_vectors
from osler.late_interaction.ragged import concatenate, divide, reorder
from osler.records import Candidate, TokenVectors, Vector, Vectors

MEMORY = 512_000_000
"""Bytes of vectors and token vectors that are held unless told otherwise."""

_ID_BYTES = 150
"""About what an id takes: its text, its place in a dictionary, its row."""

_WORTH_IT = 2
"""The search of a process from which on the rows are held."""

_COPY = 8
"""About how many rows are compared in the time that one is copied."""

_MOST_CONDITIONS = 32
"""Filters whose rows are remembered until the next commit."""


@dataclass(frozen=True)
class ResidentRows:
    """Rows [P] in memory, in no order. token_vectors is None where none are stored, or where they do not fit."""

    row_ids: NDArray[np.uint64]
    passage_ids: NDArray[np.object_]
    vectors: Vectors
    token_vectors: TokenVectors | None

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each passage by its id."""
        return {passage_id: place for place, passage_id in enumerate(self.passage_ids)}

    def nearest(self, vector: Vector, *, k: int, allowed: NDArray[np.int64] | None) -> list[Candidate]:
        """The k passages of the highest dot product with the vector [d], equal ones by id; allowed: places, or all."""
        scores = self._scores(vector, allowed)
        places = _highest(scores, k)
        rows = places if allowed is None else allowed[places]
        found = zip(self.passage_ids[rows].tolist(), scores[places].tolist(), strict=True)
        best = sorted(found, key=lambda one: (-one[1], one[0]))[:k]
        return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]

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

    def kept(self, places: NDArray[np.int64], *, more: ResidentRows) -> ResidentRows:
        """The rows at these places, and more."""
        tokens = None
        if self.token_vectors is not None and more.token_vectors is not None:
            tokens = concatenate([reorder(self.token_vectors, places), more.token_vectors])
        return ResidentRows(
            np.concatenate([self.row_ids[places], more.row_ids]),
            np.concatenate([self.passage_ids[places], more.passage_ids]),
            np.concatenate([self.vectors[places], more.vectors]),
            tokens,
        )

    def _scores(self, vector: Vector, allowed: NDArray[np.int64] | None) -> NDArray[np.float32]:
        if allowed is None:
            return self.vectors @ vector
        # Copying rows costs several times what comparing them does.
        few = len(allowed) * _COPY < len(self.vectors)
        scores: NDArray[np.float32] = self.vectors[allowed] @ vector if few else (self.vectors @ vector)[allowed]
        return scores

    def _places_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        known = self.places
        return {passage_id: known[passage_id] for passage_id in passage_ids if passage_id in known}


class Residence:
    """Keeps the rows of a table in memory as they are after its last commit, if they take no more than `memory` bytes.

    Vectors come first; where they fit and the token vectors do not fit beside them, the vectors alone are held. Nothing
    is held before the second search: a process that asks once is faster without.
    """

    def __init__(self, table: LanceTable, manifest: Manifest, *, memory: int) -> None:
        self._table = table
        self._manifest = manifest
        self._memory = memory
        self._lock = Lock()
        self._searches = 0
        self._version = -1
        self._rows: ResidentRows | None = None
        self._allowed: dict[str, NDArray[np.int64]] = {}

    def note_search(self) -> None:
        """Count a search."""
        self._searches += 1

    def rows(self) -> ResidentRows | None:
        """The rows; None before the second search, and where they do not fit."""
        if self._searches < _WORTH_IT:
            return None
        version = self._table.version
        with self._lock:
            if version > self._version:
                self._rows = self._read()
                self._allowed.clear()
                self._version = version
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

    def _read(self) -> ResidentRows | None:
        there = self._table.search().select(["tokens"]).with_row_id(True).to_arrow()
        columns = self._columns(there)
        if columns is None:
            return None
        row_ids, old = there[ROW_ID].to_numpy(), self._rows
        if old is None or (old.token_vectors is None) == ("codes" in columns):
            return self._rows_of(self._table.search().select(columns).with_row_id(True).to_arrow())
        new = np.setdiff1d(row_ids, old.row_ids)
        kept = np.flatnonzero(np.isin(old.row_ids, row_ids))
        return old.kept(kept, more=self._rows_of(self._take(new, columns)))

    def _columns(self, there: pa.Table) -> list[str] | None:
        """The columns that fit into memory; None where not even the vectors do."""
        vectors = len(there) * (4 * self._manifest.encoder.dim + _ID_BYTES)
        if vectors > self._memory:
            return None
        tokens = sum(chunk.to_numpy(zero_copy_only=False).sum() for chunk in there["tokens"].chunks)
        fits = vectors + tokens * self._manifest.compression.vector_bytes(self._manifest.reranker.dim) <= self._memory
        return ["passage_id", "vector", *(TOKEN_COLUMNS if self._manifest.token_vectors and fits else ())]

    def _take(self, row_ids: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        query = self._table.take_row_ids(row_ids.tolist()).select(list(columns))
        return query.with_row_id().to_arrow()

    def _rows_of(self, table: pa.Table) -> ResidentRows:
        held = "codes" in table.column_names and not table["codes"].null_count
        tokens = to_token_vectors(table, self._manifest) if held else None
        ids = np.array(table["passage_id"].to_pylist(), dtype=object)
        return ResidentRows(table[ROW_ID].to_numpy(), ids, to_vectors(table["vector"]), tokens)


def _highest(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """The places of the k highest scores and of those equal to the lowest of them."""
    if k >= len(scores):
        return np.arange(len(scores))
    lowest = np.partition(scores, len(scores) - k)[len(scores) - k] if k > 0 else np.inf
    return np.flatnonzero(scores >= lowest)
