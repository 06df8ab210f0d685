"""The numbers that a text states, and those that another text lacks. Knows how English papers write them, no passages.

Numbers are compared by value, sign and unit. A number inside a name (IL-6, covid-19, HbA1c, 5-HT2A) is no number, but a
part of a name that must be there as such: letters joined to the digits behind them, or digits with unusual capitals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Literal

from osler.text.matching import fold
from osler.text.number_words import (
    CARDINAL,
    MULTIPLE,
    ORDINAL,
    PART,
    SCALES,
    UNIT,
    Unit,
    cardinal,
    multiple,
    ordinal,
    part,
    unit_at,
    unit_named,
)

_INTEGER = (
    r"[1-9]\d{0,2}(?:,\d{2,3}){0,8},\d{3}(?!\d)"  # 14,000 and, in India, 12,34,567
    r"|[1-9]\d{0,2}(?:'\d{3}){1,8}(?!\d)"
    r"|[1-9]\d{0,2}(?: \d{3}){1,8}(?!\d)"
    r"|[1-9]\d{0,2}(?:\.\d{3}){2,8}(?![\d.])"
)
_DECIMAL_COMMA = (
    r"0,\d{1,9}|[1-9]\d{0,2}(?:\.\d{3}){1,8},\d{1,2}(?!\d)"
    rf"|\d{{1,9}},\d{{1,2}}(?=\s?[%‰]|[\s-]?(?:{UNIT})\b)"  # elsewhere it may be a list
)
_POINT = r"[.·]\d{1,30}"
_CORE = rf"(?:{_DECIMAL_COMMA}|(?:{_INTEGER})(?:{_POINT})?|\d{{1,30}}(?:{_POINT})?|(?<![\w)]){_POINT})"
_DIGITS = (
    r"(?<![\w^])(?<!\^-)(?<!\d\.)(?:"
    rf"(?:(?P<factor>{_CORE})\s?[×x*·]\s?)?(?P<base>{_CORE})\^(?P<power>[-+]?\d{{1,3}}(?:\.\d{{1,9}})?)"
    r"|(?P<nth>\d{1,9})(?:st|nd|rd|th)\b"
    r"|(?P<whole>\d{1,9})(?:\s(?P<over>[1-9])/(?P<under>[2-9])(?![\d/])|\sand\sa\shalf\b)"
    r"|(?P<top>[1-9])/(?P<bottom>[2-9]|10)(?![\d/.])"
    rf"|(?P<plain>{_CORE})(?:[\s-]?(?P<scale>{'|'.join(SCALES)})\b)?"
    r")"
)
_SPELLED = (
    rf"\b(?:(?P<part>{PART})(?: (?:of )?an? (?P<of>{'|'.join(SCALES)})\b)?"
    rf"|(?P<multiple>{MULTIPLE})|(?P<ordinal>{ORDINAL})|(?P<cardinal>{CARDINAL})(?P<half>[ -]and[ -]a[ -]half\b)?"
    r"|(?P<implied>initial(?:ly)?|an?)\b)"
)
_NUMBER = re.compile(rf"{_DIGITS}|{_SPELLED}", re.IGNORECASE)
_COMMA_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_JOINED = re.compile(rf"\s?(?P<word>-|to|or|versus|vs\.?|±|and|,)\s?{_CORE}", re.IGNORECASE)

_LABEL = re.compile(r"\b(?:type|phase|stage|grade|class|group|arm|cohort|day|week|month|visit|cycle)\s$", re.IGNORECASE)
_ROMAN = "[IVX]+"
_ROMAN_RUN = re.compile(
    r"\b((?i:types?|phases?|stages?|grades?|class(?:es)?|factor|groups?|arm|angiotensin|study|part)[\s-])"
    rf"({_ROMAN}\b(?:\s?(?:/|-|,|and|or|to)\s?{_ROMAN}\b)*)"
)
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII")
_ARABIC = {roman: str(value) for value, roman in enumerate(_ROMANS, start=1)}
_SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})(?![\w.])")  # 1e6
_TIMES_TEN = re.compile(r"(?<![^\W\d_])x(?=\s?10\^)", re.IGNORECASE)
_FLAT = re.compile(r"(?<=[A-Za-z])(?:\^(?=\d[-+])|\*(?=\d))")  # Ca^2+, HLA-B*27
_TWO_NAMES = re.compile(r"\b([A-Za-z]*[A-Z][A-Za-z]*-?)(\d{1,2})/(?=\d{1,2}\b)")  # BRCA1/2
_FLAT_POWER = re.compile(rf"\b((?:{UNIT})(?:\^-\d)?[\s·](?:{UNIT}))-(?=[12](?!\w))")  # mg kg-1

_LARGEST = 300  # powers of ten in a float
_REACH = 80  # characters before a number that are looked at for its sign; half as many behind it
_IN_FRONT = re.compile(r"(?:^|[\s(\[{=:,;<>~/|±\"']|\d-)$")
_BEHIND_NUMBER = re.compile(rf"\d\s?(?:%|{UNIT})?\s+$")  # "5 mg -10 mg" is a range, "at 5 weeks -10 mg" a fall
_MINUS = re.compile(r"(?<![\d%]\s)\bminus\s$", re.IGNORECASE)
_DECREASE = re.compile(
    r"(?i)\b(?:decreas|reduc|lower|declin|fall|fell|drop|los[etis]|less|fewer|below|short|shr[aiu]nk|diminish)"
)
_SENTENCE_END = re.compile(r"[.;!?]\s|\n")
_SECONDS = re.compile(rf"(?:\d|\b(?:per|each|every|{CARDINAL}))[\s-]?$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)\s$")

_EQUAL_SIGNS = frozenset({("", "+"), ("+", ""), ("", "down"), ("down", ""), ("-", "down"), ("down", "-")})

_JOINED_WORD = re.compile(r"[^\W_]+(?:\.\d+)?(?:-[^\W_]+(?:\.\d+)?)*")
_SEGMENT = re.compile(r"[^\W_]+(?:\.\d+)?")
_CAPITALS = re.compile(r"[^\W_].*[A-Z]|[A-Z]|(?=.*[A-Z])[^\W_]{2,3}")
_COUNTED = """
type phase stage grade class group arm day week month year visit cycle dose age aged mid post pre early late under over
versus vs and or to of by than plus minus
"""
_COUNTS = frozenset(_COUNTED.split())
"""What is joined to a number and makes no name of it: "phase-3", "mid-2020", "12-to-15"."""

_LETTERED = re.compile(r"\b([A-Za-z][a-z]{2,})[ -]([A-HJ-Z])(?!['\w]|\.\s?[a-z])")  # "I" is a pronoun or a number
_FUNCTION_WORDS = "the and with for from was were are both than not per via plus when where while but into had has"
_NO_NOUN = frozenset(_FUNCTION_WORDS.split())
_LONGEST_NAME = 8  # segments of a name that is looked up by its ends, too
_MEASURE = re.compile(r"[^\W\d_]{1,2}[23]")  # m2, cm3


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is compared.

    sign: "-", "+" or "" as written, "down" where a word of decrease stands near a number without a sign, "either" where
    a dash may be one;
    unit: what stands behind the number, then what that is divided by; label: the name it makes with the word before it.
    """

    value: Fraction
    kind: Literal["cardinal", "ordinal", "part", "article"] = "cardinal"
    sign: str = ""
    unit: tuple[Unit | None, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A number as it is written and each way to read it: every number of one reading must be there.

    claimed: false where the word says little of a number, as "one" does.
    """

    written: str
    readings: tuple[tuple[Number, ...], ...]
    claimed: bool = True


_TIMES = unit_at(" times", 0)
_FIRST = Number(Fraction(1), "ordinal")
"""Often an adverb, "as first shown": it is asked for only where the source speaks of a second or later one."""


def numbers(text: str) -> tuple[Mention, ...]:
    """The numbers that the text states, in digits or in words, in order; none of those inside names.

    >>> [(mention.written, str(mention.readings[0][0].value)) for mention in numbers("Two million of 14,000 had IL-6.")]
    [('Two million', '2000000'), ('14,000', '14000')]
    """
    return tuple(_mentions_and_names(text)[0])


def missing_numbers(claim: str, source: str) -> tuple[str, ...]:
    """The numbers of the claim, and its names that hold a number, that the source does not have; as they are written.

    >>> missing_numbers("Fifteen of 14,000 gained 3.2 kg on IL-6.", "15 of 14 000 had IL6 and a change of −3.2 kg.")
    ('3.2',)
    """
    claim_mentions, claim_names = _mentions_and_names(claim)
    source_mentions, source_names = _mentions_and_names(source)
    stated = {number for mention in source_mentions for reading in mention.readings for number in reading}
    names = {spelling for name in source_names for spelling in name.spellings}
    labels = {number.label for number in stated}

    def is_stated(number: Number) -> bool:
        return bool(number.label and number.label in names) or any(_same(number, other) for other in stated)

    lacking = [name.written for name in claim_names if not name.spellings & (names | labels)]
    lacking += _missing_letters(fold(claim), fold(source))
    multiples = any(number.unit == _TIMES for number in stated)  # else "doubled" may say it of 10 and 20
    ordinals = any(number.kind == "ordinal" and number.value > 1 for number in stated)
    for mention in claim_mentions:
        claimed = mention.claimed and (ordinals or mention.readings[0] != (_FIRST,))
        claimed |= multiples and mention.readings[0][0].unit == _TIMES
        if claimed and not any(all(map(is_stated, reading)) for reading in mention.readings):
            lacking.append(mention.written)
    return tuple(lacking)


def _mentions_and_names(text: str) -> tuple[list[Mention], list[_NumberedName]]:
    """The numbers that the text states, and its names that hold a number, both in order."""

    def in_arabic(run: re.Match[str]) -> str:
        return run[1] + re.sub(_ROMAN, lambda roman: _ARABIC.get(roman[0], roman[0]), run[2])

    text = _ROMAN_RUN.sub(in_arabic, fold(text).replace("_", " "))
    text = _TIMES_TEN.sub("×", _SCIENTIFIC.sub(r"\1×10^\2", text))
    text = _TWO_NAMES.sub(r"\1\2/\1", _FLAT.sub("", text))
    for _ in range(2):  # the second power of "mg kg-1 day-1"
        text = _FLAT_POWER.sub(r"\1^-", text)
    text, names = _without_names(text)
    return list(filter(None, map(_mention, _NUMBER.finditer(text)))), names


def _mention(match: re.Match[str]) -> Mention | None:
    """The number that was matched in prepared text; None where the word is none after all."""
    written, words = match.group(), match.group().lower()
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    behind = match.string[match.end() : match.end() + _REACH // 2]
    unit = unit_at(match.string, match.end())
    if match["ordinal"] or match["nth"]:
        value = Fraction(match["nth"] or ordinal(words))
        seconds = words == "second" and _SECONDS.search(before)
        at = re.search(r"\bat\s$", before, re.IGNORECASE)
        idiom = words == "first" and (at or behind.startswith((",", " of all", " time")))
        return None if seconds else Mention(written, ((Number(value, "ordinal"),),), claimed=not idiom)
    if match["implied"]:  # "initial" and "a week" say little of a number, and "a" nothing before what is no unit
        if not (words.startswith("initial") or any(unit[:1])):
            return None
        number = _FIRST if words.startswith("initial") else Number(Fraction(1), "article", unit=unit)
        return Mention(words, ((number,),), claimed=False)
    if match["multiple"]:
        number = Number(Fraction(multiple(words)), unit=_TIMES)
        as_part = Number(number.value, "part")  # "halved" is "by half", too
        alternatives = ((number,), (as_part,)) if number.value < 1 else ((number,),)
        return Mention(written, alternatives, claimed=not words.startswith(("doubl", "tripl", "quadrupl", "halv")))
    if match["part"] or match["top"]:
        return _part(match)
    sign = _sign(before, behind)
    if match["plain"] and " " in match["plain"] and _LABEL.search(before):
        label_digits, *digits = match["plain"].split()
        apart = Number(Fraction(label_digits)), Number(Fraction("".join(digits)), unit=unit)
        return Mention(written, (apart,))
    named = _WORD_BEFORE.search(before)
    label = _spelled_name(named[1] + words) if named and re.fullmatch(r"\d+(?:\.\d+)?", words) else ""
    units = (unit,) if unit else _units_ahead(match)
    readings = tuple((Number(_value(match), "cardinal", sign, unit, label),) for unit in units)
    return Mention(written, readings, claimed=words != "one" or any(unit))


def _units_ahead(match: re.Match[str]) -> tuple[tuple[Unit | None, ...], ...]:
    """The units that a number without one may have: that of the next number where the two are joined.

    The ends of a range share their unit ("3 to 5 mg"), the parts of a list may ("3 and 5 mg").
    """
    joined = _JOINED.match(match.string, match.end())
    unit = unit_at(match.string, joined.end()) if joined else ()
    if joined and unit:
        return ((), unit) if joined["word"].lower() in ("and", ",") else (unit,)
    return ((),)


def _part(match: re.Match[str]) -> Mention:
    """A part of a whole: "1/2" may be two numbers as well, and "a third" an ordinal."""
    written, words = match.group(), match.group().lower()
    if match["top"]:
        top, bottom = Number(Fraction(match["top"])), Number(Fraction(match["bottom"]))
        return Mention(written, ((Number(top.value / bottom.value, "part"),), (top, bottom)))
    if match["of"]:  # "half a million"
        return Mention(written, ((Number(part(match["part"].lower()) * SCALES[match["of"].lower()]),),))
    article, _, counted = words.replace("-", " ").partition(" ")
    is_ordinal = article in ("a", "an") and counted not in ("half", "quarter")
    as_ordinal = ((Number(Fraction(ordinal(counted)), "ordinal"),),) if is_ordinal else ()
    return Mention(written, ((Number(part(words), "part"),), *as_ordinal))


def _value(match: re.Match[str]) -> Fraction:
    """The value of a cardinal, with its fraction, its power or its word for a thousand and more."""
    if match["cardinal"]:
        return cardinal(match["cardinal"].lower()) + (Fraction(1, 2) if match["half"] else Fraction(0))
    if match["whole"]:
        over, under = (match["over"], match["under"]) if match["over"] else ("1", "2")
        return int(match["whole"]) + Fraction(int(over), int(under))
    if match["plain"]:
        return _decimal(match["plain"]) * SCALES.get((match["scale"] or "").lower(), 1)
    factor, base = _decimal(match["factor"] or "1"), _decimal(match["base"])
    if "." in match["power"]:
        power = float(match["power"]) * math.log10(base) if base > 0 else -math.inf
        return factor * Fraction(10**power) if abs(power) < _LARGEST else Fraction(0)
    return factor * base ** int(match["power"]) if base else base


def _decimal(written: str) -> Fraction:
    """The value of digits, whatever separates their thousands and their decimals."""
    digits = re.sub("[ ']", "", written).replace("·", ".")
    if _COMMA_THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    return Fraction(digits)


def _sign(before: str, behind: str) -> str:
    """The sign of a number between these texts: none where a hyphen joins a word or a range, or takes away."""
    ahead = before[:-1]
    if before.endswith(("+", "-")) and _IN_FRONT.search(ahead):
        return "either" if before.endswith("-") and _BEHIND_NUMBER.search(ahead) else before[-1]
    if _MINUS.search(before):
        return "-"
    clause = _SENTENCE_END.split(before)[-1] + " " + _SENTENCE_END.split(behind)[0]
    return "down" if _DECREASE.search(clause) else ""


def _same(number: Number, other: Number) -> bool:
    """Whether two numbers are the same as far as both tell: a unit that only one of them has counts for nothing."""
    signs = (number.sign, other.sign)
    if signs[0] != signs[1] and "either" not in signs and signs not in _EQUAL_SIGNS:
        return False
    if (number.kind == "ordinal") != (other.kind == "ordinal"):
        return False
    if any(unit and its and unit != its for unit, its in zip(number.unit[1:], other.unit[1:], strict=False)):
        return False
    unit, its = ((*pair, None)[0] for pair in (number.unit, other.unit))
    if unit and its:
        comparable = unit.kind == its.kind or {unit.kind, its.kind} == {"concentration", "amount"}  # mM and mmol/L
        return comparable and number.value * unit.size == other.value * its.size
    for part_of, share, of in ((number, other, its), (other, number, unit)):
        if of and of.kind == "share":  # 50% is a half, and not fifty
            return part_of.kind == "part" and part_of.value * 100 == share.value * of.size
    return number.value == other.value and "article" not in (number.kind, other.kind)


@dataclass(frozen=True, slots=True)
class _NumberedName:
    """A name as it is written, and the spellings that count as the same: joined, in lower case, whole or its end."""

    written: str
    spellings: frozenset[str]


def _without_names(text: str) -> tuple[str, list[_NumberedName]]:
    """The text with blanks in place of its names with numbers, and these names in order.

    >>> text, (virus, receptor) = _without_names("SARS-CoV-2 in 19 cells with 5-HT2A")
    >>> text.split(), sorted(virus.spellings), sorted(receptor.spellings)
    (['in', '19', 'cells', 'with'], ['cov2', 'sarscov2'], ['5ht2a', 'ht2a'])
    """
    names, parts, end = [], [], 0
    for match in _JOINED_WORD.finditer(text):
        if not any(map(str.isdigit, match.group())):
            continue
        for segments in _runs(match):
            words = [segment.group() for segment in segments]
            starts = range(len(words)) if len(words) <= _LONGEST_NAME else (0,)
            endings = (re.sub(r"(?<=[A-Z\d])s$", "", "".join(words[start:])) for start in starts)
            spellings = frozenset(_spelled_name(name) for name in endings if not _is_number(name))
            begin = segments[0].start()
            parts += [text[end:begin], " " * (segments[-1].end() - begin)]
            end = segments[-1].end()
            names.append(_NumberedName(text[begin:end], spellings))
    return "".join(parts) + text[end:], names


def _missing_letters(claim: str, source: str) -> list[str]:
    """The names of a noun and one capital letter in a folded claim whose letter stands nowhere in the source.

    >>> _missing_letters("Vitamin C and hepatitis B", "vitamins B and D")
    ['Vitamin C']
    """
    return [
        match[0]
        for match in _LETTERED.finditer(claim)
        if match[1].lower() not in _NO_NOUN
        and not re.search(rf"(?<![A-Z]){match[2]}(?![A-Za-z])|(?i:\b{match[1]}s?[ -]?{match[2]}\b)", source)
    ]


def _runs(match: re.Match[str]) -> Iterator[list[re.Match[str]]]:
    """The runs of neighbouring segments that make up a name with a number."""
    segments = list(_SEGMENT.finditer(match.string, match.start(), match.end()))
    words = [segment.group() for segment in segments]
    belong = []
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        # A word makes a name of the digits behind it, as in `covid-19`.
        makes_name = word.isalpha() and word.lower() not in _COUNTS and unit_named(word) is None
        belong.append(_may_belong(word) or (makes_name and after.isdigit() and not _is_number(before)))
    for belongs, run in groupby(zip(belong, segments, strict=True), itemgetter(0)):
        members = [segment for _, segment in run]
        letters = "".join(member.group() for member in members)
        if belongs and any(map(str.isalpha, letters)) and any(map(str.isdigit, letters)):
            yield members


def _is_number(segment: str) -> bool:
    return segment.replace(".", "").isdigit()


def _may_belong(segment: str) -> bool:
    """Whether a name may hold the segment: a number, or what reads as an abbreviation, not as a unit or plain prose.

    >>> [_may_belong(word) for word in ("IL", "Bcl", "CoV", "Phase", "mg", "interleukin", "5mg", "2nd")]
    [True, True, True, False, False, False, False, False]
    """
    if segment.isalpha():
        return _CAPITALS.fullmatch(segment) is not None and unit_named(segment) is None
    if _is_number(segment):
        return True
    if _MEASURE.fullmatch(segment):
        return unit_named(segment) is None
    suffix = segment.lstrip("0123456789.")
    return not (
        segment[0].isdigit()
        and (suffix.lower() in ("st", "nd", "rd", "th", "s", "fold", "x") or unit_named(suffix) is not None)
    )


def _spelled_name(name: str) -> str:
    """The name in the one spelling that names are compared in."""
    return name.lower().replace("interleukin", "il")
