"""What two statements have in common: content words, numbers, negation. Knows English text only, no passages."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,·]\d+)*")
_NEGATION = re.compile(r"\b(?:no|not|never|none|neither|nor|without|cannot)\b|n[’']t\b", re.IGNORECASE)
_POLAR = re.compile(
    r"\s*(?:do|does|did|is|are|was|were|can|could|should|has|have|had|will|would|may|might|must)\b", re.IGNORECASE
)

# Words that carry no claim, those of talk about passages among them.
_STOP_TEXT = """
a about above after all also although among an and any are around as at be because been before being between both
but by called can cannot could did do does due during each either for from further had has have having he her his
how however i if in including into is it its itself may me might more most must my neither no none nor not of on
one or other our out over own passage passages per said same say says she should since so some such than that the
their them then there therefore these they this those though through thus to toward under until up upon us very was
we were what when where whether which while who whom whose why will with within without would yes you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())

# The first that fits is cut, longest first; four letters stay (three before a plural s).
_SUFFIXES = (
    *("ations", "ments"),
    *("ation", "ating", "ment", "ates", "ated", "ings"),
    *("ate", "ing", "ies", "ied", "es", "ed", "ly", "al", "e", "y"),
)
_SHORTEST_STEM = 4

_NUMBER_WORDS = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


def content_words(text: str) -> frozenset[str]:
    """The lightly stemmed words that carry a claim: no stop words, no bare numbers.

    >>> sorted(content_words("The patients were treated with 5 mg of aspirin."))
    ['aspirin', 'mg', 'patient', 'treat']
    """
    words = (word.lower() for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in _STOP_WORDS and not word.isdigit())


def numbers(text: str) -> frozenset[str]:
    """The numbers written in digits, thousands without their comma, the raised decimal point as a point.

    >>> sorted(numbers("1,234 of 8452 (0·05)"))
    ['0.05', '1234', '8452']
    """
    found = (number.replace("·", ".") for number in _NUMBER.findall(text))
    return frozenset(re.sub(r",(?=\d{3}(?!\d))", "", number) for number in found)


def written_numbers(text: str) -> frozenset[str]:
    """The numbers written in digits or, up to twelve, as words.

    >>> sorted(written_numbers("Two of 5"))
    ['2', '5']
    """
    words = {word.lower() for word in _WORD.findall(text)}
    spelled = (str(number) for number, word in enumerate(_NUMBER_WORDS, start=1) if word in words)
    return numbers(text) | frozenset(spelled)


def negated(text: str) -> bool:
    """Whether the statement holds a word of negation.

    >>> negated("Aspirin doesn't help."), negated("Aspirin helps.")
    (True, False)
    """
    return _NEGATION.search(text) is not None


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
