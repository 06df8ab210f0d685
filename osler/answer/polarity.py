"""Which way a statement points: whether it is negated, and whether it says the opposite of another. Knows English only.

Words are compared: what a negation covers and which of two groups a verb is about is not parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from osler.answer.words import content_words
from osler.text.matching import fold

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
_WORD = re.compile(r"[^\W_]+")
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
    there = _stems(_WORD.findall(evidence))
    words: list[str] = []
    if _exchanged(claim, evidence):
        return ()
    for row in _DIRECTIONS:
        for ours, theirs in (row, row[::-1]):
            if theirs.search(evidence) and not (ours.search(evidence) or theirs.search(claim)):
                words += [match.group() for match in ours.finditer(claim) if _topic(match) & there]
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
    before = reversed(_WORD.findall(text[max(0, start - _REACH) : start]))
    behind = _WORD.findall(text[end : end + _REACH])
    sides: Iterator[Iterable[str]] = iter((before, behind) if _PASSIVE.search(text[:start]) else (behind, before))
    for side in sides:
        for word in side:
            if (stems := _stems([word])) and not word.lower().endswith("ly") and not _ANY_DIRECTION.fullmatch(word):
                return stems
    return frozenset()


def _stems(words: Iterable[str]) -> frozenset[str]:
    words = list(words)
    return content_words(" ".join(words)) | {word for word in words if word.isdigit()}


def _opposite_prefixes(claim: str, evidence: str) -> list[str]:
    """Words of the claim such as "hyperkalaemia" where the evidence has only "hypokalaemia"."""
    there = {word.lower() for word in _WORD.findall(evidence.replace("-", ""))}
    opposites = []
    for word in _WORD.findall(claim.replace("-", "")):
        lower = word.lower()
        for pair in _PREFIXES:
            for ours, theirs in (pair, pair[::-1]):
                if lower.startswith(ours) and lower not in there and theirs + lower.removeprefix(ours) in there:
                    opposites.append(word)
    return opposites
