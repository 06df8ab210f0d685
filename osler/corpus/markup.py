"""Elements with inline markup as one line of text, without the marks of references and footnotes.

Which elements are references is told by private characters around their text; what is a mark, and what is the author's
own text ("Smith et al. (2001)"), is decided by its shape and what stands before it, so that no mark grows into a word
or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from osler.corpus.formulas import MATHML, math_text
from osler.corpus.inline_text import GUARD, SUB, SUB_END, SUP, SUP_END, plain_text, subscript, superscript
from osler.corpus.xml_records import Element

_REFERENCE, _REFERENCE_END, MARK = "\x06", "\x07", "\x08"
"""`MARK` stands where something was left out, until it is known what grows together there."""

_NUMBER = r"(?:[0-9]{1,3}[a-z]?|(?!1[5-9]|20)[0-9]{4}|[a-z]{1,2}|[ivx]+|[*†‡§¶#∥|]+)"
_SEPARATOR = r"[\s,;\-–—−‐‑]"
_MARK_SHAPE = re.compile(rf"[\s(\[]*{_NUMBER}(?:{_SEPARATOR}+{_NUMBER})*[\s)\].,;]*")
_SCRIPT = re.compile(f"{SUP}[^{SUP_END}]*{SUP_END}")
_SCRIPT_CHARACTERS = re.compile(f"[{SUP}{SUP_END}{SUB}{SUB_END}{GUARD}]")
_REFERENCE_TEXT = re.compile(f"{_REFERENCE}([^{_REFERENCE_END}]*){_REFERENCE_END}")
_RAISED_MARK = re.compile(f"{SUP}([^{SUP}{SUP_END}]*{MARK}[^{SUP}{SUP_END}]*){SUP_END}")
_RAISED_BETWEEN = rf"{SUP}(?:{_SEPARATOR}|[()\[\]])*{SUP_END}"  # separators and brackets, raised apart from the numbers
_RAISED_SEPARATOR = re.compile(rf"(?<={MARK})\s*{_RAISED_BETWEEN}|{_RAISED_BETWEEN}\s*(?={MARK})")
_ROW_OF_MARKS = re.compile(rf"{MARK}(?:{_SEPARATOR}*{MARK})+")
_EMPTY_BRACKETS = re.compile(rf"\s*[(\[]\s*(?:(?:see|e\.g\.|i\.e\.|cf\.|refs?\.?),?\s*)*{MARK}\s*[)\]]", re.IGNORECASE)
_CONNECTIVES = frozenset(
    (
        "see", "also", "and", "cf", "ref", "refs", "reference", "references", "reviewed", "review", "in", "for", "by",
        "eg",
    )
)  # fmt: skip
_RAISED_NUMBERS = re.compile(rf"{SUP}\s*([0-9]{{1,3}}(?:{_SEPARATOR}+[0-9]{{1,3}})*)\s*{SUP_END}(?=[\s.,;:!?)\]]|$)")
_STOP = re.compile(r"(?:[^\W\d_]|[%)\]”\"’])[.,;:!?][”\"’]?$")
_WHOLE_WORD = re.compile(r"[^\W\d_]{3}[)\]”\"’]* ?$")
_UNIT = re.compile(r"(?:[0-9)\]]|(?<![^\W_])[^\W\d_]{1,3})$")
_NAMES_A_REFERENCE = re.compile(r"\b(?:refs?|references?|nos?|numbers?)\.?$", re.IGNORECASE)
# Some publishers escape their markup, so that its tags reach PubMed as text; `p<b and c>d` are none.
_ESCAPED_TAGS = re.compile(r"<(sup|sub|i|b|u|em|strong|italic|bold)>([^<>]*)</\1>", re.IGNORECASE)
_WRITTEN = {"sup": superscript, "sub": subscript}  # other markup is emphasis


def flat_text(element: Element | None) -> str:
    """All text below `element` on one line, its exponents, indices and formulas written as characters; "" for None.

    >>> from lxml import etree
    >>> flat_text(etree.fromstring("<t>10<sup>6</sup> cells\\n  in H<sub>2</sub>O <i>in vivo</i></t>"))
    '10⁶ cells in H2O in vivo'
    """
    if element is None:
        return ""
    text = "".join(_marked(element)) if len(element) else element.text or ""
    for _ in range(3 if "</" in text else 0):  # tags within tags
        text = _ESCAPED_TAGS.sub(lambda tags: _WRITTEN.get(tags[1].lower(), emphasised)(tags[2]), text)
    return plain_text(without_reference_marks(text))


def _marked(element: Element) -> Iterator[str]:
    """The text below `element` in pieces, with marks around what is raised or lowered."""
    yield element.text or ""
    for child in element:
        if child.tag in MATHML:
            yield math_text(child)
        else:
            inner = "".join(_marked(child))
            yield _WRITTEN.get(str(child.tag), emphasised)(inner)
        yield child.tail or ""


def reference(text: str) -> str:
    """The text of a cross-reference to the literature, marked as such."""
    return f"{_REFERENCE}{text}{_REFERENCE_END}" if text.strip() else ""


def emphasised(text: str) -> str:
    """The text in italics or bold; a run-in heading, which a colon ends, does not grow into the sentence before it.

    >>> without_reference_marks(f"Surgery.{emphasised('Surveillance:')} MRI in{emphasised('vivo')}.")
    'Surgery. Surveillance: MRI invivo.'
    """
    return f"{MARK}{text}" if text.rstrip().endswith(":") else text


def is_mark(text: str) -> bool:
    """Whether the marked text is no more than a mark: a number, a letter or a sign, or a row of them.

    >>> [is_mark(text) for text in ("1–3", "a", "*", "Smith 2001", "2001", "footnote 1")]
    [True, True, True, False, False, False]
    """
    return _MARK_SHAPE.fullmatch(_SCRIPT_CHARACTERS.sub("", text)) is not None


def without_reference_marks(line: str) -> str:
    """The line without superscript marks, and without those on the line that would grow into what stands before them.

    >>> without_reference_marks(f"Cells died.{reference(SUP + '1' + SUP_END)} Then they{reference('2')} grew.")
    'Cells died. Then they grew.'
    """
    if not any(character in line for character in (_REFERENCE, MARK, SUP)):
        return line
    line = " ".join(line.split())
    line = _without_numbered_marks(line)
    line = _REFERENCE_TEXT.sub(_raised_reference, line)
    line = _RAISED_MARK.sub(_raised_mark, line)
    line = _references_on_the_line(line)
    line = _RAISED_SEPARATOR.sub("", _RAISED_SEPARATOR.sub("", line))
    line = _ROW_OF_MARKS.sub(MARK, line)
    line = _EMPTY_BRACKETS.sub(MARK, line)
    line = re.sub(rf"\s+{MARK}(?=\s|[.,;:!?)\]]|$)", MARK, line)
    return _closed_up(line)


def _without_numbered_marks(line: str) -> str:
    """The line with marks for raised numbers that no element tells from exponents, as in the abstracts of Nature.

    Directly behind a stop, a number is no exponent. Behind a word it is none where such numbers count up from 1 without
    a gap, at least to 3 and in more than one place: those of `metre²` and `[Sar¹,Ile⁸]` do not.
    """
    behind_stops, behind_words = set(), set()
    last = steps = 0
    for match in _RAISED_NUMBERS.finditer(line):
        left = line[max(0, match.start() - 20) : match.start()]
        counted = _counted_on(match[1], last)
        if _STOP.search(left):
            behind_stops.add(match.start())
        elif counted and _WHOLE_WORD.search(left):
            behind_words.add(match.start())
        else:
            continue
        steps += counted > last
        last = max(last, counted)
    marks = behind_stops | behind_words if last >= 3 and steps >= 2 else behind_stops
    return _RAISED_NUMBERS.sub(lambda match: MARK if match.start() in marks else match[0], line)


def _counted_on(numbers: str, last: int) -> int:
    """The highest number so far, where these leave out none behind `last`; else 0."""
    for start, end in re.findall(r"([0-9]+)(?:\s*[^\s,;0-9]\s*([0-9]+))?", numbers):
        if int(start) > last + 1:
            return 0
        last = max(last, int(end or start))
    return last


def _raised_reference(match: re.Match[str]) -> str:
    """A mark where the whole reference is raised; else the reference as it is."""
    before = match.string[: match.start()]
    is_raised = any(before.count(start) > before.count(end) for start, end in ((SUP, SUP_END), (SUB, SUB_END)))
    on_the_line = _SCRIPT.sub("", match[1])
    if is_raised or (SUP in match[1] and not any(map(str.isalnum, on_the_line))):
        return MARK
    return match[0]


def _raised_mark(match: re.Match[str]) -> str:
    """A mark with all that belongs to it; an exponent, a charge or a marker before it stays."""
    line, start, end = match.string, match.start(), match.end()
    left = line[:start]
    lead = match[1].partition(MARK)[0].rstrip(" ,;.:([{").lstrip(" ,;.:([{")
    words = re.findall(r"[^\W\d_]+", lead)
    if any(map(str.isdigit, lead)):
        stays = _UNIT.search(left) is not None and not re.search(r"[,;]", lead)
    elif words:
        stays = not all(word.lower() in _CONNECTIVES or len(word) == 1 for word in words)
    else:
        stays = bool(re.fullmatch(r"[+\-−–‐‑/•™®]+", lead)) and left[-1:].isalnum()
    ends_sentence = (
        bool(re.search(rf"{MARK}[\])]*\.\s*$", match[1])) and left[-1:].isalnum() and line[end : end + 1] in ("", " ")
    )
    return (f"{SUP}{lead}{SUP_END}" if stays else "") + MARK + ("." if ends_sentence else "")


def _references_on_the_line(line: str) -> str:
    """Numbers that stand directly behind a word or a stop become marks; other references become plain text."""
    pieces: list[str] = []
    position, was_mark = 0, False
    for match in _REFERENCE_TEXT.finditer(line):
        between = line[position : match.start()]
        pieces.append(between)
        left = "".join(pieces[-3:])[-20:]
        if position and re.fullmatch(rf"{_SEPARATOR}+", between):
            becomes_mark = was_mark and is_mark(match[1])
        else:
            stands_free = not left or left[-1] in f" ([{{-–—−‐‑/=<>~×{SUP}{SUB}" or _NAMES_A_REFERENCE.search(left)
            becomes_mark = is_mark(match[1]) and not stands_free and not match[1].lstrip().startswith("[")
            if between and re.search(r"[0-9]\($", left):  # `10(6)` would be a power
                pieces[-1] = between[:-1] + " ("
        if becomes_mark:
            pieces.append(MARK)
        else:  # guards keep the digits of a reference from growing into their neighbours
            before, behind = (GUARD if character.isdigit() else "" for character in (match[1][0], match[1][-1]))
            pieces.append(before + match[1] + behind)
        position, was_mark = match.end(), becomes_mark
    return "".join((*pieces, line[position:]))


def _closed_up(line: str) -> str:
    """The line with nothing where a mark stood, or with a blank where words or sentences would grow together."""

    def closed(match: re.Match[str]) -> str:
        left, right = line[: match.start()][-1:], line[match.end() :][:1]
        glues = right.isalnum() and (left.isalnum() or left in ".,;:!?)]%”’\"'")
        begins_sentence = left in (".", "!", "?") and right in ("“", "‘", '"', "(", "[")
        return " " if left and (glues or begins_sentence) else ""

    return re.sub(f"{MARK}+", closed, line)
