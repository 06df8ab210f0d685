"""Which format a file has, by its first bytes. Knows the marks of each format, and reads nothing itself."""

from __future__ import annotations

import re

from osler.corpus.citation_table import is_citation_table
from osler.corpus.foreign import binary_kind
from osler.corpus.streams import ChunkStream, wide_encoding

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
    text = head_text(head)
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


def head_text(head: bytes) -> str:
    """The first bytes as text, line ends as \\n."""
    text = head.decode(wide_encoding(head) or "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
