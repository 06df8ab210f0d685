"""Conditions as a user writes them (`year>=2010`, `mesh=Humans`) become a `Filter`. Knows text, no index and no SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from osler.errors import UsageError
from osler.records import Filter

KNOWN = (
    "year>=2010, year<=2020, year=2015, type=Review, mesh=Humans, language=eng, journal=Lancet, author=Osler W, "
    "retracted=any"
)
"""Every condition there is, by example."""

_OPERATORS = {
    "year": (">=", "<=", "="),
    **dict.fromkeys(("type", "mesh", "language", "journal", "author", "retracted"), ("=",)),
}

_CONDITION = re.compile(r"\s*(\w+)\s*([<>=!]+)\s*(.*\S)\s*", re.DOTALL)


def parse_where(conditions: Sequence[str]) -> Filter:
    """The filter that these conditions describe; several on one name ask for any of them, different names for all.

    UsageError for a condition that is unknown or cannot be meant; it lists those that can.

    >>> parse_where(["year >= 2010", "type=Review", "type=Meta-Analysis"]).publication_types
    ('Review', 'Meta-Analysis')
    """
    values: dict[tuple[str, str], list[str]] = {}
    for condition in conditions:
        name, operator, value = _parse(condition)
        values.setdefault((name, operator), []).append(value)
    year_from, year_to = _years(values)
    return Filter(
        year_from=year_from,
        year_to=year_to,
        publication_types=_texts(values, "type"),
        languages=_texts(values, "language"),
        mesh=_texts(values, "mesh"),
        journals=_texts(values, "journal"),
        authors=_texts(values, "author"),
        include_retracted=_retracted(values),
    )


_Values = dict[tuple[str, str], list[str]]


def _parse(condition: str) -> tuple[str, str, str]:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise UsageError(f"{condition!r} is not a condition; write one like {KNOWN}.")
    name, operator, value = match[1].lower(), match[2], match[3]
    if name not in _OPERATORS:
        raise UsageError(f"{condition!r}: unknown name {match[1]!r}; write a condition like {KNOWN}.")
    if operator not in _OPERATORS[name]:
        allowed = ", ".join(_OPERATORS[name])
        raise UsageError(f"{condition!r}: {name} takes {allowed}, not {operator}; write a condition like {KNOWN}.")
    return name, operator, value


def _texts(values: _Values, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values.get((name, "="), [])))


def _retracted(values: _Values) -> bool:
    states = _texts(values, "retracted")
    for value in states:
        if value.lower() != "any":
            raise UsageError(
                f"retracted={value} is unknown; write retracted=any to let retracted documents in, "
                "or leave this condition out."
            )
    return bool(states)


def _years(values: _Values) -> tuple[int | None, int | None]:
    lower, upper, exact = ([_year(text) for text in values.get(("year", sign), [])] for sign in (">=", "<=", "="))
    if len(set(exact)) > 1 or (exact and (lower or upper)):
        raise UsageError(f"year={exact[0]} cannot stand beside another year; write a range: year>=2010 year<=2020.")
    year_from, year_to = min(lower + exact, default=None), max(upper + exact, default=None)
    if year_from is not None and year_to is not None and year_from > year_to:
        raise UsageError(f"No year is both >={year_from} and <={year_to}; swap the two.")
    return year_from, year_to


def _year(text: str) -> int:
    if not re.fullmatch(r"[0-9]{4}", text):
        raise UsageError(f"{text!r} is not a year; write four digits, as in year>=2010. Known conditions: {KNOWN}.")
    return int(text)
