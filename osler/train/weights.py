"""Stage 1's share in the final score, and the score under which there is no answer: chosen on queries that were not
trained on, kept with the re-ranker. Knows scores and the files of a re-ranker, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np

from osler.answer.abstain import ThresholdFit, fit_threshold
from osler.errors import ModelError
from osler.evaluate.measures import Qrels, document_scores, per_query
from osler.evaluate.significance import compare, resampled_means
from osler.models.adapter import read_adapter, write_adapter
from osler.models.model_card import read_card, write_card
from osler.search.rerank import interpolated

GRID: Final = tuple(step / 10 for step in range(10))
_MEASURE: Final = "nDCG@10"
_SIGNIFICANT: Final = 0.05
_ANSWERED: Final = 0.99
"""Share of the answerable that must be answered: users ask in other words than the queries that it is fitted on."""


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
        return {query_id: _scores(candidates, weight) for query_id, candidates in self.candidates.items()}

    def values(self, weight: float, measure: str = _MEASURE) -> dict[str, float]:
        """The measure of each query under this weight; with weight 1 it is that of stage 1 alone."""
        return per_query(self.qrels, self.run(weight), [measure])[measure]


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
    drawn = np.round([resampled_means(one) for one in values.values()], 9)  # [weights, samples]
    chosen = round(float(np.mean(np.array(list(values))[drawn.argmax(axis=0)])), 2)
    values.setdefault(chosen, values_by_dataset(valid, chosen))
    tried = {weight: fmean(map(fmean, of.values())) for weight, of in sorted(values.items())}
    best = max(tried, key=lambda weight: (round(tried[weight], 9), -weight))
    worse = tried[chosen] < tried[best] and compare(values[best], values[chosen]).p < _SIGNIFICANT
    return (best if worse else chosen), tried


def values_by_dataset(datasets: Sequence[ScoredDataset], weight: float) -> dict[str, list[float]]:
    """nDCG@10 of each query under this weight, by data set: what means and paired tests take."""
    return {one.name: list(one.values(weight).values()) for one in datasets}


def choose_threshold(valid: Sequence[ScoredDataset]) -> ThresholdFit:
    """The MaxSim under which the best passage answers nothing, fitted on the candidates of every query.

    Answerable is a query with all of its candidates, unanswerable the same query without the relevant ones, as if the
    index lacked them. 0, which answers everything, where no query has both.

    >>> candidates = {"q": [ScoredCandidate("a", 0.9, 0.75), ScoredCandidate("b", 0.1, 0.25)]}
    >>> choose_threshold([ScoredDataset("tiny", candidates, {"q": {"a": 1}})]).threshold
    0.5
    """
    answerable, unanswerable = [], []
    for part in valid:
        for query_id, candidates in part.candidates.items():
            others = [one.maxsim for one in candidates if one.doc_id not in part.qrels[query_id]]
            if others and len(others) < len(candidates):
                answerable.append(max(one.maxsim for one in candidates))
                unanswerable.append(max(others))
    return fit_threshold(answerable, unanswerable, keep=_ANSWERED) if answerable else ThresholdFit(0.0, 1.0, 0.0)


def keep_choices(folder: Path, *, stage1_weight: float, abstain_below: float) -> None:
    """Write both into `osler.json` of the re-ranker in this training folder, and into its adapter if it has one.

    The vectors stay the same, so an index that the re-ranker built goes on working.
    """
    model, adapter = folder / "model", folder / "adapter.safetensors"
    facts = read_card(model)
    if facts is None:
        raise ModelError(f"{model}: no osler.json beside the model; train the re-ranker again.")
    facts = facts.model_copy(update={"stage1_weight": stage1_weight, "abstain_below": round(abstain_below, 3)})
    write_card(model, facts)
    if adapter.is_file():
        write_adapter(adapter, replace(read_adapter(adapter), reranker=facts))


def _scores(candidates: Sequence[ScoredCandidate], weight: float) -> dict[str, float]:
    maxsim, stage1 = [one.maxsim for one in candidates], [one.stage1 for one in candidates]
    final = interpolated(maxsim, stage1, weight=weight)
    return document_scores((one.doc_id, score) for one, score in zip(candidates, final, strict=True))
