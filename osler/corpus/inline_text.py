"""Superscripts and subscripts as plain text: an exponent stays an exponent, and no number grows.

A text with markup is first flattened to one string in which private characters stand around each superscript and
subscript. How each is written is decided here, with the text left and right of it at hand. Knows no elements.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# No XML document can hold these characters, so none of them comes from a source.
SUP, SUP_END, SUB, SUB_END = "\x01", "\x02", "\x03", "\x04"
GUARD = "\x05"
"""Stands where two characters must not grow together: it becomes a blank there, and nothing elsewhere."""
_POWER = "\x11"
"""Stands in a superscript of a formula, where letters are exponents and no marker such as that of `CD4high`."""

# All that publishers write for a minus, the soft hyphen and the macron among them.
_MINUS = "-\u2212\u2013\u2014\u2010\u2011\u2012\u2015\u02d7\u2043\u00ad"
_MACRON = {0xAF: "-"}
_SIGNS = f"+{re.escape(_MINUS)}"
_RAISED = str.maketrans("0123456789+" + _MINUS, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺" + "⁻" * len(_MINUS))
_LOWERED = str.maketrans("0123456789+" + _MINUS, "₀₁₂₃₄₅₆₇₈₉₊" + "₋" * len(_MINUS))

_EXPONENT = re.compile(rf"[{_SIGNS}]?[0-9]+")
_CHARGE = re.compile(rf"[0-9]*[{_SIGNS}]+(?:/[0-9]*[{_SIGNS}]+)*")  # of an ion; also the +/− of a genotype
_SIGNED = re.compile(rf"[{_SIGNS}](?=\w)")
_DIGITS_AND_SIGNS = re.compile(rf"[0-9{_SIGNS}]+")
_ISOTOPE = re.compile(r"[0-9]{1,3}m?")
_ONE_ELEMENT = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")
# A number that is no part of a name such as `CD25`, `IL-17` or `NK1.1`; the 10 of `2x10` is one.
_BARE_NUMBER = re.compile(
    r"(?<![^\W_])(?<![^\W\d_][-\u2010\u2011\u2013])(?<![^\W_][.,])[0-9](?:[0-9.,]*[0-9])?$"
    r"|(?<=[0-9]x)10$|(?<=[0-9] x)10$"
)
_TEN = re.compile(r"(?<![0-9.,])10$")
_SHORT_SYMBOL = re.compile(r"(?<![^\W_])[^\W\d_]{1,3}$")  # a unit or a variable, as in `m`, `kg`, `χ`
_INDEXED = re.compile(r"(?<![^\W_])(?:[A-Z][A-Za-z]{0,3}|[^\W\d_])$")  # an element, a molecule or a variable
_VARIABLE = re.compile(r"(?<![^\W_])[a-zα-ω]$")
_WORD = re.compile(r"(?<![^\W_])[a-z]{4,}$")
_VARIABLE_POWER = re.compile(rf"[^\W\d_]{{1,3}}|\(?[^\W_](?:[{_SIGNS}][^\W_]+)+\)?")
_DIGIT_BEFORE = re.compile(r"[0-9⁰¹²³⁴⁵⁶⁷⁸⁹][.,]?$")
_DIGIT = re.compile("[0-9]")
_DIGIT_BEHIND = re.compile(r"[.,]?[0-9]")
_GOES_ON = re.compile(rf"[\w{SUP}{SUB}]|[.,^{_SIGNS}/][\w{SUP}{SUB}]")
_ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "ère", "ème", "eme"))
_DEGREE = re.compile("[oOº°˚∘◦ο] ?[CF]?")
_SCALE = re.compile(r" ?[CF]\b")
_TRADE_MARKS = {"TM": "™", "™": "™", "®": "®", "(R)": "®", "©": "©", "SM": "℠", "℠": "℠"}
_CONTEXT = 40  # characters on either side that decide
_ONE_THING = re.compile(
    rf"(?:[0-9.,]+|[^\W\d_]+[0-9]*\W?|[^\w\s])?(?:{SUP}[^{SUP_END}]*{SUP_END}|{SUB}[^{SUB_END}]*{SUB_END})*|\([^()]*\)|\[[^\[\]]*\]"
)

_START = re.compile(f"[{SUP}{SUB}]")
_BOUNDARY = re.compile(f"[{SUP}{SUP_END}{SUB}{SUB_END}]")
_FRACTION = re.compile(rf"(?<![^\W\d_]){SUP}([0-9]+){SUP_END} ?[/⁄∕] ?{SUB}([0-9]+){SUB_END}")
_TIDYINGS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(" {2,}"), " "),
    (re.compile(f"([{SUP}{SUB}])[ \u200b\u2060\ufeff]+"), r" \1"),  # blanks stand outside
    (re.compile(f"[ \u200b\u2060\ufeff]+([{SUP_END}{SUB_END}])"), r"\1 "),
    (re.compile(f" ?{SUP} ?{SUP_END} ?| ?{SUB} ?{SUB_END} ?"), lambda empty: " " if " " in empty.group() else ""),
    (re.compile(rf"([{SUP}{SUB}][^(){SUP}{SUB}]*[0-9])([.,;:)]+)([{SUP_END}{SUB_END}])"), r"\1\3\2"),  # so do stops
    (re.compile(f"{SUP_END}{SUP}|{SUB_END}{SUB}"), ""),  # in a row they are one
    (re.compile(f"({SUP}[{_SIGNS}]){SUP_END} {SUP}(?=[0-9])"), r"\1"),
    (  # a letter raised beside a letter with an index: the power of a variable
        re.compile(rf"((?<![^\W_])[^\W\d_]{SUB}[^{SUB_END}]+{SUB_END}{SUP})(?=[^\W\d_]{SUP_END})"),
        rf"\1{_POWER}",
    ),
)


def superscript(text: str) -> str:
    """The text marked as a superscript."""
    return f"{SUP}{text}{SUP_END}"


def subscript(text: str) -> str:
    """The text marked as a subscript."""
    return f"{SUB}{text}{SUB_END}"


def fraction(above: str, below: str) -> str:
    """The fraction on one line, its parts in parentheses where they are more than a number or a name."""
    return f"{GUARD}{_grouped(above)}/{_grouped(below)}{GUARD}"


def root(content: str, index: str = "") -> str:
    """The square root, or the root of the index."""
    if index.strip() in ("", "2"):
        return f"√{_grouped(content)}{GUARD}"
    return f"{_grouped(content)}{superscript(f'1/{index.strip()}')}"


def exponent(text: str) -> str:
    """The text marked as a superscript of a formula.

    >>> plain_text("R" + exponent("n")), plain_text("CD4" + superscript("high"))
    ('R^n', 'CD4high')
    """
    return superscript(f"{_POWER}{text}" if any(map(str.isalpha, text)) else text)


def power(base: str, raised: str) -> str:
    """The base with its exponent, in parentheses where it is more than one thing."""
    return (_grouped(base) if base.strip() else "") + exponent(raised)


def limited(mark: str, content: str) -> str:
    """A limit of a sum, a product or an integral: behind `_` or `^`, in parentheses."""
    return f"{mark}({content.strip()}){GUARD}"


def overlined(content: str, accent: str) -> str | None:
    """The character with a combining accent; None where there are several."""
    return content.strip() + accent if len(content.strip()) == 1 else None


def plain_text(marked: str) -> str:
    """The text on one line, with each superscript and subscript as it reads beside what stands around it.

    Exponents become superscript characters, or follow a caret where there are none for them. Charges, isotopes, markers
    and indices stand on the line, unless a digit of theirs would grow into a number.

    >>> [plain_text(left + superscript(raised)) for left, raised in (("10", "−8"), ("10", "6.5"), ("Ca", "2+"))]
    ['10⁻⁸', '10^6.5', 'Ca2+']
    >>> [plain_text("SO" + subscript("4") + superscript("2-")), plain_text(superscript("18") + "F")]
    ['SO4²⁻', '18F']
    """
    text = " ".join(marked.split())
    if not _BOUNDARY.search(text):
        return _without_guards(text)
    previous = ""
    while previous != text:
        previous = text
        for pattern, replacement in _TIDYINGS:
            text = pattern.sub(replacement, text)
    text = _FRACTION.sub(rf"{GUARD}\1/\2{GUARD}", text)
    return " ".join(_without_guards(_resolved(text)).split())


def _without_guards(text: str) -> str:
    """A guard is a blank where characters would grow together, else nothing."""
    text = re.sub(rf"(?<=[\w\])]){GUARD}+(?=[\w\[√])", " ", text)
    return text.replace(GUARD, "")


def _resolved(text: str) -> str:
    pieces: list[str] = []
    tail, position = "", 0
    while start := _START.search(text, position):
        tail += text[position : start.start()]
        end = _matching_end(text, start.start())
        content = _without_guards(_resolved(text[start.end() : end]))
        in_formula, content = _POWER in content, content.replace(_POWER, "").strip()
        pieces.append(tail[:-_CONTEXT])
        tail, behind = tail[-_CONTEXT:], text[end + 1 : end + 1 + _CONTEXT]
        context = tail.rstrip(GUARD)
        if content:
            is_raised = start.group() == SUP
            tail = _raised(context, content, behind, in_formula) if is_raised else _lowered(context, content, behind)
        position = end + 1
    return "".join([*pieces, tail, _BOUNDARY.sub("", text[position:])])


def _matching_end(text: str, start: int) -> int:
    depth = 0
    for mark in _BOUNDARY.finditer(text, start):
        depth += 1 if mark.group() in (SUP, SUB) else -1
        if depth == 0:
            return mark.start()
    return len(text)


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _ONE_THING.fullmatch(text) else f"({text})"


def _numeric(content: str) -> str:
    """The content as digits and signs in their plain forms, if it is no more than those."""
    return unicodedata.normalize("NFKC", content.translate(_MACRON)).replace(" ", "")


def _raised(left: str, content: str, behind: str, in_formula: bool) -> str:
    """`left` with the superscript behind it."""
    before = left.rstrip()
    numeric = _numeric(content)
    if symbol := _TRADE_MARKS.get(content):
        return left + symbol
    if (_DEGREE.fullmatch(content) or (content == "0" and _SCALE.match(behind))) and before[-1:].isdigit():
        return f"{left}°{content[1:]}"
    if content.lower() in _ORDINALS and (before[-1:].isdigit() or _VARIABLE.search(before)):
        return before + content
    if _is_isotope(left, content, behind):
        return left + content
    if _EXPONENT.fullmatch(numeric):
        attached = _is_attached(left, before, behind, signed=numeric[0] not in "0123456789")
        return (before if attached else left) + numeric.translate(_RAISED)
    if _CHARGE.fullmatch(numeric):
        return _with_charge(left, numeric, content.replace(" ", ""), behind)
    return _with_other(left, content, behind, in_formula)


def _is_isotope(left: str, content: str, behind: str) -> bool:
    """Whether this is the mass number before an element: at the start of a word, before a letter."""
    before = left.rstrip()
    if not _ISOTOPE.fullmatch(content) or not behind[:1].isalpha():
        return False
    if before != left and before[-1:].isdigit():  # `20 18FDG` scans, but `10⁶CFU` although a blank stands between
        is_ten = _TEN.search(before) is not None
        return not is_ten or content.endswith("m") or _ONE_ELEMENT.match(behind) is not None
    return not left or (not left[-1].isalnum() and left[-1] not in ".,)]}%?!′″°" and not re.search(r"[0-9]\W$", left))


def _is_attached(left: str, before: str, behind: str, *, signed: bool) -> bool:
    """Whether an exponent belongs to what stands before a blank, as in `10 6` and `m 2`."""
    if before == left or not before:
        return False
    if before[-1].isdigit() or signed:
        return before[-1].isalnum() or before[-1] in ")]}"
    return not behind[:1].isalpha() and _SHORT_SYMBOL.search(before) is not None


def _with_charge(left: str, charge: str, spelled: str, behind: str) -> str:
    """The charge of an ion or the sign of a marker: on the line, unless a digit would grow."""
    before = left.rstrip()
    if not behind[:1].isalpha() and (before[-1:].isalnum() or before[-1:] in ("]", ")")):
        left = before
    grows = behind[:1].isdigit() or (charge[0].isdigit() and not left[-1:].isalpha())
    if grows or _BARE_NUMBER.search(left):
        expressible = _DIGITS_AND_SIGNS.fullmatch(charge)
        return left + (charge.translate(_RAISED) if expressible else _apart("^", spelled, behind))
    return left + spelled


def _with_other(left: str, content: str, behind: str, in_formula: bool) -> str:
    """What has no superscript characters: behind a caret where it is an exponent, else on the line."""
    before = left.rstrip()
    is_symbol = not any(character.isalnum() for character in content)
    if _BARE_NUMBER.search(before) and not is_symbol:
        if content == "m" and _ONE_ELEMENT.match(behind):
            return left + content  # the metastable 99mTc
        if before != left and re.match(r"[^\W\d_]{3}", content):
            return left + content
        return before + _apart("^", content, behind)
    is_power = left[-1:].isalnum() or left[-1:] in (")", "]", "}")
    if is_power and (content[0].isdigit() or _SIGNED.match(content) or (in_formula and not is_symbol)):
        return left + _apart("^", content, behind)
    is_term = left[-1:] in (")", "]", "}") or (_VARIABLE.search(left) and _VARIABLE_POWER.fullmatch(content))
    is_note = _WORD.search(left) and re.fullmatch(r"[a-z](?:\s*,\s*[a-z])*", content)
    if (is_term and not is_symbol) or is_note:
        return left + _apart("^", content, behind)
    if _touches(left, content, behind):
        return left + _apart("^", content, behind)
    return left + content


def _lowered(left: str, content: str, behind: str) -> str:
    """`left` with the subscript behind it."""
    before = left.rstrip()
    numeric = _numeric(content)
    is_number = _DIGITS_AND_SIGNS.fullmatch(numeric) is not None
    if is_number and before != left and _INDEXED.search(before):
        left = before
    begins_word = not left or left[-1] in " ([{"
    if is_number and (_touches(left, numeric, behind) or (begins_word and numeric[0].isdigit())):
        return left + numeric.translate(_LOWERED)
    is_symbol = not any(character.isalnum() for character in content)
    if _touches(left, content, behind) or (_BARE_NUMBER.search(left) and not is_symbol):
        return left + _apart("_", content, behind)
    return left + content


def _touches(left: str, content: str, behind: str) -> bool:
    """Whether a digit beside the content, or a decimal point with its digit, would make another number of both."""
    if _DIGIT_BEFORE.search(left) and (content[0].isdigit() or _DIGIT_BEHIND.match(content)):
        return True
    if _BARE_NUMBER.search(left) and behind[:1].isdigit() and not any(map(str.isalpha, content)):
        return True
    pattern = _DIGIT_BEHIND if content[-1].isdigit() else _DIGIT
    return _DIGIT_BEFORE.search(content) is not None and pattern.match(behind) is not None


def _apart(mark: str, content: str, behind: str) -> str:
    """The content behind a caret or an underscore, in parentheses where its end could not be told."""
    if sign := _SIGNED.match(content):
        content = ("+" if sign.group() == "+" else "-") + content[1:]
    if re.fullmatch(r"\([^()]*\)", content):
        return mark + content
    inside = re.search(rf"[\s,/=<>^_{_SIGNS}×·*]|(?<=[0-9])[^\W\d_]", content[1:])
    return f"{mark}({content})" if inside or _GOES_ON.match(behind) else mark + content
