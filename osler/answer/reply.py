"""A language model's reply becomes sentences with the numbers of the passages they cite. Knows shapes of replies only.

A reply may be JSON under the schema, JSON of another shape, JSON cut off or slightly wrong, or free text with markers;
none makes this fail, none is shown as JSON, and what a sentence cites is never lost without a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from osler.answer.abstain import refuses
from osler.answer.markers import (
    Names,
    canonical,
    names_another,
    names_passage,
    numbers_in,
    numbers_of,
    says_nothing,
    without_markers,
)
from osler.answer.markup import plain, references, without_thoughts
from osler.answer.prompt import MOST_CITATIONS
from osler.answer.reply_json import before_json, cited_values, is_json, listed_items, text_of
from osler.text.sentences import sentence_spans

_MOST_LISTED = 5
_MOST_CHARACTERS = 40_000
"""Of a reply, thoughts left out; what is longer is a loop."""

_ENDS = (".", "!", "?", ":", ")", "”", '"')

_NO_NAMES: Names = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence without its markers, and the numbers of the passages that it cites, from 1, each once."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says: its sentences, the numbers it cites that no passage has, and whether it was cut off.

    `declined`: it is whole and gives, on purpose or in words, no sentence. `left_out`: sentences that cite something,
    but no passage that was given, so that they can neither be checked nor count as citing nothing.
    """

    sentences: tuple[CitedSentence, ...]
    unknown: tuple[int, ...] = ()
    cut: bool = False
    declined: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know of the reply, a sentence each."""
        warnings = []
        if self.unknown:
            listed = ", ".join(f"[{number}]" for number in self.unknown[:_MOST_LISTED])
            listed += ", …" if len(self.unknown) > _MOST_LISTED else ""
            warnings.append(f"The model cited {listed}, which it was not given.")
        warnings += [f"Left out, since what it cites is none of the passages: “{text}”." for text in self.left_out]
        if self.cut:
            warnings.append("The model's reply was cut off; its last, unfinished sentence is left out.")
        if self.sentences and not any(sentence.numbers for sentence in self.sentences):
            warnings.append("The answer cites no passage: check it against the passages yourself.")
        elif any(not sentence.numbers for sentence in self.sentences):
            warnings.append("A sentence of the answer cites no passage.")
        return tuple(warnings)


def parse_reply(reply: str, *, passages: int, names: Names = _NO_NAMES) -> Reply:
    """The sentences of a reply to a prompt that had this many passages, known by these names as well.

    >>> reply = parse_reply('{"sentences": [{"text": "Fluid around the heart.", "citations": [1, 7]}]}', passages=2)
    >>> reply.sentences, reply.unknown
    ((CitedSentence(text='Fluid around the heart.', numbers=(1,)),), (7,))
    >>> parse_reply("It is fluid [1-2]. It presses on the heart.[2]", passages=2).sentences[1]
    CitedSentence(text='It presses on the heart.', numbers=(2,))
    """
    text = (reply if is_json(reply) else without_thoughts(reply))[:_MOST_CHARACTERS].strip()
    reader = _Reader(passages, names)
    items, whole = listed_items(text)
    if items is not None:
        parsed = reader.reply([statement for item in items for statement in reader.item(item)], cut=not whole)
        empty = whole and all(text_of(item) == "" for item in items)
        return replace(parsed, declined=parsed.declined or empty)
    prose, json_follows = before_json(text)
    sentences = [statement for statement in reader.prose(prose) if statement.numbers or not json_follows]
    is_marked = any(statement.numbers for statement in sentences)
    if is_marked and not (sentences[-1].cites or sentences[-1].text.endswith(_ENDS)):
        return reader.reply(sentences[:-1], cut=True)
    return reader.reply(sentences, cut=not text and reply.strip() != "")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A sentence as the model gave it; `cites` where it names something, read or not."""

    text: str
    numbers: list[int]
    cites: bool


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads replies of a model that was given so many passages, of these names."""

    passages: int
    names: Names

    def prose(self, text: str) -> list[_Statement]:
        """The sentences of free text; a marker behind a full stop belongs to the sentence before it.

        Where none has a marker, all cite what the list of references at the end names.
        """
        marked = canonical(plain(text), self.passages, self.names)
        sentences = [marked[start:end] for start, end in sentence_spans(marked)]
        numbers = [numbers_in(sentence, self.passages) for sentence in sentences]
        if not any(numbers):
            lines = [numbers_of(line, self.names) or [] for line in references(text).splitlines()]
            numbers = [[number for line in lines for number in line]] * len(sentences)
        statements = list[_Statement]()
        for sentence, cited in zip(sentences, numbers, strict=True):
            cites = bool(cited) or names_another(sentence)
            # A marker alone behind the full stop: "Fluid. [1]、"
            if statements and cites and not statements[-1].cites and says_nothing(sentence):
                statements[-1] = _Statement(statements[-1].text, cited, cites)
            else:
                statements.append(_Statement(without_markers(_printable(sentence)), cited, cites))
        return statements

    def item(self, item: Any) -> Iterator[_Statement]:
        """The sentence of an item of JSON, or its sentences where each has markers of its own."""
        text = without_thoughts(text_of(item) or "")
        if not text:
            return
        own = self.prose(text)
        own = [statement for statement in own if not refuses(statement.text)] or own
        listed, unread = self._citations(item)
        marked = [bool(statement.numbers) for statement in own]
        if len(own) > 1 and any(marked) and (not listed or all(marked)):
            yield from own
            return
        numbers = listed + [number for statement in own for number in statement.numbers]
        cites = bool(numbers) or unread or any(statement.cites for statement in own)
        texts = [statement.text for statement in own]
        if not all(text.endswith((".", "!", "?")) for text in texts):  # a line end within a sentence
            texts = [" ".join(texts)]
        yield from (_Statement(text, numbers, cites) for text in texts)  # each is checked by itself

    def _citations(self, item: Any) -> tuple[list[int], bool]:
        """The numbers that an item cites, and whether it cites something that cannot be read."""
        cited, lists = cited_values(item)
        readings = [numbers_of(value, self.names) for value in cited]
        numbers = [number for reading in readings for number in reading or ()]
        if not cited:  # under another name, a list of given numbers and nothing else
            for value in lists:
                listed = numbers_of(value, self.names) or []
                numbers += listed if all(1 <= number <= self.passages for number in listed) else []
        return numbers, None in readings

    def reply(self, sentences: Iterable[_Statement], *, cut: bool) -> Reply:
        """The sentences that say something, with the numbers that passages have; the others apart."""
        cited, left_out, unknown, refused = list[CitedSentence](), list[str](), dict[int, None](), False
        for statement in sentences:
            numbers = dict.fromkeys(number for number in statement.numbers if 1 <= number <= self.passages)
            unknown |= dict.fromkeys(number for number in statement.numbers if number not in numbers)
            text = statement.text
            if text and all(refuses(text[start:end]) for start, end in sentence_spans(text)):
                refused = True
            elif any(map(str.isalpha, text)) and not names_passage(text, self.names):
                if statement.cites and not numbers:
                    left_out.append(text)
                else:
                    cited.append(CitedSentence(text, tuple(numbers)[:MOST_CITATIONS]))
        declined = refused and not cited and not left_out
        return Reply(tuple(cited), tuple(unknown), cut, declined, tuple(left_out))


def _printable(text: str) -> str:
    """The text without halves of surrogate pairs and what else no stream can print; a control character is a blank."""
    blank = "".join(" " if unicodedata.category(character) in ("Cc", "Zs") else character for character in text)
    return " ".join("".join(character for character in blank if character.isprintable()).split())
