"""Foreign metadata become the values of the filter columns. Knows how metadata vary, no table and no SQL.

The metadata themselves are stored as they came; only what a `Filter` reads is brought into one form here.
"""

from __future__ import annotations

import re
from typing import Any

from osler.index.filters import normalised
from osler.index.names import author_keys, author_names, journal_keys
from osler.records import Metadata, is_retracted

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
