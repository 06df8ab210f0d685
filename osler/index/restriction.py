"""A filter of a search: asked of the table, or applied to what the table finds. Knows SQL, no `Filter`.

Lance reads what a condition asks of every row before it searches, which takes longer than the search. So where few rows
fail a condition, their ids are kept in mind, and they are dropped from what is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable
from numpy.typing import NDArray

from osler.index.lookup import ROW_ID

_MOST_FAILING: Final = 50_000
"""Rows that are kept in mind; where more fail, much of what is found would be dropped too."""

_SPARE: Final = 20
"""Rows that are asked for in place of those that are dropped."""

_MORE: Final = 4
"""Times as many are asked for where those were too few."""


@dataclass(frozen=True, slots=True, eq=False)
class Restriction:
    """What a query of the table is asked to meet, and the row ids, ascending, that are dropped from what it finds."""

    sql: str = ""
    failing: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

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
        if not len(self.failing):
            return found
        row_ids = found[ROW_ID].to_numpy()
        places = np.minimum(np.searchsorted(self.failing, row_ids), len(self.failing) - 1)
        return found.filter(self.failing[places] != row_ids)


def restriction(table: LanceTable, condition: str) -> Restriction:
    """The condition as it is, or as the rows that fail it."""
    query = table.search().where(f"({condition}) IS NOT TRUE").select(["position"]).with_row_id(True)
    failing = np.sort(query.limit(_MOST_FAILING + 1).to_arrow()[ROW_ID].to_numpy())
    return Restriction(condition) if len(failing) > _MOST_FAILING else Restriction(failing=failing)
