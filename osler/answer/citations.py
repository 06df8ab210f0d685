"""A language model's reply becomes sentences with the numbers of the passages they cite. Knows text and numbers only.

A reply may be JSON under the schema, JSON cut off in the middle, or free text with markers; none makes this fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from osler.text.sentences import sentence_spans

MOST_CITATIONS = 3
"""Of one sentence, as in TREC BioGen 2024; more are left off."""


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence without its markers, and the numbers of the passages that it cites, from 1, each once."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says: its sentences, the numbers it cites that no passage has, and whether it was cut off.

    `declined`: it is whole and gives, on purpose, no sentence.
    """

    sentences: tuple[CitedSentence, ...]
    unknown: tuple[int, ...] = ()
    cut: bool = False
    declined: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know of the reply, a sentence each."""
        found = [f"The model cited {_listed(self.unknown)}, which it was not given."] if self.unknown else []
        if self.cut:
            found.append("The model's reply was cut off; its last, unfinished sentence is left out.")
        if self.sentences and not any(sentence.numbers for sentence in self.sentences):
            found.append("The answer cites no passage: check it against the passages yourself.")
        elif any(not sentence.numbers for sentence in self.sentences):
            found.append("A sentence of the answer cites no passage.")
        return tuple(found)


def parse_reply(reply: str, *, passages: int) -> Reply:
    """The sentences of a reply to a prompt that had this many passages.

    >>> reply = parse_reply('{"sentences": [{"text": "Fluid around the heart.", "citations": [1, 7]}]}', passages=2)
    >>> reply.sentences, reply.unknown
    ((CitedSentence(text='Fluid around the heart.', numbers=(1,)),), (7,))
    >>> parse_reply("It is fluid [1-2]. It presses on the heart.[2]", passages=2).sentences[1]
    CitedSentence(text='It presses on the heart.', numbers=(2,))
    """
    text = without_thoughts(reply)
    found = _SENTENCES.search(text)
    if found is None:
        return _checked(_marked(text), passages)
    items, whole = _items(text, found.end())
    parsed = _checked(list(_cited(items)), passages)
    declined = whole and not items
    return Reply(parsed.sentences, parsed.unknown, cut=not whole, declined=declined)


def without_thoughts(reply: str) -> str:
    """The reply without what a reasoning model says to itself, also where that was cut off.

    >>> without_thoughts("<think>A or B?</think>B")
    'B'
    """
    return _THOUGHTS.sub("", reply)


_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_SENTENCES = re.compile(r'"sentences"\s*:\s*\[')
_SEPARATOR = re.compile(r"[\s,]*")
_RANGE = r"\d{1,4}(?:\s*[-–]\s*\d{1,4})?"
_MARKER = re.compile(rf"[\[【]\s*({_RANGE}(?:\s*[,;]\s*{_RANGE})*)\s*(?:†[^\]】]*)?[\]】]")
_LATE_MARKER = re.compile(rf"([.!?])\s*((?:{_MARKER.pattern}\s*)+)")
_SPACE_BEFORE_END = re.compile(r"\s+(?=[.,;:!?](?:\s|$))")

_LONGEST_RANGE = 50  # [1-9999] is no list of passages
_MOST_LISTED = 5

_Numbered = tuple[str, list[int]]


def _listed(numbers: tuple[int, ...]) -> str:
    more = ", …" if len(numbers) > _MOST_LISTED else ""
    return ", ".join(f"[{number}]" for number in numbers[:_MOST_LISTED]) + more


def _items(text: str, position: int) -> tuple[list[Any], bool]:
    """The whole values of the JSON list that goes on at `position`, and whether the list was closed."""
    decoder = json.JSONDecoder()
    items: list[Any] = []
    while True:
        position = _SEPARATOR.match(text, position).end()  # type: ignore[union-attr]  # matches the empty string
        if text.startswith("]", position):
            return items, True
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return items, False
        items.append(item)


def _cited(items: Iterable[Any]) -> Iterator[_Numbered]:
    """Text and numbers of each item that has a text; markers within the text count as well."""
    for item in items:
        text = item.get("text") if isinstance(item, dict) else None
        if not isinstance(text, str):
            continue
        given = item.get("citations")
        numbers = [value for value in given if type(value) is int] if isinstance(given, list) else []
        yield _without_markers(text), numbers + _numbers(text)


def _marked(text: str) -> list[_Numbered]:
    """The sentences of free text; a marker behind a full stop belongs to the sentence before it."""
    text = _LATE_MARKER.sub(lambda match: f" {match[2].strip()}{match[1]} ", text)
    sentences = [text[start:end] for start, end in sentence_spans(text)]
    return [(_without_markers(sentence), _numbers(sentence)) for sentence in sentences]


def _without_markers(text: str) -> str:
    return _SPACE_BEFORE_END.sub("", " ".join(_MARKER.sub(" ", text).split()))


def _numbers(text: str) -> list[int]:
    """The numbers of all markers in the text, ranges written out."""
    numbers: list[int] = []
    for marker in _MARKER.finditer(text):
        for part in re.split(r"[,;]", marker[1]):
            ends = [int(number) for number in re.split(r"[-–]", part)]
            short = ends[-1] - ends[0] < _LONGEST_RANGE
            numbers.extend(range(ends[0], ends[-1] + 1) if short else ends)
    return numbers


def _checked(sentences: Iterable[_Numbered], passages: int) -> Reply:
    """The sentences that say something, with the numbers that passages have; the others apart."""
    kept, unknown = [], dict[int, None]()
    for text, numbers in sentences:
        known = dict.fromkeys(number for number in numbers if 1 <= number <= passages)
        unknown |= dict.fromkeys(number for number in numbers if number not in known)
        if any(character.isalnum() for character in text):
            # JSON can spell half a surrogate pair, which no stream can print.
            printable = text.encode(errors="replace").decode()
            kept.append(CitedSentence(printable, tuple(known)[:MOST_CITATIONS]))
    return Reply(tuple(kept), tuple(unknown))
