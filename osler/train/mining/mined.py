"""What mining hands on: examples with negatives, and the account of the candidates looked at. Knows no source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from osler.train.examples.example import Example

Reason = Literal[
    "known_positive",
    "same_pmid",
    "equal_text",
    "near_equal_text",
    "excluded",
    "margin",
    "near_equal_negative",
]
"""Why a candidate is no negative of an example, in the order of the tests; the first that holds counts."""

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
QUANTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class MiningCounts:
    """How many candidates were looked at, and what became of them; a candidate counts once for every example.

    An example looks at candidates until it has its negatives, so the rest of them appear nowhere.

    >>> counts = MiningCounts(looked_at=4, kept=1, dropped={"known_positive": 1, "margin": 2})
    >>> counts.share("margin")
    0.5
    """

    looked_at: int
    kept: int
    dropped: Mapping[Reason, int]

    def share(self, reason: Reason) -> float:
        """The share of the candidates looked at that were dropped for this reason; 0.0 where none was looked at."""
        return self.dropped[reason] / self.looked_at if self.looked_at else 0.0


@dataclass(frozen=True, slots=True)
class Mined:
    """The examples that have a negative, in the order given; the others are left out and counted.

    margin_scores: those of the candidates that the margin dropped.
    """

    examples: tuple[Example, ...]
    without_negatives: int
    counts: MiningCounts
    margin_scores: tuple[float, ...] = ()

    @property
    def negatives_per_example(self) -> float:
        """The mean number of negatives of the examples."""
        return self.counts.kept / len(self.examples) if self.examples else 0.0

    @property
    def score_quantiles(self) -> dict[str, dict[str, float]]:
        """The 5, 25, 50, 75 and 95% quantiles of the scores of positives, negatives and what the margin dropped.

        A positive counts once for every example; a group without scores has no quantiles.
        """
        groups = {
            "positives": [example.positive.score for example in self.examples],
            "negatives": [negative.score for example in self.examples for negative in example.negatives],
            "dropped_by_margin": self.margin_scores,
        }
        return {name: quantiles(scores) for name, scores in groups.items()}


def quantiles(scores: Sequence[float]) -> dict[str, float]:
    """The scores at `QUANTILES` percent, by percent, interpolated between neighbours; empty where there are none.

    >>> quantiles([0.0, 10.0])
    {'5%': 0.5, '25%': 2.5, '50%': 5.0, '75%': 7.5, '95%': 9.5}
    """
    if not scores:
        return {}
    found = np.percentile(scores, QUANTILES)
    return {f"{percent}%": float(score) for percent, score in zip(QUANTILES, found, strict=True)}


def joined(parts: Iterable[Mined]) -> Mined:
    """What was mined from several data sets, as one: examples in the order of the parts, counts added up."""
    parts = list(parts)
    counts = MiningCounts(
        sum(part.counts.looked_at for part in parts),
        sum(part.counts.kept for part in parts),
        {reason: sum(part.counts.dropped[reason] for part in parts) for reason in REASONS},
    )
    return Mined(
        tuple(example for part in parts for example in part.examples),
        sum(part.without_negatives for part in parts),
        counts,
        tuple(score for part in parts for score in part.margin_scores),
    )
