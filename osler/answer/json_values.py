"""The JSON in a language model's text, also where it is slightly wrong or cut off. Knows JSON; knows no answers.

Models write Python's literals, commas too many, comments, and line ends and bare quotation marks within strings; `json`
takes none of these, nor does it say what a text held up to the place where it was cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DEEPEST = 64
"""Nested objects and lists; no answer needs more."""

_MOST_READ = 4
"""Times its length that a text is read in vain, so that time stays linear in it."""

_BEGIN = re.compile(r"[{\[]")
_BLANK = re.compile(r"(?:[\s,]|//[^\n]*|#[^\n]*|/\*(?:(?!\*/).){0,500}\*/)*+", re.DOTALL)
_COLON = re.compile(r"\s*:")
# A mark that nothing of JSON follows stands within its string: {"text": "so-called "fluid" there"}.
_INNER = r"(?!\s*(?:[,:}\]]|//|#|/\*|\Z)|\s+[\"'])"
_STRING = re.compile(rf""""((?:[^"\\]|\\.|"{_INNER})*+)"|'((?:[^'\\]|\\.|'{_INNER})*+)'""", re.DOTALL)
_RANGE = re.compile(r"\d+\s*[-–—]\s*\d+")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[^\W\d]\w*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)

_WORDS = {"true": True, "false": False, "null": None, "none": None, "undefined": None, "nan": None}
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": " ",
    "f": " ",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "/": "/",
    "\n": "",
    " ": " ",
}
_LONGEST_INTEGER = 18


@dataclass(frozen=True, slots=True)
class JsonValue:
    """An object or a list, where it stands in its text, and whether it is whole.

    Of one that is cut off, lists hold their whole members only; objects hold those, and lists and objects cut off.
    """

    value: Any
    start: int
    end: int
    whole: bool


def json_values(text: str) -> Iterator[JsonValue]:
    """The outermost objects and lists of the text in order. One that is cut off is given, and then searched as well.

    >>> [found.value for found in json_values("Well, {'a': [1, 2,], b: None} // or [3, 4")]
    [{'a': [1, 2], 'b': None}, [3]]
    """
    position, vain = 0, _MOST_READ * len(text)
    while (begin := _BEGIN.search(text, position)) and vain > 0:
        reader = _Reader(text, begin.start())
        try:
            value, whole = reader.value()
        except _DamageError as damage:
            whole = damage.args == ("too deep",)  # then so is what is within
        else:
            yield JsonValue(value, begin.start(), reader.position, whole)
        position = reader.position if whole else begin.end()
        vain -= 0 if whole else reader.position - begin.start()


class _DamageError(ValueError):
    """What stands here is no JSON."""


class _Reader:
    """Reads one value; `position` is behind what was read."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def value(self, depth: int = 0) -> tuple[Any, bool]:
        """The value that begins here, and whether it is whole."""
        begin = self.text[self.position : self.position + 1]
        if depth > DEEPEST:
            raise _DamageError("too deep")
        if begin == "{":
            return self._object(depth)
        if begin == "[":
            return self._list(depth)
        if begin and begin in "\"'":
            return self._string()
        return self._scalar()

    def _object(self, depth: int) -> tuple[dict[str, Any], bool]:
        members: dict[str, Any] = {}
        self.position += 1
        while not self._ends("}"):
            name, whole = self._string() if self.text[self.position : self.position + 1] in ('"', "'") else self._name()
            colon = _COLON.match(self.text, self.position)
            if colon is None:
                if whole and self._rest():
                    raise _DamageError
                return members, False
            self.position = colon.end()
            if self._ends(""):
                return members, False
            member, whole = self.value(depth + 1)
            if whole or (isinstance(member, dict | list) and member):
                members[name] = member
            if not whole:
                return members, False
        return members, self._closed("}")

    def _list(self, depth: int) -> tuple[list[Any], bool]:
        members: list[Any] = []
        self.position += 1
        while not self._ends("]"):
            member, whole = self.value(depth + 1)
            if not whole:
                return members, False
            members.append(member)
        return members, self._closed("]")

    def _ends(self, closing: str) -> bool:
        """Whether the text ends, or the list or object with this mark, behind blanks, commas and comments."""
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position
        return self.position == len(self.text) or (closing != "" and self.text.startswith(closing, self.position))

    def _closed(self, closing: str) -> bool:
        whole = self.text.startswith(closing, self.position)
        self.position += whole
        return whole

    def _rest(self) -> str:
        return self.text[self.position :].strip()

    def _string(self) -> tuple[str, bool]:
        string = _STRING.match(self.text, self.position)
        if string is None:
            self.position = len(self.text)
            return "", False
        self.position = string.end()
        return _unescaped(string[1] if string[1] is not None else string[2]), True

    def _name(self) -> tuple[str, bool]:
        word = _WORD.match(self.text, self.position)
        if word is None:
            raise _DamageError
        self.position = word.end()
        return word[0], True

    def _scalar(self) -> tuple[Any, bool]:
        if numbers := _RANGE.match(self.text, self.position):
            self.position = numbers.end()
            return numbers[0], numbers.end() < len(self.text)
        number = _NUMBER.match(self.text, self.position)
        if number:
            self.position = number.end()
            whole = number.end() < len(self.text)  # else there may be digits to come
            integer = number[0].lstrip("+-").isdigit() and len(number[0]) <= _LONGEST_INTEGER
            return (int(number[0]) if integer else float(number[0])), whole
        word, whole = self._name()
        if word.lower() in _WORDS:
            return _WORDS[word.lower()], True
        if self._rest():
            raise _DamageError
        return None, False


def _unescaped(text: str) -> str:
    """The characters of a JSON string; a backslash that escapes nothing stays, and halves of a pair are joined."""

    def character(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _ESCAPES.get(escape[2], escape[0])

    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
