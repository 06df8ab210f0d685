"""Hard negatives: what a retriever ranks high for a query although it does not answer it. Knows no model.

A candidate that may answer the query after all is dropped, and counted under the first filter that drops it. The order
of the filters is that of `Reason`. What is compared is the text of a passage without its title (which alone tells apart
two documents of one text); of a passage without text, its title.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from osler.models.bi_encoder import passage_input
from osler.records import Passage
from osler.text.identifiers import pubmed_id
from osler.text.matching import Shingles, equal, near_equal, shingles
from osler.train.data import Example, Relevant, TrainingPassage
from osler.train.mining.audit import REASONS, Exclusion, Mined, MiningCounts, Reason, read_exclusions
from osler.train.mining.sources import CandidateSource, PassageTable
from osler.train.settings import MiningSettings

# Passages of which the shingles are held at once: some 10 kB each where a passage has 200 words.
_SHINGLES_KEPT: Final = 10_000

_QUERIES_AT_ONCE: Final = 256


def mine_hard_negatives(
    examples: Sequence[Example],
    source: CandidateSource,
    relevant: Relevant,
    settings: MiningSettings,
    *,
    on_queries: Callable[[int, int], None] | None = None,
) -> Mined:
    """The examples with their negatives, best first, and the account of every candidate that was looked at.

    An example takes the first `settings.negatives` candidates that no filter drops; one that finds fewer keeps those,
    one that finds none is left out. Queries of one data set with the same words share their relevant documents.
    Examples of one query share its candidates, but each holds them against the score of its own positive.

    on_queries is told how many of the queries are done, and of how many. CorpusError where the reviewed exclusions that
    the settings name cannot be read.
    """
    exclusions = read_exclusions(settings.exclusions) if settings.exclusions else set()
    miner = _Miner(source, settings, _Judgements(examples, relevant, exclusions), ComparedTexts(source.passages))
    by_query: dict[tuple[str, str], list[int]] = {}
    for number, example in enumerate(examples):
        by_query.setdefault((example.dataset, example.query_id), []).append(number)
    groups = list(by_query.values())
    mined: dict[int, Example] = {}
    for start in range(0, len(groups), _QUERIES_AT_ONCE):
        block = groups[start : start + _QUERIES_AT_ONCE]
        numbers = [number for group in block for number in group]
        mined.update(zip(numbers, miner.mine([[examples[number] for number in group] for group in block]), strict=True))
        if on_queries:
            on_queries(start + len(block), len(groups))
    usable = tuple(mined[number] for number in range(len(examples)) if mined[number].negatives)
    return Mined(usable, len(examples) - len(usable), miner.account(), tuple(miner.margin_scores))


def score_ceiling(positive_score: float, relative_margin: float) -> float:
    """The highest score that a negative may have (NV-Retriever, Moreira et al., 2024, as sentence-transformers has it).

    The margin is a share of the size of the positive's score, so that it always lies below it. A positive that scores
    0 leaves what scores 0 or less: nothing that a retriever prefers, and everything of a source without scores.

    >>> score_ceiling(0.8, 0.25), score_ceiling(0.0, 0.25), score_ceiling(-0.8, 0.25)
    (0.6000000000000001, 0.0, -1.0)
    """
    return positive_score - abs(positive_score) * relative_margin


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


class _Judgements:
    """The relevant documents of a query, those of queries with the same words included, and its exclusions."""

    def __init__(self, examples: Sequence[Example], relevant: Relevant, exclusions: AbstractSet[Exclusion]) -> None:
        self._relevant: dict[tuple[str, int], set[str]] = {}
        for example in examples:
            doc_ids = relevant.get((example.dataset, example.query_id), frozenset())
            self._relevant.setdefault(_same_words(example), set()).update(doc_ids)
        self._excluded: dict[tuple[str, str], set[str]] = {}
        for dataset, query_id, passage_id in exclusions:
            self._excluded.setdefault((dataset, query_id), set()).add(passage_id)

    def relevant(self, example: Example) -> set[str]:
        return self._relevant[_same_words(example)]

    def excluded(self, example: Example) -> set[str]:
        return self._excluded.get((example.dataset, example.query_id), set())


def _same_words(example: Example) -> tuple[str, int]:
    return example.dataset, shingles(example.query).whole


@dataclass(slots=True)
class _Miner:
    """The state of one run: the counts so far, and the scores that the margin dropped."""

    source: CandidateSource
    settings: MiningSettings
    judgements: _Judgements
    texts: ComparedTexts
    counts: Counter[str] = field(default_factory=Counter)
    margin_scores: list[float] = field(default_factory=list)

    def account(self) -> MiningCounts:
        dropped: dict[Reason, int] = {reason: self.counts[reason] for reason in REASONS}
        return MiningCounts(self.counts["looked_at"], self.counts["kept"], dropped)

    def mine(self, groups: Sequence[Sequence[Example]]) -> Iterator[Example]:
        """The examples, a group a query, in their order with what negatives there are."""
        rankings = self.source.candidates([group[0] for group in groups], k=self.settings.num_candidates)
        pairs = list(zip(groups, rankings, strict=True))
        scored = iter(self._with_scores([(example, candidates) for group, candidates in pairs for example in group]))
        for group, candidates in pairs:
            query_filter = self._filter(group)
            for _ in group:
                yield self._with_negatives(next(scored), candidates, query_filter)

    def _with_scores(self, pairs: Sequence[tuple[Example, Sequence[TrainingPassage]]]) -> list[Example]:
        """The examples, each positive with the score of its document, and with its rank where it was found.

        A document's best passage comes first among the candidates, so one that was found need not be scored again.
        """
        best: list[TrainingPassage | None] = []
        for example, candidates in pairs:
            of_document = {passage.passage_id for passage in self.source.passages.of_positive(example)}
            best.append(next((passage for passage in candidates if passage.passage_id in of_document), None))
        missing = [example for (example, _), passage in zip(pairs, best, strict=True) if passage is None]
        scores = iter(self.source.positive_scores(missing) if missing else ())
        ranks = [(passage.score, passage.rank) if passage else (next(scores), 0) for passage in best]
        return [
            replace(example, positive=replace(example.positive, score=score, rank=rank))
            for (example, _), (score, rank) in zip(pairs, ranks, strict=True)
        ]

    def _filter(self, group: Sequence[Example]) -> QueryFilter:
        passages = self.source.passages
        positives = {passage.doc_id for example in group for passage in passages.of_positive(example)}
        relevant = positives | self.judgements.relevant(group[0])
        answers = known_answers(relevant, self.judgements.excluded(group[0]), passages, self.texts)
        return QueryFilter(answers, passages, self.texts, self.settings)

    def _with_negatives(
        self, example: Example, candidates: Sequence[TrainingPassage], query_filter: QueryFilter
    ) -> Example:
        ceiling = score_ceiling(example.positive.score, self.settings.relative_margin)
        negatives: list[TrainingPassage] = []
        for candidate in candidates:
            # What ranks behind the last negative is not looked at, and counted nowhere.
            if len(negatives) == self.settings.negatives:
                break
            reason = query_filter.reason(candidate) or self._reason_of_example(candidate, ceiling, negatives)
            self.counts.update(("looked_at", reason or "kept"))
            if reason == "margin":
                self.margin_scores.append(candidate.score)
            if reason is None:
                negatives.append(candidate)
        return replace(example, negatives=tuple(negatives))

    def _reason_of_example(
        self, candidate: TrainingPassage, ceiling: float, negatives: Sequence[TrainingPassage]
    ) -> Reason | None:
        if candidate.score > ceiling:
            return "margin"
        own, threshold = self.texts.shingles(candidate.passage_id), self.settings.near_equal
        texts = (self.texts.shingles(negative.passage_id) for negative in negatives)
        return "near_equal_negative" if any(near_equal(own, text, threshold) for text in texts) else None
