"""Counts and sizes of an index, as `osler info` prints them. Knows the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
from lancedb.table import LanceTable

from osler.index.row_copy import copy_size
from osler.index.upkeep import unindexed_rows


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """Counts and sizes of an index at one moment.

    `bytes` that the parts take: data_files (passages, vectors and token vectors, compressed), search_indexes, row_copy
    (of what a search reads; 0 where that fits in memory), history (versions before the last; 0 on object storage, where
    it is not counted).
    `token_vector_bytes_per_passage` is a mean, before Lance compresses them; 0 where none are stored.
    `unindexed` passages are found, but more slowly.
    """

    documents: int
    passages: int
    versions: int
    unindexed: int
    changed: datetime
    token_vector_bytes_per_passage: float = 0.0
    bytes: Mapping[str, int] = field(default_factory=dict)


def index_statistics(table: LanceTable) -> IndexStatistics:
    """The counts and sizes of this table as they are now; it reads no text and no vector."""
    versions = table.list_versions()
    last, passages = versions[-1], table.count_rows()
    return IndexStatistics(
        documents=table.count_rows("position = 0"),
        passages=passages,
        versions=len(versions),
        unindexed=unindexed_rows(table),
        changed=last["timestamp"].astimezone(UTC),  # Lance gives local time without a zone
        token_vector_bytes_per_passage=_token_vector_bytes(table) / max(passages, 1),
        bytes=_sizes(table, data_files=int(last["metadata"]["total_files_size"])),
    )


def _sizes(table: LanceTable, *, data_files: int) -> dict[str, int]:
    search_indexes = sum(index.size_bytes or 0 for index in table.list_indices())
    history = max(_size_on_disk(table.uri) - data_files - search_indexes, 0)
    sizes = {"data_files": data_files, "search_indexes": search_indexes, "row_copy": copy_size(table)}
    return {**sizes, "history": history}


def _token_vector_bytes(table: LanceTable) -> int:
    batches = table.search().select(["token_bytes"]).to_batches()
    return sum(pc.sum(batch["token_bytes"]).as_py() or 0 for batch in batches)


def _size_on_disk(uri: str) -> int:
    folder = Path(uri.removeprefix("file://"))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
