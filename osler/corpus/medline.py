"""MEDLINE text, also called .nbib: `PMID- 123`, one field a line or several, records apart by blank lines."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator

from osler.corpus.bibliography import Bibliography, first_year, identifiers
from osler.corpus.lines import Line, read_lines
from osler.records import Damage, Document, Entry, Section

Fields = dict[str, list[str]]

_FIELD = re.compile(r"([A-Z][A-Z0-9]{1,3}) *- ?(.*)")
_LABEL = re.compile(r"(?:^|(?<=[.?!)\]\"'] ))([A-Z][A-Z0-9 ,/&()'-]{2,60}): (?=\S)")
_PMID = re.compile(r"PMID: *(\d+)")
_NOTICES = {
    "RIN": "retraction",
    "RRI": "retraction",
    "ECI": "concern",
    "EIN": "correction",
    "CRI": "correction",
    "PRIN": "correction",
}


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each citation (`PMID:123`), in the order of the file.

    >>> text = b"PMID- 7\\nTI  - Mice and\\n      men.\\n"
    >>> [(entry.doc_id, entry.title) for entry in read(io.BytesIO(text), "a file")]
    [('PMID:7', 'Mice and men.')]
    """
    block: list[Line] = []
    damaged = False
    for line in read_lines(stream, source):
        if isinstance(line, Damage):
            yield line
            damaged = True
            continue
        if block and (not line.text.strip() or line.text.startswith("PMID-")):
            yield from _entries(block, source, damaged=damaged)
            block, damaged = [], False
        if line.text.strip():
            block.append(line)
    yield from _entries(block, source, damaged=damaged)


def _entries(block: list[Line], source: str, *, damaged: bool) -> Iterator[Entry]:
    """The document of a block of lines; none where a line of it was reported already."""
    if damaged or not block:
        return
    try:
        yield _document(_fields(block))
    except ValueError as error:
        yield Damage(source, f"line {block[0].number}", str(error))


def _fields(block: list[Line]) -> Fields:
    """The values of each tag in their order, continued lines joined."""
    fields: Fields = defaultdict(list)
    tag = ""
    for line in block:
        if match := _FIELD.match(line.text):
            tag = match[1]
            fields[tag].append(" ".join(match[2].split()))
        elif tag and line.text.startswith("  "):
            fields[tag][-1] = f"{fields[tag][-1]} {' '.join(line.text.split())}".strip()
        else:
            raise ValueError(f"line {line.number} is neither a field nor the continuation of one: {line.text[:40]!r}")
    return fields


def _document(fields: Fields) -> Document:
    pmid = _first(fields, "PMID")
    if not pmid.isdigit():
        raise ValueError(f"no PMID but {pmid!r}")
    title = _first(fields, "TI", "TT", "BTI")
    bibliography = Bibliography(
        journal=_first(fields, "JT", "TA", "BTI"),
        year=first_year(_first(fields, "DP")) or first_year(_first(fields, "DEP")[:4]),
        language=tuple(fields.get("LA", ())),
        publication_types=tuple(fields.get("PT", ())),
        mesh=tuple(_descriptor(heading) for heading in fields.get("MH", ())),
        mesh_major=tuple(_descriptor(heading) for heading in fields.get("MH", ()) if "*" in heading),
        keywords=tuple(word.lstrip("*") for word in fields.get("OT", ())),
        notices=_notices(fields),
    )
    ids = identifiers(pmid=pmid, doi=_doi(fields), pmcid=_first(fields, "PMC"))
    return Document(f"PMID:{pmid}", title, _sections(_first(fields, "AB")), ids, bibliography.metadata(title))


def _sections(abstract: str) -> tuple[Section, ...]:
    """The abstract, apart at its labels where it begins with one.

    >>> [section.heading for section in _sections("AIMS: To count. RESULTS: Four (SD: 1).")]
    ['AIMS', 'RESULTS']
    """
    labels = list(_LABEL.finditer(abstract))
    if not labels:
        return (Section("", abstract),) if abstract else ()
    ends = [label.start() for label in labels[1:]] + [len(abstract)]
    lead = abstract[: labels[0].start()].strip()
    labelled = [Section(label[1], abstract[label.end() : end].strip()) for label, end in zip(labels, ends, strict=True)]
    return (Section("", lead), *labelled) if lead else tuple(labelled)


def _descriptor(heading: str) -> str:
    return heading.partition("/")[0].lstrip("*")


def _doi(fields: Fields) -> str:
    marked = (value for tag in ("AID", "LID") for value in fields.get(tag, ()) if value.endswith("[doi]"))
    return next(marked, "").removesuffix("[doi]").strip()


def _notices(fields: Fields) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for tag, kind in _NOTICES.items():
        for value in fields.get(tag, ()):
            found[kind] = found.get(kind, ()) + tuple(f"PMID:{pmid}" for pmid in _PMID.findall(value))
    return found


def _first(fields: Fields, *tags: str) -> str:
    return next((fields[tag][0] for tag in tags if fields.get(tag)), "")
