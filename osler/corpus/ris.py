"""RIS, the format that databases and reference managers export: `TY  - JOUR`, a tag and its value a line, `ER  -`.

Every tool has its own dialect. Knows what each puts under which tag; what a value means is `publications`' part.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from osler.corpus.publications import Publication
from osler.corpus.streams import LINE_BYTES, MAX_RECORD_BYTES, read_text_lines
from osler.records import Damage, Document, Entry

Fields = dict[str, list[str]]

# Any two characters are a tag before two blanks and a hyphen; before fewer, only these: a text may go on like that.
_TAGS = re.compile(
    "TY|ER|A[1-4BDNUV]|BT|C[1-8ACNPTY]|D[ABIOPS]|E[DPT]|F[DNUX]|H[12]|I[DPS]|J[129AFIO]|KW|L[1-4ABKL]|M[1-3]|N[12LOV]"
    "|O[LP]|P[ABIMPTUY]|R[INP]|S[ENOPRT]|T[1-3AITY]|U[1-5RT]|V[LO]|W[ETV]|Y[12R]"
)
_FIELD = re.compile(r"([A-Z][A-Z0-9])(\s{0,3})-(\s*)(.*)")
_TYPES = {"JOUR": "Journal Article", "EJOUR": "Journal Article", "THES": "Thesis", "NEWS": "News", "DATA": "Dataset"}

# A number of digits is a PMID only where the database says so: EndNote numbers the records of its library in ID.
_MEDLINE = re.compile(r"\bPubMed\b|\bMEDLINE\b|^(?:NLM|cmedm|mnh|mdc)$", re.IGNORECASE)
_EMBASE = re.compile(r"\bEmbase\b", re.IGNORECASE)


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each record, in the order of the file; `PMID:1`, `PMC:PMC1`, `doi:10.1/x` or an id of its database.

    >>> text = b"TY  - JOUR\\nTI  - Mice\\nAU  - Osler, W.\\nDO  - 10.1000/1\\nER  - \\n"
    >>> [(entry.doc_id, entry.title) for entry in read(io.BytesIO(text), "a file")]
    [('doi:10.1000/1', 'Mice')]
    """
    ends = 0
    record = None
    for record in _records(stream, source):
        if isinstance(record, Damage):
            yield record
            continue
        ends += record.ended
        if record.size > MAX_RECORD_BYTES:
            yield Damage(source, f"line {record.line}", f"a record longer than {MAX_RECORD_BYTES} bytes")
            continue
        try:
            yield _document(record.fields())
        except ValueError as error:
            yield Damage(source, f"line {record.line}", str(error))
    if ends and isinstance(record, _Record) and not record.ended:
        yield Damage(source, f"line {record.line}", "the file ends within this record: it may be cut off")


@dataclass(slots=True)
class _Record:
    """The tags in their order, each with the lines of its value; `size` is that in memory, `line` of the first tag."""

    line: int
    values: list[tuple[str, list[str]]] = field(default_factory=list)
    size: int = 0
    ended: bool = False

    def add(self, tag: str, text: str) -> None:
        """Enter a value, or (tag "") the next line of the last one; nothing once the record is too long."""
        self.size += len(text) + LINE_BYTES
        if self.size > MAX_RECORD_BYTES:
            self.values.clear()
        elif tag:
            self.values.append((tag, [text]))
        elif self.values:
            self.values[-1][1].append(text)

    def fields(self) -> Fields:
        """The values by tag, their lines apart by \\n."""
        fields: Fields = defaultdict(list)
        for tag, lines in self.values:
            fields[tag].append("\n".join(lines).strip())
        return fields


def _records(stream: io.BufferedIOBase, source: str) -> Iterator[_Record | Damage]:
    """The records, from a TY to its ER, to the next TY or to the end; what stands between records is passed over."""
    record: _Record | None = None
    indent = ""
    for line in read_text_lines(stream, source):
        if isinstance(line, Damage):
            yield line
            continue
        if (text := line.text.lstrip()).startswith("TY"):
            indent = line.text[: len(line.text) - len(text)]  # some tools indent whole records
        tag, text = _field(line.text.removeprefix(indent))
        if record and tag == "TY":
            yield record
            record = None
        if record is None and tag and tag != "ER":
            record = _Record(line.number)
        if record and tag == "ER":
            record.ended = True
            yield record
            record = None
        elif record:
            record.add(tag, text)
    if record:
        yield record


def _field(line: str) -> tuple[str, str]:
    """Tag and value of a line; ("", text) for the continuation of a value.

    >>> _field("TI -Mice"), _field("CT-scans of mice")
    (('TI', 'Mice'), ('', 'CT-scans of mice'))
    """
    match = _FIELD.match(line)
    is_apart = match and (match[2] or match[3] or not match[4])
    if not match or not (match[2] == "  " or (is_apart and _TAGS.match(match[1]))):
        return "", line.strip()
    return match[1], match[4].strip()


def _document(fields: Fields) -> Document:
    def values(*tags: str) -> list[str]:
        return [value for tag in tags for value in fields.get(tag, ()) if value]

    def first(*tags: str) -> str:
        return next(iter(values(*tags)), "")

    return Publication(
        title=first("TI", "T1", "CT", "BT", "TT", "ST"),
        abstracts=values("AB", "N2"),
        authors=values("AU") or values("A1"),
        journals=values("JF", "T2", "JO", "SO", "JA", "J2", "J1", "JI", "TA", "J9", "NL"),
        year=first("PY", "Y1", "YR", "DA"),
        languages=values("LA"),
        types=[_TYPES.get(first("TY").upper(), ""), *values("M3", "PT", "M1", "U5")],
        keywords=[word for value in values("KW") for word in value.split("\n")],
        pmid=_pmid(fields),
        doi=first("DO", "DI", "L3"),
        pmcid=first("C2"),
        accessions=values("AN", "UT", "U2", "ID", "C3"),
        notes=values("N1", "M1", "M2", "RN", "U1", "C1", "C2", "C8"),
        links=values("UR", "L1", "L2", "L3", "LK"),
    ).document()


def _pmid(fields: Fields) -> str:
    """The PMID, where the tag that a database keeps it under holds a number and the record names that database."""
    databases = "\n".join(value for tag in ("DB", "DP") for value in fields.get(tag, ()))
    links = "\n".join(fields.get("UR", ()))
    is_embase = _EMBASE.search(databases) is not None or "embase.com" in links
    tags = ["PM"]
    if "Scopus" in databases or "scopus.com" in links:
        tags.append("C2")
    elif is_embase:
        tags.append("C5")
    elif any(_MEDLINE.search(database) for database in databases.split("\n")):
        tags += ["AN"] if fields.get("AN") else ["ID"] if "Ovid" in databases else []
    values = (fields[tag][0].strip(" .") for tag in tags if fields.get(tag))
    return next((value for value in values if value.isdecimal()), "")
