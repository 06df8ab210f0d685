"""When to give no answer: the score under which the best passage does not speak of the question. Knows no models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from osler.answer.prompt import unbracketed
from osler.records import RankedPassage, Ranking

NAMED = 3
"""Passages that an abstention names as the nearest."""


def confidence(ranking: Ranking) -> float:
    """The highest mean MaxSim per query token of a passage; of passages without one, the highest score.

    It is MaxSim also where the score that ranks is interpolated with stage 1: scores of stage 1 (cosines, BM25,
    reciprocal ranks) have other scales, so a threshold says nothing of those. ValueError when the ranking has no
    passage.
    """
    return max(one.score if one.maxsim is None else one.maxsim for one in ranking.ranked)


def abstention(ranked: Sequence[RankedPassage], *, score: float | None = None, threshold: float = 0.0) -> str:
    """What stands in place of an answer: why there is none, and the nearest passages.

    Three reasons: there are no passages; there is a score, which is under the threshold; there is none, because the
    language model was asked and declined.

    >>> abstention([])
    'No passage was found for this question, so there is no answer.'
    """
    if not ranked:
        return "No passage was found for this question, so there is no answer."
    nearest = "; ".join(dict.fromkeys(_name(one) for one in ranked[:NAMED]))
    return f"{_reason(score, threshold)} The nearest are: {nearest}."


@dataclass(frozen=True, slots=True)
class ThresholdFit:
    """A threshold and what it does: the share of answerable questions answered, of unanswerable ones declined."""

    threshold: float
    answered: float
    declined: float

    @property
    def balanced_accuracy(self) -> float:
        """The mean of both shares: 0.5 for a coin, 1.0 for no mistake."""
        return (self.answered + self.declined) / 2


def fit_threshold(answerable: Sequence[float], unanswerable: Sequence[float], *, keep: float = 0.95) -> ThresholdFit:
    """The threshold of the best balanced accuracy among those that answer at least `keep` of the answerable.

    That is Youden's J statistic (1950) under a limit: wrongly declining is what users forgive least, so it is bounded
    first. A threshold lies halfway between two neighbouring scores; of equal ones the lowest, which declines least.
    ValueError when either kind has no score or `keep` is not between 0 and 1.

    >>> fit_threshold([0.7, 0.8, 0.9], [0.3, 0.5, 0.75])
    ThresholdFit(threshold=0.6, answered=1.0, declined=0.6666666666666666)
    """
    if not answerable or not unanswerable:
        raise ValueError("A threshold needs scores of answerable and of unanswerable questions.")
    if not 0 <= keep <= 1:
        raise ValueError(f"keep = {keep} is not a share: choose 0 to 1.")
    fits = [_fit(threshold, answerable, unanswerable) for threshold in _midpoints([*answerable, *unanswerable])]
    return max((fit for fit in fits if fit.answered >= keep), key=lambda fit: (fit.balanced_accuracy, -fit.threshold))


def _midpoints(scores: Sequence[float]) -> list[float]:
    """The lowest score, which declines nothing, and the middle of each two neighbours."""
    ordered = sorted(set(scores))
    return [ordered[0], *((low + high) / 2 for low, high in pairwise(ordered))]


def _fit(threshold: float, answerable: Sequence[float], unanswerable: Sequence[float]) -> ThresholdFit:
    answered = sum(score >= threshold for score in answerable) / len(answerable)
    declined = sum(score < threshold for score in unanswerable) / len(unanswerable)
    return ThresholdFit(threshold, answered, declined)


def _reason(score: float | None, threshold: float) -> str:
    if score is None:
        return "The language model found no answer in the passages."
    return f"No passage is near enough to this question (confidence {score:.2f}, needed {threshold:.2f})."


def _name(ranked: RankedPassage) -> str:
    title, doc_id = (unbracketed(" ".join(text.split())) for text in (ranked.passage.title, ranked.passage.doc_id))
    return f"{title} ({doc_id})" if title else doc_id
