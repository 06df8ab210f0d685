"""A filter on what a search of the table finds: asked of the table, or applied to its hits. Knows SQL, no `Filter`.

Lance reads what a condition asks of every row before it searches, which takes longer than the search. So where few rows
fail a condition, their ids are kept in mind, and they are dropped from what is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable

from osler.index.lookup import ROW_ID

_MOST_FAILING: Final = 50_000
"""Rows that are kept in mind; where more fail, many hits would be dropped too."""

_SPARE: Final = 20
"""Hits that are asked for in place of those that are dropped."""

_MORE: Final = 4
"""Times as many are asked for where those were too few."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a query of the table is asked to meet, and the ids of the rows that are dropped from its hits."""

    sql: str = ""
    failing: frozenset[int] = frozenset()

    def applied(self, query: Any) -> Any:
        """The query with the condition."""
        return query.where(self.sql, prefilter=True) if self.sql else query

    def best(self, search: Callable[[int], pa.Table], count: int) -> pa.Table:
        """At least `count` rows of the best that pass, where there are as many; search: the best rows, with row ids."""
        asked = count + min(len(self.failing), _SPARE)
        while True:
            found = search(asked)
            passing = self._passing(found)
            if len(passing) >= count or len(found) < asked:
                return passing
            asked *= _MORE

    def _passing(self, found: pa.Table) -> pa.Table:
        if not self.failing:
            return found
        return found.filter(np.array([row_id not in self.failing for row_id in found[ROW_ID].to_pylist()], dtype=bool))


def restriction(table: LanceTable, condition: str) -> Restriction:
    """The condition as it is, or as the rows that fail it."""
    query = table.search().where(f"({condition}) IS NOT TRUE").select(["position"]).with_row_id(True)
    failing = query.limit(_MOST_FAILING + 1).to_arrow()[ROW_ID].to_pylist()
    return Restriction(condition) if len(failing) > _MOST_FAILING else Restriction(failing=frozenset(failing))
