"""The approximate index of the vectors of a large table: made, asked, and compared with an exact search.

Lance's HNSW on vectors of a byte a component, whose best candidates it compares again as floats. Partitions, of which a
search reads a few, are no substitute: questions lie apart from passages, and their neighbours in many partitions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.index import IndexConfig, IvfHnswSq
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index.lookup import ROW_ID
from osler.index.rows import to_vectors
from osler.records import Vectors

FROM_ROWS: Final = 100_000
"""From so many rows on, where they are read and not in memory, comparing a vector with every one of them is felt."""

_CONFIG: Final = IvfHnswSq(distance_type="cosine")

_MOST_SEGMENTS: Final = 16
"""Upkeep adds a segment for new rows, and each is searched; when there are more, the index is built anew."""

_LEAST_VISITED: Final = 400
"""Nodes of the graph that a search keeps in sight: 250 find 0.987 of the nearest, 400 0.990, 600 0.992."""

_FEW_ROWS: Final = 10_000
"""So many rows that the index does not cover are compared one by one with no delay that one would notice."""


def approximate_index(table: LanceTable) -> IndexConfig | None:
    """The approximate index of the vectors; None where there is none."""
    return next((index for index in table.list_indices() if index.columns == ["vector"]), None)


def keep_approximate(table: LanceTable) -> None:
    """Build the index where the table has become large, and anew where it is in too many segments."""
    index = approximate_index(table)
    too_many = index is not None and (index.num_segments or 0) > _MOST_SEGMENTS
    if too_many or (index is None and table.count_rows() >= FROM_ROWS):
        make_approximate(table)


def make_approximate(table: LanceTable) -> None:
    """Build the index anew, in the place of the one that is there, if any."""
    table.create_index("vector", config=_CONFIG, replace=True)


def lags(table: LanceTable) -> bool:
    """Whether there is an index and it leaves many rows uncovered."""
    index = approximate_index(table)
    return index is not None and (index.num_unindexed_rows or 0) > _FEW_ROWS


def nearest_query(
    table: LanceTable, vector: NDArray[np.float32], *, count: int, exact: bool = False, rough: bool = False
) -> Any:
    """A query for the `count` rows of the highest cosine, by the approximate index where there is one.

    exact: not by it. rough: by the codes that it has of the vectors alone.
    """
    query = table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine").limit(count)
    if exact:
        return query.bypass_vector_index()
    query = query.ef(max(_LEAST_VISITED, 2 * count))
    return query if rough else query.refine_factor(1)


def recall(table: LanceTable, *, k: int = 100, samples: int = 50, seed: int = 0) -> float:
    """The share of the k nearest rows of sampled rows that the approximate index finds, against an exact search.

    The table is read once; what is asked are the sampled rows' own vectors, which the index knows its way to: for a
    question, which lies farther away, it finds somewhat less.
    """
    vectors = _sampled(table, samples, seed)
    found = (_found(table, vector, k) for vector in vectors)
    shares = [len(ours & exact) / len(exact) for ours, exact in zip(found, _exact(table, vectors, k), strict=True)]
    return float(np.mean(shares))


def _sampled(table: LanceTable, samples: int, seed: int) -> Vectors:
    rows = table.count_rows()
    offsets = np.random.default_rng(seed).choice(rows, min(samples, rows), replace=False)
    return to_vectors(table.take_offsets(sorted(offsets.tolist())).select(["vector"]).to_arrow()["vector"])


def _found(table: LanceTable, vector: NDArray[np.float32], k: int) -> set[int]:
    query = nearest_query(table, vector, count=k).select(["_distance"]).with_row_id(True)
    return set(query.to_arrow()[ROW_ID].to_pylist())


def _exact(table: LanceTable, vectors: Vectors, k: int) -> list[set[int]]:
    """The row ids of the k rows of the highest dot product with each vector, read batch by batch."""
    scores = np.empty((len(vectors), 0), dtype=np.float32)
    row_ids = np.empty((len(vectors), 0), dtype=np.uint64)
    for batch in table.search().select(["vector"]).with_row_id(True).to_batches():
        of_batch = pa.Table.from_batches([batch])
        scores = np.concatenate([scores, vectors @ to_vectors(of_batch["vector"]).T], axis=1)
        row_ids = np.concatenate(
            [row_ids, np.broadcast_to(of_batch[ROW_ID].to_numpy(), (len(vectors), len(batch)))], axis=1
        )
        best = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        scores, row_ids = np.take_along_axis(scores, best, axis=1), np.take_along_axis(row_ids, best, axis=1)
    return [set(row.tolist()) for row in row_ids]
