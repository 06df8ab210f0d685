"""What a file that osler does not read looks like, and what to do with it. Knows first bytes, and reads nothing."""

from __future__ import annotations

import re
from typing import NamedTuple


class Foreign(NamedTuple):
    """A kind of file: what it is, what its user can do, and whether it belongs to articles without being one."""

    what: str
    remedy: str
    accompanies: bool = False


_JSON_LINES = "write one JSON object a line, with `_id`, `title` and `text`"
_ROBOT = "convert it to OBO with ROBOT (robot convert --output ontology.obo)"
_EXPORT = "export it as RIS, CSV or PubMed's format"
_TEXT_FIRST = "take the article's XML from PMC, or " + _JSON_LINES
_OFFICE = "save it as CSV, or " + _JSON_LINES
_LEAVE = "leave it out"
_FETCH = "fetch the articles by efetch with retmode=xml"
_UTF8 = "convert it to UTF-8 (iconv), or leave it out"
_COLUMNS = "name the columns `Title`, `Abstract`, `PMID` and so on, or " + _JSON_LINES

# First bytes of files that osler does not read: what, remedy, whether it belongs to articles.
_BINARY = {
    rb"\s*%PDF-": ("a PDF", _TEXT_FIRST, True),
    rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|xl/).*?xl/": ("an Excel workbook", _OFFICE, True),
    rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|word/).*?word/": ("a Word document", _TEXT_FIRST, True),
    rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|ppt/)": ("an Office document", _TEXT_FIRST, True),
    rb"PK\x03\x04.{26}mimetype.{0,40}opendocument": ("an OpenDocument file", _OFFICE, True),
    rb"PK\x03\x04.{26}mimetype.{0,40}epub": ("an e-book", _TEXT_FIRST, True),
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Word or Excel file", _OFFICE, True),
    rb"\{\\rtf": ("a rich text document", _TEXT_FIRST, True),
    rb"%!PS": ("a PostScript document", _TEXT_FIRST, True),
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*|BM.{4}\x00{4}|RIFF.{4}WEBP|8BPS": ("an image", _LEAVE, True),
    rb".{4}ftyp|RIFF.{4}(?:AVI |WAVE)|ID3|\xff[\xfb\xf3]|OggS|\x1aE\xdf\xa3|FLV|[FC]WS|0&\xb2u|\x00\x00\x01\xba": (
        "sound or video",
        _LEAVE,
        True,
    ),
    rb"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it first (7z x)", False),
    rb"Rar!\x1a\x07": ("a RAR archive", "unpack it first (unrar x)", False),
    rb"\x28\xb5\x2f\xfd": ("a zstd file", "unpack it first (zstd -d)", False),
    rb"\x04\x22\x4d\x18": ("an LZ4 file", "unpack it first (lz4 -d)", False),
    rb"\x5d\x00\x00.{2}": ("an LZMA file", "unpack it first (xz -d)", False),
    rb"\x1f\x8b\x08": ("a file that was compressed twice", "unpack it once (gunzip)", False),
    rb"\x1f\x9d": ("a file of Unix compress", "unpack it first (uncompress)", False),
    rb"SQLite format 3\x00": ("a SQLite database", _JSON_LINES, False),
    rb"PAR1": ("a Parquet file", _JSON_LINES, False),
    rb"ARROW1|ORC|\x89HDF|Obj\x01": ("a table for programs (Arrow, ORC, HDF5 or Avro)", _JSON_LINES, False),
    rb"\x80[\x02-\x05][}\]c\x95(]": ("a Python pickle", _JSON_LINES, False),
}

# Marks of texts that osler does not read, the telling ones first: what, remedy.
_TEXT = {
    r"<xml>\s*<records>|<source-app name=.EndNote": ("EndNote XML", _EXPORT),
    r"<(?:\w+:)?(?:RDF|Ontology)[\s/>]": ("OWL/RDF XML", _ROBOT),
    r"^@prefix |^Prefix[:(]|^Ontology\(": ("an ontology in OWL or Turtle", _ROBOT),
    r"BioC\.dtd|<collection>\s*<source>|\A\s*[\[{](?s:.){0,2000}?\"passages\"\s*:": ("BioC", _TEXT_FIRST),
    r"<eSearchResult|<eSummaryResult|<eInfoResult": ("an answer of E-utilities without articles", _FETCH),
    r"<html[\s>]|<!doctype html": ("a web page", _TEXT_FIRST),
    r"<TEI[\s>]|<teiCorpus": ("TEI XML", _TEXT_FIRST),
    r"<svg[\s>]": ("an image", _LEAVE),
    r"\A\s*<DOC>|<DOCNO>": ("TREC text", _JSON_LINES),
    r"\A\s*<": ("XML of another vocabulary than PubMed's or JATS", _JSON_LINES),
    r"^\s*@(?:article|book|inproceedings|incollection|misc|phdthesis|comment|string|techreport)\s*[{(]": (
        "BibTeX",
        _EXPORT,
    ),
    r"^%0 (?:Journal|Book|Conference|Generic|Thesis|Report)": ("EndNote's own export", _EXPORT),
    r"\A\s*FN (?:Clarivate|Thomson)|^PT J$": ("Web of Science's plain text", _EXPORT),
    r"\Aversion https://git-lfs\.": ("a pointer of Git LFS", "fetch the file that it stands for (git lfs pull)"),
    r"\A\d{1,8}\|[ta]\|": ("PubTator", _FETCH),
    r"\A(?:\d{1,8}[ \t]*\n)+\d{0,8}\s*\Z": ("a list of PMIDs", _FETCH),
    r"\A\s*\[": ("a JSON array", _JSON_LINES),
    r"\A\s*\{[ \t]*\n\s*\"": ("a JSON object over several lines", "write each object on a line of its own (jq -c)"),
    r"\A\s*\{": ("JSON without `_id`", _JSON_LINES),
}
_TABLE = re.compile(r"(?:[^\n\t;]*[\t;]|(?:[^\n,]*,){2})")


def foreign_kind(head: bytes, text: str) -> Foreign:
    """What a file that begins with `head`, which reads as `text`, looks like; text and binary are always something.

    >>> foreign_kind(b"%PDF-1.7", "%PDF-1.7").what
    'a PDF'
    """
    if binary := binary_kind(head):
        return binary
    for pattern, (what, remedy) in _TEXT.items():
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return Foreign(what, remedy)
    if "\0" in text:
        return Foreign("a binary file", _LEAVE)
    if text.count("\ufffd") * 10 > len(text):
        return Foreign("a binary file, or text that is not UTF-8", _UTF8)
    if _TABLE.match(text):
        return Foreign("plain text or a table without a column of titles", _COLUMNS)
    return Foreign("plain text", _JSON_LINES)


def binary_kind(head: bytes) -> Foreign | None:
    """What a file that is no text begins with; None for text, archives that osler reads and what nobody knows."""
    return next((Foreign(*kind) for pattern, kind in _BINARY.items() if re.match(pattern, head, re.DOTALL)), None)
