"""Which format a file has, by its first bytes. Knows the marks of each format, and reads nothing itself."""

from __future__ import annotations

import codecs
import re

HEAD_BYTES = 8192
"""How much of a file is looked at: enough for the prolog of any XML that we know."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WEB_PAGE = re.compile(r"<html[\s>]|<!DOCTYPE html", re.IGNORECASE)
_MARKS = {
    "pubmed": re.compile(
        r"<(?:!DOCTYPE\s+)?(?:PubmedArticle|PubmedBookArticle|MedlineCitation|DeleteCitation)(?:Set)?[\s/>]"
    ),
    "jats": re.compile(r"<(?:!DOCTYPE\s+)?(?:[\w.-]+:)?(?:article|pmc-articleset)[\s/>]"),
    "jsonl": re.compile(r"\A\s*\{[\s\S]*?\"_id\"\s*:"),
    "medline": re.compile(r"^PMID- *\d", re.MULTILINE),
    "hpo": re.compile(
        r"\A#description: \"HPO |^(?:id: HP:\d|ontology: hp\b|database_id\tdisease_name\t)", re.MULTILINE
    ),
}
_XML = ("pubmed", "jats")


def detect_format(head: bytes, name: str) -> str | None:
    """The format whose marks stand in `head`, the first bytes of a file; None where it has those of none.

    >>> detect_format(b"PMID- 12230038\\nOWN - NLM", "results.txt")
    'medline'
    """
    text = head.decode("utf-16" if head.startswith(_UTF16) else "utf-8-sig", errors="replace")
    begin = text.lstrip()[:1]
    if begin == "<" and _WEB_PAGE.search(text):
        return None
    for format_, mark in _MARKS.items():
        if (begin == "<" or format_ not in _XML) and mark.search(text):
            return format_
    return "jsonl" if begin == "{" and name.removesuffix(".gz").endswith((".jsonl", ".ndjson")) else None
