"""Whether a passage supports a sentence that cites it, and which of its sentences does. Knows a re-ranker by protocol.

Words alone miss paraphrases gone wrong and vectors alone miss swapped numbers, so both must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from osler.answer.polarity import negated, opposed
from osler.answer.prompt import shown_year
from osler.answer.words import asks_yes_or_no, claimed_words, content_words
from osler.late_interaction.attribution import best_span
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import take
from osler.late_interaction.token_vectors import vectors_per_token
from osler.protocols import Reranker
from osler.records import EvidenceSpan, Passage, RankedPassage, TokenVectors, Vectors
from osler.text.numbers import missing_numbers, numbers
from osler.text.sentences import claim_spans


@dataclass(frozen=True, slots=True)
class SupportSettings:
    """How much of a sentence its passage must hold; shares from 0 to 1, similarity as in MaxSim."""

    words: float = 0.7
    """Share of the sentence's content words that the passage has."""

    new_words: float = 0.5
    """The same for the words that the question does not have: repeating the question proves nothing."""

    similarity: float = 0.6
    """Mean MaxSim per token of the sentence against the passage; with MiniLM paraphrases lie above it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a passage supports a sentence, the evidence nearest to it there, and the sentence's MaxSim score."""

    supported: bool
    evidence: EvidenceSpan
    score: float


class SupportCheck:
    """Checks sentences of an answer to one question against the passages ranked for it.

    Number n is the n-th of `ranked`, from 1. Question and passages are encoded once, when they are first needed.
    """

    def __init__(
        self,
        question: str,
        ranked: Sequence[RankedPassage],
        reranker: Reranker,
        settings: SupportSettings | None = None,
    ) -> None:
        self.ranked = tuple(ranked)
        self.settings = settings or SupportSettings()
        self._question = question
        self._passages = [one.passage for one in self.ranked]
        self._reranker = reranker

    def verdict(self, sentence: str, number: int) -> Verdict:
        """Whether passage `number` supports the sentence.

        It does when enough of the sentence's words and all its numbers are found there, when the two are similar
        enough, and when the nearest sentence of the passage is negated just as it is and does not say the opposite.
        """
        passage = self._passages[number - 1]
        vectors = self._reranker.encode_queries([sentence])[0]
        score = float(maxsim(vectors, take(self._vectors, number - 1))[0])
        evidence = self._nearest_sentence(vectors, number)
        nearest = evidence.text or _readable(passage)
        supported = (
            score >= self.settings.similarity
            and self._has_words(sentence, passage)
            and not missing_numbers(sentence, _readable(passage))
            and negated(sentence) == negated(nearest)
            and not opposed(sentence, nearest)
        )
        return Verdict(supported, evidence, score)

    def confidence(self) -> float:
        """The MaxSim score of the best passage for the question."""
        return float(maxsim(self._question_vectors, self._vectors).max())

    def question_evidence(self, number: int) -> EvidenceSpan:
        """The evidence that the search found in passage `number`, or else its sentence nearest to the question."""
        return self.ranked[number - 1].evidence or self._nearest_sentence(self._question_vectors, number)

    @cached_property
    def _vectors(self) -> TokenVectors:
        return self._reranker.encode_passages(self._passages)

    @cached_property
    def _spans(self) -> list[NDArray[np.int64]]:
        return self._reranker.token_spans(self._passages)

    @cached_property
    def _question_vectors(self) -> Vectors:
        return self._reranker.encode_queries([self._question])[0]

    def _nearest_sentence(self, vectors: Vectors, number: int) -> EvidenceSpan:
        """The claim of passage `number` that is nearest to the tokens [q, d] of a text; empty where it has none."""
        passage, token_vectors = self._passages[number - 1], vectors_per_token(take(self._vectors, number - 1))
        best = best_span(vectors, token_vectors, self._spans[number - 1], claim_spans(passage.text))
        if best is None:
            return EvidenceSpan(passage.start, passage.start, "", 0.0)
        text = passage.text[best.start : best.end]
        return EvidenceSpan(passage.start + best.start, passage.start + best.end, text, best.matches.score)

    def _has_words(self, sentence: str, passage: Passage) -> bool:
        there = content_words(_readable(passage))
        claimed = claimed_words(sentence) | (content_words(sentence) & there)
        new = claimed - content_words(self._question)
        counted = any(mention.claimed for mention in numbers(sentence))
        if not claimed or not (new or asks_yes_or_no(self._question) or counted):
            return False  # it says nothing that was not in the question
        return _share(claimed, there) >= self.settings.words and _share(new, there) >= self.settings.new_words


def _share(words: frozenset[str], there: frozenset[str]) -> float:
    return len(words & there) / len(words) if words else 1.0


def _readable(passage: Passage) -> str:
    """All that a prompt showed of the passage: title and year too."""
    return "\n".join((passage.title, shown_year(passage), passage.heading, passage.text))
