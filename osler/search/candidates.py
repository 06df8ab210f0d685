"""What a search begins with: candidates of stage 1, or the passages of documents that a query names by their ids.

Knows ranks, scores, ids and a snapshot; knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from osler.config import SearchSettings
from osler.protocols import Snapshot
from osler.records import Candidate, Filter, RankedPassage, is_retracted
from osler.text.identifiers import names_in, parse_identifier, without_position


def fuse_scores(
    cosines: Mapping[str, float], lexical: Sequence[Candidate], *, num_candidates: int, lexical_weight: float
) -> list[Candidate]:
    """The passages of the highest cosine + lexical_weight * (BM25 / the query's highest), best first.

    cosines: by passage_id, of every passage that either search found; one that `lexical` lacks has no BM25, one that
    cosines lack is left out. Equal scores go by passage_id. BM25 grows with the words of a query, so its share of the
    highest stands for it; a cosine is comparable as it is.

    >>> lexical = [Candidate("b", 1, 8.0), Candidate("c", 2, 2.0)]
    >>> for candidate in fuse_scores({"a": 0.5, "b": 0.25, "c": 0.0}, lexical, num_candidates=2, lexical_weight=0.5):
    ...     print(candidate.passage_id, candidate.score)
    b 0.75
    a 0.5
    """
    shares = {match.passage_id: share for match, share in zip(lexical, shares_of_best(lexical), strict=True)}
    scores = {
        passage_id: cosine + lexical_weight * shares.get(passage_id, 0.0) for passage_id, cosine in cosines.items()
    }
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:num_candidates]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(best, start=1)]


def stage1_scores(candidates: Sequence[Candidate], settings: SearchSettings) -> list[float]:
    """The scores of these candidates on a scale that all queries share, so that MaxSim can be added to them.

    Cosines and their fusion are on one already. BM25 becomes its share of the query's highest.

    >>> stage1_scores([Candidate("a", 1, 8.0), Candidate("b", 2, 2.0)], SearchSettings(candidates="lexical"))
    [1.0, 0.25]
    """
    if settings.candidates == "lexical":
        return shares_of_best(candidates)
    return [candidate.score for candidate in candidates]


def shares_of_best(candidates: Sequence[Candidate]) -> list[float]:
    """Each candidate's score divided by the highest, which is above 0 wherever a word was found."""
    best = max((candidate.score for candidate in candidates), default=0.0)
    return [candidate.score / best if best > 0 else 0.0 for candidate in candidates]


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
    ids_by_name = snapshot.find_documents(names) if names else {}
    doc_ids = {
        name: ids
        for name, ids in ids_by_name.items()
        # What may be a word (`COVID-19`) stands only for the id that it spells.
        if name.isdigit() or _is_surely_an_id(name) or without_position(name) in ids
    }
    missing = [name for name in names if name not in doc_ids]
    warnings = [f"No document has the id {name}." for name in missing if _is_surely_an_id(name)]
    if not doc_ids or len(warnings) < len(missing):  # a number that names nothing is a word
        return NamedPassages(
            warnings=tuple(f"{warning} Its characters were searched for as words." for warning in warnings)
        )
    passage_ids = snapshot.passage_ids(_in_order(names, doc_ids), where=where)
    passages = snapshot.read(_in_turns(passage_ids, names, doc_ids)[:k]).passages
    ranked = tuple(
        RankedPassage(passage, rank, 1.0, candidate_rank=rank, candidate_score=1.0)
        for rank, passage in enumerate(passages, start=1)
    )
    passing = {passage_id.rpartition("#")[0] for passage_id in passage_ids}
    left_out = [_left_out(doc_id, snapshot) for doc_id in _in_order(names, doc_ids) if doc_id not in passing]
    return NamedPassages(ranked, (*warnings, *left_out))


_SHORT: Final = 6  # a number of fewer digits is more often a year or a count than a PMID
_PREFIXED: Final = re.compile(r"[A-Za-z]+(?::\d+|_\d{4,})(?:#\d+)?|https?://\S+")


def _is_surely_an_id(name: str) -> bool:
    if name.isdigit() and len(name) < _SHORT:
        return False
    return parse_identifier(name) is not None or _PREFIXED.fullmatch(name) is not None


def _in_order(names: Sequence[str], doc_ids: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(doc_id for name in names for doc_id in doc_ids.get(name, ())))


def _in_turns(passage_ids: Sequence[str], names: Sequence[str], doc_ids: Mapping[str, Sequence[str]]) -> list[str]:
    """The passages that are named, then the first of each document, then the second of each, and so on."""
    positions = {name: name.rpartition("#")[2] for name in names if "#" in name}
    named = {f"{doc_id}#{position}" for name, position in positions.items() for doc_id in doc_ids.get(name, ())}
    return sorted(passage_ids, key=lambda passage_id: (passage_id not in named, int(passage_id.rpartition("#")[2])))


def _left_out(doc_id: str, snapshot: Snapshot) -> str:
    document = snapshot.document(doc_id)
    if document and is_retracted(document.metadata):
        return f"{doc_id} is retracted and therefore left out: the condition retracted=any lets it in."
    return f"{doc_id} does not meet the conditions: leave them out to see it."
