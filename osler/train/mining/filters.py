"""Which candidates of a query may answer it after all, and so are no negatives. Knows no scores and no source.

What is compared is the text of a passage without its title (which alone tells apart two documents of one text); of a
passage without text, its title.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from osler.models.bi_encoder import passage_input
from osler.records import Passage
from osler.text.identifiers import pubmed_id
from osler.text.near_equal import Shingles, equal, near_equal, shingles
from osler.train.examples.example import TrainingPassage
from osler.train.mining.candidates import PassageTable
from osler.train.mining.mined import Reason
from osler.train.settings import MiningSettings

_SHINGLES_KEPT: Final = 10_000
"""Passages of which the shingles are held at once: some 10 kB each where a passage has 200 words."""


class ComparedTexts:
    """The passages of a table as they are compared, each taken apart once while it is in use."""

    def __init__(self, passages: PassageTable) -> None:
        self._passages = passages
        self.shingles = lru_cache(maxsize=_SHINGLES_KEPT)(self._shingles)

    def _shingles(self, passage_id: str) -> Shingles:
        passage = self._passages[passage_id]
        has_text = any(map(str.isalnum, passage.text))
        return shingles(passage.text if has_text else passage_input(passage))


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """What is known to answer a query: documents, their PubMed ids, their texts; and documents excluded by review."""

    doc_ids: frozenset[str]
    pmids: frozenset[str]
    texts: tuple[Shingles, ...]
    excluded: frozenset[str]


def known_answers(
    doc_ids: Iterable[str], excluded: Iterable[str], passages: PassageTable, texts: ComparedTexts
) -> KnownAnswers:
    """What is known of a query with these relevant documents.

    excluded: ids of passages or documents; a passage takes its document with it, since relevance is judged by document.
    """
    doc_ids = frozenset(doc_ids)
    positives = [passage for doc_id in sorted(doc_ids) for passage in passages.of_document(doc_id)]
    pmids = {pmid for passage in positives if (pmid := _pmid(passage))}
    return KnownAnswers(
        doc_ids,
        frozenset(pmids),
        tuple(dict.fromkeys(texts.shingles(passage.passage_id) for passage in positives)),
        frozenset(passages[one].doc_id if one in passages else one for one in excluded),
    )


class QueryFilter:
    """The filters that depend on a query, and on none of its positives alone."""

    def __init__(
        self, known: KnownAnswers, passages: PassageTable, texts: ComparedTexts, settings: MiningSettings
    ) -> None:
        self._known = known
        self._passages = passages
        self._texts = texts
        self._settings = settings
        self._reasons: dict[str, Reason | None] = {}

    def reason(self, candidate: TrainingPassage) -> Reason | None:
        """The first reason against this candidate of the query, or None."""
        passage_id = candidate.passage_id
        if passage_id not in self._reasons:
            passage = self._passages[passage_id]
            self._reasons[passage_id] = (
                self._by_identity(passage)
                or self._by_text(passage)
                or ("excluded" if passage.doc_id in self._known.excluded else None)
                or self._by_rank(candidate.rank)
            )
        return self._reasons[passage_id]

    def _by_identity(self, passage: Passage) -> Reason | None:
        if passage.doc_id in self._known.doc_ids:
            return "known_positive"
        return "same_pmid" if _pmid(passage) in self._known.pmids else None

    def _by_text(self, passage: Passage) -> Reason | None:
        own = self._texts.shingles(passage.passage_id)
        if any(equal(own, known) for known in self._known.texts):
            return "equal_text"
        threshold = self._settings.near_equal
        return "near_equal_text" if any(near_equal(own, known, threshold) for known in self._known.texts) else None

    def _by_rank(self, rank: int) -> Reason | None:
        last = self._settings.last_rank
        inside = rank >= self._settings.first_rank and (last is None or rank <= last)
        return None if inside else "rank"


def _pmid(passage: Passage) -> str:
    return pubmed_id(passage.doc_id, passage.metadata.get("pmid"))
