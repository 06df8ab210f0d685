"""The document of an ontology's term, whichever file it was read from. Knows no file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from osler.records import Document, Section

_PUBMED_ID = re.compile(r"(?:PMID:|(?:ncbi\.nlm\.nih\.gov/pubmed|pubmed\.ncbi\.nlm\.nih\.gov)/)(\d+)")
_LAYPERSON = ("layperson", "OMO:0003003")
_WITHDRAWN = re.compile(r"deprecated|obsolete|discarded", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a term: its scope (EXACT, NARROW, BROAD or RELATED) and its type, as far as it has one."""

    text: str
    scope: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term as both file formats tell it; `parents` are names, or ids where no name is known."""

    id: str
    name: str
    definitions: Sequence[str] = ()
    definition_xrefs: Sequence[str] = ()
    synonyms: Sequence[Synonym] = ()
    parents: Sequence[str] = ()
    alt_ids: Sequence[str] = ()
    xrefs: Sequence[str] = ()
    subsets: Sequence[str] = ()
    namespace: str = ""
    comment: str = ""
    ontology: str = ""

    def document(self, withdrawn: Iterable[str] = ()) -> Document:
        """The document: definition, synonyms and parents; synonyms that the ontology took back are left out.

        `withdrawn` are the types of synonyms that the ontology itself describes as deprecated or obsolete.

        >>> synonyms = [Synonym("Mice", "EXACT"), Synonym("Rat", "EXACT", "DEPRECATED")]
        >>> Term(id="X:1", name="Mouse", synonyms=synonyms).document().text
        'Synonyms: Mice.'
        """
        kinds = frozenset(withdrawn)
        synonyms = [known for known in self.synonyms if known.kind not in kinds and not _WITHDRAWN.search(known.kind)]
        names = _different(synonym.text for synonym in synonyms)
        names.pop(self.name.casefold(), None)
        sections = [Section("Definition", text) for text in self.definitions if text]
        for heading, items in (("Synonyms", list(names.values())), ("Parents", list(self.parents))):
            if items:
                sections.append(Section(heading, f"{heading}: {'; '.join(items)}."))
        scoped = {
            f"{scope.lower()}_synonyms": [s.text for s in synonyms if s.scope == scope and s.text.casefold() in names]
            for scope in ("NARROW", "BROAD", "RELATED")
        }
        pmids = dict.fromkeys(_PUBMED_ID.findall(" ".join((*self.definitions, *self.definition_xrefs))))
        metadata = {
            "kind": "term",
            "ontology": self.ontology,
            "namespace": self.namespace,
            "layperson": list(_different(s.text for s in synonyms if s.kind in _LAYPERSON).values()),
            **scoped,
            "alt_ids": list(self.alt_ids),
            "xrefs": list(self.xrefs),
            "subsets": list(self.subsets),
            "comment": self.comment,
            "references": [f"PMID:{pmid}" for pmid in pmids],
        }
        return Document(
            self.id, self.name, tuple(sections), metadata={name: value for name, value in metadata.items() if value}
        )


def is_withdrawn(description: str) -> bool:
    """Whether an ontology describes a type of synonyms as one of those that it took back.

    >>> is_withdrawn("discarded/obsoleted synonym")
    True
    """
    return _WITHDRAWN.search(description) is not None


def _different(texts: Iterable[str]) -> dict[str, str]:
    """The texts that differ by more than capital letters, by their small letters."""
    different: dict[str, str] = {}
    for text in texts:
        different.setdefault(text.casefold(), text)
    return different
