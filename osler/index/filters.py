"""A `Filter` becomes the SQL condition of a query. Knows the filter columns, no table and no database.

No SQL text ever comes from outside: a value appears only inside a quoted literal. Values match whole and whatever
their case (`humans` finds `Humans`), since the filter columns are written by `normalised` too; journals and authors
match in any of their usual spellings, by `names`.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

from osler.errors import UsageError
from osler.index.names import author_query, journal_query
from osler.records import Filter

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
    _check(where)
    conditions = [] if where.include_retracted else ["NOT retracted"]
    if where.year_from is not None:
        conditions.append(f"year >= {int(where.year_from)}")
    if where.year_to is not None:
        conditions.append(f"year <= {int(where.year_to)}")
    lists = {"publication_types": where.publication_types, "language": where.languages, "mesh": where.mesh}
    for column, values in lists.items():
        if values:
            conditions.append(f"array_has_any({column}, [{quoted(map(normalised, values))}])")
    if where.journals:
        keys = [key for name in where.journals for key in journal_query(name)]
        conditions.append(f"array_has_any(journal, [{quoted(keys)}])")
    if where.authors:
        # These parts of keys are letters, digits and a few marks, none of which LIKE takes for a pattern.
        parts = [quoted([f"%{part}%"]) for name in where.authors for part in author_query(name)]
        conditions.append("(" + " OR ".join(f"authors LIKE {part}" for part in parts) + ")")
    return " AND ".join(conditions)


def _check(where: Filter) -> None:
    for name in ("year_from", "year_to"):
        year = getattr(where, name)
        if not (year is None or isinstance(year, Integral)):
            raise UsageError(f"Filter({name}={year!r}) is not possible: give a whole number, such as 2010.")
    for name in ("publication_types", "languages", "mesh", "journals", "authors"):
        values = getattr(where, name)
        if not (isinstance(values, _LISTS) and all(isinstance(value, str) and _is_text(value) for value in values)):
            raise UsageError(f"Filter({name}={values!r}) is not possible: give a tuple of strings, such as ('a', 'b').")


def _is_text(value: str) -> bool:
    """Whether the string has no half of a surrogate pair, which no index can hold."""
    return value == value.encode(errors="replace").decode()
