"""Passages cut at sentence ends so that together they keep within a budget of tokens. Knows no prompt.

The evidence sentence of a passage is what it was ranked for, so it is the last thing to go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from osler.protocols import CountTokens
from osler.records import RankedPassage
from osler.text.sentences import sentence_spans

ELISION = "…"
"""Stands where sentences of a passage were left out."""

HEADING_TOKENS = 16
"""Set aside for each passage's number, title and year."""


def estimate_tokens(texts: Sequence[str]) -> list[int]:
    """A token for every four characters, begun ones included: near enough for English where no tokenizer is at hand.

    >>> estimate_tokens(["", "heart", "pericardium"])
    [0, 2, 3]
    """
    return [-(-len(text) // 4) for text in texts]


def within_budget(ranked: Sequence[RankedPassage], budget: int, *, count_tokens: CountTokens) -> list[str]:
    """The texts of the first passages, best first, that `budget` tokens have room for.

    The evidence sentence of each passage is taken first; what is left of the budget goes to the passages in the order
    of rank, from their beginning, whole sentences at a time. Passages of the lowest ranks are left out if not even
    their evidence has room; the first is always there.
    """
    passages = [_sentences(one, count_tokens) for one in ranked]
    totals = list(accumulate(passage.evidence_tokens + HEADING_TOKENS for passage in passages))
    kept = passages[: max(1, sum(total <= budget for total in totals))]
    spare = budget - totals[len(kept) - 1] if kept else 0
    texts = []
    for passage in kept:
        chosen, used = passage.choose(spare)
        spare -= used
        texts.append(passage.join(chosen))
    return texts


@dataclass(frozen=True, slots=True)
class _Sentences:
    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    evidence: frozenset[int]  # numbers of the sentences that the evidence lies in

    @property
    def evidence_tokens(self) -> int:
        return sum(self.tokens[number] for number in self.evidence)

    def choose(self, spare: int) -> tuple[list[int], int]:
        """The numbers of the sentences that `spare` more tokens than those of the evidence have room for."""
        others = [number for number in range(len(self.texts)) if number not in self.evidence]
        totals = accumulate(self.tokens[number] for number in others)
        fitting = list(takewhile(lambda total: total <= spare, totals))
        chosen = sorted([*others[: len(fitting)], *self.evidence])
        return chosen, fitting[-1] if fitting else 0

    def join(self, chosen: Sequence[int]) -> str:
        parts, expected = [], 0
        for number in chosen:
            parts += [ELISION] * (number != expected) + [self.texts[number]]
            expected = number + 1
        return " ".join(parts + [ELISION] * (expected < len(self.texts)))


def _sentences(ranked: RankedPassage, count_tokens: CountTokens) -> _Sentences:
    text = ranked.passage.text
    spans = sentence_spans(text)
    texts = tuple(text[start:end].strip() for start, end in spans)
    tokens = tuple(count_tokens(texts)) if texts else ()
    return _Sentences(texts, tokens, _evidence_sentences(ranked, spans))


def _evidence_sentences(ranked: RankedPassage, spans: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Those that the evidence touches; the first where there is none."""
    if ranked.evidence is not None:
        first = ranked.evidence.start - ranked.passage.start
        last = ranked.evidence.end - ranked.passage.start
        touched = frozenset(number for number, (start, end) in enumerate(spans) if start < last and end > first)
        if touched:
            return touched
    return frozenset(range(min(1, len(spans))))
