"""Names that hold a number (IL-6, covid-19, CD4, p53, HbA1c, 5-HT2A) and are no numbers, and those of a noun and a
letter (vitamin D, hepatitis B). Knows folded text.

A word joined to the digits behind it makes a name, and so do digits with capitals that no ordinary word has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from osler.text.units import unit_named

_JOINED = re.compile(r"[^\W_]+(?:\.\d+)?(?:-[^\W_]+(?:\.\d+)?)*")
_SEGMENT = re.compile(r"[^\W_]+(?:\.\d+)?")
_CAPITALS = re.compile(r"[^\W_].*[A-Z]|[A-Z]|(?=.*[A-Z])[^\W_]{2,3}")
_COUNTS = frozenset(
    (
        *("type", "phase", "stage", "grade", "class", "group", "arm", "day", "week", "month", "year", "visit", "cycle"),
        *("dose", "age", "aged", "mid", "post", "pre", "early", "late", "under", "over", "versus", "vs"),
        *("and", "or", "to", "of", "by", "than", "plus", "minus"),
    )
)
"""What is joined to a number and makes no name of it: "phase-3", "mid-2020", "12-to-15"."""

_LETTERED = re.compile(r"\b([A-Za-z][a-z]{2,})[ -]([A-HJ-Z])(?!['\w]|\.\s?[a-z])")  # "I" is a pronoun or a number
_NO_NOUN = frozenset(
    (
        *("the", "and", "with", "for", "from", "was", "were", "are", "both", "than", "not", "per", "via"),
        *("plus", "when", "where", "while", "but", "into", "had", "has"),
    )
)

_LONGEST_NAME = 8  # segments of a name that is looked up by its ends, too
_MEASURE = re.compile(r"[^\W\d_]{1,2}[23]")  # m2, cm3


@dataclass(frozen=True, slots=True)
class NumberedName:
    """A name as it is written, and the spellings that count as the same: joined, in lower case, whole or its end."""

    written: str
    spellings: frozenset[str]


def without_names(text: str) -> tuple[str, list[NumberedName]]:
    """The text with blanks in place of its names with numbers, and these names in order.

    >>> rest, (virus, receptor) = without_names("SARS-CoV-2 in 19 cells with 5-HT2A")
    >>> rest.split(), sorted(virus.spellings), sorted(receptor.spellings)
    (['in', '19', 'cells', 'with'], ['cov2', 'sarscov2'], ['5ht2a', 'ht2a'])
    """
    names, parts, end = [], [], 0
    for match in _JOINED.finditer(text):
        if not any(map(str.isdigit, match.group())):
            continue
        for segments in _runs(match):
            names.append(_name(segments))
            parts += [text[end : segments[0].start()], " " * (segments[-1].end() - segments[0].start())]
            end = segments[-1].end()
    return "".join(parts) + text[end:], names


def missing_letters(claim: str, source: str) -> list[str]:
    """The names of a noun and one capital letter in a folded claim whose letter stands nowhere in the source.

    >>> missing_letters("Vitamin C and hepatitis B", "vitamins B and D")
    ['Vitamin C']
    """
    names = (match for match in _LETTERED.finditer(claim) if match[1].lower() not in _NO_NOUN)
    return [
        match[0]
        for match in names
        if not re.search(rf"(?<![A-Z]){match[2]}(?![A-Za-z])|(?i:\b{match[1]}s?[ -]?{match[2]}\b)", source)
    ]


def is_name_like(word: str) -> bool:
    """Whether a word without digits reads as a name or an abbreviation, not as a unit or a word of prose.

    >>> [is_name_like(word) for word in ("IL", "Bcl", "CoV", "Phase", "mg", "interleukin")]
    [True, True, True, False, False, False]
    """
    return _CAPITALS.fullmatch(word) is not None and unit_named(word) is None


def _runs(match: re.Match[str]) -> Iterator[list[re.Match[str]]]:
    """The runs of neighbouring segments that make up a name with a number."""
    segments = list(_SEGMENT.finditer(match.string, match.start(), match.end()))
    words = [segment.group() for segment in segments]
    belong = [
        _may_belong(word) or (_makes_name(word) and after.isdigit() and not _is_number(before))
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
    ]
    for belongs, run in groupby(zip(belong, segments, strict=True), itemgetter(0)):
        members = [segment for _, segment in run]
        letters = "".join(member.group() for member in members)
        if belongs and any(map(str.isalpha, letters)) and any(map(str.isdigit, letters)):
            yield members


def _makes_name(word: str) -> bool:
    """Whether the word makes a name of the digits that it is joined to."""
    return word.isalpha() and word.lower() not in _COUNTS and unit_named(word) is None


def _is_number(segment: str) -> bool:
    return segment.replace(".", "").isdigit()


def _may_belong(segment: str) -> bool:
    if segment.isalpha():
        return is_name_like(segment)
    return _is_number(segment) or not _is_measure(segment)


def _is_measure(segment: str) -> bool:
    if _MEASURE.fullmatch(segment):
        return unit_named(segment) is not None
    unit = segment.lstrip("0123456789.")
    suffixes = ("st", "nd", "rd", "th", "s", "fold", "x")
    return segment[0].isdigit() and (unit.lower() in suffixes or unit_named(unit) is not None)


def _name(segments: list[re.Match[str]]) -> NumberedName:
    words = [segment.group() for segment in segments]
    firsts = range(len(words)) if len(words) <= _LONGEST_NAME else (0,)
    joined = (re.sub(r"(?<=[A-Z\d])s$", "", "".join(words[first:])) for first in firsts)
    written = segments[0].string[segments[0].start() : segments[-1].end()]
    return NumberedName(written, frozenset(spelled_name(name) for name in joined if not _is_number(name)))


def spelled_name(name: str) -> str:
    """The name in the one spelling that names are compared in."""
    return name.lower().replace("interleukin", "il")
