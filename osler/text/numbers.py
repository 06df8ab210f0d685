"""The numbers that a text states, and those that another text lacks. Knows how English papers write them, no passages.

Numbers are compared by value, sign and unit, however they are written; a number inside a name (IL-6, COVID-19, CD4) is
no number, but a name that must be there as such.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from osler.text.matching import fold
from osler.text.number_words import CARDINAL, MULTIPLE, ORDINAL, PART, SCALES, cardinal, multiple, ordinal, part
from osler.text.numbered_names import missing_letters, spelled_name, without_names
from osler.text.units import SPELLINGS, Unit, unit_at

_INTEGER = (
    r"[1-9]\d{0,2}(?:,\d{2,3}){0,8},\d{3}(?!\d)"  # 14,000 and, in India, 12,34,567
    r"|[1-9]\d{0,2}(?:'\d{3}){1,8}(?!\d)"
    r"|[1-9]\d{0,2}(?: \d{3}){1,8}(?!\d)"
    r"|[1-9]\d{0,2}(?:\.\d{3}){2,8}(?![\d.])"
)
_DECIMAL_COMMA = (
    r"0,\d{1,9}|[1-9]\d{0,2}(?:\.\d{3}){1,8},\d{1,2}(?!\d)"
    rf"|\d{{1,9}},\d{{1,2}}(?=\s?[%‰]|[\s-]?(?:{SPELLINGS})\b)"  # elsewhere it may be a list
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
_SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})(?![\w.])")  # 1e6
_TIMES_TEN = re.compile(r"(?<![^\W\d_])x(?=\s?10\^)", re.IGNORECASE)
_FLAT = re.compile(r"(?<=[A-Za-z])(?:\^(?=\d[-+])|\*(?=\d))")  # Ca^2+, HLA-B*27
_TWO_NAMES = re.compile(r"\b([A-Za-z]*[A-Z][A-Za-z]*-?)(\d{1,2})/(?=\d{1,2}\b)")  # BRCA1/2
_FLAT_POWER = re.compile(rf"\b((?:{SPELLINGS})(?:\^-\d)?[\s·](?:{SPELLINGS}))-(?=[12](?!\w))")  # mg kg-1

_LARGEST = 300  # powers of ten in a float
_REACH = 80  # characters before a number that are looked at for its sign; half as many behind it
_IN_FRONT = re.compile(r"(?:^|[\s(\[{=:,;<>~/|±\"']|\d-)$")
_BEHIND_NUMBER = re.compile(rf"\d\s?(?:%|{SPELLINGS})?\s+$")  # "5 mg -10 mg" is a range, "at 5 weeks -10 mg" a fall
_MINUS = re.compile(r"(?<![\d%]\s)\bminus\s$", re.IGNORECASE)
_DECREASE = re.compile(
    r"\b(?:decreas|reduc|lower|declin|fall|fell|drop|los[etis]|less|fewer|below|short|shr[aiu]nk|diminish)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?]\s|\n")
_SECONDS = re.compile(rf"(?:\d|\b(?:per|each|every|{CARDINAL}))[\s-]?$", re.IGNORECASE)
_AT = re.compile(r"\bat\s$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)\s$")

_EQUAL_SIGNS = frozenset({("", "+"), ("+", ""), ("", "down"), ("down", ""), ("-", "down"), ("down", "-")})
_EXCHANGED = {"concentration", "amount"}  # mM and mmol/L


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
    return tuple(_mentions(without_names(_prepared(text))[0]))


def missing_numbers(claim: str, source: str) -> tuple[str, ...]:
    """The numbers of the claim, and its names that hold a number, that the source does not have; as they are written.

    >>> missing_numbers("Fifteen of 14,000 gained 3.2 kg on IL-6.", "15 of 14 000 had IL6 and a change of −3.2 kg.")
    ('3.2',)
    """
    claim_rest, claim_names = without_names(_prepared(claim))
    source_rest, source_names = without_names(_prepared(source))
    stated = {number for mention in _mentions(source_rest) for reading in mention.readings for number in reading}
    names = {spelling for name in source_names for spelling in name.spellings}
    labels = {number.label for number in stated}
    lacking = [name.written for name in claim_names if not name.spellings & (names | labels)]
    lacking += missing_letters(fold(claim), fold(source))
    multiples = any(number.unit == _TIMES for number in stated)  # else "doubled" may say it of 10 and 20
    ordinals = any(number.kind == "ordinal" and number.value > 1 for number in stated)
    for mention in _mentions(claim_rest):
        claimed = mention.claimed and (ordinals or mention.readings[0] != (_FIRST,))
        claimed |= multiples and mention.readings[0][0].unit == _TIMES
        if claimed and not any(all(_is_in(n, stated, names) for n in reading) for reading in mention.readings):
            lacking.append(mention.written)
    return tuple(lacking)


def _prepared(text: str) -> str:
    """The folded text with Roman numbers of a type, phase or the like, and powers of ten, in one spelling."""
    text = _ROMAN_RUN.sub(lambda match: match[1] + re.sub(_ROMAN, _arabic, match[2]), fold(text).replace("_", " "))
    text = _TIMES_TEN.sub("×", _SCIENTIFIC.sub(r"\1×10^\2", text))
    text = _TWO_NAMES.sub(r"\1\2/\1", _FLAT.sub("", text))
    return _FLAT_POWER.sub(r"\1^-", _FLAT_POWER.sub(r"\1^-", text))  # twice: the second power of "mg kg-1 day-1"


def _arabic(match: re.Match[str]) -> str:
    return str(_ROMANS.index(match.group()) + 1) if match.group() in _ROMANS else match.group()


def _mentions(text: str) -> Iterator[Mention]:
    return filter(None, map(_mention, _NUMBER.finditer(text)))


def _mention(match: re.Match[str]) -> Mention | None:
    """The number that was matched in prepared text; None where the word is none after all."""
    written, words = match.group(), match.group().lower()
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    behind = match.string[match.end() : match.end() + _REACH // 2]
    unit = unit_at(match.string, match.end())
    if match["ordinal"] or match["nth"]:
        value = Fraction(match["nth"] or ordinal(words))
        seconds = words == "second" and _SECONDS.search(before)
        idiom = words == "first" and (behind.startswith((",", " of all", " time")) or _AT.search(before))
        return None if seconds else Mention(written, ((Number(value, "ordinal"),),), claimed=not idiom)
    if match["implied"]:
        return _implied(words, unit)
    if match["multiple"]:
        number = Number(Fraction(multiple(words)), unit=_TIMES)
        as_part = Number(number.value, "part")  # "halved" is "by half", too
        alternatives = ((number,), (as_part,)) if number.value < 1 else ((number,),)
        return Mention(written, alternatives, claimed=not words.startswith(("doubl", "tripl", "quadrupl", "halv")))
    if match["part"] or match["top"]:
        return _part(match)
    sign = _sign(before, behind)
    if match["plain"] and " " in match["plain"] and _LABEL.search(before):
        first, *rest = match["plain"].split()
        apart = Number(Fraction(first)), Number(Fraction("".join(rest)), unit=unit)
        return Mention(written, (apart,))
    named = _WORD_BEFORE.search(before)
    label = spelled_name(named[1] + words) if named and re.fullmatch(r"\d+(?:\.\d+)?", words) else ""
    units = (unit,) if unit else _units_ahead(match)
    readings = tuple((Number(_value(match), "cardinal", sign, unit, label),) for unit in units)
    return Mention(written, readings, claimed=words != "one" or any(unit))


def _units_ahead(match: re.Match[str]) -> tuple[tuple[Unit | None, ...], ...]:
    """The units that a number without one may have: that of the next number where the two are joined.

    The ends of a range share their unit ("3 to 5 mg"), the parts of a list may ("3 and 5 mg").
    """
    joined = _JOINED.match(match.string, match.end())
    unit = unit_at(match.string, joined.end()) if joined else ()
    if not (joined and unit):
        return ((),)
    return ((), unit) if joined["word"].lower() in ("and", ",") else (unit,)


def _implied(word: str, unit: tuple[Unit | None, ...]) -> Mention | None:
    """What "initial" and "a week" say of a number: little, and "a" nothing before what is no unit."""
    if word.startswith("initial"):
        return Mention(word, ((Number(Fraction(1), "ordinal"),),), claimed=False)
    return Mention(word, ((Number(Fraction(1), "article", unit=unit),),), claimed=False) if any(unit[:1]) else None


def _part(match: re.Match[str]) -> Mention:
    """A part of a whole: "1/2" may be two numbers as well, and "a third" an ordinal."""
    written, words = match.group(), match.group().lower()
    if match["top"]:
        top, bottom = Fraction(match["top"]), Fraction(match["bottom"])
        return Mention(written, ((Number(top / bottom, "part"),), (Number(top), Number(bottom))))
    if match["of"]:  # "half a million"
        return Mention(written, ((Number(part(match["part"].lower()) * SCALES[match["of"].lower()]),),))
    readings = [(Number(part(words), "part"),)]
    article, _, counted = words.replace("-", " ").partition(" ")
    if article in ("a", "an") and counted not in ("half", "quarter"):
        readings.append((Number(Fraction(ordinal(counted)), "ordinal"),))
    return Mention(written, tuple(readings))


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
    digits = re.sub(r"[ ']", "", written).replace("·", ".")
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


def _is_in(number: Number, stated: set[Number], names: set[str]) -> bool:
    return bool(number.label and number.label in names) or any(_same(number, other) for other in stated)


def _same(number: Number, other: Number) -> bool:
    """Whether two numbers are the same as far as both tell: a unit that only one of them has counts for nothing."""
    signs = (number.sign, other.sign)
    if signs[0] != signs[1] and "either" not in signs and signs not in _EQUAL_SIGNS:
        return False
    if (number.kind == "ordinal") != (other.kind == "ordinal"):
        return False
    for unit, its in zip(number.unit[1:], other.unit[1:], strict=False):
        if unit and its and unit != its:
            return False
    unit, its = ((*pair, None)[0] for pair in (number.unit, other.unit))
    if unit and its:
        comparable = unit.kind == its.kind or {unit.kind, its.kind} == _EXCHANGED
        return comparable and number.value * unit.size == other.value * its.size
    for part_of, share, of in ((number, other, its), (other, number, unit)):
        if of and of.kind == "share":  # 50% is a half, and not fifty
            return part_of.kind == "part" and part_of.value * 100 == share.value * of.size
    return number.value == other.value and "article" not in (number.kind, other.kind)
