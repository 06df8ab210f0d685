"""A query that is nothing but ids: it asks for documents, not for words. Knows ids and a snapshot, no model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from osler.protocols import Snapshot
from osler.records import Filter, RankedPassage, is_retracted
from osler.text.identifiers import names_in, parse_identifier, without_position

_SHORT: Final = 6  # a number of fewer digits is more often a year or a count than a PMID
_PREFIXED: Final = re.compile(r"[A-Za-z]+(?::\d+|_\d{4,})(?:#\d+)?|https?://\S+")


@dataclass(frozen=True, slots=True)
class NamedPassages:
    """The passages of documents that a query names, None where it is to be searched for as words, and warnings."""

    ranked: tuple[RankedPassage, ...] | None = None
    warnings: tuple[str, ...] = ()


def named_passages(query: str, snapshot: Snapshot, *, k: int, where: Filter) -> NamedPassages:
    """What a query of nothing but ids names: the passages of these documents in their order, a turn a document.

    A passage that is named itself comes first. Nothing is compared, so each score is 1 and none has evidence.
    """
    names = names_in(query)
    found = snapshot.find_documents(names) if names else {}
    doc_ids = {name: ids for name, ids in found.items() if _may_be_meant(name, ids)}
    missing = [name for name in names if name not in doc_ids]
    warnings = [f"No document has the id {name}." for name in missing if _is_surely_an_id(name)]
    if not doc_ids or len(warnings) < len(missing):  # a number that names nothing is a word
        said = [f"{warning} Its characters were searched for as words." for warning in warnings]
        return NamedPassages(warnings=tuple(said))
    passage_ids = snapshot.passage_ids(_in_order(names, doc_ids), where=where)
    passages = snapshot.read(_in_turns(passage_ids, names, doc_ids)[:k]).passages
    ranked = tuple(
        RankedPassage(passage, rank, 1.0, candidate_rank=rank, candidate_score=1.0)
        for rank, passage in enumerate(passages, start=1)
    )
    passing = {_document_of(passage_id) for passage_id in passage_ids}
    left_out = [_left_out(doc_id, snapshot) for doc_id in _in_order(names, doc_ids) if doc_id not in passing]
    return NamedPassages(ranked, (*warnings, *left_out))


def _is_surely_an_id(name: str) -> bool:
    if name.isdigit() and len(name) < _SHORT:
        return False
    return parse_identifier(name) is not None or _PREFIXED.fullmatch(name) is not None


def _may_be_meant(name: str, doc_ids: Sequence[str]) -> bool:
    """Whether the name stands for these documents: what may be a word (`COVID-19`) only for the id that it spells."""
    return name.isdigit() or _is_surely_an_id(name) or without_position(name) in doc_ids


def _in_order(names: Sequence[str], doc_ids: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(doc_id for name in names for doc_id in doc_ids.get(name, ())))


def _in_turns(passage_ids: Sequence[str], names: Sequence[str], doc_ids: Mapping[str, Sequence[str]]) -> list[str]:
    """The passages that are named, then the first of each document, then the second of each, and so on."""
    positions = {name: name.rpartition("#")[2] for name in names if "#" in name}
    named = {f"{doc_id}#{position}" for name, position in positions.items() for doc_id in doc_ids.get(name, ())}
    return sorted(passage_ids, key=lambda one: (one not in named, int(one.rpartition("#")[2])))


def _document_of(passage_id: str) -> str:
    return passage_id.rpartition("#")[0]


def _left_out(doc_id: str, snapshot: Snapshot) -> str:
    document = snapshot.document(doc_id)
    if document and is_retracted(document.metadata):
        return f"{doc_id} is retracted and therefore left out: the condition retracted=any lets it in."
    return f"{doc_id} does not meet the conditions: leave them out to see it."
