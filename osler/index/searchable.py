"""Asks every search index for what the table is known to hold. Knows the table, nothing of its rows' checksums.

Search indexes have no checksums of their own, so `osler check` can only ask them, as a search would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from osler.index.approximate import nearest_query
from osler.index.failures import attempt
from osler.index.filters import one_of, quoted
from osler.index.rows import Row
from osler.index.upkeep import SEARCH_INDEXES

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
    if "vector" in names:
        asked["vector"] = _by_vector
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
    columns = ["passage_id", "vector", *SEARCH_INDEXES]
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


def _by_vector(table: LanceTable, row: Row) -> bool:
    vector = np.asarray(row["vector"], dtype=np.float32)
    return len(nearest_query(table, vector, count=1).select(["passage_id"]).to_list()) == 1
