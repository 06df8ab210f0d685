"""Tables of publications, CSV or with tabs or semicolons: PubMed, Embase, Scopus, Cochrane, Zotero, Retraction Watch.

The names of the columns decide. Knows which column holds what; what a value means is `publications`' part.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from osler.corpus.bibliography import Bibliography, first_year
from osler.corpus.publications import Publication, author_names, clean
from osler.corpus.streams import LINE_BYTES, MAX_RECORD_BYTES, Line, read_text_lines
from osler.records import Damage, Document, Entry, Section
from osler.text.identifiers import identifiers

# What a column holds -> its names, the best first, in small letters without blanks and punctuation.
_COLUMNS = {
    "title": "title articletitle documenttitle primarytitle ti",
    "abstract": "abstract abstractnote abstracttext ab text",
    "authors": "authors author authornames authorfullnames au",
    "journal": "sourcetitle publicationtitle publicationname journalbook journal journaltitle journalname so source",
    "abbreviation": "abbreviatedsourcetitle journalabbreviation journalisoabbreviation isoabbreviation ji j9",
    "year": "publicationyear year pubyear yearpublished py date publicationdate dateofpublication",
    "language": "language articlelanguage languageoforiginaldocument languages la",
    "type": "publicationtype publicationtypes documenttype itemtype articletype type dt pt",
    "keywords": "keywords authorkeywords indexkeywords keywordsplus emtreedrugindextermsmajorfocus "
    "emtreedrugindexterms emtreemedicalindextermsmajorfocus emtreemedicalindexterms manualtags automatictags "
    "meshterms de",
    "pmid": "pmid pubmedid medlinepmid pm",
    "doi": "doi digitalobjectidentifier di",
    "pmcid": "pmcid pmc pmcnumber",
    "accession": "accessionnumber centralid embaseaccessionid pui eid utuniquewosid ut accession id key",
    "notes": "notes note extra",
    "retracted": "retracted isretracted retractionstatus",
    "links": "url urls link links fulltextlink embaselink",
}
_FIELDS = {name: field for field, names in _COLUMNS.items() for name in names.split()}
_ORDER = {name: rank for names in _COLUMNS.values() for rank, name in enumerate(names.split())}
_TELLING = {"abstract", "authors", "journal", "year", "doi", "pmid", "pmcid"}
_HEADER_LINES = 20  # Embase writes the query above the names of the columns
_DELIMITERS = (",", "\t", ";")

_RETRACTION_WATCH = {"retractionnature", "originalpaperdoi", "title"}
_NATURES = {
    "retraction": ("retraction", "Retraction", "Retraction of Publication"),
    "expression of concern": ("concern", "Expression of concern", "Expression of Concern"),
    "correction": ("correction", "Correction", "Published Erratum"),
}  # of a notice -> its kind, the beginning of its title, its publication type


@dataclass(frozen=True, slots=True)
class _Header:
    """The names of the columns and what stands between them; `number` is the line of the names."""

    number: int
    names: tuple[str, ...]
    delimiter: str


def is_citation_table(text: str) -> bool:
    """Whether a table of publications begins here: a line that names a column of titles and another one osler knows."""
    lines = (Line(number, line) for number, line in enumerate(text.split("\n", _HEADER_LINES)[:_HEADER_LINES], start=1))
    return any(_header(line) for line in lines)


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each row, in the order of the file; of Retraction Watch's table, a small notice each row.

    >>> text = b'PMID,Title,Authors,Journal/Book\\n7,Mice and men,"Osler W, Gray H",Nature\\n'
    >>> [(entry.doc_id, entry.metadata["authors"]) for entry in read(io.BytesIO(text), "a file")]
    [('PMID:7', ['Osler, W', 'Gray, H'])]
    """
    lines = read_text_lines(stream, source)
    header = None
    for line in lines:
        if isinstance(line, Damage):
            yield line
        elif (header := _header(line)) or line.number >= _HEADER_LINES:
            break
    if header is None:
        yield Damage(
            source, "line 1", "no line names the columns; name one `Title` and another `Abstract`, `PMID` or `DOI`"
        )
        return
    convert = _notice if set(header.names) >= _RETRACTION_WATCH else _publication
    for row in _rows(lines, source, header):
        if isinstance(row, Damage):
            yield row
            continue
        try:
            yield convert(header.names, row.cells)
        except ValueError as error:
            yield Damage(source, f"line {row.number}", str(error))


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Sequence[str]


def _rows(lines: Iterable[Line | Damage], source: str, header: _Header) -> Iterator[_Row | Damage]:
    """The rows, each of one line or of several within quotes.

    A quote that never closes costs its own line: the lines behind it, which it seemed to hold, are read again.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_BYTES))
    waiting: deque[Line | Damage] = deque()
    source_lines = iter(lines)

    def next_line() -> Line | Damage | None:
        return waiting.popleft() if waiting else next(source_lines, None)

    while line := next_line():
        if isinstance(line, Damage):
            yield line
            continue
        if not line.text.strip():
            continue
        taken, size = [line], len(line.text)
        is_open = line.text.count('"') % 2 == 1
        while is_open and size <= MAX_RECORD_BYTES and (more := next_line()):
            if isinstance(more, Damage):
                waiting.appendleft(more)
                break
            taken.append(more)
            size += len(more.text) + LINE_BYTES
            is_open = more.text.count('"') % 2 == 0
        cells = None if is_open else _cells("\n".join(part.text for part in taken), header)
        if cells is None:
            waiting.extendleft(reversed(taken[1:]))
            cells = _cells(line.text, header)
        if cells is None:
            reason = f"not the {len(header.names)} columns that line {header.number} names"
            yield Damage(source, f"line {line.number}", reason)
        else:
            yield _Row(line.number, cells)


def _cells(text: str, header: _Header) -> list[str] | None:
    """The cells of a row; None where they are not as many as the columns, or a quote never closes.

    Of a row in one line, cells at its end may be missing, and text may stand behind a quote.
    """
    is_strict = True
    while True:
        try:
            (cells,) = csv.reader([text], delimiter=header.delimiter, strict=is_strict)
            break
        except (csv.Error, ValueError):
            if not is_strict or text.count('"') % 2 or "\n" in text:
                return None
            is_strict = False
    while len(cells) > len(header.names) and not cells[-1].strip():
        cells.pop()
    if len(cells) > len(header.names) or (len(cells) < len(header.names) and (not is_strict or "\n" in text)):
        return None
    return cells + [""] * (len(header.names) - len(cells))


def _header(line: Line) -> _Header | None:
    for delimiter in _DELIMITERS:
        try:
            (cells,) = csv.reader([line.text[:100_000]], delimiter=delimiter)
        except (csv.Error, ValueError):
            continue
        names = tuple("".join(re.findall(r"[^\W_]+", cell.casefold())) for cell in cells)
        fields = {_FIELDS[name] for name in names if name in _FIELDS}
        if "title" in fields and (fields & _TELLING or set(names) >= _RETRACTION_WATCH):
            return _Header(line.number, names, delimiter)
    return None


def _publication(names: Sequence[str], cells: Sequence[str]) -> Document:
    columns = sorted(zip(names, cells, strict=True), key=lambda column: _ORDER.get(column[0], 0))

    def values(*fields: str) -> list[str]:
        return [cell for field in fields for name, cell in columns if _FIELDS.get(name) == field and cell.strip()]

    def first(field: str) -> str:
        return next(iter(values(field)), "")

    return Publication(
        title=first("title"),
        abstracts=values("abstract"),
        authors=author_names(first("authors")),
        journals=[*values("journal")[:1], *values("abbreviation")],
        year=first("year"),
        languages=values("language"),
        types=values("type"),
        keywords=[word for cell in values("keywords") for word in re.split(r";|\n" if ";" in cell else r",|\n", cell)],
        pmid=re.sub(r"^\D*(?:PUBMED|PMID)\D*", "", first("pmid"), flags=re.IGNORECASE),
        doi=first("doi"),
        pmcid=first("pmcid"),
        accessions=values("accession"),
        notes=values("notes"),
        links=values("links"),
        retracted=values("retracted"),
    ).document()


def _notice(names: Sequence[str], cells: Sequence[str]) -> Document:
    """A notice of Retraction Watch's table, which names the publication that it is about."""
    row = dict(zip(names, cells, strict=True))
    if not row.get("recordid", "").strip():
        raise ValueError("a notice without its Record ID")
    nature = row["retractionnature"].strip()
    kind, begin, publication_type = _NATURES.get(nature.casefold(), ("", nature, ""))
    about = [
        *(f"PMID:{pmid}" for pmid in _ids("pmid", row.get("originalpaperpubmedid", ""))),
        *(f"doi:{doi}" for doi in _ids("doi", row["originalpaperdoi"])),
    ]
    bibliography = Bibliography(
        authors=tuple(filter(None, (name.strip() for name in row.get("author", "").split(";")))),
        journal=clean(row.get("journal", "")),
        year=first_year(row.get("retractiondate", "")),
        publication_types=(publication_type,) if publication_type else (),
        notice_of={kind: tuple(about)} if kind else {},
    )
    title = f"{begin}: {clean(row['title'])}"
    reasons = "; ".join(reason.strip(" +") for reason in row.get("reason", "").split(";") if reason.strip(" +"))
    sections = (Section("Reasons", f"Reasons: {reasons}."),) if reasons else ()
    ids = identifiers(
        pmid=_ids("pmid", row.get("retractionpubmedid", "")), doi=_ids("doi", row.get("retractiondoi", ""))
    )
    return Document(f"RetractionWatch:{row['recordid'].strip()}", title, sections, ids, bibliography.metadata(title))


def _ids(kind: str, cell: str) -> list[str]:
    """The ids of this kind that a cell names, which writes 0 or `unavailable` for none.

    >>> _ids("doi", "https://doi.org/10.1000/X; 10.1000/Y"), _ids("pmid", "0"), _ids("pmid", "7.0")
    (['10.1000/X', '10.1000/Y'], [], ['7'])
    """
    names = (name.strip().removesuffix(".0") for name in re.split(r"[;|\s]+", cell))
    return [value for name in names for value in identifiers(**{kind: name}).values()]
