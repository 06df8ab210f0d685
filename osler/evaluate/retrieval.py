"""A data set's queries through both stages of a search in one pass, as two runs. Knows a searcher, no measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from osler.datasets import Dataset
from osler.errors import UsageError
from osler.evaluate.measures import document_scores
from osler.protocols import PassageIndex
from osler.records import DocumentVersion, Filter, Query, Ranking
from osler.search.searcher import Searcher

TOTAL: Final = "total"
"""The name of the time of a whole search, beside those of its parts."""

_EVERYTHING = Filter(include_retracted=True)  # qrels judge retracted documents too

# Documents that the index is asked for at once.
_SLICE = 1000

OnQuery = Callable[[int, int], None]
"""Told after each query how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class StageRuns:
    """What each stage found, query_id -> doc_id -> score; a document scores as its best passage.

    seconds: what each query took, by part of a search and in all (TOTAL); what runs beside a part is no part, and the
    parts are not all there is, so the total is not their sum.
    """

    candidates: dict[str, dict[str, float]] = field(default_factory=dict)
    ranked: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def search(self, query: Query, searcher: Searcher, *, k: int) -> None:
        """Search for the query, without evidence, and keep what was found and how long it took."""
        began = perf_counter()
        # Evidence is no part of a ranking, and finding it would be timed.
        ranking = searcher.search(query.text, k=k, where=_EVERYTHING, evidence=False)
        taken = {**ranking.seconds, TOTAL: perf_counter() - began}
        self.candidates[query.query_id] = _scores(ranking, candidates=True)
        self.ranked[query.query_id] = _scores(ranking, candidates=False)
        for part, seconds in taken.items():
            self.seconds.setdefault(part, []).append(seconds)


def search_dataset(
    dataset: Dataset, searcher: Searcher, *, k: int | None = None, on_query: OnQuery | None = None
) -> StageRuns:
    """The passages of every query, scored by stage 1 and by both stages: all `num_candidates` that stage 1 hands on.

    With a smaller k only the k that stage 2 ranks highest are in either run, so that `candidates` says nothing of stage
    1 any more. Ask `coverage` first whether the index can answer at all.
    """
    runs = StageRuns()
    k = searcher.settings.num_candidates if k is None else k
    for number, query in enumerate(dataset.queries.values(), start=1):
        runs.search(query, searcher, k=k)
        if on_query:
            on_query(number, len(dataset.queries))
    return runs


@dataclass(frozen=True, slots=True)
class Coverage:
    """The documents of a data set that an index does not hold, and those that it holds with other content."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]


def coverage(dataset: Dataset, index: PassageIndex) -> Coverage:
    """What of the corpus the index holds, in the order of the corpus; blank documents, which none can hold, aside.

    UsageError where it holds none of the relevant ones, so is the index of something else.
    """
    written = {
        doc_id: document
        for doc_id, document in dataset.documents.items()
        if document.title.strip() or document.text.strip()
    }
    doc_ids = list(written)
    stored: dict[str, DocumentVersion] = {}
    for start in range(0, len(doc_ids), _SLICE):
        stored |= index.fingerprints(doc_ids[start : start + _SLICE])
    relevant = dataset.relevant_ids
    if not any(doc_id in stored for doc_id in relevant):
        raise UsageError(
            f"The index holds none of the documents that the qrels of {dataset.name} speak of ({min(relevant)} …): "
            "index the corpus of that data set."
        )
    held = [doc_id for doc_id in doc_ids if doc_id in stored]
    return Coverage(
        missing=tuple(doc_id for doc_id in doc_ids if doc_id not in stored),
        changed=tuple(doc_id for doc_id in held if stored[doc_id].fingerprint != written[doc_id].fingerprint),
    )


def _scores(ranking: Ranking, *, candidates: bool) -> dict[str, float]:
    return document_scores(
        (ranked.passage.doc_id, ranked.candidate_score if candidates else ranked.score) for ranked in ranking.ranked
    )
