"""A `PassageIndex` on one LanceDB table. Knows nothing of models, nor of SQL but by filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from osler.index.failures import reading, writing
from osler.index.filters import one_of, to_sql
from osler.index.manifest import Manifest
from osler.index.rows import (
    DOCUMENT_COLUMNS,
    PASSAGE_COLUMNS,
    TOKEN_COLUMNS,
    to_document,
    to_stored_passage,
    to_table,
    to_vectors,
)
from osler.index.statistics import IndexStatistics, index_statistics
from osler.index.upkeep import keep_lookups_fast, optimise
from osler.records import Candidate, Document, DocumentVersion, EncodedDocument, Filter, StoredPassage, Vector

_PMID = "PMID:"


class LanceIndex:
    """Passages with their vectors in a LanceDB table; `create_index` and `open_index` make one.

    Every write is one commit: a reader sees all of it or nothing, and a killed writer leaves the last commit.
    Readers that have the table open see new commits within a second. One process writes at a time.
    """

    def __init__(self, table: LanceTable, manifest: Manifest) -> None:
        self._table = table
        self.manifest = manifest

    @reading()
    def fingerprints(self, doc_ids: Sequence[str]) -> dict[str, DocumentVersion]:
        """The stored version of each of these documents, by doc_id; none of those that are not there."""
        if not doc_ids:
            return {}
        query = self._table.search().where(f"{one_of('doc_id', doc_ids)} AND position = 0")
        rows = query.select(["doc_id", "fingerprint", "version"]).to_list()
        return {row["doc_id"]: DocumentVersion(row["fingerprint"], row["version"]) for row in rows}

    @writing()
    def upsert(self, documents: Sequence[EncodedDocument]) -> None:
        """Store these documents in place of what was stored under their ids, in one commit.

        ValueError where two of them have one id, or where the passages of one do not make up its text.
        """
        doc_ids = [encoded.document.doc_id for encoded in documents]
        if len(set(doc_ids)) < len(doc_ids):
            raise ValueError("Two documents of one call have the same id.")
        if not documents:
            return
        rows = to_table(documents, self._table.schema)
        if self.fingerprints(doc_ids):
            self._replace(rows, doc_ids)
        else:  # appending takes the same time whatever the size of the table; a merge reads all of its ids
            self._table.add(rows)
        keep_lookups_fast(self._table, written=len(rows))

    @writing()
    def delete(self, doc_ids: Sequence[str]) -> int:
        """How many documents went, in one commit: those of these ids, for `PMID:1` also those whose pmid is 1."""
        if not doc_ids:
            return 0
        condition = one_of("doc_id", doc_ids)
        pmids = [doc_id.removeprefix(_PMID) for doc_id in doc_ids if doc_id.startswith(_PMID)]
        if pmids:
            condition += " OR " + one_of("pmid", pmids)
        there = self._table.count_rows(f"({condition}) AND position = 0")
        if there:
            self._table.delete(condition)
        return there

    @reading()
    def search_dense(self, vector: Vector, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest cosine to vector [d], best first, equal scores by passage_id. Exact."""

        def nearest(count: int) -> list[tuple[str, float]]:
            query = self._table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine")
            rows = query.where(to_sql(where) or "true", prefilter=True).select(["passage_id", "_distance"])
            return [(row["passage_id"], 1.0 - row["_distance"]) for row in rows.limit(count).to_list()]

        return _best(nearest, k)

    @reading()
    def search_lexical(self, query: str, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest BM25 score, best first, equal scores by passage_id.

        Title, heading and text are searched. The query is words, never syntax; any of them suffices, and one without
        words that count finds nothing.
        """
        words = MatchQuery(query, "lexical")  # type: ignore[call-arg]  # its defaults are pydantic's

        def matching(count: int) -> list[tuple[str, float]]:
            rows = self._table.search(words, query_type="fts")
            rows = rows.where(to_sql(where) or "true", prefilter=True).select(["passage_id", "_score"])
            return [(row["passage_id"], row["_score"]) for row in rows.limit(count).to_list()]

        return _best(matching, k)

    @reading()
    def read(self, passage_ids: Sequence[str], *, token_vectors: bool) -> list[StoredPassage]:
        """The passages in the order asked for, unknown ids left out; with token vectors where wanted and stored."""
        if not passage_ids:
            return []
        columns = [*PASSAGE_COLUMNS, *(TOKEN_COLUMNS if token_vectors else ())]
        rows = self._table.search().where(one_of("passage_id", dict.fromkeys(passage_ids))).select(columns).to_list()
        dim = self.manifest.reranker.dim if token_vectors else None
        stored = {row["passage_id"]: to_stored_passage(row, dim=dim) for row in rows}
        return [stored[passage_id] for passage_id in passage_ids if passage_id in stored]

    @reading()
    def vectors(self, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """The stored vector [d] of each of these passages, by passage_id; none of those that are not there."""
        if not passage_ids:
            return {}
        query = self._table.search().where(one_of("passage_id", dict.fromkeys(passage_ids)))
        rows = query.select(["passage_id", "vector"]).to_arrow()
        return dict(zip(rows["passage_id"].to_pylist(), to_vectors(rows["vector"]), strict=True))

    @reading()
    def document(self, doc_id: str) -> Document | None:
        """The whole document, its text to the character as it was indexed, or None."""
        rows = self._table.search().where(one_of("doc_id", [doc_id])).select(list(DOCUMENT_COLUMNS)).to_list()
        return to_document(rows) if rows else None

    @writing()
    def optimise(self) -> None:
        """Bring the search indexes up to date and tidy the files where it pays: the last step of a run."""
        optimise(self._table)

    @reading()
    def statistics(self) -> IndexStatistics:
        """Counts and sizes as they are now."""
        return index_statistics(self._table, self.manifest)

    def _replace(self, rows: pa.Table, doc_ids: Sequence[str]) -> None:
        merge = self._table.merge_insert("passage_id").when_matched_update_all().when_not_matched_insert_all()
        merge.when_not_matched_by_source_delete(one_of("doc_id", doc_ids)).execute(rows)


def _best(search: Callable[[int], list[tuple[str, float]]], k: int) -> list[Candidate]:
    """The k best of what `search(count)` yields, ties by id: asks for more while a tie runs over the edge."""
    count = k + 1
    found = search(count) if k > 0 else []
    while len(found) == count and found[k - 1][1] == found[-1][1]:
        count *= 4
        found = search(count)
    ordered = sorted(found, key=lambda candidate: (-candidate[1], candidate[0]))[: max(k, 0)]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, start=1)]
