"""A `PassageIndex` on one LanceDB table. Knows nothing of models, nor of SQL but by filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.table import LanceTable

from osler.index import publications
from osler.index.blocks import BlockFiles, snapshot_folder
from osler.index.filters import one_of
from osler.index.maintenance import compact_and_index, refresh_id_indexes, unindexed_rows
from osler.index.manifest import Manifest
from osler.index.schema import to_table
from osler.index.snapshot import TableSnapshot, load_snapshot, tidy
from osler.index.watch import TableWatch, reads, writes
from osler.records import Document, DocumentVersion, EncodedDocument


class LanceIndex:
    """Passages with their vectors in a LanceDB table; `create_index` and `open_index` make one.

    Every write is one commit: a reader sees all of it or nothing, and a killed writer leaves the last commit.
    Readers that have the table open see new commits within a second. Writers take turns; a reader waits for none.
    """

    def __init__(self, open_table: Callable[[], LanceTable], manifest: Manifest) -> None:
        """open_table: gives the table, opened anew each time, so that each snapshot stays at its version."""
        self._open_table = open_table
        self._table = table = open_table()
        self.manifest = manifest
        self.watch = TableWatch(table, manifest)
        self.files = BlockFiles(snapshot_folder(table.uri), manifest)
        self._lock = Lock()
        self._snapshot: TableSnapshot | None = None

    @reads
    def fingerprints(self, doc_ids: Sequence[str]) -> dict[str, DocumentVersion]:
        """The stored version of each of these documents, by doc_id; none of those that are not there."""
        if not doc_ids:
            return {}
        query = self._table.search().where(f"{one_of('doc_id', doc_ids)} AND position = 0")
        rows = query.select(["doc_id", "fingerprint", "version"]).to_list()
        return {row["doc_id"]: DocumentVersion(row["fingerprint"], row["version"]) for row in rows}

    def upsert(self, documents: Sequence[EncodedDocument]) -> None:
        """Store these documents in place of what was stored under their ids, in one commit.

        ValueError where two of them have one id, where the passages of one do not make up its text, or where token
        vectors are missing that the index keeps.
        """
        doc_ids = [encoded.document.doc_id for encoded in documents]
        if repeated := [doc_id for doc_id, count in Counter(doc_ids).items() if count > 1]:
            raise ValueError(f"Two documents of one call have the same id, {repeated[0]}: give one of them.")
        if any((encoded.token_vectors is None) is self.manifest.token_vectors for encoded in documents):
            raise ValueError("The documents must have token vectors where the index keeps them, and only there.")
        if documents:
            self._store([encoded.document for encoded in documents], to_table(documents, self._table.schema))

    @writes
    def delete(self, doc_ids: Sequence[str]) -> int:
        """How many documents went, in one commit: those of these ids, for `PMID:1` also those whose pmid is 1."""
        gone = publications.documents_taken_back(self._table, doc_ids)
        if not gone:
            return 0
        if told := publications.state_change(self._table, [], removed=gone).told:
            publications.replace_documents(self._table, self._table.schema.empty_table(), gone, told)
        else:
            self._table.delete(one_of("doc_id", gone))
        return len(gone)

    @reads
    def snapshot(self) -> TableSnapshot:
        """The last version of the index, which is at most a moment old."""
        with self._lock:
            if self._snapshot is None or self._snapshot.version != self.watch.seen[1]:
                self._snapshot = self._snapshot_of(self.watch.seen[1])
            return self._snapshot

    @writes
    def optimise(self) -> None:
        """Bring search indexes and files of what a search reads up to date, and tidy them where it pays.

        It is the last step of a run.
        """
        compact_and_index(self._table)
        with self._lock:
            self._snapshot = self._snapshot_of(self._table.version)
            tidy(self._snapshot, self.files)

    @reads
    def statistics(self) -> IndexStatistics:
        """Counts and sizes as they are now."""
        return index_statistics(self._table, snapshot_bytes=self.files.bytes())

    def _snapshot_of(self, version: int) -> TableSnapshot:
        table = self._open_table()
        table.checkout(version)
        return load_snapshot(table, self.watch, self.manifest, self.files, self._snapshot)

    @writes
    def _store(self, documents: Sequence[Document], rows: pa.Table) -> None:
        change = publications.state_change(self._table, documents)
        rows = publications.with_metadata(rows, change.metadata)
        # Appending takes the same time whatever the size of the table; a merge reads all of its ids. But two writers
        # that append leave duplicates without a lock; of two merges, Lance sees that they write the same keys.
        if self.watch.locks and not (change.replaces or change.told):
            self._table.add(rows)
        else:
            doc_ids = [document.doc_id for document in documents]
            publications.replace_documents(self._table, rows, doc_ids, change.told)
        refresh_id_indexes(self._table, written=len(rows))


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
