"""What documents state of publications, and what thereby holds of each document. Knows records, no table.

A document states that it was retracted, corrected or is under concern; a notice states it of other publications. Such a
statement is about ids (PMID, DOI, PMCID): it holds for every document of the publication, its full text as well as its
citation, in whatever order they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from osler.records import Document, Metadata, is_retracted, is_true
from osler.text.identifiers import Identifier, identifiers_of, parse_identifier

_MARKS: Final = {"retraction": "retracted", "concern": "concern", "correction": "corrected"}
"""What each kind of notice makes true of a publication."""

Ids = frozenset[Identifier]


@dataclass(frozen=True, slots=True)
class Described:
    """A document as far as states go: its id, the ids of its publication, its metadata as they came."""

    doc_id: str
    ids: Ids
    metadata: Metadata

    @classmethod
    def of(cls, document: Document) -> Described:
        """The description of this document."""
        ids = identifiers_of(document.doc_id, document.identifiers)
        return cls(document.doc_id, frozenset(map(Identifier, ids, ids.values())), document.metadata)

    @property
    def notice_of(self) -> Ids:
        """The ids of the publications that this document is a notice about."""
        return frozenset(target for _, target in self._targets())

    def statements(self) -> Iterator[_Statement]:
        """What it states of its own publication and, being a notice, of others."""
        notices = _ids_by_kind(self.metadata.get("notices"))
        for kind in _MARKS:
            if _is_marked(self.metadata, kind):
                listed = [_Notice(name, _ids_of(name)) for name in notices.get(kind, ())]
                yield _Statement(kind, self, self.ids, tuple(listed))
        for kind, target in self._targets():
            yield _Statement(kind, self, frozenset({target}), (_Notice(self.doc_id, self.ids),))

    def _targets(self) -> Iterator[tuple[str, Identifier]]:
        for kind, names in _ids_by_kind(self.metadata.get("notice_of")).items():
            if kind in _MARKS:
                yield from ((kind, target) for name in names for target in _ids_of(name))


@dataclass(frozen=True, slots=True)
class _Notice:
    """A notice by the name under which it is listed, with its ids as far as they are known."""

    name: str
    ids: Ids


@dataclass(frozen=True, slots=True)
class _Statement:
    """That the publication with these ids is in a state: which document tells so, and by which notices."""

    kind: str
    teller: Described
    about: Ids
    notices: tuple[_Notice, ...]

    @property
    def is_of_another(self) -> bool:
        """Whether a notice tells it."""
        return self.about != self.teller.ids


def effective_metadata(documents: Collection[Described]) -> dict[str, Metadata]:
    """The metadata of each of these documents by doc_id, with what the others state of its publication.

    Documents are of one publication where they share an id, or are linked by others that do. A PMID decides: what is
    stated of one PMID never holds for a document with another one, whatever DOI they share, as abstracts of a meeting
    may. Nor does it hold for a notice about that publication.

    >>> full_text = Described("PMC:PMC1", frozenset({Identifier("pmid", "7")}), {})
    >>> notice = Described("PMID:8", frozenset({Identifier("pmid", "8")}), {"notice_of": {"retraction": ["PMID:7"]}})
    >>> effective_metadata([full_text, notice])["PMC:PMC1"]
    {'retracted': True, 'notices': {'retraction': ['PMID:8']}}
    """
    carriers: dict[Identifier, list[Described]] = defaultdict(list)
    for document in documents:
        for identifier in document.ids:
            carriers[identifier].append(document)
    # What documents list of themselves comes first: a stored notice is not listed again under another of its names.
    statements = [statement for document in documents for statement in document.statements()]
    told: dict[str, list[_Statement]] = defaultdict(list)
    for statement in sorted(statements, key=lambda one: (one.is_of_another, one.teller.doc_id)):
        for doc_id in _reached(statement, carriers):
            told[doc_id].append(statement)
    return {one.doc_id: _with(one.metadata, told.get(one.doc_id, ())) for one in documents}


def _reached(statement: _Statement, carriers: Mapping[Identifier, Sequence[Described]]) -> set[str]:
    """The documents of which it holds, but for the one that tells it."""
    pmid = {one for one in statement.about if one.kind == "pmid"}
    waiting, reached = set(statement.about), {statement.teller.doc_id}
    while waiting:
        for document in carriers.get(waiting.pop(), ()):
            pmids = {one for one in document.ids if one.kind == "pmid"}
            is_another = bool(pmid and pmids and pmid != pmids)
            # A notice may be published under the DOI of what it is about, and is not in that state itself.
            if document.doc_id not in reached and not is_another and not document.notice_of & statement.about:
                reached.add(document.doc_id)
                waiting |= document.ids
    return reached - {statement.teller.doc_id}


def _with(metadata: Metadata, told: Sequence[_Statement]) -> Metadata:
    """The metadata with these statements: notices that are not listed are added, and each mark is true where it holds.

    So it reads, too, where the document says it of itself in another way: by a publication type, notices or `"yes"`; a
    mark that is there and does not hold, such as `"no"`, reads as false.
    """
    kinds = {statement.kind for statement in told}
    holds = {mark: kind in kinds or _is_marked(metadata, kind) for kind, mark in _MARKS.items()}
    marks = {mark: value for mark, value in holds.items() if metadata.get(mark, False) is not value}
    notices = _ids_by_kind(metadata.get("notices"))
    added = False
    for statement in told:
        listed = notices.setdefault(statement.kind, [])
        ids = frozenset().union(*map(_ids_of, listed))
        for notice in statement.notices:
            if notice.name not in listed and ids.isdisjoint(notice.ids):
                listed.append(notice.name)
                ids |= notice.ids
                added = True
    changed: dict[str, Any] = {**metadata, **marks}
    if added:
        changed["notices"] = {kind: names for kind, names in notices.items() if names}
    return changed if marks or added else metadata


def _is_marked(metadata: Metadata, kind: str) -> bool:
    """Whether the metadata say by themselves that the document is in this state."""
    if kind == "retraction":
        return is_retracted(metadata)
    return is_true(metadata.get(_MARKS[kind])) or bool(_ids_by_kind(metadata.get("notices")).get(kind))


def _ids_by_kind(value: Any) -> dict[str, list[str]]:
    """Kinds of notices with ids, from metadata of any shape: what makes no sense is left out."""
    if not isinstance(value, Mapping):
        return {}
    lists = {str(kind): ids if isinstance(ids, list | tuple) else [ids] for kind, ids in value.items()}
    return {kind: [str(one) for one in ids if isinstance(one, str | int)] for kind, ids in lists.items()}


def _ids_of(name: str) -> Ids:
    return frozenset(filter(None, [parse_identifier(name)]))
