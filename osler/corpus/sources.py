"""Which files a source stands for, how each is opened, and which format its first bytes tell. Reads no documents."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from osler.corpus.citation_table import is_citation_table
from osler.corpus.streams import ChunkStream, SourceStream, wide_encoding
from osler.errors import CorpusError, UsageError
from osler.records import Damage

STANDARD_INPUT = "-"

# Beside a corpus.jsonl in BEIR's layout, these hold queries and judgements, not documents.
_BEIR_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
_BEIR_QUERIES = frozenset(("queries.jsonl", "queries.jsonl.gz"))


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: its path, whether the user named it, and its format where that is known beforehand."""

    path: Path
    named: bool
    format: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return "standard input" if str(self.path) == STANDARD_INPUT else str(self.path)


def check_source(source: str | Path) -> None:
    """Nothing for a file, a folder, a pipe or standard input that is there; else an error that names the source."""
    if not str(source).strip():
        raise UsageError("a source is empty; name a file, a folder, `-` for standard input, or `hpo`.")
    path = Path(source)
    if str(path) == STANDARD_INPUT:
        return
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file or folder; name one, `-` for standard input, or `hpo`.") from error
    except PermissionError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}); mend its permissions or leave it out."
        ) from error
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not str(path).startswith(("/dev/stdin", "/dev/fd/")):
        raise CorpusError(f"{path}: is a device; name a file or a folder, or `-` for standard input.")
    if stat.S_ISSOCK(mode):
        raise CorpusError(f"{path}: is a socket; name a file or a folder, or `-` for standard input.")


def find_files(path: Path) -> Iterator[SourceFile | Damage]:
    """The file at `path`, or all files below that folder in the order of their paths.

    Hidden files and checksums (`.md5`) are passed over; of a folder in BEIR's layout the corpus alone is taken. A
    subfolder that cannot be read is a damage, and so is a pipe, socket or device: reading one might never end.
    """
    if not path.is_dir():
        yield SourceFile(path, named=True)
        return
    unreadable: list[OSError] = []
    visited = {_identity(path)}
    for folder, subfolders, names in os.walk(path, onerror=unreadable.append, followlinks=True):
        yield from (_unreadable_folder(error) for error in unreadable)
        unreadable.clear()
        corpora = [name for name in _BEIR_CORPUS if name in names]
        if corpora and not _BEIR_QUERIES.isdisjoint(names):
            subfolders.clear()
            names = corpora[:1]
        subfolders[:] = [name for name in sorted(subfolders) if _is_new(Path(folder, name), visited)]
        for name in sorted(name for name in names if not is_passed_over(name)):
            yield _file_or_damage(Path(folder, name))
    yield from (_unreadable_folder(error) for error in unreadable)


def is_passed_over(name: str) -> bool:
    """Whether a file of this name in a folder is hidden, a checksum, or one of the lists beside PMC's packages.

    >>> is_passed_over("oa_comm_xml.PMC000xxxxxx.filelist.csv"), is_passed_over("corpus.csv")
    (True, False)
    """
    return name.startswith(".") or name.endswith((".md5", ".filelist.csv", ".filelist.txt"))


@contextmanager
def open_source(path: Path, on_read: Callable[[int], None] | None = None) -> Iterator[SourceStream]:
    """The uncompressed bytes of the file, or of standard input for `-`; `on_read` is told of bytes read."""
    if str(path) == STANDARD_INPUT:
        yield SourceStream(sys.stdin.buffer, on_read)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be opened ({error.strerror}); mend its permissions or leave it out."
        ) from error
    with file:
        yield SourceStream(file, on_read)


def _file_or_damage(path: Path) -> SourceFile | Damage:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Damage(str(path), "the whole file", f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(mode):
        return Damage(str(path), "the whole file", "is a pipe, socket or device, not a file")
    return SourceFile(path, named=False)


def _unreadable_folder(error: OSError) -> Damage:
    reason = f"cannot be read ({error.strerror}); mend its permissions"
    return Damage(str(error.filename), "the whole folder", reason)


def _is_new(folder: Path, visited: set[tuple[int, int]]) -> bool:
    """Whether files below this subfolder are to be read: it is not hidden, no index, and was not reached before."""
    # An index may lie beside what it was made from.
    if folder.name.startswith(".") or folder.name.endswith(".lance"):
        return False
    try:
        identity = _identity(folder)
    except OSError:
        return True  # walking into it will say why it cannot be read
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _identity(folder: Path) -> tuple[int, int]:
    """What tells two folders apart whatever links lead to them."""
    status = folder.stat()
    return status.st_dev, status.st_ino


HEAD_BYTES = 8192
"""How much of a file is looked at first."""

MAX_HEAD_BYTES = 2**22
"""How much is looked at where the first bytes tell nothing: a long line of JSON, blank lines, comments, a prolog."""

_WEB_PAGE = re.compile(r"<html[\s>]|<!DOCTYPE html", re.IGNORECASE)
_MARKS = {
    "pubmed": re.compile(
        r"<(?:!DOCTYPE\s+)?(?:PubmedArticle|PubmedBookArticle|MedlineCitation|DeleteCitation)(?:Set)?[\s/>]"
    ),
    "jats": re.compile(r"<(?:!DOCTYPE\s+)?(?:[\w.-]+:)?(?:article|pmc-articleset)[\s/>]"),
    "obo-json": re.compile(r"\A\s*\{\s*\"(?:graphs|@context)\"\s*:(?s:.)*?\"(?:nodes|graphs|edges|lbl)\"\s*:"),
    "jsonl": re.compile(r"\A(?=\s*\{)[\s\S]*?^[ \t]*\{[^\n]*?\"_id\"\s*:", re.MULTILINE),
    "medline": re.compile(r"^PMID- *\d", re.MULTILINE),
    "ris": re.compile(r"^[ \t]{0,8}TY[ \t]{0,3}-[ \t]{0,4}[A-Z]{2,8}[ \t]*$", re.MULTILINE),
    "hpo": re.compile(
        r"\A#description: \"HPO |^(?:id: HP:\d|ontology: hp\b|database_id\tdisease_name\t)", re.MULTILINE
    ),
    "obo": re.compile(r"^\[Term\]|\A(?:(?:!.*|[ \t]*)\n)*format-version: ?\d", re.MULTILINE),
}
_XML = ("pubmed", "jats")


def detect_format(head: bytes, name: str) -> str | None:
    """The format whose marks stand in `head`, the first bytes of a file; None where it has those of none.

    >>> detect_format(b"PMID- 12230038\\nOWN - NLM", "results.txt")
    'medline'
    """
    if binary_kind(head):
        return None
    text = _text(head)
    begin = text.lstrip()[:1]
    if begin == "<" and _WEB_PAGE.search(text):
        return None
    for format_, mark in _MARKS.items():
        if (begin == "<" or format_ not in _XML) and mark.search(text):
            return format_
    if begin == "{":  # an object over several lines is not told line by line that it is none
        is_named = re.search(r"\.(?:jsonl|ndjson)(?:\.\w{2,3})?$", name)
        return "jsonl" if is_named and not re.match(r"\s*\{[ \t]*\n\s*\"", text) else None
    return "csv" if is_citation_table(text) else None


def stream_format(stream: ChunkStream, name: str) -> str | None:
    """The format of what is still to be read, more of which is looked at as long as nothing tells; it stays unread."""
    size = HEAD_BYTES
    while True:
        head = stream.head(size)
        format_ = detect_format(head, name)
        if format_ or len(head) < size or size >= MAX_HEAD_BYTES or binary_kind(head):
            return format_
        size *= 8


def _text(head: bytes) -> str:
    """The first bytes as text, line ends as \\n."""
    text = head.decode(wide_encoding(head) or "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class ForeignKind(NamedTuple):
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


def foreign_kind(head: bytes) -> ForeignKind:
    """What a file of no known format that begins with `head` looks like.

    >>> foreign_kind(b"%PDF-1.7").what, foreign_kind(b"Four mice.").what
    ('a PDF', 'plain text')
    """
    if binary := binary_kind(head):
        return binary
    text = _text(head)
    for pattern, (what, remedy) in _TEXT.items():
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return ForeignKind(what, remedy)
    if "\0" in text:
        return ForeignKind("a binary file", _LEAVE)
    if text.count("\ufffd") * 10 > len(text):
        return ForeignKind("a binary file, or text that is not UTF-8", _UTF8)
    if _TABLE.match(text):
        return ForeignKind("plain text or a table without a column of titles", _COLUMNS)
    return ForeignKind("plain text", _JSON_LINES)


def binary_kind(head: bytes) -> ForeignKind | None:
    """What a file that is no text begins with; None for text, archives that osler reads and what nobody knows."""
    return next((ForeignKind(*kind) for pattern, kind in _BINARY.items() if re.match(pattern, head, re.DOTALL)), None)
