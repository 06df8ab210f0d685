"""Rows of the table in memory, and what a search asks of them. Knows columns and arrays, no SQL and no table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from osler.index.exact import CodedVectors
from osler.index.lookup import ROW_ID
from osler.index.rows import Row
from osler.late_interaction.named import NamedTokenVectors
from osler.late_interaction.ragged import reorder
from osler.records import Candidate, TokenVectors, Vector


@dataclass(frozen=True)
class ResidentRows:
    """Rows [P] in memory, in no order.

    vectors, token_vectors and passages, which is a table, are None where they do not fit, or are not stored.
    """

    row_ids: NDArray[np.uint64]
    passage_ids: pa.StringArray
    vectors: CodedVectors | None
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
        places, scores = self._held_vectors().nearest(vector, k=k, among=allowed)
        found = zip(self._names(places).to_pylist(), scores.tolist(), strict=True)
        ordered = sorted(found, key=lambda one: (-one[1], one[0]))[:k]
        return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, start=1)]

    def named(self, found: pa.Table) -> pa.Table | None:
        """The table, which has row ids, with the passage_id of each row; None where one of them is not held."""
        row_ids = found[ROW_ID].to_numpy()
        if not len(self.row_ids):
            return None
        places = self._places_of_rows(row_ids)
        held = np.array_equal(self.row_ids[places], row_ids)
        return found.append_column("passage_id", self._names(places)) if held else None

    def still_there(self, row_ids: Sequence[int]) -> list[int]:
        """Those of these row ids that are held."""
        if not len(self.row_ids):
            return []
        asked = np.array(row_ids, np.uint64)
        held: list[int] = asked[self.row_ids[self._places_of_rows(asked)] == asked].tolist()
        return held

    def row_ids_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        """The row id of each of these passages that is there, by its id."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self.row_ids[list(places.values())].tolist(), strict=True))

    def vectors_of(self, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """The vector of each of these passages that is there, by its id; ValueError where none are held."""
        places = self._places_of(passage_ids)
        return dict(zip(places, self._held_vectors().vectors[list(places.values())], strict=True))

    def token_vectors_of(self, passage_ids: Sequence[str]) -> Mapping[str, TokenVectors]:
        """The token vectors of each of these passages that is there, by its id; ValueError where none are held."""
        if self.token_vectors is None:
            raise ValueError("No token vectors are in memory: read them from the table.")
        places = self._places_of(passage_ids)
        return NamedTokenVectors(list(places), reorder(self.token_vectors, list(places.values())))

    def passages_of(self, passage_ids: Sequence[str]) -> list[Row]:
        """The rows of those of these passages that are there, in this order; ValueError where none are held."""
        if self.passages is None:
            raise ValueError("No passages are in memory: read them from the table.")
        known = self.places
        rows = [known[passage_id] for passage_id in passage_ids if passage_id in known]
        taken: list[Row] = self.passages.take(pa.array(rows, pa.int64())).to_pylist()
        return taken

    def at(self, places: NDArray[np.int64]) -> ResidentRows:
        """The rows at these places. A copy."""
        return ResidentRows(
            self.row_ids[places],
            self._names(places),
            None if self.vectors is None else self.vectors.at(places),
            None if self.token_vectors is None else reorder(self.token_vectors, places),
            None if self.passages is None else self.passages.take(pa.array(places)),
        )

    def _held_vectors(self) -> CodedVectors:
        if self.vectors is None:
            raise ValueError("No vectors are in memory: read them from the table.")
        return self.vectors

    def _names(self, places: NDArray[np.int64]) -> pa.StringArray:
        return self.passage_ids.take(pa.array(places, pa.int64()))

    def _places_of_rows(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The place of each of these rows, of another one where it is not held; some row must be."""
        after = np.searchsorted(self.row_ids, row_ids, sorter=self._by_row_id)
        return self._by_row_id[np.minimum(after, len(self.row_ids) - 1)]

    @cached_property
    def _by_row_id(self) -> NDArray[np.int64]:
        """The places, in the order of row ids."""
        return np.argsort(self.row_ids)

    def _places_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        known = self.places
        return {passage_id: known[passage_id] for passage_id in passage_ids if passage_id in known}
