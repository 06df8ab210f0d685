"""Which documents can be stored and read again; a damage in place of the others. Knows records, no index.

Documents come from readers, and from Python as anybody made them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from osler.records import Damage, Document, Entry, Metadata, Section

_NESTED_AT_MOST: Final = 100  # Python reads and writes JSON recursively, to a depth that depends on the caller

_LONGEST_TITLE: Final = 1_000_000  # it is read with each passage, and all at once


def without_giants(entries: Iterable[Entry], *, most: int) -> Iterator[Entry]:
    """The entries; in place of a document of more characters than `most`, or of an endless title, its damage."""
    for entry in entries:
        if not isinstance(entry, Document):
            yield entry
            continue
        title, length = _lengths(entry)
        if length > most:
            remedy = "divide it, or raise the setting index.max_characters"
            yield damage(entry, f"it has {length:,} characters, and at most {most:,} are taken: {remedy}")
        elif title > _LONGEST_TITLE:
            yield damage(entry, f"a title or heading has {title:,} characters: make it shorter, or part of the text")
        else:
            yield entry


def _lengths(document: Document) -> tuple[int, int]:
    """Characters of the longest title or heading, and of the document; 0 where they are no strings, told later."""
    try:
        titles = [len(document.title), *(len(section.heading) for section in document.sections)]
        return max(titles), sum(titles) + sum(len(section.text) for section in document.sections)
    except (TypeError, AttributeError):
        return 0, 0


def damage(document: Document, reason: str) -> Damage:
    """That this document is passed over, and why."""
    return Damage(str(document.doc_id).encode(errors="replace").decode(), "document", reason)


def checked(entry: Entry) -> Entry:
    """The entry, or, in place of a document that cannot be stored, its damage."""
    if not isinstance(entry, Document):
        return entry
    sections = entry.sections if isinstance(entry.sections, list | tuple) else [entry.sections]
    if any(not isinstance(section, Section) for section in sections):
        return damage(entry, f"its sections must be `Section`s, not {entry.sections!r:.40}")
    parts = [part for section in sections for part in (section.heading, section.text)]
    if others := [text for text in (entry.doc_id, entry.title, *parts) if not isinstance(text, str)]:
        return damage(entry, f"its id, title, headings and text must be strings, not {others[0]!r:.40}")
    if not entry.doc_id.strip():
        return damage(entry, "its id is empty")
    if not entry.title.strip() and not entry.text.strip():
        return damage(entry, "neither a title nor text")
    try:
        entry.doc_id.encode()
        _check_metadata({**entry.metadata, "identifiers": dict(entry.identifiers)})
        _ = entry.fingerprint, entry.version
    except UnicodeEncodeError as error:
        return damage(entry, f"half a surrogate pair ({error.object[error.start]!r}) is no character: leave it out")
    except (TypeError, ValueError) as error:  # a version that is no number
        return damage(entry, str(error))
    return entry


def _check_metadata(metadata: Metadata) -> None:
    """ValueError for metadata that could not be stored and read again."""
    try:
        json.dumps(dict(metadata), allow_nan=False)
        level: list[Any] = [metadata]
        for _ in range(_NESTED_AT_MOST):
            level = [inner for value in level for inner in _inner(value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata that JSON cannot hold ({error}); leave that value out or make it text") from error
    except RecursionError:
        level = [metadata]
    if any(isinstance(value, Mapping | list | tuple) for value in level):
        raise ValueError(f"metadata nested more than {_NESTED_AT_MOST} deep; make them flatter")


def _inner(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
