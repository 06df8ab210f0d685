"""Rows of a table by passage_id. Knows Lance's row ids, no records.

Without the row id, Lance reads every passage_id to find a hundred of them. A search sees the row ids of what it finds,
so they are remembered for the reads that follow it. A row id may be out of date, never wrong: Lance gives it to no
other row, and what is no longer there under it is looked up by its passage_id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa
from lancedb.table import LanceTable

from osler.index.filters import one_of
from osler.index.watch import TableWatch

ROW_ID = "_rowid"

Copied = Callable[[Sequence[int], Sequence[str]], pa.Table | None]
"""Gives columns of those of these rows that are read faster from elsewhere, with their ids; None where none are."""

_MOST = 100_000
"""Row ids that are remembered; then it begins anew."""


class RowLookup:
    """Finds rows by passage_id, fast where a search has seen them."""

    def __init__(self, table: LanceTable, watch: TableWatch) -> None:
        self._table = table
        self._watch = watch
        self._epoch = watch.epoch
        self._seen: dict[str, int] = {}

    def remember(self, found: pa.Table) -> None:
        """Keep the row ids of these rows, which have the columns passage_id and _rowid."""
        if len(self._seen) > _MOST or self._epoch != self._watch.epoch:
            self._seen, self._epoch = {}, self._watch.epoch
        # Threads may do so at once: an update of a dictionary is one step, and a copy would take longer every time.
        self._seen.update(dict(zip(found["passage_id"].to_pylist(), found[ROW_ID].to_pylist(), strict=True)))

    def rows(
        self, passage_ids: Sequence[str], columns: Sequence[str], *, known: Mapping[str, int], copied: Copied
    ) -> pa.Table:
        """The rows of these passages, in any order, passage_id among their columns; known: row ids from elsewhere."""
        seen = self._seen if self._epoch == self._watch.epoch else {}
        row_ids = {one: known.get(one, seen.get(one)) for one in passage_ids}
        names = {row_id: one for one, row_id in row_ids.items() if row_id is not None}
        found = self._taken(list(names), [name for name in columns if name != "passage_id"], copied)
        ids = pa.array([names[row_id] for row_id in found[ROW_ID].to_pylist()], pa.string())
        found = found.append_column("passage_id", ids).select(list(columns))
        missing = row_ids.keys() - set(found["passage_id"].to_pylist())
        if not missing:
            return found
        rest = self._table.search().where(one_of("passage_id", sorted(missing))).select(list(columns)).to_arrow()
        return pa.concat_tables([found, rest], promote_options="default")  # an id read here may be of a nullable column

    def _taken(self, row_ids: Sequence[int], columns: Sequence[str], copied: Copied) -> pa.Table:
        """These columns of those of these rows that are there, with their ids, in any order."""
        found = copied(row_ids, columns)
        if found is None:
            return self._of_table(row_ids, columns)
        rest = {*row_ids}.difference(found[ROW_ID].to_pylist())
        return pa.concat_tables([found, self._of_table(rest, columns).select(found.column_names)]) if rest else found

    def _of_table(self, row_ids: Iterable[int], columns: Sequence[str]) -> pa.Table:
        return self._table.take_row_ids(list(row_ids)).select(list(columns)).with_row_id().to_arrow()
