"""What mining hands on, and its account for a person: counts, scores, negatives that may be unlabelled positives.

What a person decides about those comes back through `read_exclusions`. Knows what was mined, not how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from osler.text.matching import jaccard, shingles
from osler.train.data import Example, TrainingPassage, read_records, write_records
from osler.train.pipeline import write_json

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

AUDIT_FILE: Final = "audit.json"
SUSPICIOUS_FILE: Final = "suspicious.jsonl"
Exclusion = tuple[str, str, str]
"""(data set, query_id, passage_id or doc_id): never a negative of this query."""


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
    values = np.percentile(scores, QUANTILES)
    return {f"{percent}%": float(value) for percent, value in zip(QUANTILES, values, strict=True)}


def joined(outcomes: Iterable[Mined]) -> Mined:
    """What was mined from several data sets, as one: examples in their order, counts added up."""
    outcomes = list(outcomes)
    counts = MiningCounts(
        sum(mined.counts.looked_at for mined in outcomes),
        sum(mined.counts.kept for mined in outcomes),
        {reason: sum(mined.counts.dropped[reason] for mined in outcomes) for reason in REASONS},
    )
    return Mined(
        tuple(example for mined in outcomes for example in mined.examples),
        sum(mined.without_negatives for mined in outcomes),
        counts,
        tuple(score for mined in outcomes for score in mined.margin_scores),
    )


@dataclass(frozen=True, slots=True)
class SuspiciousNegative:
    """A kept negative for a person to judge.

    verdict: "positive" or "exclude" takes it out of the negatives of this query, "negative" confirms it, "" is open.
    """

    dataset: str
    query_id: str
    query: str
    positive_id: str
    positive: str
    negative_id: str
    negative: str
    score: float
    positive_score: float
    rank: int
    verdict: Literal["", "positive", "exclude", "negative"] = ""


def write_audit(mined: Mined, folder: Path, *, suspicious: int = 100) -> dict[str, Any]:
    """The report, once it is written to `audit.json`, and the most suspicious negatives to `suspicious.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    report = audit_report(mined)
    write_records(folder / SUSPICIOUS_FILE, suspicious_negatives(mined.examples, suspicious), SuspiciousNegative)
    write_json(folder / AUDIT_FILE, report)
    return report


def audit_report(mined: Mined) -> dict[str, Any]:
    """The numbers of a mining run, ready for JSON."""
    counts = mined.counts
    dropped = {
        reason: {"count": count, "share": round(counts.share(reason), 4)} for reason, count in counts.dropped.items()
    }
    return {
        "examples": len(mined.examples),
        "without_negatives": mined.without_negatives,
        "negatives_per_example": round(mined.negatives_per_example, 2),
        "looked_at": counts.looked_at,
        "kept": counts.kept,
        "dropped": dropped,
        "scores": mined.score_quantiles,
    }


def report_text(report: Mapping[str, Any]) -> str:
    """The report of `audit_report` as lines that a person can read."""
    lines = [
        f"{report['examples']:,} examples with {report['negatives_per_example']} negatives each; "
        f"{report['without_negatives']:,} without any are left out.",
        f"{report['looked_at']:,} candidates looked at, {report['kept']:,} kept; dropped:",
    ]
    for name, drop in report["dropped"].items():
        lines.append(f"  {name.replace('_', ' '):<20} {drop['count']:>9,}  {drop['share']:6.1%}")
    lines.append("Scores:")
    for name, scores in report["scores"].items():
        if scores:
            quantiles = "  ".join(f"{at} {score:.3f}" for at, score in scores.items())
            lines.append(f"  {name.replace('_', ' '):<20} {quantiles}")
    return "\n".join(lines)


def suspicious_negatives(examples: Iterable[Example], count: int) -> list[SuspiciousNegative]:
    """The `count` negatives that most likely answer their query, the likeliest first, each pair of the two once.

    Suspicion grows as the score nears that of the positive, and as the words do: the Jaccard similarity of the
    shingles less the gap between the scores, relative to the positive's.
    """
    suspicion: dict[Exclusion, float] = {}
    lines: dict[Exclusion, SuspiciousNegative] = {}
    for example in examples:
        words = shingles(example.positive.text)
        for negative in example.negatives:
            key = (example.dataset, example.query_id, negative.passage_id)
            # A source without scores gives 0 to all: words alone decide then.
            score = example.positive.score
            gap = (score - negative.score) / abs(score) if score else 0.0
            value = jaccard(words, shingles(negative.text)) - gap
            if key not in lines or value > suspicion[key]:
                suspicion[key], lines[key] = value, _line(example, negative)
    likeliest = sorted(lines, key=lambda key: (-suspicion[key], key))[:count]
    return [lines[key] for key in likeliest]


def _line(example: Example, negative: TrainingPassage) -> SuspiciousNegative:
    return SuspiciousNegative(
        dataset=example.dataset,
        query_id=example.query_id,
        query=example.query,
        positive_id=example.positive.passage_id,
        positive=example.positive.text,
        negative_id=negative.passage_id,
        negative=negative.text,
        score=negative.score,
        positive_score=example.positive.score,
        rank=negative.rank,
    )


def read_exclusions(path: Path) -> set[Exclusion]:
    """The pairs of the reviewed file whose verdict is "positive" or "exclude".

    CorpusError that names the line of an unknown verdict or of other damage.
    """
    return {
        (line.dataset, line.query_id, line.negative_id)
        for line in read_records(path, SuspiciousNegative)
        if line.verdict in ("positive", "exclude")
    }
