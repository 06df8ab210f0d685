"""The words for numbers and for units of measure, as English papers spell them, and the values of both.

All patterns and functions here take text that `osler.text.matching.fold` has brought into one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
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


# Kind -> (the spellings of one unit, its size among those of the kind).
_UNIT_TABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "mass": (
        ("kg kilogram kilograms kilo kilos", "1000"),
        ("g gm gram grams gramme grammes", "1"),
        ("mg milligram milligrams milligramme milligrammes", "1e-3"),
        ("μg ug mcg microgram micrograms microgramme microgrammes", "1e-6"),
        ("ng nanogram nanograms", "1e-9"),
        ("pg picogram picograms", "1e-12"),
    ),
    "volume": (
        ("L l litre litres liter liters", "1"),
        ("dL dl decilitre decilitres deciliter deciliters", "0.1"),
        ("mL ml cc millilitre millilitres milliliter milliliters cm^3 cm3", "1e-3"),
        ("μL μl uL ul microlitre microlitres microliter microliters mm^3 mm3", "1e-6"),
        ("nL nl nanolitre nanolitres nanoliter nanoliters", "1e-9"),
        ("m^3", "1000"),
    ),
    "length": (
        ("km kilometre kilometres kilometer kilometers", "1000"),
        ("metre metres meter meters", "1"),  # a lone "m" may be minutes, months or men
        ("cm centimetre centimetres centimeter centimeters", "0.01"),
        ("mm millimetre millimetres millimeter millimeters", "1e-3"),
        ("μm um micrometre micrometres micrometer micrometers micron microns", "1e-6"),
        ("nm nanometre nanometres nanometer nanometers", "1e-9"),
    ),
    "area": (("m^2 m2 sqm", "1"), ("cm^2 cm2", "1e-4"), ("mm^2 mm2", "1e-6")),
    "time": (
        ("ms msec millisecond milliseconds", "1e-3"),
        ("s sec secs second seconds", "1"),
        ("min mins minute minutes", "60"),
        ("h hr hrs hour hours", "3600"),
        ("d day days", "86400"),
        ("wk wks week weeks", "604800"),
        ("mo mos month months", "2629800"),
        ("y yr yrs year years", "31557600"),
    ),
    "amount": (
        ("mol mole moles", "1"),
        ("mmol millimole millimoles", "1e-3"),
        ("μmol umol micromole micromoles", "1e-6"),
        ("nmol nanomole nanomoles", "1e-9"),
        ("pmol picomole picomoles", "1e-12"),
    ),
    "concentration": (
        ("M molar", "1"),
        ("mM millimolar", "1e-3"),
        ("μM uM micromolar", "1e-6"),
        ("nM nanomolar", "1e-9"),
        ("pM picomolar", "1e-12"),
    ),
    "pressure": (("mmHg mmhg torr", "1"), ("kPa kilopascal kilopascals", "7.50062"), ("cmH2O", "0.735559")),
    "energy": (("kcal kilocalorie kilocalories", "1"), ("kJ kilojoule kilojoules", "0.239006"), ("cal cals", "1e-3")),
    "radiation": (("Gy gray grays", "1"), ("cGy", "0.01"), ("mGy", "1e-3")),
    "activity": (("U IU unit units", "1"), ("mU mIU", "1e-3"), ("kU", "1000"), ("MU MIU", "1e6")),
    "celsius": (("°C °c celsius centigrade", "1"),),
    "fahrenheit": (("°F fahrenheit", "1"),),
    "share": (("% percent pct", "1"), ("‰ permille", "0.1")),
    "multiple": (("fold times time", "1"),),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit measures, and its size among the units of that kind."""

    kind: str
    size: Fraction


_UNIT_BY_SPELLING = {
    spelling: Unit(kind, Fraction(size))
    for kind, units in _UNIT_TABLE.items()
    for spellings, size in units
    for spelling in spellings.split()
}

UNIT: Final = "|".join(
    sorted((re.escape(name) for name in _UNIT_BY_SPELLING if name[0].isalpha()), key=len, reverse=True)
)
"""Every unit that is a word or a symbol of letters, for a regular expression."""

_UNIT_NAME = r"(?:%|‰|[^\W\d_]+(?:\^?[23](?!\d))?(?:H2O)?)"
_WRITTEN_UNIT = re.compile(
    rf"(?:\s?-?(?P<unit>per\s?cent(?:age)?|percentage|mm ?Hg|° ?[CF]|degrees (?=[cCfF])[^\W\d_]+"
    rf"|international units|(?!per\s){_UNIT_NAME})(?![\w^]))?"
    rf"(?P<divisors>(?:\s?/\s?{_UNIT_NAME}(?![\w^])|\sper\s{_UNIT_NAME}(?![\w^])|[\s·]?[^\W\d_]+\^?-[12](?!\d))*)"
)
_UNIT_DIVISOR = re.compile(rf"/\s?({_UNIT_NAME})|\sper\s({_UNIT_NAME})|([^\W\d_]+)\^?-[12]")


def unit_at(text: str, position: int) -> tuple[Unit | None, ...]:
    """The unit that stands at this position of a folded text, and what it is divided by; empty where there is none.

    None stands for a word that is no unit, such as the cells of "cells/mL".

    >>> len(unit_at("5 mg/kg", 1)), unit_at("5 mg kg^-1", 1) == unit_at("5 mg/kg", 1), unit_at("5 mice", 1)
    (2, True, ())
    >>> unit_at("5 mg", 1) == unit_at("5 milligrams", 1) == unit_at("5-mg", 1)
    True
    """
    match = _WRITTEN_UNIT.match(text, position)
    if match is None:
        return ()
    unit = unit_named(match["unit"]) if match["unit"] else None
    divisors = tuple(unit_named(next(filter(None, names))) for names in _UNIT_DIVISOR.findall(match["divisors"]))
    return (unit, *divisors) if unit or any(divisors) else ()


def unit_named(name: str) -> Unit | None:
    """The unit of this name or symbol; upper case tells M from m, and is else of no account."""
    name = "%" if name.lower().startswith(("perc", "per c")) else name.replace(" ", "")
    name = name.removeprefix("degrees")
    name = "IU" if name == "internationalunits" else name
    lowered = name.lower() if len(name) > 1 and name != "MM" else ""
    return _UNIT_BY_SPELLING.get(name) or _UNIT_BY_SPELLING.get(lowered)
