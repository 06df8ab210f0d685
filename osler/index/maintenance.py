"""Maintenance of the table: search indexes brought up to date, files joined, old versions removed; counts and sizes.

Lance finds rows that no search index covers yet by reading them, so a search is complete at every moment; maintenance
makes it fast again. Joining files rewrites every row, so it is done only where there are many files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow.compute as pc
from lancedb.index import FTS, BTree, IndexConfig, LabelList
from lancedb.table import LanceTable

LEXICAL = FTS(language="English", stem=True, remove_stop_words=True, ascii_folding=True)

_LOOKUPS: dict[str, BTree | LabelList] = {
    **{column: BTree() for column in ("doc_id", "pmid", "doi", "pmcid")},
    "notice_of": LabelList(),
}
"""The columns by which documents are looked up."""

SEARCH_INDEXES: Final[Mapping[str, FTS | BTree | LabelList]] = {"lexical": LEXICAL, **_LOOKUPS}
"""What every table has, by column."""

_MOST_FILES = 64
"""Above this many data files, or versions out of use, the table is tidied. A commit makes one of each."""

_ROWS_OF_A_FULL_FILE = 1_048_576
"""Lance joins files up to this many rows."""

_IN_USE = timedelta(hours=1)
"""A version younger than this may still be read by a query that runs; older ones are removed."""

_INSTEAD = "osler-in-place-of-"
"""What the branch is called that takes the place of a tag while old versions are removed."""

_REBUILD_ROWS = 500_000
"""Up to this many rows a full-text index is built anew, as one; a larger one is extended by the new rows alone."""

_LOOKUP_ROWS = 65_536
"""From this many rows on, a look-up of ids that no index covers takes longer than one that an index covers."""


def create_search_indexes(table: LanceTable) -> None:
    """Make the search indexes of a new table, so that it can be searched from its first row on."""
    for column, config in SEARCH_INDEXES.items():
        table.create_index(column, config=config)


def compact_and_index(table: LanceTable) -> None:
    """Cover every row by the search indexes; join files and remove old versions where there are many.

    A table that is covered and tidy is left as it is, in the same version.
    """
    _bring_tags_back(table)
    stale = _stale_columns(table)
    if _is_untidy(table) or (stale and table.count_rows() > _REBUILD_ROWS):
        _tidy(table)
        stale = _stale_columns(table)
    for column in stale:
        table.create_index(column, config=SEARCH_INDEXES[column], replace=True)


def _tidy(table: LanceTable) -> None:
    """Join files and remove old versions, but for tagged ones.

    Lance keeps what is tagged, yet refuses to remove anything while an old version is. The origin of a branch it keeps
    in silence. So branches take the place of the tags for the moment; a run that is killed then leaves them.
    """
    try:
        table.optimize(cleanup_older_than=_IN_USE)
    except RuntimeError as error:
        if "tagged version" not in str(error):
            raise
        for name, tag in table.tags.list().items():
            table.branches.create(_INSTEAD + name, "main", tag["version"])
            table.tags.delete(name)
        try:
            table.optimize(cleanup_older_than=_IN_USE)
        finally:
            _bring_tags_back(table)


def _bring_tags_back(table: LanceTable) -> None:
    tags = table.tags.list()
    for branch, origin in table.branches.list().items():
        if branch.startswith(_INSTEAD):
            name = branch.removeprefix(_INSTEAD)
            if name not in tags:
                table.tags.create(name, origin["parent_version"])
            table.branches.delete(branch)


def rebuild_indexes(table: LanceTable) -> None:
    """Make every search index anew, whatever has become of the files of the one before."""
    for column, config in SEARCH_INDEXES.items():
        table.create_index(column, config=config, replace=True)


def refresh_id_indexes(table: LanceTable, *, written: int) -> None:
    """Build the indexes of ids anew whenever the rows that they do not cover have doubled the table.

    So a first build of any size looks its documents up in constant time, for a cost that stays proportional to it.
    """
    rows = table.count_rows()
    if written and _doubled(rows - written, rows):
        for column, config in _LOOKUPS.items():
            table.create_index(column, config=config, replace=True)


def unindexed_rows(table: LanceTable) -> int:
    """How many rows the full-text index does not cover yet."""
    found = _index_of(table, "lexical")
    return int(found.num_unindexed_rows or 0) if found else table.count_rows()


def _doubled(before: int, after: int) -> bool:
    threshold = _LOOKUP_ROWS
    while threshold <= before:
        threshold *= 2
    return after >= threshold


def _index_of(table: LanceTable, column: str) -> IndexConfig | None:
    return next((index for index in table.list_indices() if index.columns == [column]), None)


def _stale_columns(table: LanceTable) -> list[str]:
    found = {column: _index_of(table, column) for column in SEARCH_INDEXES}
    return [column for column, index in found.items() if index is None or index.num_unindexed_rows]


def _is_untidy(table: LanceTable) -> bool:
    versions = table.list_versions()
    unused = datetime.now() - _IN_USE  # Lance gives local time without a zone
    files = int(versions[-1]["metadata"]["total_fragments"])
    full_files = table.count_rows() // _ROWS_OF_A_FULL_FILE
    return files - full_files > _MOST_FILES or sum(version["timestamp"] < unused for version in versions) > _MOST_FILES


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """Counts and sizes of an index at one moment.

    `bytes` that the parts take: data_files (passages, vectors and token vectors, compressed), search_indexes, snapshot
    (what a search reads, as files; 0 where that is held in memory), history (versions before the last; 0 on object
    storage, where it is not counted).
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


def index_statistics(table: LanceTable, *, snapshot_bytes: int) -> IndexStatistics:
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
        bytes=_sizes(table, snapshot_bytes, data_files=int(last["metadata"]["total_files_size"])),
    )


def _sizes(table: LanceTable, snapshot: int, *, data_files: int) -> dict[str, int]:
    search_indexes = sum(index.size_bytes or 0 for index in table.list_indices())
    history = max(_size_on_disk(table.uri) - data_files - search_indexes, 0)
    sizes = {"data_files": data_files, "search_indexes": search_indexes, "snapshot": snapshot}
    return {**sizes, "history": history}


def _token_vector_bytes(table: LanceTable) -> int:
    batches = table.search().select(["token_bytes"]).to_batches()
    return sum(pc.sum(batch["token_bytes"]).as_py() or 0 for batch in batches)


def _size_on_disk(uri: str) -> int:
    folder = Path(uri.removeprefix("file://"))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
