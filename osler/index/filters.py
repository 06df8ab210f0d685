"""What filters read of foreign metadata, and a `Filter` as a mask over rows, or as the SQL condition of a query.

The metadata themselves are stored as they came; only the filter columns are brought into one form here.

No SQL text ever comes from outside: a value appears only inside a quoted literal. Values match whole and whatever
their case (`humans` finds `Humans`), since the filter columns are written by `normalised` too; journals and authors
match in any of their usual spellings, by `names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from osler.errors import UsageError
from osler.index.names import author_keys, author_names, author_query, journal_keys, journal_query
from osler.records import Filter, Metadata, is_retracted

FILTER_COLUMNS: Final = (
    "year",
    "language",
    "publication_types",
    "mesh",
    "journal",
    "authors",
    "retracted",
)

_LISTS = (tuple, list, set, frozenset)


def normalised(value: str) -> str:
    """The value as the filter columns hold it: case folded, without space around it.

    >>> normalised(" Journal Article ")
    'journal article'
    """
    return value.strip().casefold()


def quoted(values: Iterable[str]) -> str:
    """The values as SQL literals with commas between them.

    >>> print(quoted(["a", "it's"]))
    'a', 'it''s'
    """
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that the column holds one of the values; they must not be empty.

    >>> one_of("doc_id", ["PMID:1", "PMID:2"])
    "doc_id IN ('PMID:1', 'PMID:2')"
    """
    return f"{column} IN ({quoted(values)})"


def to_sql(where: Filter) -> str:
    """The condition for the rows that the filter lets through, "" where it lets all through.

    A passage without a year fails every condition on years. UsageError for a value that cannot be meant.

    >>> to_sql(Filter(year_from=2010, mesh=("Humans", "Mice")))
    "NOT retracted AND year >= 2010 AND array_has_any(mesh, ['humans', 'mice'])"
    """
    where = checked(where)
    conditions = [] if where.include_retracted else ["NOT retracted"]
    if where.year_from is not None:
        conditions.append(f"year >= {int(where.year_from)}")
    if where.year_to is not None:
        conditions.append(f"year <= {int(where.year_to)}")
    for column, values in _listed(where).items():
        conditions.append(f"array_has_any({column}, [{quoted(values)}])")
    if where.authors:
        # These parts of keys are letters, digits and a few marks, none of which LIKE takes for a pattern.
        parts = [quoted([f"%{part}%"]) for part in _author_parts(where)]
        conditions.append("(" + " OR ".join(f"authors LIKE {part}" for part in parts) + ")")
    return " AND ".join(conditions)


def passing(where: Filter, rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Which of the rows [P], which have `FILTER_COLUMNS`, the filter lets through: those that meet `to_sql`.

    >>> rows = pa.RecordBatch.from_pydict({"year": [1999, 2011, None], "retracted": [False, False, False]})
    >>> passing(Filter(year_from=2010), rows).tolist()
    [False, True, False]
    """
    masks = [] if where.include_retracted else [pc.invert(rows["retracted"])]
    if where.year_from is not None:
        masks.append(pc.greater_equal(rows["year"], where.year_from))
    if where.year_to is not None:
        masks.append(pc.less_equal(rows["year"], where.year_to))
    masks += [_has_any(rows[column], values) for column, values in _listed(where).items()]
    if where.authors:
        named = np.zeros(len(rows), dtype=np.bool_)
        for part in _author_parts(where):
            named |= _to_numpy(pc.match_substring(rows["authors"], part))
        masks.append(named)
    passes = np.ones(len(rows), dtype=np.bool_)
    for mask in masks:
        passes &= _to_numpy(mask)
    return passes


def _listed(where: Filter) -> dict[str, Sequence[str]]:
    """The values of which a column of lists must hold one, by column."""
    named = {"publication_types": where.publication_types, "language": where.languages, "mesh": where.mesh}
    listed: dict[str, Sequence[str]] = {
        column: [normalised(value) for value in values] for column, values in named.items() if values
    }
    if where.journals:
        listed["journal"] = [key for name in where.journals for key in journal_query(name)]
    return listed


def _author_parts(where: Filter) -> list[str]:
    return [part for name in where.authors for part in author_query(name)]


def _has_any(lists: pa.ListArray, values: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the lists hold one of the values; a null holds none."""
    is_value = _to_numpy(pc.is_in(lists.values, value_set=pa.array(values, pa.string())))
    counts = np.concatenate([[0], np.cumsum(is_value)])
    offsets = lists.offsets.to_numpy()
    has_any: NDArray[np.bool_] = counts[offsets[1:]] > counts[offsets[:-1]]
    return has_any


def _to_numpy(mask: pa.BooleanArray | NDArray[np.bool_]) -> NDArray[np.bool_]:
    if isinstance(mask, np.ndarray):
        return mask
    values: NDArray[np.bool_] = mask.fill_null(False).to_numpy(zero_copy_only=False)
    return values


def checked(where: Filter) -> Filter:
    """The filter with tuples for its lists and sets; UsageError for a value that cannot be meant."""
    for name in ("year_from", "year_to"):
        year = getattr(where, name)
        if not (year is None or isinstance(year, Integral)):
            raise UsageError(f"Filter({name}={year!r}) is not possible: give a whole number, such as 2010.")
    tuples: dict[str, Any] = {}
    for name in ("publication_types", "languages", "mesh", "journals", "authors"):
        values = getattr(where, name)
        if not (isinstance(values, _LISTS) and all(isinstance(value, str) and _is_text(value) for value in values)):
            raise UsageError(f"Filter({name}={values!r}) is not possible: give a tuple of strings, such as ('a', 'b').")
        tuples[name] = tuple(values)
    return replace(where, **tuples)


def _is_text(value: str) -> bool:
    """Whether the string has no half of a surrogate pair, which no index can hold."""
    return value == value.encode(errors="replace").decode()


_YEAR = re.compile(r"\d{4}")


def filter_columns(metadata: Metadata) -> dict[str, Any]:
    """The values of the filter columns by name: what is missing or makes no sense becomes None or an empty list.

    >>> columns = filter_columns({"year": "2001 Spring", "language": "Eng", "mesh": ["Humans", None]})
    >>> columns["year"], columns["language"], columns["mesh"], columns["retracted"]
    (2001, ['eng'], ['humans'], False)
    """
    journals = [name for key in ("journal", "journal_abbreviations") for name in _values(metadata.get(key))]
    return {
        "year": _year(metadata.get("year")),
        "language": _texts(metadata.get("language")),
        "publication_types": _texts(metadata.get("publication_types")),
        "mesh": _texts(metadata.get("mesh")),
        "journal": journal_keys(*journals),
        "authors": author_keys(author_names(metadata.get("authors"))) or None,
        "retracted": is_retracted(metadata),
    }


def _year(value: Any) -> int | None:
    found = _YEAR.search(str(value))
    return int(found[0]) if found else None


def _texts(value: Any) -> list[str]:
    return [text for item in _values(value) if (text := normalised(item))]


def _values(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(item) for item in values if item is not None]
