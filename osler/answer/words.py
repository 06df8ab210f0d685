"""What two statements have in common: their content words. Knows English text only, no passages."""

from __future__ import annotations

import re

from osler.text.matching import fold
from osler.text.number_words import NUMBER_WORDS, UNIT

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
_STATISTICS = tuple(
    (re.compile(name), short)
    for name, short in (
        (r"(?i:confidence intervals?)|\bCIs\b", "CI"),
        (r"(?i:standard deviations?)", "SD"),
        (r"(?i:interquartile ranges?)", "IQR"),
        (r"(?i:hazard ratios?)", "HR"),
        (r"(?i:relative risks?|risk ratios?)", "RR"),
        (r"(?i:odds ratios?)|\bOR\b(?=\s*[=(,:\d])", "odds"),
    )
)
_MEASURED = re.compile(
    rf"(?<=\d)[\s-]?(?:mm ?Hg|° ?[CF]|degrees?(?: (?:celsius|centigrade|fahrenheit))?|{UNIT})\b"
    rf"(?:(?:\s?/\s?|\sper\s)(?:{UNIT})\b)*"
    r"|\b(?:less|fewer|lower|smaller|more|greater|higher) than(?=\s\d)|\bat (?:least|most)(?=\s\d)",
    re.IGNORECASE,
)


def claimed_words(sentence: str) -> frozenset[str]:
    """The content words that a source of the sentence must have: none beside a number that are compared with it.

    Units are compared by `osler.text.numbers`, "less than" by `osler.answer.polarity`.

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
