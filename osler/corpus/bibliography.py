"""The names under which every reader of literature keeps its metadata. Knows no file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from osler.corpus.retraction import title_state
from osler.records import is_retracted

_YEAR = re.compile(r"(?<!\d)((?:1[5-9]|20)\d\d)(?:(?:0\d|1[0-2])(?:[0-3]\d)?)?(?!\d)")
_NO_TITLE = re.compile(
    r"\W*(?:(?:no )?(?:english )?title (?:is )?(?:not )?available|not available|in process citation|no title)?\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bibliography:
    """What is known of a publication besides its text.

    authors: in their order, `Osler, William` each, as far as the source tells given names;
    journal_abbreviations: the names of the journal besides its title, such as `J Biol Chem`;
    notices: retraction, concern or correction -> ids of the notices that were published about this publication;
    notice_of: the same kinds -> ids of the publications that this one is a notice about;
    vernacular_title: the title in the language of the text, where `title` is its translation;
    text_language: the language of the text, where that is no English abstract.

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
    vernacular_title: str = ""
    text_language: str = ""

    def metadata(self, title: str) -> dict[str, Any]:
        """JSON values by name: the four states always, the rest where it is known."""
        said = title_state(title, self.publication_types) if not self.notice_of else ""
        marked = is_retracted({"publication_types": self.publication_types})
        values: dict[str, Any] = {
            "authors": list(self.authors),
            "journal": self.journal,
            "journal_abbreviations": list(self.journal_abbreviations),
            "year": self.year,
            "language": list(self.language),
            "publication_types": list(self.publication_types),
            "mesh": list(self.mesh),
            "mesh_major": list(self.mesh_major),
            "keywords": list(self.keywords),
            "vernacular_title": self.vernacular_title,
            "text_language": self.text_language,
            "notices": {kind: list(ids) for kind, ids in self.notices.items() if ids},
            "notice_of": {kind: list(ids) for kind, ids in self.notice_of.items() if ids},
        }
        return {
            "version": self.version,
            "retracted": "retraction" in self.notices or marked or said == "retraction",
            "concern": "concern" in self.notices or said == "concern",
            "corrected": "correction" in self.notices,
            **{name: value for name, value in values.items() if value},
        }


def choose_title(title: str, vernacular: str) -> tuple[str, str]:
    """The title to show, and the vernacular one where that is another.

    NLM writes a placeholder where it has no English title; the vernacular title takes its place.

    >>> choose_title("[Not Available].", "Vom Fieber."), choose_title("[On fever].", "Vom Fieber.")
    (('Vom Fieber.', ''), ('[On fever].', 'Vom Fieber.'))
    """
    if _NO_TITLE.fullmatch(title):
        return vernacular or title, ""
    return title, "" if vernacular == title else vernacular


def related_ids(reference: str) -> tuple[str, ...]:
    """The PMIDs that NLM's reference to another publication ends with, else its DOI.

    >>> related_ids("J Mice. 2003;5(1):7. doi: 10.1/abc. PMID: 8"), related_ids("J Mice. 2003;5(1):7. doi: 10.1/abc.")
    (('PMID:8',), ('doi:10.1/abc',))
    """
    pmids = tuple(f"PMID:{pmid}" for pmid in re.findall(r"\bPMID: *(\d+)", reference))
    return pmids or tuple(f"doi:{doi}" for doi in re.findall(r"\bdoi: *(10\.[^\s/]+/\S*[^\s.,;])", reference, re.I))


def related_by_kind(references: Iterable[tuple[str, str]], *, own: str) -> dict[str, tuple[str, ...]]:
    """Kind -> ids of the publications that these (kind, reference) pairs name, each once and never the own id.

    A kind stays where its references name no id: that there is a notice counts by itself.

    >>> related_by_kind([("retraction", "J Mice. 2003. PMID: 8"), ("concern", "J Mice. 2004")], own="PMID:7")
    {'retraction': ('PMID:8',), 'concern': ()}
    """
    ids_by_kind: dict[str, tuple[str, ...]] = {}
    for kind, reference in references:
        related = (name for name in related_ids(reference) if name != own)
        ids_by_kind[kind] = tuple(dict.fromkeys((*ids_by_kind.get(kind, ()), *related)))
    return ids_by_kind


def first_year(text: str) -> int | None:
    """The first year that the text names, also at the head of a date without dashes, or None.

    >>> first_year("1998 Dec-1999 Jan"), first_year("20010315")
    (1998, 2001)
    """
    match = _YEAR.search(text)
    return int(match[1]) if match else None
