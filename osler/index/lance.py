"""A `PassageIndex` on one LanceDB table. Knows nothing of models, nor of SQL but by filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from osler.index import publications
from osler.index.approximate import approximate_index, nearest_query, recall
from osler.index.copying import keep_copy, remove_copy
from osler.index.filters import one_of, to_sql
from osler.index.lookup import RowLookup
from osler.index.manifest import Manifest
from osler.index.residence import MEMORY, Residence
from osler.index.resident import ResidentRows
from osler.index.restriction import Restriction
from osler.index.rows import (
    DOCUMENT_COLUMNS,
    Row,
    passage_columns,
    to_document,
    to_passage,
    to_spans,
    to_table,
    vectors_by_id,
)
from osler.index.statistics import IndexStatistics, index_statistics
from osler.index.token_values import to_token_vectors
from osler.index.upkeep import keep_lookups_fast, optimise
from osler.index.versions import history
from osler.index.watch import TableWatch, reads, writes
from osler.late_interaction.named import NamedTokenVectors
from osler.records import (
    Candidate,
    Document,
    DocumentVersion,
    EncodedDocument,
    Filter,
    Passage,
    TokenSpans,
    TokenVectors,
    Vector,
)
from osler.text.matching import fold

_TIES = 8
"""Rows that are asked for beyond the best, so that a short tie at the edge needs no second search."""


class LanceIndex:
    """Passages with their vectors in a LanceDB table; `create_index` and `open_index` make one.

    Every write is one commit: a reader sees all of it or nothing, and a killed writer leaves the last commit.
    Readers that have the table open see new commits within a second. Writers take turns; a reader waits for none.
    """

    def __init__(self, table: LanceTable, manifest: Manifest, *, memory: int = MEMORY, exact: bool = False) -> None:
        """memory: bytes of vectors, token vectors and passages that may be held, so that a search need not read them.

        exact: compare with every vector, also where the table has an approximate index.
        """
        self._table = table
        self._exact = exact
        self.manifest = manifest
        self._passage_columns = passage_columns(table.schema)
        self.watch = TableWatch(table, manifest)
        self._lookup = RowLookup(table, self.watch)
        self._residence = Residence(table, manifest, self.watch, memory=memory)

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

        ValueError where two of them have one id, or where the passages of one do not make up its text.
        """
        doc_ids = [encoded.document.doc_id for encoded in documents]
        if repeated := [doc_id for doc_id, count in Counter(doc_ids).items() if count > 1]:
            raise ValueError(f"Two documents of one call have the same id, {repeated[0]}: give one of them.")
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
    def search_dense(self, vector: Vector, *, k: int, where: Filter, rough: bool = False) -> list[Candidate]:
        """The k passages of the highest cosine to vector [d], best first, equal scores by passage_id.

        Exact where the vectors are in memory, and where the table is too small for an approximate index. rough: what
        such an index finds is not compared again as it is, so that no vector is read.
        """
        condition = to_sql(where)
        self._residence.note_search("dense")
        rows = self._residence.rows()
        if held := _with_vectors(rows):
            return held.nearest(vector, k=k, allowed=self._residence.allowed(held, condition))

        nearest = partial(nearest_query, exact=self._exact, rough=rough)

        def search(restriction: Restriction, count: int, *columns: str) -> pa.Table:
            query = restriction.applied(nearest(self._table, vector, count=count))
            return query.select([*columns, "_distance"]).with_row_id(True).to_arrow()

        found = self._finding(search, condition, rows)
        return self._best(found, k, lambda found: [1.0 - distance for distance in found["_distance"].to_pylist()])

    @reads
    def search_lexical(self, query: str, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest BM25 score, best first, equal scores by passage_id.

        Title, heading and text are searched. The query is words, never syntax; any of them suffices, and one without
        words that count finds nothing. Both are spelled as by `fold`, so soft hyphens and ligatures do not count.
        """
        self._residence.note_search("lexical")
        words = MatchQuery(fold(query), "lexical")  # type: ignore[call-arg]  # its defaults are pydantic's

        def search(restriction: Restriction, count: int, *columns: str) -> pa.Table:
            query = restriction.applied(self._table.search(words, query_type="fts"))
            return query.select([*columns, "_score"]).with_row_id(True).limit(count).to_arrow()

        found = self._finding(search, to_sql(where), self._residence.rows())
        return self._best(found, k, lambda found: found["_score"].to_pylist())

    @reads
    def read(self, passage_ids: Sequence[str]) -> list[Passage]:
        """The passages in the order asked for, unknown ids left out."""
        return [to_passage(row) for row in self._passages(passage_ids)]

    @reads
    def read_with_spans(self, passage_ids: Sequence[str]) -> list[tuple[Passage, TokenSpans | None]]:
        """What `read` gives, each with the spans that were stored with its token vectors, None where there are none."""
        return [(to_passage(row), to_spans(row)) for row in self._passages(passage_ids)]

    @reads
    def token_vectors(self, passage_ids: Sequence[str]) -> Mapping[str, TokenVectors]:
        """The stored token vectors of each of these passages, by passage_id; none of those that have none stored."""
        if not passage_ids:
            return {}
        rows = self._residence.rows()
        if rows and rows.token_vectors:
            return rows.token_vectors_of(passage_ids)
        return self._token_vectors_in(self._rows(passage_ids, ("passage_id", "token_vectors")))

    @reads
    def vectors(self, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """The stored vector [d] of each of these passages, by passage_id; none of those that are not there."""
        if not passage_ids:
            return {}
        if held := _with_vectors(self._residence.rows()):
            return held.vectors_of(passage_ids)
        return vectors_by_id(self._rows(passage_ids, ("passage_id", "vector")))

    @reads
    def vectors_with_tokens(self, passage_ids: Sequence[str]) -> tuple[dict[str, Vector], Mapping[str, TokenVectors]]:
        """What `vectors` gives, and the stored token vectors of those passages whose vectors are not in memory.

        To find a row takes longer than to read a column of it, so both columns take little more time than one.
        """
        if not (passage_ids and self.manifest.token_vectors) or _with_vectors(self._residence.rows()):
            return self.vectors(passage_ids), {}
        found = self._rows(passage_ids, ("passage_id", "vector", "token_vectors"))
        return vectors_by_id(found), self._token_vectors_in(found)

    @reads
    def document(self, doc_id: str) -> Document | None:
        """The whole document, its text to the character as it was indexed, or None."""
        rows = self._table.search().where(one_of("doc_id", [doc_id])).select(list(DOCUMENT_COLUMNS)).to_list()
        return to_document(rows) if rows else None

    @reads
    def find_documents(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The documents that each of these names means, by name: a doc_id, a passage_id, or a PMID, DOI or PMCID."""
        return publications.documents_named(self._table, names)

    @reads
    def passage_ids(self, doc_ids: Sequence[str], *, where: Filter) -> list[str]:
        """The passages of these documents that the filter lets through, in their order."""
        return publications.passages_of(self._table, doc_ids, to_sql(where))

    @writes
    def optimise(self, *, row_copy: bool = True) -> None:
        """Bring the search indexes up to date and tidy the files where it pays: the last step of a run.

        row_copy: what a search reads is copied to where it is read faster, if it is too much to be held in memory.
        """
        known = history(self._table) if row_copy else []  # tidying removes old versions
        optimise(self._table)
        if row_copy and self._residence.reads_a_copy():
            keep_copy(self._table, self._residence.read_columns, known=known)
        else:
            remove_copy(self._table)

    @reads
    def statistics(self) -> IndexStatistics:
        """Counts and sizes as they are now."""
        return index_statistics(self._table)

    @reads
    def recall(self) -> float | None:
        """The share of the 100 nearest passages that the approximate index finds; None where there is none."""
        return recall(self._table) if approximate_index(self._table) else None

    def _token_vectors_in(self, found: pa.Table) -> Mapping[str, TokenVectors]:
        stored = found.select(["passage_id", "token_vectors"]).drop_null()
        token_vectors = to_token_vectors(stored["token_vectors"], self.manifest)
        return NamedTokenVectors(stored["passage_id"].to_pylist(), token_vectors)

    def _passages(self, passage_ids: Sequence[str]) -> list[Row]:
        """The rows of these passages in the order asked for, unknown ids left out."""
        held = self._residence.rows()
        if held and held.passages is not None:
            return held.passages_of(passage_ids)
        found = self._rows(passage_ids, self._passage_columns).to_pylist() if passage_ids else []
        rows = {row["passage_id"]: row for row in found}
        return [rows[passage_id] for passage_id in passage_ids if passage_id in rows]

    def _rows(self, passage_ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        held = _with_vectors(self._residence.rows())
        known = held.row_ids_of(passage_ids) if held else {}
        return self._lookup.rows(passage_ids, columns, known=known, copied=self._residence.copied)

    def _finding(
        self, search: Callable[..., pa.Table], condition: str, rows: ResidentRows | None
    ) -> Callable[[int], pa.Table]:
        """What gives so many of the best rows that meet the condition, with their ids: those in memory, or the table's.

        search(restriction, count, *columns): the best rows of the table, with row ids.
        """
        restriction = self._residence.restriction(rows, condition)

        def best(count: int) -> pa.Table:
            named = rows.named(restriction.best(partial(search, restriction), count)) if rows else None
            if named is not None:
                return named
            # What is not in memory may be of a commit since, of which no filter is known yet.
            unknown = Restriction(condition) if rows else restriction
            return unknown.best(lambda asked: search(unknown, asked, "passage_id"), count)

        return best

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
        keep_lookups_fast(self._table, written=len(rows))

    def _best(
        self, search: Callable[[int], pa.Table], k: int, scores_of: Callable[[pa.Table], Sequence[float]]
    ) -> list[Candidate]:
        """The k best of what `search(count)` yields, ties by id: asks for more while a tie runs over the edge."""
        if k < 1:
            return []
        count = k + _TIES
        while True:
            found = search(count)
            scores, passage_ids = scores_of(found), found["passage_id"].to_pylist()
            if len(scores) < count or scores[k - 1] != scores[-1]:
                break
            count *= 4
        self._lookup.remember(found)
        ordered = sorted(zip(passage_ids, scores, strict=True), key=lambda one: (-one[1], one[0]))[:k]
        return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, start=1)]


def _with_vectors(rows: ResidentRows | None) -> ResidentRows | None:
    """The rows in memory where their vectors are there too."""
    return rows if rows and rows.vectors is not None else None
