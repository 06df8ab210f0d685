"""One version of an index, immutable: all that a search reads. Knows columns and arrays, no model.

It is the table at that version, for words and whole documents, and blocks of rows for all else. Which rows of the
blocks are in the table is read from the column of their keys, so neither a commit, nor a file that was not written, nor
an older table that was brought back can mix two versions: a row is read under its own key or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index import publications
from osler.index.blocks import TABLE_COLUMNS, Block, BlockFiles, blocks_of, passage_hash
from osler.index.failures import DamageError
from osler.index.filters import checked, one_of, passing, to_sql
from osler.index.manifest import Manifest
from osler.index.nearest import nearest
from osler.index.schema import (
    DOCUMENT_COLUMNS,
    KEY_COLUMN,
    PASSAGE_COLUMNS,
    SPANS_COLUMN,
    to_document,
    to_passage,
    to_spans,
)
from osler.index.token_columns import unpacked_vectors
from osler.index.watch import TableWatch, reads
from osler.records import Candidate, Document, Filter, Passage, TokenSpans, TokenVectors, Vector, Vectors
from osler.text.matching import fold

HELD_ROWS: Final = 5000
"""So many rows are held in memory and not in files: reading them from the table takes less than a tenth of a second."""

APPROXIMATE_FROM: Final = 250_000
"""From so many rows on, dense search looks at the signs of the vectors first, which misses a few in a thousand."""

_TIES: Final = 8
"""Rows that are asked for beyond the best, so that a short tie at the edge needs no second search."""

_SPARE: Final = 20
"""Rows that are asked for in place of those that a filter drops."""

_FEW_FAIL: Final = 0.2
"""The share of rows that may fail a filter for it to be applied to what words find, and not before."""

_MOST_FILTERS: Final = 32
_MOST_FILES: Final = 8
_MOST_BLOCKS: Final = 16
_AT_ONCE: Final = 8192

Keys = NDArray[np.int64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class TableRows:
    """Where each row of a table lies that is checked out at a version: its row in the blocks, by its row id.

    Lance gives a row another id when it compacts the table, so these ids hold for this version alone.
    """

    row_ids: NDArray[np.uint64]  # [T], ascending
    rows: Rows  # [T], counted through all blocks

    def of(self, row_ids: NDArray[np.uint64]) -> Rows:
        """The row of each of these ids; DamageError for an id that the table lacks, which a damaged index may name."""
        positions = _positions(row_ids, self.row_ids)
        if (positions < 0).any():
            raise DamageError("The full-text index names rows that the table lacks")
        return self.rows[positions]


class TableSnapshot:
    """A `Snapshot` of a Lance table. Threads may share it."""

    def __init__(
        self, table: LanceTable, watch: TableWatch, manifest: Manifest, blocks: Sequence[Block], rows: TableRows
    ) -> None:
        """table: checked out at the version; rows: where each of its rows lies in the blocks."""
        self.version: int = table.version
        self.watch = watch
        self.blocks = blocks
        self.manifest = manifest
        self._table = table
        self._rows = rows
        self._passing = lru_cache(_MOST_FILTERS)(self._rows_passing)
        self._is_exact = sum(map(len, blocks)) < APPROXIMATE_FROM

    def nearest(self, vector: Vector, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest cosine to vector [d], best first, equal scores by passage_id."""
        parts = [block.vectors for block in self.blocks]
        rows, scores = nearest(parts, vector, k=k, passing=self._passing(checked(where)), exact=self._is_exact)
        return _candidates(_passage_ids(self.blocks, rows), scores.tolist(), k)

    @reads
    def lexical(self, query: str, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest BM25 score, best first, equal scores by passage_id.

        Title, heading and text are searched. The query is words, never syntax; any of them suffices, and one without
        words that count finds nothing. Both are spelled as by `fold`, so soft hyphens and ligatures do not count.
        """
        if k < 1:
            return []
        words = MatchQuery(fold(query), "lexical")  # type: ignore[call-arg]  # its defaults are pydantic's
        passes = self._passing(checked(where))
        failing = self.num_rows - np.count_nonzero(passes)
        # Lance reads what a condition asks of every row before it searches: dropping a few rows afterwards is faster.
        condition = to_sql(where) if failing > _FEW_FAIL * self.num_rows else ""
        dropping = failing and not condition
        count = k + _TIES + (_SPARE if dropping else 0)
        while True:
            search = self._table.search(words, query_type="fts")
            search = search.where(condition, prefilter=True) if condition else search
            # To look up a column of so many rows takes a third of the search; their ids come along with the scores.
            found = search.select(["_score"]).with_row_id(True).limit(count).to_arrow()
            rows, scores = self._rows.of(found["_rowid"].to_numpy()), found["_score"].to_numpy()
            if dropping:
                rows, scores = rows[passes[rows]], scores[passes[rows]]
            if len(found) < count or (len(scores) > k and scores[k - 1] != scores[-1]):
                return _candidates(_passage_ids(self.blocks, rows), scores.tolist(), k)
            count *= 4

    def recall(self, queries: Vectors | None = None, *, k: int = 100, samples: int = 50) -> float | None:
        """The share of the exact k nearest passages that `nearest` finds for queries [Q, d]; None where it is exact.

        Without queries some passages are asked for. The question of a user lies farther from the passages than they
        from each other, and may find somewhat less.
        """
        if self._is_exact:
            return None
        if queries is None:
            rows = np.flatnonzero(self._passing(Filter(include_retracted=True)))
            sample = np.random.default_rng(0).choice(rows, min(samples, len(rows)), replace=False)
            queries = self.read(_passage_ids(self.blocks, sample)).vectors
        parts = [block.vectors for block in self.blocks]
        shares = []
        for query in queries:
            exact, found = (set(nearest(parts, query, k=k, exact=how)[0].tolist()) for how in (True, False))
            shares.append(len(exact & found) / len(exact))
        return float(np.mean(shares))

    def read(self, passage_ids: Sequence[str]) -> BlockPassages:
        """What is stored of these passages, in this order, unknown ids left out."""
        rows = self._rows_of(passage_ids)
        known = np.flatnonzero(rows >= 0)
        ids = [passage_ids[number] for number in known.tolist()]
        return BlockPassages(ids, self.manifest, self.blocks, rows[known])

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

    @property
    def num_rows(self) -> int:
        """How many passages there are."""
        return len(self._rows.rows)

    @cached_property
    def alive(self) -> list[Mask]:
        """Which rows [P] of each block the table has."""
        alive = np.zeros(sum(map(len, self.blocks)), np.bool_)
        alive[self._rows.rows] = True
        ends = accumulate(map(len, self.blocks))
        return [alive[end - len(block) : end] for block, end in zip(self.blocks, ends, strict=True)]

    def _rows_passing(self, where: Filter) -> Mask:
        """[P], which rows of all blocks are in the table and pass the filter."""
        masks = [passing(where, block.rows) & mask for block, mask in zip(self.blocks, self.alive, strict=True)]
        return np.concatenate([np.empty(0, np.bool_), *masks])

    def _rows_of(self, passage_ids: Sequence[str]) -> Rows:
        """The row of each of these passages, -1 where there is none."""
        hashes, rows = self._by_hash
        positions = _positions(np.fromiter(map(passage_hash, passage_ids), np.uint64, len(passage_ids)), hashes)
        return np.append(rows, -1)[positions]  # a position of -1 is that of the -1 behind the rows

    @cached_property
    def _by_hash(self) -> tuple[NDArray[np.uint64], Rows]:
        """The hashes of the passage_ids in the table, ascending, and the row of each."""
        rows = self._rows.rows
        hashes = np.concatenate([np.empty(0, np.uint64), *(block.hashes for block in self.blocks)])[rows]
        order = np.argsort(hashes)
        return hashes[order], rows[order]


@dataclass(frozen=True, slots=True, eq=False)
class BlockPassages:
    """`StoredPassages` in these rows [P] of blocks: each part is read when it is asked for."""

    passage_ids: Sequence[str]
    manifest: Manifest
    blocks: Sequence[Block]
    rows: Rows

    def take(self, numbers: Sequence[int]) -> BlockPassages:
        """The passages of these numbers, in this order."""
        return replace(self, passage_ids=[self.passage_ids[number] for number in numbers], rows=self.rows[numbers])

    @property
    def vectors(self) -> Vectors:
        """[P, d]"""
        vectors = np.empty((len(self.rows), self.manifest.encoder.dim), np.float32)
        for places, block, within in _by_block(self.blocks, self.rows):
            vectors[places] = block.vectors.vectors[within]
        return vectors

    @property
    def has_token_vectors(self) -> bool:
        """Whether the index keeps token vectors."""
        return self.manifest.token_vectors

    @property
    def token_vectors(self) -> TokenVectors:
        """Those of all passages, one passage after another; ValueError where none are kept."""
        if not self.manifest.token_vectors:
            raise ValueError("The index keeps no token vectors: let the re-ranker make them.")
        values: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)] * len(self.rows)
        for places, block, within in _by_block(self.blocks, self.rows):
            data, bounds = block.token_values
            starts, ends = bounds[within].tolist(), bounds[within + 1].tolist()
            for place, start, end in zip(places.tolist(), starts, ends, strict=True):
                values[place] = data[start:end]
        return unpacked_vectors(values, self.manifest)

    @property
    def token_spans(self) -> list[TokenSpans] | None:
        """Those that were stored with the token vectors, None where none were."""
        spans = [to_spans(row) for row in self._columns(SPANS_COLUMN)]
        stored = [one for one in spans if one is not None]
        return stored if len(stored) == len(spans) else None

    @property
    def passages(self) -> list[Passage]:
        """The passages themselves."""
        return [to_passage(row) for row in self._columns(*PASSAGE_COLUMNS)]

    def _columns(self, *columns: str) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = [{}] * len(self.rows)
        for places, block, within in _by_block(self.blocks, self.rows):
            taken = block.rows.select(columns).take(pa.array(within)).to_pylist()
            for place, row in zip(places.tolist(), taken, strict=True):
                read[place] = row
        return read


def load_snapshot(
    table: LanceTable, watch: TableWatch, manifest: Manifest, files: BlockFiles, before: TableSnapshot | None
) -> TableSnapshot:
    """The snapshot of a table that is checked out at a version.

    Rows come from the files, then from what the snapshot before held in memory, then from the table. Where the last are
    many, they are put into a file, unless the folder cannot be written to.
    """
    listed = table.search().select([KEY_COLUMN]).with_row_id(True).to_arrow()
    keys, row_ids = listed[KEY_COLUMN].to_numpy(), listed["_rowid"].to_numpy()
    blocks = files.blocks()
    missing = _without(keys, blocks)
    if len(missing) > HELD_ROWS and files.can_write():
        with suppress(OSError):  # the disk is full, say: then they are held
            files.write(blocks_of(_read_rows(table, keys, missing)))
            blocks = files.blocks()
            missing = _without(keys, blocks)
    held = [block for block in before.blocks if block.file is None] if before else []
    if len(held) <= _MOST_BLOCKS:  # else all of them are read anew, as one
        blocks += held
        missing = _without(missing, held)
    blocks += map(Block, blocks_of(_read_rows(table, keys, missing)))
    ascending = np.sort(keys)
    blocks = [block for block in blocks if (_positions(block.keys, ascending) >= 0).any()]
    own = _keys(blocks)
    order, by_id = np.argsort(own, kind="stable"), np.argsort(row_ids)
    rows = order[np.searchsorted(own, keys[by_id], sorter=order)]  # of several rows of one key, the first
    return TableSnapshot(table, watch, manifest, blocks, TableRows(row_ids[by_id], rows))


def tidy(snapshot: TableSnapshot, files: BlockFiles) -> None:
    """Put rows that are held into a file, join files where they are many or half empty, and delete what is of no use.

    An index of few rows needs no file. OSError where a file cannot be written.
    """
    needless = files.paths()
    if snapshot.num_rows > HELD_ROWS:
        living, written = Counter[Path | None](), Counter[Path | None]()
        for block, mask in zip(snapshot.blocks, snapshot.alive, strict=True):
            living[block.file] += int(np.count_nonzero(mask))
            written[block.file] += len(block)
        many = len(living) > _MOST_FILES
        joined = {
            file
            for file, rows in living.items()
            if file is None or 2 * rows < written[file] or (many and 2 * rows < snapshot.num_rows)
        }
        files.write(blocks_of(_rows_in(snapshot, joined)))
        needless = [path for path in needless if path not in living or path in joined]
    files.remove(needless)


def _by_block(blocks: Sequence[Block], rows: Rows) -> Iterator[tuple[Rows, Block, Rows]]:
    """Rows that count through all blocks, block by block: where they stand, the block, the rows within it."""
    ends = np.cumsum([len(block) for block in blocks], dtype=np.int64)
    numbers = np.searchsorted(ends, rows, side="right")
    for number in np.unique(numbers).tolist():
        block, places = blocks[number], np.flatnonzero(numbers == number)
        yield places, block, rows[places] - (ends[number] - len(block))


def _passage_ids(blocks: Sequence[Block], rows: Rows) -> list[str]:
    ends = np.cumsum([len(block) for block in blocks], dtype=np.int64)
    numbers = np.searchsorted(ends, rows, side="right")
    within = (rows - ends[numbers]).tolist()  # counted back from the end of the block, since rows lie in many blocks
    return [blocks[number].passage_ids[row].as_py() for number, row in zip(numbers.tolist(), within, strict=True)]


def _rows_in(snapshot: TableSnapshot, files: Container[Path | None]) -> Iterator[pa.Table]:
    for block, mask in zip(snapshot.blocks, snapshot.alive, strict=True):
        if block.file in files:
            yield pa.Table.from_batches([block.rows.filter(pa.array(mask))])


def _keys(blocks: Sequence[Block]) -> Keys:
    return np.concatenate([np.empty(0, np.int64), *(block.keys for block in blocks)])


def _without(keys: Keys, blocks: Sequence[Block]) -> Keys:
    """Those of the keys, ascending, that no block has."""
    return np.sort(keys[_positions(keys, np.sort(_keys(blocks))) < 0])


def _positions(values: NDArray[Any], ascending: NDArray[Any]) -> Rows:
    """Where each of the values stands among others, which are sorted once for many calls; -1 where it does not."""
    if not len(ascending):
        return np.full(len(values), -1)
    positions = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.where(ascending[positions] == values, positions, -1)


def _read_rows(table: LanceTable, keys: Keys, wanted: Keys) -> Iterator[pa.Table]:
    """The rows of the table, whose keys these are, with the wanted ones, ascending."""
    if 2 * len(wanted) > len(keys):
        for batch in table.search().select(list(TABLE_COLUMNS)).to_batches():
            is_wanted = _positions(batch[KEY_COLUMN].to_numpy(), wanted) >= 0
            yield pa.Table.from_batches([batch.filter(pa.array(is_wanted))])
        return
    for first in range(0, len(wanted), _AT_ONCE):
        listed = ", ".join(map(str, wanted[first : first + _AT_ONCE].tolist()))
        yield table.search().where(f"{KEY_COLUMN} IN ({listed})").select(list(TABLE_COLUMNS)).to_arrow()


def _candidates(passage_ids: Sequence[str], scores: Sequence[float], k: int) -> list[Candidate]:
    ordered = sorted(zip(passage_ids, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))[: max(k, 0)]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, start=1)]
