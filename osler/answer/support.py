"""Whether a passage supports a sentence that cites it, and which of its sentences does. Knows a re-ranker by protocol.

Words alone miss paraphrases gone wrong and vectors alone miss swapped numbers, so both must agree: content words,
numbers, negations and words of direction on one side, MaxSim on the other. Words are compared as they stand: what a
negation covers, and which of two groups a verb is about, is not parsed. Knows English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.answer.prompt import shown_year
from osler.late_interaction.attribution import best_span
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import take
from osler.late_interaction.token_vectors import vectors_per_token
from osler.protocols import Reranker
from osler.records import EvidenceSpan, Passage, RankedPassage, TokenVectors, Vectors
from osler.text.matching import fold
from osler.text.number_words import NUMBER_WORDS, UNIT
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
        self._passages = [candidate.passage for candidate in self.ranked]
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
        available = content_words(_readable(passage))
        claimed = claimed_words(sentence) | (content_words(sentence) & available)
        new = claimed - content_words(self._question)
        counted = any(mention.claimed for mention in numbers(sentence))
        if not claimed or not (new or asks_yes_or_no(self._question) or counted):
            return False  # it says nothing that was not in the question
        share = len(claimed & available) / len(claimed)
        new_share = len(new & available) / len(new) if new else 1.0
        return share >= self.settings.words and new_share >= self.settings.new_words


def _readable(passage: Passage) -> str:
    """All that a prompt showed of the passage: title and year too."""
    return "\n".join((passage.title, shown_year(passage), passage.heading, passage.text))


_WORD = re.compile(r"[^\W_]+")
_POLAR = re.compile(
    r"\s*(?:do|does|did|is|are|was|were|can|could|should|has|have|had|will|would|may|might|must)\b", re.IGNORECASE
)

# Words that carry no claim, those of talk about passages among them.
_STOP_TEXT = """
a about above after all also although among an and any are around as at be because been before being between both
but by called can cannot cent could did do does due during each either fold for from further had has have having he
her his how however i if in including into is it its itself may me might minus more most must my neither no none nor
not of on one or other our out over own passage passages per percent said same say says she should since so some
such than that the their them then there therefore these they this those though through thus times to toward under
until up upon us very was we were what when where whether which while who whom whose why will with within without
would yes you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split()) | NUMBER_WORDS

# The first that fits is cut, longest first; four letters stay (three before a plural s).
_SUFFIXES = (
    *("ations", "ments", "ences"),
    *("ation", "ating", "ment", "ates", "ated", "ings", "ence"),
    *("ate", "ing", "ies", "ied", "es", "ed", "ly", "al", "e", "y"),
)
_SHORTEST_STEM = 4
_ALIKE = {"interleukin": "il", "interleukins": "il", "average": "mean"}

# Names of statistics, which papers write out once.
_STATISTICS = (
    (re.compile(r"(?i:confidence intervals?)|\bCIs\b"), "CI"),
    (re.compile(r"(?i:standard deviations?)"), "SD"),
    (re.compile(r"(?i:interquartile ranges?)"), "IQR"),
    (re.compile(r"(?i:hazard ratios?)"), "HR"),
    (re.compile(r"(?i:relative risks?|risk ratios?)"), "RR"),
    (re.compile(r"(?i:odds ratios?)|\bOR\b(?=\s*[=(,:\d])"), "odds"),
)
_MEASURED = re.compile(
    rf"(?<=\d)[\s-]?(?:mm ?Hg|° ?[CF]|degrees?(?: (?:celsius|centigrade|fahrenheit))?|{UNIT})\b"
    rf"(?:(?:\s?/\s?|\sper\s)(?:{UNIT})\b)*"
    r"|\b(?:less|fewer|lower|smaller|more|greater|higher) than(?=\s\d)|\bat (?:least|most)(?=\s\d)",
    re.IGNORECASE,
)


def claimed_words(sentence: str) -> frozenset[str]:
    """The content words that a source of the sentence must have: none beside a number that are compared with it.

    Units are compared by `missing_numbers`, "less than" by `opposed`.

    >>> sorted(claimed_words("The dose was less than 5 milligrams."))
    ['dose']
    """
    return content_words(_MEASURED.sub(" ", fold(sentence)))


def content_words(text: str) -> frozenset[str]:
    """The lightly stemmed words that carry a claim: no stop words, no numbers.

    >>> sorted(content_words("The patients were treated with 5 mg of aspirin."))
    ['aspirin', 'mg', 'patient', 'treat']
    """
    text = fold(text)
    for name, short in _STATISTICS:
        text = name.sub(short, text)
    words = (_ALIKE.get(word.lower(), word.lower()) for word in _WORD.findall(text))
    return frozenset(
        _stem(word)
        for word in words
        if not (word in _STOP_WORDS or word.isdigit() or word.removesuffix("fold") in NUMBER_WORDS)
    )


def asks_yes_or_no(question: str) -> bool:
    """Whether the question is answered by repeating or denying it.

    >>> asks_yes_or_no("Does aspirin help?"), asks_yes_or_no("fluid around the heart")
    (True, False)
    """
    return _POLAR.match(question) is not None


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word[: -len(suffix)]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) >= _SHORTEST_STEM:
        return word[:-1]
    return word


_NEGATION = re.compile(
    r"\b(?:no|not|never|none|neither|nor|nothing|nobody|without|cannot|unable|rarely|seldom|hardly|scarcely"
    r"|fail(?:s|ed|ing)? to|(?:inability|failure) to(?! thrive)|(?:absence|lack) of|lack(?:s|ed|ing)|den(?:y|ies|ied)"
    r"|ruled out|free (?:of|from))\b|n't\b",
    re.IGNORECASE,
)
_NO_NEGATION = re.compile(r"\b(?:not only|with (?:or|and) without|whether or not|no later than)\b", re.IGNORECASE)

# In each row, words of one direction and words of the other.
_OPPOSITES: Final = (
    (
        r"increas\w*|rais(?:e[sd]?|ing)|ris(?:e[sn]?|ing)|rose|elevat\w+|higher|greater|heighten\w*|augment\w*"
        r"|enhanc\w+|up-?regulat\w+|grew",
        r"decreas\w*|reduc\w+|lower(?:s|ed|ing)?|declin\w+|fall(?:s|en|ing)?|fell|drop(?:s|ped|ping)?|lessen\w*"
        r"|diminish\w*|down-?regulat\w+|attenuat\w+|smaller|suppress\w*|shr[aiu]nk\w*",
    ),
    (r"more|above|over|exceed\w*|at least", r"less|fewer|below|under|at most"),
    (r"high", r"low"),
    (r"gain\w*", r"loss(?:es)?|los(?:e[sd]?|ing|t)"),
    (r"improv\w+|better|ameliorat\w+|alleviat\w+", r"worse\w*|deteriorat\w+|aggravat\w+|exacerbat\w+|impair\w*"),
    (r"longer|prolong\w*|lengthen\w*", r"short(?:er|en\w*)"),
    (r"faster|accelerat\w+|sooner|earlier|hasten\w*", r"slow(?:er|ed|s|ing)?|decelerat\w+|later|delay\w*"),
    (r"benefi\w+|helpful", r"harm\w*|detriment\w*|deleterious"),
    (r"(?<!non-)superior\w*", r"(?<!non-)inferior\w*"),
    (r"activat\w+|stimulat\w+", r"inhibit\w*|inactivat\w+|block(?:s|ed|ing|ade)?|suppress\w*"),
    (
        r"promot\w+|caus\w+|induc\w+|trigger\w*|facilitat\w+",
        r"prevent\w*|inhibit\w*|hinder\w*|imped\w+|protect\w* (?:against|from)",
    ),
    (r"agonist\w*", r"antagonist\w*"),
    (r"dilat\w+|vasodilat\w+", r"constrict\w*|vasoconstrict\w*"),
    (r"positiv\w+", r"negativ\w+"),
    (r"sensitiv\w+|susceptib\w+", r"resistan\w+"),
    (r"effective\w*|efficac\w+", r"ineffective\w*"),
    (r"likel\w+", r"unlikel\w+"),
    (r"safe\w*", r"unsafe\w*|dangerous\w*|hazardous"),
    (r"common\w*|frequent\w*", r"rare\w*|uncommon\w*|infrequent\w*"),
    (r"confirm\w*", r"refut\w+|contradict\w*"),
    (r"all(?!-)|every", r"half(?!-)|some|few|several"),
    (r"recommend\w*|(?<!contra-)indicated", r"contra-?indicat\w+"),
    (r"benign", r"malignan\w+"),
    (r"acute\w*", r"chronic\w*"),
    (r"systolic", r"diastolic"),
    (r"left", r"right"),
    (r"males?|men|boys", r"females?|women|girls"),
)

_DIRECTIONS = tuple(tuple(re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in row) for row in _OPPOSITES)
_ANY_DIRECTION = re.compile("|".join(words for row in _OPPOSITES for words in row), re.IGNORECASE)
_PREFIXES = (("hyper", "hypo"), ("tachy", "brady"), ("over", "under"), ("pre", "post"), ("pro", "anti"))
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?$", re.IGNORECASE)
_COMPARED = re.compile(r"\b(?:than|compared (?:with|to)|versus|vs)\b", re.IGNORECASE)
_REACH = 60  # characters before and behind a word of direction in which the word it is about is looked for


def negated(text: str) -> bool:
    """Whether the statement holds a word of negation.

    >>> negated("Aspirin doesn't help."), negated("It failed to help."), negated("Aspirin helps.")
    (True, True, False)
    """
    return _NEGATION.search(_NO_NEGATION.sub(" ", fold(text))) is not None


def opposed(claim: str, evidence: str) -> tuple[str, ...]:
    """The words of the claim that point one way where the evidence points only the other way, of the same thing.

    That thing is the word behind the one of direction, or before it in the passive: it must be in the evidence too. So
    no verdict is passed on "more survivors" against "fewer deaths", nor where either statement points both ways.

    >>> opposed("Aspirin raised the risk.", "Aspirin lowered the risk.")
    ('raised',)
    >>> opposed("Aspirin reduced the risk.", "Aspirin lowered the risk."), opposed("More survivors", "Fewer deaths")
    ((), ())
    """
    claim, evidence = fold(claim), fold(evidence)
    if _exchanged(claim, evidence):
        return ()
    evidence_stems, words = _stems(_WORD.findall(evidence)), list[str]()
    for row in _DIRECTIONS:
        for ours, theirs in (row, row[::-1]):
            if theirs.search(evidence) and not (ours.search(evidence) or theirs.search(claim)):
                words += [match.group() for match in ours.finditer(claim) if _topic(match) & evidence_stems]
    return (*words, *_opposite_prefixes(claim, evidence))


def _exchanged(claim: str, evidence: str) -> bool:
    """Whether the two compare the same groups in the other order: lower in A than in B, higher in B than in A."""
    ours, theirs = _COMPARED.search(claim), _COMPARED.search(evidence)
    if not (ours and theirs):
        return False
    second = next((stems for word in _WORD.findall(claim[ours.end() :]) if (stems := _stems([word]))), frozenset())
    return bool(second & _stems(_WORD.findall(evidence[: theirs.start()])))


def _topic(match: re.Match[str]) -> frozenset[str]:
    """The word that a word of direction is about; empty where it stands alone."""
    text, (start, end) = match.string, match.span()
    before = _WORD.findall(text[max(0, start - _REACH) : start])[::-1]
    behind = _WORD.findall(text[end : end + _REACH])
    for word in before + behind if _PASSIVE.search(text[:start]) else behind + before:
        if (stems := _stems([word])) and not word.lower().endswith("ly") and not _ANY_DIRECTION.fullmatch(word):
            return stems
    return frozenset()


def _stems(words: Sequence[str]) -> frozenset[str]:
    return content_words(" ".join(words)) | {word for word in words if word.isdigit()}


def _opposite_prefixes(claim: str, evidence: str) -> list[str]:
    """Words of the claim such as "hyperkalaemia" where the evidence has only "hypokalaemia"."""
    evidence_words = {word.lower() for word in _WORD.findall(evidence.replace("-", ""))}
    pairs = [pair for row in _PREFIXES for pair in (row, row[::-1])]
    return [
        word
        for word in _WORD.findall(claim.replace("-", ""))
        if (lower := word.lower()) not in evidence_words
        for ours, theirs in pairs
        if lower.startswith(ours) and theirs + lower.removeprefix(ours) in evidence_words
    ]
