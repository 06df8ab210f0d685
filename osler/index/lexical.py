"""What the words of a query find: Lance's full-text search, named and filtered in memory where the rows are held.

A condition takes Lance about as long as the search itself, so it is not asked where most rows meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index.resident import ResidentRows

_MOST_PASS: Final = 0.5
"""Share of the rows: where fewer meet a condition, too many hits would be dropped, so Lance is asked for it."""

_MORE: Final = 4
"""Times as many hits are asked for where too few of them meet the condition."""


def matching_rows(
    table: LanceTable, query: str, *, count: int, condition: str, columns: Sequence[str] = ("passage_id",)
) -> pa.Table:
    """The `count` rows of the highest BM25 score that meet this SQL condition, best first, with score and row id.

    The query is words, never syntax; any of them suffices.
    """
    words = MatchQuery(query, "lexical")  # type: ignore[call-arg]  # its defaults are pydantic's
    search = table.search(words, query_type="fts")
    if condition:
        search = search.where(condition, prefilter=True)
    return search.select([*columns, "_score"]).with_row_id(True).limit(count).to_arrow()


def held_rows(
    table: LanceTable,
    query: str,
    rows: ResidentRows,
    *,
    count: int,
    condition: str,
    allowed: NDArray[np.int64] | None,
) -> pa.Table | None:
    """The same, at least `count` of them where there are as many, as those in memory tell their ids.

    allowed: the places of those that meet the condition, None without one. None where a row is found that is not held.
    """
    if allowed is None or len(allowed) > _MOST_PASS * len(rows.row_ids):
        condition = ""
    asked = count
    while True:
        hits = matching_rows(table, query, count=asked, condition=condition, columns=())
        found = rows.named(hits, allowed)
        if found is None or len(found) >= count or len(hits) < asked:
            return found
        asked *= _MORE
