"""Numbers that are spelled in English words: cardinals, ordinals, parts of a whole and multiples. Knows folded text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_CARDINALS = {word: value for value, word in enumerate(("zero", *_ONES, *_TEENS))}
_CARDINALS |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}

SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}

_ORDINALS = {f"{word}th": value for word, value in _CARDINALS.items()}
_ORDINALS |= {f"{word[:-1]}ieth": _CARDINALS[word] for word in _TENS}
_ORDINALS |= {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
_ORDINALS |= {"hundredth": 100, "thousandth": 1000}

_PARTS = {"half": 2, "halve": 2, "quarter": 4} | {word: value for word, value in _ORDINALS.items() if 2 < value <= 10}
_MULTIPLES: dict[str, int | Fraction] = {
    "once": 1,
    "twice": 2,
    "thrice": 3,
    "doubl": 2,
    "tripl": 3,
    "quadrupl": 4,
    "halv": Fraction(1, 2),
}
NUMBER_WORDS: Final = frozenset({*_CARDINALS, *_ORDINALS, *SCALES, "half", "halves", "twice", "thrice"})
"""Words that spell numbers, alone or with others."""


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_SMALL = rf"(?:(?:{_any_of(_TENS)})(?:[- ](?:{_any_of(_ONES)})\b)?|{_any_of(('zero', *_ONES, *_TEENS))})"
_HUNDREDS = rf"(?:{_SMALL}|an?)[- ]hundred(?:(?: and|-and)?[- ]{_SMALL}\b(?![- ]hundred))?"
_GROUP = rf"(?:{_HUNDREDS}|{_SMALL})"
_SCALE = r"(?:thousand|million|billion|trillion)"

CARDINAL: Final = (
    rf"(?:(?:{_GROUP}|an?)(?:[- ]hundred)?[- ]{_SCALE}\b"
    rf"(?:,? and {_GROUP}\b(?![- ](?:{_any_of(_ONES)}|{_SCALE})\b)| {_GROUP}(?:[- ]{_SCALE})?\b)*"
    rf"|(?:{_SMALL}|an?)[- ]dozen|{_GROUP}|dozen)\b"
)
"""Spelled cardinals of any size, in lower case: "twenty-five", "one hundred and two", "two million", "a dozen"."""

ORDINAL: Final = rf"(?:(?:{_any_of(_TENS)})[- ])?(?:{_any_of(_ORDINALS)})\b"
"""Spelled ordinals: "second", "twenty-first"."""

_PARTS_PATTERN = _any_of(_PARTS)
PART: Final = (
    rf"(?:(?:an?|one)[- ](?:{_PARTS_PATTERN})|(?:{_any_of(_ONES)})[- ](?:{_PARTS_PATTERN})s|half|halves)"
    r"\b(?![- ]li[fv]e)(?!-[a-z])"
)
"""Spelled parts of a whole: "half", "one third", "two-thirds", "three quarters"."""

MULTIPLE: Final = (
    rf"(?:(?:{_SMALL})[- ]?fold|once(?=[ -](?:daily|weekly|monthly|an?|per|every)\b)|twice|thrice"
    r"|(?:doubl|tripl|quadrupl)(?:e[sd]|ing)|halv(?:ed|ing))\b"
)
"""Spelled multiples: "twofold", "two-fold", "once daily", "twice", "doubled"."""


def cardinal(words: str) -> int:
    """The value of spelled words that `CARDINAL` matches.

    >>> cardinal("two hundred and fifty-six thousand"), cardinal("a dozen")
    (256000, 12)
    """
    total = group = 0
    for word in re.findall(r"[a-z]+", words):
        if word == "hundred":
            group = (group or 1) * 100
        elif word in SCALES:
            total, group = total + (group or 1) * SCALES[word], 0
        else:
            group += _CARDINALS.get(word, 0)  # nothing for "a" and "and"
    return total + group


def ordinal(words: str) -> int:
    """The value of spelled words that `ORDINAL` matches.

    >>> ordinal("twenty-first")
    21
    """
    return sum(_ORDINALS.get(word, _CARDINALS.get(word, 0)) for word in re.findall(r"[a-z]+", words))


def part(words: str) -> Fraction:
    """The value of spelled words that `PART` matches.

    >>> part("two-thirds"), part("half")
    (Fraction(2, 3), Fraction(1, 2))
    """
    *numerator, denominator = re.findall(r"[a-z]+", words)
    denominator = denominator.removesuffix("s")
    return Fraction(cardinal(numerator[0]) or 1 if numerator else 1, _PARTS[denominator])


def multiple(words: str) -> int | Fraction:
    """The value of spelled words that `MULTIPLE` matches.

    >>> multiple("twofold"), multiple("twice")
    (2, 2)
    """
    stem = next((stem for stem in _MULTIPLES if words.startswith(stem)), None)
    return _MULTIPLES[stem] if stem else cardinal(words.removesuffix("fold"))
