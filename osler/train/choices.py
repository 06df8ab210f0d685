"""Both stages over the queries of a data set: what valid is chosen with and what dev reports.

Chosen on valid are stage 1's share in the final score and the score under which there is no answer; both are kept with
the re-ranker. Every candidate passage is encoded by the re-ranker once, however many queries it is a candidate of.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from osler.answer.abstain import ThresholdFit, fit_threshold
from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.errors import ModelError
from osler.evaluate.measures import Qrels, document_scores, per_query
from osler.evaluate.significance import compare, resampled_means
from osler.models import ModelPair
from osler.models.adapter import read_adapter, write_adapter
from osler.models.model_card import read_card, write_card
from osler.protocols import PassageIndex
from osler.records import Filter, TokenVectors
from osler.search.rerank import encode_by_id, interpolated, maxsim_scores
from osler.search.searcher import Searcher
from osler.train.pipeline import OnProgress, Progress

MEASURES: Final = ("nDCG@10", "RR@10", "Recall@1", "Recall@10")
GRID: Final = tuple(step / 10 for step in range(10))
_EVERYTHING: Final = Filter(include_retracted=True)  # qrels judge retracted documents too
_MEASURE: Final = "nDCG@10"
_SIGNIFICANT: Final = 0.05
# Share of the answerable that must be answered: users ask in other words than the queries that it is fitted on.
_ANSWERED: Final = 0.99


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate of a query with the scores of both stages."""

    doc_id: str
    stage1: float
    maxsim: float


@dataclass(frozen=True, slots=True)
class ScoredDataset:
    """The candidates of every query of a data set, by query_id, and what is relevant to them."""

    name: str
    candidates: Mapping[str, Sequence[ScoredCandidate]]
    qrels: Qrels

    def run(self, weight: float) -> dict[str, dict[str, float]]:
        """query_id -> doc_id -> (1 - weight) * MaxSim + weight * stage 1's score, a document as its best passage."""
        run = {}
        for query_id, candidates in self.candidates.items():
            maxsim = [candidate.maxsim for candidate in candidates]
            scores = interpolated(maxsim, [candidate.stage1 for candidate in candidates], weight=weight)
            doc_ids = (candidate.doc_id for candidate in candidates)
            run[query_id] = document_scores(zip(doc_ids, scores, strict=True))
        return run

    def values(self, weight: float, measure: str = _MEASURE) -> dict[str, float]:
        """The measure of each query under this weight; with weight 1 it is that of stage 1 alone."""
        return per_query(self.qrels, self.run(weight), [measure])[measure]


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
    # The weight is not chosen yet, so both scores are kept apart.
    searcher = Searcher(index, models.encoder, models.reranker, settings.model_copy(update={"rerank": False}))
    candidates = {
        query_id: searcher.search(query.text, k=settings.num_candidates, where=_EVERYTHING, evidence=False).ranked
        for query_id, query in dataset.queries.items()
    }
    passages = {ranked.passage.passage_id: ranked.passage for of_query in candidates.values() for ranked in of_query}
    encoded = {} if encoded is None else encoded
    missing = [passage for passage_id, passage in passages.items() if passage_id not in encoded]
    began = time.monotonic()

    def report(done: int, of: int) -> None:
        speed = done / max(time.monotonic() - began, 1e-9)
        on_progress(Progress(f"{dataset.split} {dataset.name}", done, of, None, speed, (of - done) / speed))

    encoded |= encode_by_id(missing, models.reranker, on_passages=report)
    query_vectors = models.reranker.encode_queries([dataset.queries[query_id].text for query_id in candidates])
    scored = {}
    for (query_id, of_query), vectors in zip(candidates.items(), query_vectors, strict=True):
        maxsim = maxsim_scores(vectors, [ranked.passage.passage_id for ranked in of_query], encoded)
        scored[query_id] = [
            ScoredCandidate(ranked.passage.doc_id, ranked.candidate_score, score)
            for ranked, score in zip(of_query, maxsim, strict=True)
        ]
    return ScoredDataset(dataset.name, scored, dataset.qrels)


def choose_stage1_weight(
    valid: Sequence[ScoredDataset], grid: Sequence[float] = GRID
) -> tuple[float, dict[float, float]]:
    """The mean, over resampled queries, of the weight of the highest nDCG@10; and what that and each of the grid gives.

    Near its top the curve is flat, and which of its points is highest is chance. So queries are drawn again and again,
    with replacement within each data set, nDCG@10 is averaged over data sets, and the mean of the best weights is taken
    (bagging: Breiman, 1996), rounded to two digits; of equal ones the smallest counts as best. Where the curve has two
    tops, and their mean reaches less than the best of the grid beyond noise, that is taken.

    >>> candidates = {"q": [ScoredCandidate("a", 0.9, 0.5), ScoredCandidate("b", 0.1, 0.6)]}
    >>> choose_stage1_weight([ScoredDataset("tiny", candidates, {"q": {"a": 1}})], grid=(0.0, 0.5))[0]
    0.5
    """
    values = {weight: values_by_dataset(valid, weight) for weight in sorted(grid)}
    # Sums in another order differ in their last digits: no reason for a larger weight.
    drawn = np.round([resampled_means(of_weight) for of_weight in values.values()], 9)  # [weights, samples]
    chosen = round(float(np.mean(np.array(list(values))[drawn.argmax(axis=0)])), 2)
    values.setdefault(chosen, values_by_dataset(valid, chosen))
    tried = {weight: fmean(map(fmean, of.values())) for weight, of in sorted(values.items())}
    best = max(tried, key=lambda weight: (round(tried[weight], 9), -weight))
    worse = tried[chosen] < tried[best] and compare(values[best], values[chosen]).p < _SIGNIFICANT
    return (best if worse else chosen), tried


def values_by_dataset(datasets: Sequence[ScoredDataset], weight: float) -> dict[str, list[float]]:
    """nDCG@10 of each query under this weight, by data set: what means and paired tests take."""
    return {dataset.name: list(dataset.values(weight).values()) for dataset in datasets}


def choose_threshold(valid: Sequence[ScoredDataset]) -> ThresholdFit:
    """The MaxSim under which the best passage answers nothing, fitted on the candidates of every query.

    Answerable is a query with all of its candidates, unanswerable the same query without the relevant ones, as if the
    index lacked them. 0, which answers everything, where no query has both.

    >>> candidates = {"q": [ScoredCandidate("a", 0.9, 0.75), ScoredCandidate("b", 0.1, 0.25)]}
    >>> choose_threshold([ScoredDataset("tiny", candidates, {"q": {"a": 1}})]).threshold
    0.5
    """
    answerable, unanswerable = [], []
    for dataset in valid:
        for query_id, candidates in dataset.candidates.items():
            relevant = dataset.qrels[query_id]
            irrelevant = [candidate.maxsim for candidate in candidates if candidate.doc_id not in relevant]
            if irrelevant and len(irrelevant) < len(candidates):
                answerable.append(max(candidate.maxsim for candidate in candidates))
                unanswerable.append(max(irrelevant))
    return fit_threshold(answerable, unanswerable, keep=_ANSWERED) if answerable else ThresholdFit(0.0, 1.0, 0.0)


def keep_choices(folder: Path, *, stage1_weight: float, abstain_below: float) -> None:
    """Write both into `osler.json` of the re-ranker in this training folder, and into its adapter if it has one.

    The vectors stay the same, so an index that the re-ranker built goes on working.
    """
    model, adapter = folder / "model", folder / "adapter.safetensors"
    card = read_card(model)
    if card is None:
        raise ModelError(f"{model}: no osler.json beside the model; train the re-ranker again.")
    card = card.model_copy(update={"stage1_weight": stage1_weight, "abstain_below": round(abstain_below, 3)})
    write_card(model, card)
    if adapter.is_file():
        write_adapter(adapter, replace(read_adapter(adapter), reranker=card))


def dev_report(datasets: Sequence[ScoredDataset], weight: float) -> dict[str, Any]:
    """What both stages reach on each data set and in the macro average, and whether stage 2 beats stage 1.

    Empty where no data set has a dev part.
    """
    if not datasets:
        return {}
    stages = {"candidates": 1.0, "ranked": weight}  # a weight of 1 is stage 1 alone
    measures = {
        dataset.name: {stage: _means(dataset, share) for stage, share in stages.items()} for dataset in datasets
    }
    macro = {
        stage: {name: round(fmean(of_stage[stage][name] for of_stage in measures.values()), 4) for name in MEASURES}
        for stage in stages
    }
    return {
        "measures": measures,
        "macro": macro,
        "queries": {dataset.name: len(dataset.candidates) for dataset in datasets},
        "ranked_against_candidates": asdict(
            compare(values_by_dataset(datasets, weight), values_by_dataset(datasets, 1.0))
        ),
    }


def _means(dataset: ScoredDataset, weight: float) -> dict[str, float]:
    values = per_query(dataset.qrels, dataset.run(weight), MEASURES)
    return {measure: round(fmean(values[measure].values()), 4) for measure in MEASURES}
