"""Rows of the table in memory, and what a search asks of them. Knows columns and arrays, no SQL and no table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from osler.cores import on_every_core
from osler.index.lookup import ROW_ID
from osler.index.rows import to_passage
from osler.late_interaction.ragged import divide, reorder
from osler.records import Candidate, Passage, TokenVectors, Vector, Vectors

_COPY = 8
"""About how many rows are compared in the time that one is copied."""

_SHARED = 8192
"""From so many rows on, cores share their comparison: it takes a millisecond, and threads a tenth of that."""


@dataclass(frozen=True)
class ResidentRows:
    """Rows [P] in memory, in no order.

    vectors, token_vectors and passages, which is a table, are None where they do not fit, or are not stored.
    """

    row_ids: NDArray[np.uint64]
    passage_ids: pa.StringArray
    vectors: Vectors | None
    token_vectors: TokenVectors | None
    passages: pa.Table | None

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each passage by its id."""
        return {passage_id: place for place, passage_id in enumerate(self.passage_ids.to_pylist())}

    def nearest(self, vector: Vector, *, k: int, allowed: NDArray[np.int64] | None) -> list[Candidate]:
        """The k passages of the highest dot product with the vector [d], equal ones by id; allowed: places, or all.

        ValueError where no vectors are held.
        """
        scores = self._scores(vector, allowed)
        places = _highest(scores, k)
        rows = places if allowed is None else allowed[places]
        found = zip(self._names(rows).to_pylist(), scores[places].tolist(), strict=True)
        best = sorted(found, key=lambda one: (-one[1], one[0]))[:k]
        return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]

    def named(self, found: pa.Table) -> pa.Table | None:
        """The table, which has row ids, with the passage_id of each row; None where one of them is not held."""
        places = self._places_of_rows(found)
        return None if places is None else found.append_column("passage_id", self._names(places))

    def compared(self, found: pa.Table, vector: Vector) -> pa.Table | None:
        """The rows of the table, which has row ids, as passage_id and _distance, nearest first; None as in `named`.

        ValueError where no vectors are held.
        """
        places = self._places_of_rows(found)
        if places is None:
            return None
        distances = 1 - self._held_vectors()[places] @ vector
        columns = {ROW_ID: found[ROW_ID], "passage_id": self._names(places), "_distance": distances}
        return pa.table(columns).sort_by("_distance")

    def row_ids_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        """The row id of each of these passages that is there, by its id."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self.row_ids[list(places.values())].tolist(), strict=True))

    def vectors_of(self, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """The vector of each of these passages that is there, by its id; ValueError where none are held."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self._held_vectors()[list(places.values())], strict=True))

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

    def at(self, places: NDArray[np.int64]) -> ResidentRows:
        """The rows at these places. A copy."""
        return ResidentRows(
            self.row_ids[places],
            self._names(places),
            None if self.vectors is None else self.vectors[places],
            None if self.token_vectors is None else reorder(self.token_vectors, places),
            None if self.passages is None else self.passages.take(pa.array(places)),
        )

    def _scores(self, vector: Vector, allowed: NDArray[np.int64] | None) -> NDArray[np.float32]:
        vectors = self._held_vectors()
        # Copying rows costs several times what comparing them does.
        if allowed is not None and len(allowed) * _COPY < len(vectors):
            return vectors[allowed] @ vector
        scores = _products(vectors, vector)
        return scores if allowed is None else scores[allowed]

    def _held_vectors(self) -> Vectors:
        if self.vectors is None:
            raise ValueError("No vectors are in memory: read them from the table.")
        return self.vectors

    def _names(self, places: NDArray[np.int64]) -> pa.StringArray:
        return self.passage_ids.take(pa.array(places, pa.int64()))

    @cached_property
    def _by_row_id(self) -> NDArray[np.int64]:
        """The places, in the order of row ids."""
        return np.argsort(self.row_ids)

    def _places_of_rows(self, found: pa.Table) -> NDArray[np.int64] | None:
        """The places of the table's row ids; None where one of them is not held."""
        row_ids = found[ROW_ID].to_numpy()
        if not len(self.row_ids):
            return None if len(row_ids) else np.empty(0, dtype=np.int64)
        after = np.searchsorted(self.row_ids, row_ids, sorter=self._by_row_id)
        places: NDArray[np.int64] = self._by_row_id[np.minimum(after, len(self.row_ids) - 1)]
        return places if np.array_equal(self.row_ids[places], row_ids) else None

    def _places_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        known = self.places
        return {passage_id: known[passage_id] for passage_id in passage_ids if passage_id in known}


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
