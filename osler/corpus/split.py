"""Documents become passages: at sentence ends, within a token budget, nothing lost. Is handed the tokenizer's counter.

The encoder reads title, heading and text of a passage, a line each; only the text counts in offsets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from osler.protocols import CountTokens
from osler.records import Document, Passage
from osler.text.sentences import sentence_spans

_SPECIAL_TOKENS = 2  # what an encoder puts before and behind its input
_SHARES_A_PASSAGE = 1 / 3  # of the budget: how long a section may be to be put together with its neighbours
_CHARACTERS_OF_A_TOKEN = 64  # more are no prose: what is so long is cut without being counted as a whole
_WINDOW = 250_000  # characters that are taken apart at once; a longer section is cut there, so that memory is bounded
_BYTES_OF_A_CHARACTER = 4  # in UTF-8, at most; and no tokenizer makes more tokens than there are bytes
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class _Part:
    """A section: its heading, its range in the document's text, and how many tokens a passage of it may have."""

    heading: str
    start: int
    end: int
    budget: int


@dataclass(frozen=True, slots=True)
class _Unit:
    """A piece that stays whole: the part it belongs to, its range in the document's text, its tokens."""

    part: _Part
    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class _Range:
    """A passage to be: its range in the document's text, and its heading."""

    start: int
    end: int
    heading: str


def split(document: Document, *, count_tokens: CountTokens, max_tokens: int) -> list[Passage]:
    """The passages of a document in their order; at least one, even where its text is empty.

    A document that fits `max_tokens` (title, heading and two special tokens included) is one passage. A longer one is
    cut between its sections: neighbours of up to a third of the budget each share a passage while they fit, longer
    ones never share. A section that does not fit is cut at sentence ends into passages of about one length, a sentence
    that does not fit between words. However long the title is, half of `max_tokens` is the text's.

    The first passage begins at 0, the last ends where the text ends, and only white space lies between two of them.

    >>> from osler.records import Section
    >>> sections = (Section("METHODS", "We counted mice."), Section("RESULTS", "There were four."))
    >>> passages = split(
    ...     Document("PMID:1", "Mice", sections),
    ...     count_tokens=lambda texts: [len(text.split()) for text in texts],
    ...     max_tokens=8,
    ... )
    >>> [(passage.passage_id, passage.heading, passage.text) for passage in passages]
    [('PMID:1#0', 'METHODS', 'We counted mice.'), ('PMID:1#1', 'RESULTS', 'There were four.')]
    """
    text = document.text
    whole = _Range(0, len(text), document.sections[0].heading if len(document.sections) == 1 else "")
    if _fits(_prefix(document.title, whole.heading), text, count_tokens, max_tokens):
        return _passages(document, text, [whole])
    windows = _windows(_parts(document, count_tokens, max_tokens))
    units = (unit for window in windows for unit in _units(text, window, count_tokens))
    ranges = [range_ for group in _groups(units) for range_ in _pack(group)]
    return _passages(document, text, ranges or [whole])


def _passages(document: Document, text: str, ranges: list[_Range]) -> list[Passage]:
    starts = [0, *(range_.start for range_ in ranges[1:])]
    ends = [*(range_.end for range_ in ranges[:-1]), len(text)]
    return [
        Passage(
            passage_id=f"{document.doc_id}#{position}",
            doc_id=document.doc_id,
            title=document.title,
            text=text[start:end],
            start=start,
            end=end,
            heading=range_.heading,
            metadata=document.metadata,
        )
        for position, (start, end, range_) in enumerate(zip(starts, ends, ranges, strict=True))
    ]


def _prefix(title: str, heading: str) -> str:
    return "".join(f"{line}\n" for line in (title, heading) if line)


def _fits(prefix: str, text: str, count_tokens: CountTokens, max_tokens: int) -> bool:
    if len(text) > max_tokens * _CHARACTERS_OF_A_TOKEN:
        return False
    if len((prefix + text).encode()) <= max_tokens - _SPECIAL_TOKENS:  # so few bytes need not be counted
        return True
    prefix_tokens, tokens = count_tokens([prefix, text])
    return tokens <= _text_budget(prefix_tokens, max_tokens)


def _text_budget(prefix_tokens: int, max_tokens: int) -> int:
    return max(max_tokens - _SPECIAL_TOKENS - prefix_tokens, max_tokens // 2, 1)


def _parts(document: Document, count_tokens: CountTokens, max_tokens: int) -> list[_Part]:
    """The sections with their ranges in `Document.text`."""
    headings = list(dict.fromkeys(section.heading for section in document.sections))
    counts = count_tokens([_prefix(document.title, heading) for heading in headings])
    budgets = {heading: _text_budget(tokens, max_tokens) for heading, tokens in zip(headings, counts, strict=True)}
    text, spans = document.text, zip(document.sections, document.section_spans, strict=True)
    return [
        _Part(section.heading, part_start, part_end, budgets[section.heading])
        for section, (start, end) in spans
        for part_start, part_end in _cut(text, start, end)
    ]


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """This range in parts of a window at most, which end between words where there are words."""
    while end - start > _WINDOW:
        space = max(text.rfind(mark, start + 1, start + _WINDOW) for mark in "\n ")
        cut = space if space > start else start + _WINDOW
        yield start, cut
        start = cut
    yield start, end


def _windows(parts: list[_Part]) -> Iterator[list[_Part]]:
    """The parts, as many together as fill a window."""
    window: list[_Part] = []
    for part in parts:
        if window and part.end - window[0].start > _WINDOW:
            yield window
            window = []
        window.append(part)
    if window:
        yield window


def _units(text: str, parts: list[_Part], count_tokens: CountTokens) -> list[_Unit]:
    """The sentences of these parts; in place of one that exceeds its budget its words, of such a word its pieces."""
    sentences = [
        _Unit(part, part.start + start, part.start + end, 0)
        for part in parts
        for start, end in sentence_spans(text[part.start : part.end])
    ]
    units = _counted(text, sentences, count_tokens)
    for spans_within in (_words, _pieces):
        if all(unit.tokens <= unit.part.budget for unit in units):
            break
        finer: list[_Unit] = []
        for unit in units:
            spans = spans_within(text, unit) if unit.tokens > unit.part.budget else [(unit.start, unit.end)]
            finer += (_Unit(unit.part, start, end, 0) for start, end in spans)
        units = _counted(text, finer, count_tokens)
    return units


def _words(text: str, unit: _Unit) -> list[tuple[int, int]]:
    return [word.span() for word in _WORD.finditer(text, unit.start, unit.end)]


def _pieces(text: str, unit: _Unit) -> list[tuple[int, int]]:
    """A word cut into pieces that fit whatever the tokenizer makes of them, as a long sequence of bases needs."""
    size = max(unit.part.budget // _BYTES_OF_A_CHARACTER, 1)
    return [(start, min(start + size, unit.end)) for start in range(unit.start, unit.end, size)]


def _counted(text: str, units: list[_Unit], count_tokens: CountTokens) -> list[_Unit]:
    """The units with their tokens, each counted with the white space before it, as it will stand in its passage.

    One that is too long to fit in any case counts a token more than fit.
    """
    befores = [units[0].part.start if units else 0, *(unit.end for unit in units)]
    longest = [unit.part.budget * _CHARACTERS_OF_A_TOKEN for unit in units]
    texts = [
        "" if unit.end - unit.start > most else text[before : unit.end]
        for before, unit, most in zip(befores, units, longest, strict=False)
    ]
    counts = count_tokens(texts)  # what a tokenizer makes of a text takes 150 times its bytes
    return [
        _Unit(unit.part, unit.start, unit.end, tokens if counted else unit.part.budget + 1)
        for unit, tokens, counted in zip(units, counts, texts, strict=True)
    ]


def _groups(units: Iterable[_Unit]) -> Iterator[list[_Unit]]:
    """The units of each section, or of several short ones in a row that fit one passage together."""
    group: list[_Unit] = []
    for _, section_units in groupby(units, key=lambda unit: id(unit.part)):
        section = list(section_units)
        if group and _may_share(group) and _may_share(section) and _tokens(group + section) <= _budget(group + section):
            group = group + section
            continue
        if group:
            yield group
        group = section
    if group:
        yield group


def _may_share(units: list[_Unit]) -> bool:
    """Whether these are several sections that share a passage already, or one that is short enough to."""
    return units[0].part is not units[-1].part or _tokens(units) <= units[0].part.budget * _SHARES_A_PASSAGE


def _pack(units: list[_Unit]) -> Iterator[_Range]:
    """Ranges within the budget that hold about the same number of tokens."""
    budget = _budget(units)
    if _tokens(units) <= budget:
        yield _range(units)
        return
    even_share = _tokens(units) / math.ceil(_tokens(units) / budget)
    passage: list[_Unit] = []
    tokens = 0
    for unit in units:
        if passage and (tokens >= even_share or tokens + unit.tokens > budget):
            yield _range(passage)
            passage, tokens = [], 0
        passage.append(unit)
        tokens += unit.tokens
    yield _range(passage)


def _range(units: list[_Unit]) -> _Range:
    heading = units[0].part.heading if units[0].part is units[-1].part else ""
    return _Range(units[0].start, units[-1].end, heading)


def _tokens(units: list[_Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _budget(units: list[_Unit]) -> int:
    return min(unit.part.budget for unit in units)
