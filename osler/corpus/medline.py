"""MEDLINE text, also called .nbib: `PMID- 123`, one field a line or several; a record ends where the next PMID begins.

Blank lines end nothing: abstracts of books have paragraphs behind them.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap, zip_longest

from osler.corpus.bibliography import Bibliography, choose_title, first_year, related_by_kind, related_ids
from osler.corpus.pubmed import OtherAbstract, choose_sections, labelled_sections
from osler.corpus.streams import LINE_BYTES, MAX_RECORD_BYTES, Line, read_lines
from osler.records import Damage, Document, Entry
from osler.text.identifiers import identifiers

Fields = Mapping[str, Sequence[str]]

_BEGIN = re.compile(r"PMID *-")
_FIELD = re.compile(r"([A-Z][A-Z0-9]{1,3}) *- ?(.*)")
# Fields that every record has once: a second one belongs to a record whose own PMID line is lost.
_ONCE = ("OWN", "STAT", "TI", "DP", "SO", "TA", "JT")
_WITH_PARAGRAPHS = ("AB", "OAB")
_KINDS = ("pip", "kie", "nasa", "aamc", "aids", "publisher", "plain-language-summary")
_DOI = re.compile(r"(\S+) \[(?:book)?doi\]", re.IGNORECASE)
_SHORT_NAME = re.compile(r"(.+?) ([A-Z]{1,4}(?: (?:Jr|Sr|2nd|3rd|4th|II|III))?)")
_NOTICES = {
    "RIN": "retraction",
    "RRI": "retraction",
    "ECI": "concern",
    "EIN": "correction",
    "CRI": "correction",
    "PRIN": "correction",
}
_NOTICES_OF = {
    "ROF": "retraction",
    "RRF": "retraction",
    "ECF": "concern",
    "EFR": "correction",
    "CRF": "correction",
    "PROF": "correction",
}
_DATES = ("DP", "DEP", "EDAT", "CRDT", "DA")
_BOOK_DATES = ("DRDT", "CTDT", "CDAT", *_DATES)  # as in PubMed's XML, the date of the text comes first


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each citation (`PMID:123`), in the order of the file.

    >>> text = b"PMID- 7\\nTI  - Mice and\\n      men.\\n"
    >>> [(entry.doc_id, entry.title) for entry in read(io.BytesIO(text), "a file")]
    [('PMID:7', 'Mice and men.')]
    """
    for block in _blocks(stream, source):
        for record in _records(block):
            damage = next((line for line in record if isinstance(line, Damage)), None)
            lines = [line for line in record if isinstance(line, Line)]
            if damage:
                yield damage
            elif any(line.text.strip() for line in lines):
                try:
                    yield _document(_fields(lines))
                except ValueError as error:
                    yield Damage(source, f"line {lines[0].number}", str(error))


def _blocks(stream: io.BufferedIOBase, source: str) -> Iterator[list[Line | Damage]]:
    """What stands from one PMID to the next; of a block that is longer than a record may be, its damage alone."""
    block: list[Line | Damage] = []
    size = 0
    for line in read_lines(stream, source):
        text = line.text if isinstance(line, Line) else ""
        if _BEGIN.match(text):
            yield block
            block, size = [], 0
        if isinstance(line, Line) and not text.strip() and (not block or _is_blank(block[-1])):
            continue
        size += len(text) + LINE_BYTES
        if size <= MAX_RECORD_BYTES:
            block.append(line)
        elif not block or isinstance(block[0], Line):
            begin = block[0] if block else line
            position = f"line {begin.number}" if isinstance(begin, Line) else begin.position
            block = [Damage(source, position, f"a record longer than {MAX_RECORD_BYTES} bytes")]
    yield block


def _records(block: list[Line | Damage]) -> Iterator[list[Line | Damage]]:
    """The records of a block: one, unless a PMID line is lost, so that fields of another follow that record's own.

    The other begins behind the last blank line before the field that tells, if there is one.
    """
    start = behind_blank = 0
    tags: set[str] = set()
    for number, line in enumerate(block):
        match = _FIELD.match(line.text) if isinstance(line, Line) else None
        if (match or isinstance(line, Damage)) and number and _is_blank(block[number - 1]):
            behind_blank = number
        if match and match[1] in tags:
            end = behind_blank if behind_blank > start else number
            yield block[start:end]
            start, tags = end, set()
        if match and match[1] in _ONCE:
            tags.add(match[1])
    yield block[start:]


def _is_blank(line: Line | Damage) -> bool:
    return isinstance(line, Line) and not line.text.strip()


def _fields(lines: Sequence[Line]) -> Fields:
    """The values of each tag in their order, continued lines joined; a blank line parts paragraphs."""
    fields: dict[str, list[list[str]]] = defaultdict(list)
    value: list[str] = []
    blank = False
    for line in lines:
        if match := _FIELD.match(line.text):
            value = [match[2]]
            fields[match[1]].append(value)
        elif value and line.text[:1].isspace() and line.text.strip():
            value += ["\n", line.text] if blank else [line.text]
        elif line.text.strip():
            raise ValueError(f"line {line.number} is neither a field nor the continuation of one: {line.text[:40]!r}")
        blank = not line.text.strip()
    joined: dict[str, list[str]] = defaultdict(list)
    for tag, values in fields.items():
        for lines_of_value in values:
            paragraphs = (" ".join(paragraph.split()) for paragraph in " ".join(lines_of_value).split("\n"))
            separator = "\n" if tag in _WITH_PARAGRAPHS else " "
            joined[tag].append(separator.join(filter(None, paragraphs)))
    return dict(joined)


def _document(fields: Fields) -> Document:
    pmid = _first(fields, "PMID")
    if not pmid.isdigit():
        raise ValueError(f"no PMID but {pmid!r}")
    book = _first(fields, "BTI", "CTI")
    title, vernacular = choose_title(_first(fields, "TI") or book, _first(fields, "TT"))
    other_abstracts = zip_longest(fields.get("OAB", ()), fields.get("OABL", ()), fillvalue="")
    sections, text_language = choose_sections(
        labelled_sections(_first(fields, "AB")), starmap(_other_abstract, other_abstracts)
    )
    short_name = _first(fields, "TA") or _first(fields, "SO").partition(". ")[0]
    journal = _first(fields, "JT") or book or short_name
    bibliography = Bibliography(
        authors=_authors(fields),
        journal=journal,
        journal_abbreviations=(short_name,) if short_name not in (journal, "") and not book else (),
        year=next(
            (year for tag in (_BOOK_DATES if book else _DATES) if (year := first_year(_first(fields, tag)))), None
        ),
        language=tuple(fields.get("LA", ())),
        publication_types=tuple(fields.get("PT", ())),
        mesh=tuple(_descriptor(heading) for heading in fields.get("MH", ())),
        mesh_major=tuple(_descriptor(heading) for heading in fields.get("MH", ()) if "*" in heading),
        keywords=tuple(word.lstrip("*") for word in fields.get("OT", ())),
        notices=_related(fields, _NOTICES),
        notice_of=_related(fields, _NOTICES_OF),
        vernacular_title=vernacular,
        text_language=text_language,
    )
    marked_dois = (doi for tag in ("AID", "LID") for value in fields.get(tag, ()) for doi in _DOI.findall(value))
    doi = next(marked_dois, "") or next(iter(related_ids(_first(fields, "SO"))), "")
    ids = identifiers(pmid=pmid, doi=doi, pmcid=_first(fields, "PMC"))
    return Document(f"PMID:{pmid}", title, sections, ids, bibliography.metadata(title))


def _other_abstract(text: str, language: str) -> OtherAbstract:
    """The abstract, its kind told by a prefix; those without are what eLife and others write beside an abstract."""
    kind, separator, content = text.partition(": ")
    if not separator or kind.casefold() not in _KINDS:
        kind, content = "plain-language-summary", text
    return OtherAbstract(kind, language, labelled_sections(content))


def _authors(fields: Fields) -> tuple[str, ...]:
    """The authors, `Osler, William` each as far as given names are told, then groups; else the editors."""
    authors = fields.get("FAU") or [_with_comma(name) for name in fields.get("AU", ())]
    editors = fields.get("FED") or [_with_comma(name) for name in fields.get("ED", ())]
    return (*authors, *fields.get("CN", ())) or tuple(editors)


def _with_comma(name: str) -> str:
    match = _SHORT_NAME.fullmatch(name)
    return f"{match[1]}, {match[2]}" if match else name


def _descriptor(heading: str) -> str:
    return heading.partition("/")[0].lstrip("*")


def _related(fields: Fields, kinds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    references = ((kind, value) for tag, kind in kinds.items() for value in fields.get(tag, ()))
    return related_by_kind(references, own=f"PMID:{_first(fields, 'PMID')}")


def _first(fields: Fields, *tags: str) -> str:
    return next((fields[tag][0] for tag in tags if fields.get(tag)), "")
