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
from osler.text.near_equal import Shingles, equal, near_equal, shingles
from osler.text.pubmed_id import pubmed_id
from osler.train.data import TrainingPassage
from osler.train.mining.audit import Reason
from osler.train.mining.sources import PassageTable
from osler.train.settings import MiningSettings

# Passages of which the shingles are held at once: some 10 kB each where a passage has 200 words.
_SHINGLES_KEPT: Final = 10_000


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
        frozenset(passages[doc_id].doc_id if doc_id in passages else doc_id for doc_id in excluded),
    )


class QueryFilter:
    """The filters that depend on a query, and on none of its positives alone."""

    def __init__(
        self, answers: KnownAnswers, passages: PassageTable, texts: ComparedTexts, settings: MiningSettings
    ) -> None:
        self._answers = answers
        self._passages = passages
        self._texts = texts
        self._settings = settings
        self._reasons: dict[str, Reason | None] = {}

    def reason(self, candidate: TrainingPassage) -> Reason | None:
        """The first reason against this candidate of the query, or None."""
        passage_id = candidate.passage_id
        if passage_id not in self._reasons:
            self._reasons[passage_id] = self._tested(self._passages[passage_id])
        return self._reasons[passage_id]

    def _tested(self, passage: Passage) -> Reason | None:
        answers = self._answers
        if passage.doc_id in answers.doc_ids:
            return "known_positive"
        if _pmid(passage) in answers.pmids:
            return "same_pmid"
        own = self._texts.shingles(passage.passage_id)
        if any(equal(own, text) for text in answers.texts):
            return "equal_text"
        if any(near_equal(own, text, self._settings.near_equal) for text in answers.texts):
            return "near_equal_text"
        return "excluded" if passage.doc_id in answers.excluded else None


def _pmid(passage: Passage) -> str:
    return pubmed_id(passage.doc_id, passage.metadata.get("pmid"))
