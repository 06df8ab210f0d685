"""The account of a mining run for a person: counts, scores, and the negatives that may be unlabelled positives.

What a person decides about those comes back through `read_exclusions`. Knows what was mined, not how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from osler.text.near_equal import jaccard, shingles
from osler.train.examples.example import Example, TrainingPassage
from osler.train.examples.lines import read_records, write_records
from osler.train.mining.mined import Mined
from osler.train.steps import write_json

AUDIT_FILE: Final = "audit.json"
SUSPICIOUS_FILE: Final = "suspicious.jsonl"

Exclusion = tuple[str, str, str]
"""(data set, query_id, passage_id or doc_id): never a negative of this query."""


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
        *(_dropped_line(name, drop) for name, drop in report["dropped"].items()),
        "Scores:",
        *(_scores_line(name, scores) for name, scores in report["scores"].items() if scores),
    ]
    return "\n".join(lines)


def _dropped_line(name: str, drop: Mapping[str, float]) -> str:
    return f"  {name.replace('_', ' '):<20} {drop['count']:>9,}  {drop['share']:6.1%}"


def _scores_line(name: str, scores: Mapping[str, float]) -> str:
    return f"  {name.replace('_', ' '):<20} " + "  ".join(f"{at} {score:.3f}" for at, score in scores.items())


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
            value = jaccard(words, shingles(negative.text)) - _relative_gap(example.positive, negative)
            if key not in lines or value > suspicion[key]:
                suspicion[key], lines[key] = value, _line(example, negative)
    likeliest = sorted(lines, key=lambda key: (-suspicion[key], key))[:count]
    return [lines[key] for key in likeliest]


def _relative_gap(positive: TrainingPassage, negative: TrainingPassage) -> float:
    """How far the negative scores below the positive, as a share of the latter; 0 where the positive scores 0."""
    return (positive.score - negative.score) / abs(positive.score) if positive.score else 0.0


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
