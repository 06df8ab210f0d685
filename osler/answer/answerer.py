"""The answering stage: search, perhaps abstain, ask the language model, check what it says, write the answer.

Knows the seams and the verdicts on sentences, not how a verdict is reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from osler.answer.abstain import abstention, confidence
from osler.answer.markers import passage_names
from osler.answer.prompt import build_prompt, estimate_tokens, unbracketed
from osler.answer.reply import CitedSentence, parse_reply
from osler.answer.support import SupportCheck
from osler.config import AnswerSettings
from osler.protocols import CountTokens, Generator, Reranker
from osler.records import (
    NOT_RETRACTED,
    Answer,
    Citation,
    EvidenceSpan,
    Filter,
    RankedPassage,
    Ranking,
    is_retracted,
    is_true,
)
from osler.text.matching import fold


class Search(Protocol):
    """What finds the passages: `Searcher.search`."""

    def __call__(self, query: str, *, k: int | None = None, where: Filter = NOT_RETRACTED) -> Ranking:
        """The k passages that fit the query best."""
        ...


class Answerer:
    """Answers questions from the passages that a search finds. It keeps nothing between questions.

    `reranked` says whether the scores of the search are MaxSim; where they are not, the confidence is computed here.
    """

    def __init__(
        self,
        search: Search,
        generator: Generator,
        reranker: Reranker,
        settings: AnswerSettings | None = None,
        *,
        count_tokens: CountTokens = estimate_tokens,
        reranked: bool = True,
    ) -> None:
        self.search = search
        self.generator = generator
        self.reranker = reranker
        self.settings = settings or AnswerSettings()
        self.count_tokens = count_tokens
        self.reranked = reranked

    def answer(self, question: str, *, k: int | None = None, where: Filter = NOT_RETRACTED) -> Answer:
        """The answer to the question, each sentence checked against the passages that it cites.

        It abstains where no passage is found or none is good enough. GeneratorError when the language model cannot be
        reached; to show the passages all the same, call `search` and `answer_from` yourself.
        """
        return self.answer_from(self.search(question, k=k, where=where))

    def answer_from(self, ranking: Ranking) -> Answer:
        """The answer to the query of this ranking from its passages; errors as in `answer`."""
        warnings = [*ranking.warnings, *_notices(ranking.ranked)]
        if not ranking.ranked:
            return _abstained(ranking, abstention([]), warnings)
        check = SupportCheck(ranking.query, ranking.ranked, self.reranker)
        score = confidence(ranking) if self.reranked else check.confidence()
        threshold = self.settings.abstain_below or 0.0
        if score < threshold:
            return _abstained(ranking, abstention(ranking.ranked, score=score, threshold=threshold), warnings)
        prompt = build_prompt(ranking.query, ranking.ranked, self.settings, count_tokens=self.count_tokens)
        text = self.generator.complete(prompt.messages, schema=prompt.schema)
        reply = parse_reply(text, passages=len(prompt.passages), names=passage_names(prompt.passages))
        if reply.declined:
            return _abstained(ranking, abstention(ranking.ranked), [*warnings, *reply.warnings], prompt.passages)
        missing, total = len(ranking.ranked) - len(prompt.passages), len(ranking.ranked)
        if missing:
            warnings.append(
                f"The prompt had no room for {missing} of {total} passages: raise OSLER_ANSWER_PASSAGE_TOKENS."
            )
        composed = compose(reply.sentences, check) if reply.sentences else quote_best(check)
        return Answer(
            question=ranking.query,
            text=composed.text,
            abstained=False,
            citations=composed.citations,
            warnings=(*warnings, *reply.warnings, *composed.warnings),
            ranking=ranking,
            given=prompt.passages,
        )


def _notices(ranked: Sequence[RankedPassage]) -> list[str]:
    """A warning for each document that is retracted, which is there because the filter asked for it, or of concern."""
    warnings = {}
    for passage in (candidate.passage for candidate in ranked):
        if is_retracted(passage.metadata):
            warnings[passage.doc_id] = f"{passage.doc_id} is retracted: do not rest a claim on it."
        elif is_true(passage.metadata.get("concern")):
            warnings[passage.doc_id] = f"An expression of concern was published about {passage.doc_id}: read it first."
    return list(warnings.values())


def _abstained(
    ranking: Ranking, text: str, warnings: Iterable[str], in_prompt: tuple[RankedPassage, ...] = ()
) -> Answer:
    return Answer(
        question=ranking.query,
        text=text,
        abstained=True,
        citations=(),
        warnings=tuple(warnings),
        ranking=ranking,
        given=in_prompt,
    )


@dataclass(frozen=True, slots=True)
class Composed:
    """The text, a citation for each of its markers in order, and what was changed."""

    text: str
    citations: tuple[Citation, ...]
    warnings: tuple[str, ...]


def compose(sentences: Sequence[CitedSentence], check: SupportCheck) -> Composed:
    """The answer that these sentences make; number n cites the n-th passage of the check.

    A sentence stays when one of its cited passages supports it; its other citations are marked unsupported. Else the
    evidence of the best of its cited passages is quoted in its place, each quotation once; numbers that its source has
    in brackets stand in parentheses, for they are no markers of this answer. A sentence said twice is said once; one
    that cites nothing cannot be checked and stays as it is.
    """
    writer = _Writer(check)
    for sentence in sentences:
        writer.add(sentence)
    return writer.composed()


def quote_best(check: SupportCheck) -> Composed:
    """The evidence of the best passage, quoted: what is left to say when a reply holds no sentence."""
    writer = _Writer(check)
    writer.warnings.append("The model gave no usable answer; the best passage is quoted instead.")
    writer.quote(1)
    return writer.composed()


_WORDS = re.compile(r"[\w^+-]+")  # signs and exponents tell two numbers apart


class _Writer:
    """Collects the sentences of an answer with their citations and warnings."""

    def __init__(self, check: SupportCheck) -> None:
        self.warnings: list[str] = []
        self._texts: list[str] = []
        self._citations: list[Citation] = []
        self._check = check
        self._said: set[str] = set()

    def add(self, sentence: CitedSentence) -> None:
        verdicts = {number: self._check.verdict(sentence.text, number) for number in sentence.numbers}
        if verdicts and not any(verdict.supported for verdict in verdicts.values()):
            self.warnings.append(f"Not supported by what it cites, so replaced by a quotation: “{sentence.text}”.")
            self.quote(min(sentence.numbers))  # passages are numbered by rank: the best of those cited
            return
        if not self._is_new(sentence.text):
            return
        markers = "".join(f"[{number}]" for number in sentence.numbers)
        self._texts.append(_with_marker(sentence.text, markers))
        for number, verdict in verdicts.items():
            self._cite(number, sentence.text, verdict.evidence, supported=verdict.supported)
            if not verdict.supported:
                self.warnings.append(f"[{number}] does not support the sentence “{sentence.text}”.")

    def quote(self, number: int) -> None:
        passage, evidence = self._check.ranked[number - 1].passage, self._check.question_evidence(number)
        quoted = evidence.text or passage.title
        if self._is_new(quoted):
            source, words = (unbracketed(" ".join(text.split())) for text in (passage.doc_id, quoted))
            self._texts.append(f"Quoted from {source}: “{words}” [{number}]")
            self._cite(number, quoted, evidence, supported=bool(evidence.text))

    def composed(self) -> Composed:
        return Composed(" ".join(self._texts), tuple(self._citations), tuple(self.warnings))

    def _is_new(self, text: str) -> bool:
        """Whether the answer has not said this yet; from now on it has."""
        words = " ".join(_WORDS.findall(fold(text).casefold()))
        if words in self._said:
            return False
        self._said.add(words)
        return True

    def _cite(self, number: int, sentence: str, evidence: EvidenceSpan, *, supported: bool) -> None:
        passage = self._check.ranked[number - 1].passage
        citation = Citation(f"[{number}]", passage.passage_id, passage.doc_id, evidence, supported, sentence)
        self._citations.append(citation)


def _with_marker(sentence: str, markers: str) -> str:
    """The markers before the full stop, as the field writes them.

    >>> _with_marker("It is fluid.", "[1][2]")
    'It is fluid [1][2].'
    """
    if not markers:
        return sentence
    body = sentence.rstrip(".!?")
    return f"{body} {markers}{sentence[len(body) :] or '.'}"
