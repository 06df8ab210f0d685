"""Reads all of an index and tells what is damaged, and mends what can be made anew. Knows the table, no model.

Rows have checksums. Search indexes have none, so they can only be asked, as a search would, for what the table is known
to hold.

A damaged document cannot be mended from the index: its source has to be indexed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from osler.errors import StoreError
from osler.index.blocks import Block, blocks_of
from osler.index.failures import DamageError, attempt, opening
from osler.index.filters import one_of, quoted
from osler.index.lance import LanceIndex
from osler.index.maintenance import SEARCH_INDEXES, rebuild_indexes
from osler.index.schema import KEY_COLUMN, SUM_COLUMN, Row, loaded, row_sums, to_document, to_vectors
from osler.index.token_columns import unpacked_vectors, values_of
from osler.index.watch import damaged_versions, remove_versions

_ROW_ID: Final = "_rowid"
_AT_ONCE: Final = 1024


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was read, and what of it is damaged, each in a sentence.

    documents: damaged ones with the reason, by doc_id. `repair` makes search_indexes and snapshot anew, and removes
    old versions that cannot be read. Of unreadable rows not even the documents are known, and they stay.
    """

    passages: int
    documents: dict[str, str] = field(default_factory=dict)
    search_indexes: tuple[str, ...] = ()
    snapshot: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged."""
        return not (self.documents or self.search_indexes or self.snapshot or self.versions or self.unreadable)


def check_index(index: LanceIndex) -> CheckReport:
    """What of an index is damaged: every row is read, every search index is asked, what searches read is compared.

    StoreError where the index cannot even be opened at its last version.
    """
    index.watch.look()
    table = index.watch.table
    with opening(table.uri):
        checking = _Checking(table, index)
        for rows in checking.readable_rows():
            checking.take(rows)
        checking.end()
        return CheckReport(
            passages=len(checking.passage_ids),
            documents=checking.damaged,
            search_indexes=tuple(damaged_search_indexes(table, checking.words)),
            snapshot=(f"{checking.differing:,} of its rows are not as they were written",) * (checking.differing > 0),
            versions=tuple(f"the list of version {number} cannot be read" for number in damaged_versions(table)),
            unreadable=tuple(checking.unreadable),
        )


def repair(index: LanceIndex, report: CheckReport) -> None:
    """Make search indexes and snapshot anew where they are damaged; remove damaged documents and old versions.

    Documents that are gone are stored again by `osler index` with their sources; a damaged one would be `unchanged`.
    StoreError where rows that cannot be read keep the rest from being mended.
    """
    table = index.watch.table
    try:
        with index.watch.writing():
            remove_versions(table, damaged_versions(table))
        _remove_documents(index, list(report.documents))
        with index.watch.writing():
            if report.search_indexes:
                rebuild_indexes(table)
            if report.snapshot:
                index.files.remove(index.files.paths())
        index.optimise()
    except DamageError as error:
        remedy = "bring the folder back from a backup, or index the corpus again into a new folder"
        raise StoreError(f"{table.uri}: rows cannot be read, so not all can be repaired: {remedy}.") from error


def _remove_documents(index: LanceIndex, doc_ids: Sequence[str]) -> None:
    """Remove these; where what they state of others cannot be read, without looking at it."""
    if not doc_ids:
        return
    try:
        index.delete(doc_ids)
    except DamageError:
        with index.watch.writing():
            index.watch.table.delete(one_of("doc_id", doc_ids))


class _Checking:
    """The state of one pass over the rows. A document is looked at when all of its rows have been read."""

    def __init__(self, table: LanceTable, index: LanceIndex) -> None:
        self.damaged: dict[str, str] = {}
        self.unreadable: list[str] = []
        self.passage_ids: set[str] = set()
        self.words: set[str] = set()
        self.differing = 0
        self._nameless = 0
        self._table = table
        self._manifest = index.manifest
        self._waiting: dict[str, list[Row]] = {}
        self._rows_of_blocks: dict[int, tuple[Block, int]] = {
            key: (block, number) for block in index.files.blocks() for number, key in enumerate(block.keys.tolist())
        }

    def readable_rows(self) -> Iterator[pa.Table]:
        """All rows that can be read, with their ids; `unreadable` tells of the others, by document where it can."""
        batches = iter(self._table.search().with_row_id(True).to_batches())
        read: set[int] = set()
        while True:
            batch, reason = attempt(lambda: next(batches, None))
            if batch is None:
                break
            rows = pa.Table.from_batches([batch])
            read.update(rows[_ROW_ID].to_pylist())
            yield rows
        if not reason:
            return
        found, reason = attempt(lambda: self._table.search().select([_ROW_ID]).to_arrow()[_ROW_ID].to_pylist())
        if found is None:
            self.unreadable.append(f"not even the list of rows can be read ({reason})")
            return
        rest = [row_id for row_id in found if row_id not in read]
        for first in range(0, len(rest), _AT_ONCE):
            yield from self._halves(rest[first : first + _AT_ONCE])
        if self._nameless:
            self.unreadable.append(f"{self._nameless:,} rows cannot be read, nor the ids of their documents")

    def take(self, rows: pa.Table) -> None:
        """Look at these rows, and at the documents that they complete."""
        self._compare_with_blocks(rows)
        if not self._rows_are_well(rows):
            for number in range(len(rows)):
                self._rows_are_well(rows.slice(number, 1), tell=True)
        columns = [name for name in rows.column_names if name not in {"vector", "token_vectors", "token_spans"}]
        texts, _ = attempt(rows.select(columns).to_pylist)
        for row in texts or ():
            if row["passage_id"] in self.passage_ids:
                self.damaged[row["doc_id"]] = f"its passage {row['passage_id']} is there twice"
            self.passage_ids.add(row["passage_id"])
            self.words.update(row["lexical"].lower().split())
            of_document = self._waiting.setdefault(row["doc_id"], [])
            of_document.append(row)
            if _are_all(of_document):
                self._look_at(self._waiting.pop(row["doc_id"]))

    def end(self) -> None:
        """Tell of documents of which rows are missing."""
        for doc_id in self._waiting:
            self.damaged.setdefault(doc_id, "its passages do not make up its text")

    def _halves(self, row_ids: Sequence[int]) -> Iterator[pa.Table]:
        """These rows, down to the single ones that cannot be read."""
        rows, reason = attempt(lambda: self._table.take_row_ids(list(row_ids)).with_row_id().to_arrow())
        if rows is not None:
            yield rows
        elif len(row_ids) > 1:
            half = len(row_ids) // 2
            yield from self._halves(row_ids[:half])
            yield from self._halves(row_ids[half:])
        else:
            names, _ = attempt(lambda: self._table.take_row_ids(list(row_ids)).select(["doc_id"]).to_list())
            if names:
                self.damaged[names[0]["doc_id"]] = f"a row of it cannot be read ({reason})"
            else:
                self._nameless += 1

    def _rows_are_well(self, rows: pa.Table, *, tell: bool = False) -> bool:
        wrong, reason = attempt(lambda: self._wrong_value(rows))
        reason = reason or wrong or ""
        if reason and tell:
            doc_id, _ = attempt(lambda: rows["doc_id"][0].as_py())
            if doc_id is None:
                self.unreadable.append(f"a row without a readable id ({reason})")
            else:
                self.damaged[doc_id] = reason
        return not reason

    def _wrong_value(self, rows: pa.Table) -> str:
        """Which value of these rows is not as it was written, "" where all are."""
        if row_sums(rows) != rows[SUM_COLUMN].to_pylist():
            return "a row of it is not as it was written"
        if not np.allclose(np.linalg.norm(to_vectors(rows["vector"]), axis=1), 1, atol=0.02):
            return "a vector is not of unit length"
        if self._manifest.token_vectors:
            unpacked_vectors(values_of(rows["token_vectors"].drop_null()), self._manifest)
        return ""

    def _compare_with_blocks(self, rows: pa.Table) -> None:
        keys, _ = attempt(lambda: rows[KEY_COLUMN].to_pylist())
        stored = [number for number, key in enumerate(keys or ()) if key in self._rows_of_blocks]
        for expected in blocks_of([rows.take(pa.array(stored))]) if stored else ():
            for number, key in enumerate(expected[KEY_COLUMN].to_pylist()):
                block, place = self._rows_of_blocks[key]
                same, _ = attempt(partial(expected.slice(number, 1).equals, block.rows.slice(place, 1)))
                self.differing += not same

    def _look_at(self, rows: Sequence[Row]) -> None:
        first = min(rows, key=lambda row: int(row["position"]))
        own = {**first, "metadata": first.get("own_metadata") or first["metadata"]}
        document, reason = attempt(lambda: to_document([own if row is first else row for row in rows]))
        if document is None or document.fingerprint != first["fingerprint"]:
            self.damaged.setdefault(first["doc_id"], reason or "its content does not have its fingerprint")
        elif len({row["metadata"] for row in rows}) > 1:
            self.damaged.setdefault(first["doc_id"], "its passages have different metadata")


def _are_all(rows: Sequence[Row]) -> bool:
    """Whether these rows are as long as the document, by the outline that its first row has."""
    first = next((row for row in rows if row["outline"]), None)
    if first is None:
        return False
    sections, _ = attempt(lambda: loaded(first, "outline"))
    length = sections[-1][2] if sections else 0
    return bool(sum(len(row["text"]) + len(row["gap"]) for row in rows) >= length)


_SAMPLES: Final = 50
"""Passages that each search index is asked for."""

_WORDS_AT_ONCE: Final = 1024
_WORD: Final = re.compile(r"\b[A-Za-z]{8,20}\b")  # no word that a full-text index leaves out


def damaged_search_indexes(table: LanceTable, words: Collection[str]) -> Iterator[str]:
    """What is wrong with each search index, asked for some passages that the table has, and for all of its words."""
    sample, _ = attempt(lambda: _sample(table))
    if not sample:
        return
    names, reason = attempt(lambda: {index.columns[0] for index in table.list_indices()})
    if names is None:
        yield f"the list of search indexes cannot be read ({reason})"
        return
    asked: dict[str, Callable[[LanceTable, Row], bool]] = {
        column: _by_words if column == "lexical" else partial(_by_value, column) for column in SEARCH_INDEXES
    }
    for column, ask in asked.items():
        missing, reason = attempt(partial(_unfound, table, sample, ask))
        if column == "lexical" and not reason:
            _, reason = attempt(partial(_read_postings, table, words))
        if column not in names:
            yield f"that of {column} is missing"
        elif reason:
            yield f"that of {column} cannot be read ({reason})"
        elif missing:
            yield f"that of {column} does not find {missing} of {len(sample)} passages that are there"


def _unfound(table: LanceTable, sample: Sequence[Row], ask: Callable[[LanceTable, Row], bool]) -> int:
    return sum(not ask(table, row) for row in sample)


def _sample(table: LanceTable) -> list[Row]:
    rows = table.count_rows()
    offsets = list(range(0, rows, max(1, rows // _SAMPLES)))[:_SAMPLES]
    columns = ["passage_id", *SEARCH_INDEXES]
    return list(table.take_offsets(offsets).select(columns).to_list())


def _by_value(column: str, table: LanceTable, row: Row) -> bool:
    """Whether the row is among those with its value; where it has none, whether the index can be asked at all."""
    value = row[column]
    of_value = f"array_has_any({column}, [{quoted(value or [''])}])" if column == "notice_of" else None
    condition = of_value or one_of(column, [value or ""])
    return bool(table.count_rows(f"{condition} AND {one_of('passage_id', [row['passage_id']])}")) or not value


def _by_words(table: LanceTable, row: Row) -> bool:
    """Whether words find the row; where it has none that surely count, whether the index can be asked at all."""
    words = _WORD.findall(row["lexical"])[:20]
    words_query = MatchQuery(" ".join(words) or row["lexical"][:200], "lexical")  # type: ignore[call-arg]  # pydantic
    query = table.search(words_query, query_type="fts")
    found = query.where(one_of("passage_id", [row["passage_id"]])).select(["passage_id", "_score"]).limit(1).to_list()
    return bool(found) or not words


def _read_postings(table: LanceTable, words: Collection[str]) -> None:
    """Make Lance read what the full-text index has of each of these words; it raises where that cannot be."""
    ordered = sorted(words)
    for first in range(0, len(ordered), _WORDS_AT_ONCE):
        words_query = MatchQuery(" ".join(ordered[first : first + _WORDS_AT_ONCE]), "lexical")  # type: ignore[call-arg]  # pydantic
        table.search(words_query, query_type="fts").select(["passage_id", "_score"]).limit(1).to_list()
