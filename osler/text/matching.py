"""Text as it is compared and looked up, never as it is shown: its one spelling, and which texts are nearly the same.

Knows Unicode, how papers write an exponent, words as runs of letters and digits, and English function words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_INVISIBLE = re.compile(
    "\u00ad\\s*\n"  # a word that was divided at the end of a line
    "|[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]"
)
_ACCENTS = re.compile("[\u0300-\u0337\u0339-\u036f]")  # U+0338 strikes out: it makes another sign of "="

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+[⁺⁻]?")
_TAGGED = re.compile(r"<sup>\s*([-+\u2212\u2013]?\d+(?:\.\d+)?)\s*</sup>(?=(\d)?)", re.IGNORECASE)
_TAG = re.compile(r"</?(?:su[bp]|[biu]|em|strong|italic|bold)>", re.IGNORECASE)
_STARS = re.compile(r"(?<=\d)(?:\*\*(?=[({]?[-+]?\d+(?![\d*]))| \*\* (?=[-+]?\d))")  # 10**6, but a bold **6** stays
_POWER = re.compile(r"(?<=[\w)\]}%°])\s?\^\s?(?:[({]\s*([-+]?\d+(?:\.\d+)?)\s*[)}]|([-+]?\d))")
_NLM_POWER = re.compile(
    r"(?<![\d.,A-WYZa-wyz_])(10(?=\([-+]?\d)|[a-zμ]{1,3}(?=\((?:-\d|[23])\)))\(([-+]?\d{1,2})\)(?=(\d)?)"
)  # 10(6) cells, kg/m(2)

_FRACTION = re.compile(r"[¼-¾⅐-⅞↉]")
_SPACED_MINUS = re.compile(r"\u2212\s+(?=\d)")
_ENDS_VALUE = re.compile(r"[\d)\]%]\s*$")

_RARE = ("<", "^", "`", "**", *(f"({digit}" for digit in "0123456789+-"))
"""What ASCII text has where `fold` may change it."""

_ALIKE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u00ac\u2043", "-")
    | dict.fromkeys("\u2014\u2015", " - ")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2219\u22c5\u2027\u2022\u30fb", "·")
    | {"\u2044": "/", "\u2215": "/", "\u2217": "*", "\u0131": "i"}
)


def fold(text: str) -> str:
    """The text in one spelling: equal for two texts that a reader takes for the same, but for upper and lower case.

    Soft hyphens and other invisible characters go, and so do accents; ligatures, full-width letters and the like become
    plain ones (NFKC), hyphens and minus signs "-", quotation marks straight. An exponent is a caret and a number,
    however it was written; it never runs into its base.

    >>> fold("hepa\\u00adrin, e\\ufb03cacy, IL\\u20116, \\u22123.2")
    'heparin, efficacy, IL-6, -3.2'
    >>> fold("10⁶"), fold("10(6)"), fold("10**6"), fold("10<sup>6</sup>"), fold("kg/m²")
    ('10^6', '10^6', '10^6', '10^6', 'kg/m^2')
    """
    if text.isascii() and not any(mark in text for mark in _RARE):  # most texts: a twentieth of the time
        return text
    text = _INVISIBLE.sub("", text)
    text = _TAG.sub("", _TAGGED.sub(lambda match: f"^{match[1]}{' ' if match[2] else ''}", text))
    text = _SUPERSCRIPT.sub(_raised, text)
    text = _FRACTION.sub(_apart, text)
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    text = _SPACED_MINUS.sub(_minus, unicodedata.normalize("NFKC", text)).translate(_ALIKE)
    text = _POWER.sub(r"^\1\2", _STARS.sub("^", text))
    return _NLM_POWER.sub(lambda match: f"{match[1]}^{match[2]}{' ' if match[3] else ''}", text)


def _raised(match: re.Match[str]) -> str:
    """The superscript behind a caret; flat where it has no base before it, as in the isotope ¹⁸F."""
    before, after = _beside(match)
    caret = "^" if before.isalnum() or (before and before in ")]}%°") else ""
    return f"{caret}{match.group().translate(_SUPERSCRIPTS)}{' ' if after.isdigit() else ''}"


def _apart(match: re.Match[str]) -> str:
    """The fraction, apart from a whole number before it."""
    return f" {match.group()}" if _beside(match)[0].isdigit() else match.group()


def _minus(match: re.Match[str]) -> str:
    """The minus sign beside its number, unless a value stands before it that it takes away from."""
    return match.group() if _ENDS_VALUE.search(match.string[max(0, match.start() - 9) : match.start()]) else "-"


def _beside(match: re.Match[str]) -> tuple[str, str]:
    """The characters before and behind the match, empty at the ends of the text."""
    text, (start, end) = match.string, match.span()
    return text[max(0, start - 1) : start], text[end : end + 1]


_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been by did do does for from has have in is it its of on or that the their these this "
        "those to was were what which with"
    )
)
"""Words in which one question may be asked twice. "No", "not", "how" and "when" make it another one."""


@dataclass(frozen=True, slots=True)
class Shingles:
    """A text as it is compared: all of its words in order, and the parts that it may share with another one.

    Case, white space and punctuation never count. Make the shingles of a text once, then compare them often.
    Both hold hashes of 64 bits, a tenth of the memory of the words, which are good within one process only.
    """

    whole: int
    parts: frozenset[int]


def shingles(text: str) -> Shingles:
    """The text by every five words that follow one another.

    A text of fewer than five words is its own and only shingle, so that it resembles nothing but itself.

    >>> len(shingles("One two three, four five six.").parts), len(shingles("Four.").parts)
    (2, 1)
    """
    words = _WORD.findall(text.casefold())
    whole = hash(tuple(words))
    fives = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
    return Shingles(whole, frozenset(map(hash, fives)) or frozenset({whole}))


def content_words(text: str) -> Shingles:
    """The text by its words but for function words, in no order; one of function words alone resembles only itself.

    >>> a, b = content_words("What is the target of the drug olaparib?"), content_words("Drug target for Olaparib")
    >>> jaccard(a, b), equal(a, b)
    (1.0, False)
    """
    words = _WORD.findall(text.casefold())
    whole = hash(tuple(words))
    return Shingles(whole, frozenset(map(hash, set(words) - _FUNCTION_WORDS)) or frozenset({whole}))


def equal(a: Shingles, b: Shingles) -> bool:
    """Whether the texts have the same words in the same order.

    >>> equal(shingles("Beta-blockers?"), shingles("beta  blockers"))
    True
    """
    return a.whole == b.whole


def jaccard(a: Shingles, b: Shingles) -> float:
    """The shared parts of two texts as a share of all of theirs, 0 to 1 (Broder, 1997).

    >>> jaccard(shingles("a b c d e f"), shingles("a b c d e g"))
    0.3333333333333333
    """
    shared = len(a.parts & b.parts)
    return shared / (len(a.parts) + len(b.parts) - shared)


def containment(a: Shingles, b: Shingles) -> float:
    """The shared parts of two texts as a share of those of the smaller one, 0 to 1 (Broder, 1997).

    >>> containment(shingles("a b c d e f"), shingles("x a b c d e f y z"))
    1.0
    """
    return len(a.parts & b.parts) / min(len(a.parts), len(b.parts))


def near_equal(a: Shingles, b: Shingles, threshold: float = 0.8) -> bool:
    """Whether the Jaccard similarity of the shingles is at least this threshold.

    >>> near_equal(shingles("Mice slept for nine hours."), shingles("mice slept (for nine hours)"))
    True
    """
    fewer, more = sorted((len(a.parts), len(b.parts)))
    # the smaller set within the larger one is the most that two texts can share: most pairs end here
    return fewer >= threshold * more and jaccard(a, b) >= threshold
