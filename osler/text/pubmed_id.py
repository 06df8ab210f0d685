"""The PubMed id of an article, from whatever names it. Knows no record and no file."""

from __future__ import annotations

import re

_AS_ID = re.compile(r"PMID:\s*(\d+)", re.IGNORECASE)
_AS_VALUE = re.compile(r"(?:PMID:)?\s*(\d+)", re.IGNORECASE)


def pubmed_id(doc_id: str, *told: object) -> str:
    """The digits of a PubMed id, by the document's own id, else by the first value told that is one; "" without any.

    >>> pubmed_id("PMID:12"), pubmed_id("4983", None, "PMID: 12"), pubmed_id("4983", 12), pubmed_id("4983")
    ('12', '12', '12', '')
    """
    values = [_AS_ID.fullmatch(doc_id), *(_AS_VALUE.fullmatch(str(value).strip()) for value in told)]
    return next((found[1] for found in values if found), "")
