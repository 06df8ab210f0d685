"""The names under which every reader of literature keeps its metadata and identifiers. Knows no file format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
_RETRACTED_TITLE = re.compile(r"\W*retracted(?: article| publication)?\s*[:.\]]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bibliography:
    """What is known of a publication besides its text.

    authors: in their order, `Osler, William` each, as far as the source tells given names;
    journal_abbreviations: the names of the journal besides its title, such as `J Biol Chem`;
    notices: retraction, concern or correction -> ids of the notices that were published about this publication;
    notice_of: the same kinds -> ids of the publications that this one is a notice about.

    >>> Bibliography(year=1998, notices={"retraction": ("PMID:2",)}).metadata("Mice")["retracted"]
    True
    """

    version: int = 1
    authors: tuple[str, ...] = ()
    journal: str = ""
    journal_abbreviations: tuple[str, ...] = ()
    year: int | None = None
    language: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    mesh_major: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notice_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def metadata(self, title: str) -> dict[str, Any]:
        """JSON values by name: the four states always, the rest where it is known."""
        known: dict[str, Any] = {
            "authors": list(self.authors),
            "journal": self.journal,
            "journal_abbreviations": list(self.journal_abbreviations),
            "year": self.year,
            "language": list(self.language),
            "publication_types": list(self.publication_types),
            "mesh": list(self.mesh),
            "mesh_major": list(self.mesh_major),
            "keywords": list(self.keywords),
            "notices": {kind: list(ids) for kind, ids in self.notices.items() if ids},
            "notice_of": {kind: list(ids) for kind, ids in self.notice_of.items() if ids},
        }
        return {
            "version": self.version,
            "retracted": self._is_retracted(title),
            "concern": "concern" in self.notices,
            "corrected": "correction" in self.notices,
            **{name: value for name, value in known.items() if value},
        }

    def _is_retracted(self, title: str) -> bool:
        if "retraction" in self.notices or "Retracted Publication" in self.publication_types:
            return True
        return _RETRACTED_TITLE.match(title) is not None


def identifiers(*, pmid: object = None, doi: object = None, pmcid: object = None) -> dict[str, str]:
    """The identifiers that are known, each in one spelling.

    >>> identifiers(pmid=12, doi="https://doi.org/10.1/x", pmcid="34")
    {'pmid': '12', 'doi': '10.1/x', 'pmcid': 'PMC34'}
    """
    found = {"pmid": _plain(pmid, "pmid:"), "doi": _plain(doi, "doi:"), "pmcid": _plain(pmcid, "pmc:")}
    found["doi"] = re.sub(r"https?://(?:dx\.)?doi\.org/", "", found["doi"], flags=re.IGNORECASE)
    if found["pmcid"].isdigit():
        found["pmcid"] = f"PMC{found['pmcid']}"
    return {name: value for name, value in found.items() if value}


def first_year(text: str) -> int | None:
    """The first year that the text names, or None.

    >>> first_year("1998 Dec-1999 Jan")
    1998
    """
    match = _YEAR.search(text)
    return int(match.group()) if match else None


def _plain(value: object, prefix: str) -> str:
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text[len(prefix) :].strip() if text.lower().startswith(prefix) else text
