"""The text of an answer: sentences with markers, and a quotation wherever a sentence is not supported.

Knows verdicts and passages, not how a verdict is reached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from osler.answer.prompt import unbracketed
from osler.answer.reply import CitedSentence
from osler.answer.support import SupportCheck
from osler.records import Citation, EvidenceSpan
from osler.text.matching import fold

_WORDS = re.compile(r"[\w^+-]+")  # signs and exponents tell two numbers apart


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
