"""Both stages over the queries of a data set: what valid is chosen with, what dev reports. Knows no training.

Every candidate passage is encoded by the re-ranker once, however many queries it is a candidate of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, Final

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.evaluate.measures import per_query
from osler.evaluate.significance import compare
from osler.models import ModelPair
from osler.protocols import PassageIndex
from osler.records import Filter, RankedPassage, TokenVectors
from osler.search.rerank import encode_by_id, maxsim_scores
from osler.search.searcher import Searcher
from osler.train.progress import OnProgress, Progress
from osler.train.weights import ScoredCandidate, ScoredDataset, values_by_dataset

MEASURES: Final = ("nDCG@10", "RR@10", "Recall@1", "Recall@10")

_EVERYTHING: Final = Filter(include_retracted=True)  # qrels judge retracted documents too


def score_queries(
    dataset: Dataset,
    index: PassageIndex,
    models: ModelPair,
    settings: SearchSettings,
    *,
    on_progress: OnProgress,
    encoded: dict[str, TokenVectors] | None = None,
) -> ScoredDataset:
    """The candidates of every query of the data set that a search with these settings finds, scored by both stages.

    encoded: token vectors by passage_id, to which those are added that are not there.
    """
    searcher = Searcher(index, models.encoder, models.reranker, settings.model_copy(update={"rerank": False}))
    candidates = {
        query_id: searcher.search(query.text, k=settings.num_candidates, where=_EVERYTHING, evidence=False).ranked
        for query_id, query in dataset.queries.items()
    }
    passages = {one.passage.passage_id: one.passage for ranked in candidates.values() for one in ranked}
    encoded = {} if encoded is None else encoded
    missing = [passage for passage_id, passage in passages.items() if passage_id not in encoded]
    report = _reporter(f"{dataset.split} {dataset.name}", on_progress)
    encoded |= encode_by_id(missing, models.reranker, on_passages=report)
    query_ids = list(candidates)
    vectors = models.reranker.encode_queries([dataset.queries[query_id].text for query_id in query_ids])
    scored = {
        query_id: _scored(ranked := candidates[query_id], maxsim_scores(query_vectors, _passage_ids(ranked), encoded))
        for query_id, query_vectors in zip(query_ids, vectors, strict=True)
    }
    return ScoredDataset(dataset.name, scored, dataset.qrels)


def dev_report(datasets: Sequence[ScoredDataset], weight: float) -> dict[str, Any]:
    """What both stages reach on each data set and in the macro average, and whether stage 2 beats stage 1.

    Empty where no data set has a dev part.
    """
    if not datasets:
        return {}
    stages = {"candidates": 1.0, "ranked": weight}
    measures = {one.name: {stage: _means(one, share) for stage, share in stages.items()} for one in datasets}
    return {
        "measures": measures,
        "macro": {stage: _macro([means[stage] for means in measures.values()]) for stage in stages},
        "queries": {one.name: len(one.candidates) for one in datasets},
        "ranked_against_candidates": asdict(
            compare(values_by_dataset(datasets, weight), values_by_dataset(datasets, 1.0))
        ),
    }


def _means(dataset: ScoredDataset, weight: float) -> dict[str, float]:
    values = per_query(dataset.qrels, dataset.run(weight), MEASURES)
    return {measure: round(fmean(values[measure].values()), 4) for measure in MEASURES}


def _macro(means: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {measure: round(fmean(one[measure] for one in means), 4) for measure in MEASURES}


def _reporter(stage: str, on_progress: OnProgress) -> Callable[[int, int], None]:
    """Tells of passages as progress of this stage."""
    began = time.monotonic()

    def report(done: int, of: int) -> None:
        speed = done / max(time.monotonic() - began, 1e-9)
        on_progress(Progress(stage, done, of, None, speed, (of - done) / speed))

    return report


def _passage_ids(candidates: Sequence[RankedPassage]) -> list[str]:
    return [one.passage.passage_id for one in candidates]


def _scored(candidates: Sequence[RankedPassage], maxsim: Sequence[float]) -> list[ScoredCandidate]:
    return [
        ScoredCandidate(one.passage.doc_id, one.candidate_score, score)
        for one, score in zip(candidates, maxsim, strict=True)
    ]
