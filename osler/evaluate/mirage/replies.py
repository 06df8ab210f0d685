"""The option that a reply chooses, or none: a reply that says nothing clear is never counted as a letter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from osler.answer.markup import without_thoughts
from osler.evaluate.mirage.prompts import ANSWER

Options = Mapping[str, str]

_FIELD: Final = re.compile(rf'"?{ANSWER}"?\s*[:=]\s*(?:"([^"\n]*)|([^"\n,}}]*))', re.IGNORECASE)
"""The field in a reply that is no whole JSON, and what it holds."""

_SAYS: Final = (
    r"(?:\banswer\b(?:\s+(?:is|would be|should be|choice|option|most|likely|therefore|thus)\b)*"
    r"|\\boxed\{(?:\\(?:text|math)\w*\{)?)"
)
_ANSWER: Final = re.compile(rf"(?:{_SAYS}|\b(?:therefore|thus|hence|so)\b,?)[\s*_:=]*", re.IGNORECASE)
_OPTION: Final = re.compile(r"\b(?:option|choice)\b(?:\s+is\b)?[\s*_:=]*", re.IGNORECASE)
"""What announces a choice, with the space, colon or emphasis behind it; options may also be gone through one by one."""

_LINE: Final = re.compile(r"^", re.MULTILINE)

_SMALL: Final = re.compile(
    rf"((?i:{_SAYS})[\s*_:=]*[\"'`(\[]*)"
    r"""(?!(?<=\w\s)a\s*(?:\n|\Z))([a-z])(?=[*_"'`\]]*(?:[.)}]|\s*(?:\n|\Z)))"""
)
"""A lone small letter right behind what says an answer; "a" behind a word, where a line ends, may be an article."""

_LETTER: Final = r"""[*_"'`(\[]*([A-Z])(?![\w'’-])[*_"'`\]]*(\)?)[*_]*"""
_CHOICE: Final = re.compile(rf"\s*{_LETTER}")
_ANOTHER: Final = re.compile(rf"\s*(?:,|/|&|\bor\b|\band\b)(?:\s*(?:or|and)\b)?\s*{_LETTER}")

_END: Final = re.compile(
    r"\s*$|[ \t]*\n|\.(?!\s*[a-z])|[,;:!?}]|\s+\("
    r"|\s+(?:because|since|as|for|due|given)\b|\s+is (?:the )?(?:correct|right|best)\b"
)
"""What may follow the letter of a choice. Any other word makes it one of a phrase: "A patient", "C. difficile"."""


def parse_choice(reply: str, options: Options) -> str | None:
    """The letter that the reply gives, None where it gives none, or several that differ.

    JSON is read as such; else the field, a phrase such as "the answer is (B)", or a line that begins with the letter.
    The text of its option may follow, but no other word, which would make it part of a phrase. A letter that is no
    option is none. What a reasoning model says to itself is left out.

    >>> options = {"A": "yes", "B": "no"}
    >>> parse_choice('{"answer_choice": "B"}', options), parse_choice("The answer is (A).", options)
    ('B', 'A')
    >>> parse_choice("It may be A or B.", options), parse_choice("Answer: A patient may need B.", options)
    (None, None)
    """
    field = list(_field_values(reply))
    said = _SMALL.sub(lambda small: small[1] + small[2].upper(), without_thoughts(reply))
    readings = [field] if field else [_behind(pattern, said) for pattern in (_ANSWER, _OPTION, _LINE)]
    for texts in readings:
        letters = {letter for text in texts for letter in _chosen(text, options)}
        if letters:
            return letters.pop() if len(letters) == 1 and letters <= options.keys() else None
    return None


def _field_values(reply: str) -> Iterator[str]:
    """What the field of a reply holds, as often as it is there, in capitals where that is one letter."""
    try:
        values = json.loads(reply)
    except ValueError:
        found = [quoted or bare for quoted, bare in _FIELD.findall(without_thoughts(reply))]
    else:
        found = [str(values[ANSWER])] if isinstance(values, dict) and ANSWER in values else []
    yield from (value.upper() if len(value.strip()) == 1 else value for value in found)


def _behind(pattern: re.Pattern[str], reply: str) -> list[str]:
    return [reply[match.end() :] for match in pattern.finditer(reply)]


def _chosen(text: str, options: Options) -> set[str]:
    """The letters that the text begins with: several where it wavers, none where it begins otherwise."""
    match = _CHOICE.match(text)
    if not match:
        return set()
    letters, closed = {match[1]}, bool(match[2])
    while another := _ANOTHER.match(text, match.end()):
        match, closed = another, True
        letters.add(match[1])
    rest = text[match.end() :]
    return letters if closed or _END.match(rest) or _is_option(rest, options.get(match[1], "")) else set()


def _is_option(rest: str, option: str) -> bool:
    """Whether the text goes on with that of the option."""
    said = rest.lstrip(" \t.:)–—-").casefold()
    return bool(option) and said.startswith(option.casefold())
