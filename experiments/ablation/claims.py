"""The paper's claims about the grid, as data, and whether they hold here. Knows values of variants, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from experiments.ablation.outcomes import VariantValues, differences, interval, macro_mean, seed_means
from experiments.ablation.variants import BASE, ZERO_SHOT, Size, pairs_variant
from osler.evaluate.report import FEWEST_QUERIES, HIT, MAIN, SIGNIFICANT
from osler.evaluate.significance import compare

Verdict = Literal["holds", "does not hold", "cannot be told from noise here"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that is true where the left variant is better than the right one."""

    sentence: str
    left: str
    right: str
    measure: str = MAIN

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that it speaks of."""
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class UpperBound:
    """A sentence that is true where the measure of a variant lies below a bound."""

    sentence: str
    variant: str
    below: float
    measure: str = HIT

    @property
    def variants(self) -> tuple[str, ...]:
        """The variant that it speaks of."""
        return (self.variant,)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim with its verdict.

    difference: left less right, or the variant's mean less the bound, with its 95% interval over seeds and queries.
    p: of the paired randomisation test over queries of the means over seeds; None for a bound, which no pairs are
    tested against.
    """

    sentence: str
    variants: tuple[str, ...]
    measure: str
    difference: float
    low: float
    high: float
    p: float | None
    verdict: Verdict

    def json(self) -> dict[str, Any]:
        """The claim as `ablation.json` and `python -m experiments.ablation --json` give it."""
        return asdict(self)


CLAIMS: Final[tuple[Claim | UpperBound, ...]] = (
    Claim("Tuning lifts the zero-shot retriever.", BASE, ZERO_SHOT),
    Claim("In-batch negatives do better than random ones.", BASE, "random-cosine"),
    Claim("In-batch negatives do better than BM25 negatives.", BASE, "bm25-cosine"),
    Claim("Cosine does better than the dot product with in-batch negatives.", BASE, "in-batch-dot"),
    Claim("Cosine does better than the dot product with random negatives.", "random-cosine", "random-dot"),
    Claim("Cosine does better than the dot product with BM25 negatives.", "bm25-cosine", "bm25-dot"),
    UpperBound("Random negatives with cosine collapse: Recall@10 falls below 2%.", "random-cosine", 0.02),
    Claim("The re-ranker puts the retriever's candidates into a better order.", "reranker-mined", BASE),
    Claim("Mined negatives train a better re-ranker than BM25 negatives.", "reranker-mined", "reranker-bm25"),
    Claim("Mined negatives train a better re-ranker than random ones.", "reranker-mined", "reranker-random"),
    Claim(
        "A re-ranker trained on the errors of its own retriever does better than a mismatched one.",
        "reranker-mined",
        "reranker-mismatched",
    ),
    Claim("Separate encoders do better than one (an open question of the paper).", "asymmetric", BASE),
)


def claims(size: Size) -> tuple[Claim | UpperBound, ...]:
    """The claims at this size, with one for each step of the number of training pairs."""
    ladder = [(pairs, pairs_variant(pairs)) for pairs in size.fewer_pairs] + [(size.pairs, BASE)]
    more_pairs = (
        Claim(f"{many:,} training pairs do better than {few:,}.", left, right)
        for (few, right), (many, left) in pairwise(ladder)
    )
    return (*CLAIMS, *more_pairs)


def judge(claims: Sequence[Claim | UpperBound], variants: Mapping[str, VariantValues]) -> list[ClaimResult]:
    """The verdict on each claim whose variants are all there, in their order.

    A claim holds, or does not, where the paired tests over queries (randomisation and bootstrap) and the interval over
    seeds and queries agree that there is a difference; with a single seed or few queries nothing is told from noise.
    """
    return [_judged(claim, variants) for claim in claims if all(name in variants for name in claim.variants)]


def _judged(claim: Claim | UpperBound, variants: Mapping[str, VariantValues]) -> ClaimResult:
    if isinstance(claim, UpperBound):
        return _against_bound(claim, variants[claim.variant])
    left, right = variants[claim.left], variants[claim.right]
    ours, theirs = left.of(claim.measure), right.of(claim.measure)
    gains = differences(ours, theirs)
    low, high = interval(gains)
    tested = compare(seed_means(ours), seed_means(theirs))
    told = max(tested.p, tested.bootstrap_p) < SIGNIFICANT and _enough(left)
    verdict = _verdict(low, high) if told else "cannot be told from noise here"
    return ClaimResult(claim.sentence, claim.variants, claim.measure, macro_mean(gains), low, high, tested.p, verdict)


def _against_bound(claim: UpperBound, variant: VariantValues) -> ClaimResult:
    values = variant.of(claim.measure)
    low, high = (end - claim.below for end in interval(values))
    verdict = _verdict(-high, -low) if _enough(variant) else "cannot be told from noise here"
    return ClaimResult(
        claim.sentence, claim.variants, claim.measure, macro_mean(values) - claim.below, low, high, None, verdict
    )


def _enough(variant: VariantValues) -> bool:
    return len(variant.seeds) > 1 and variant.queries >= FEWEST_QUERIES


def _verdict(low: float, high: float) -> Verdict:
    """By the interval of what should be above 0."""
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told from noise here"
