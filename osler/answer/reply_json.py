"""The JSON of a reply, also where it is slightly wrong or cut off, and which parts of it are sentences.

Models write Python's literals, commas too many, comments, and line ends and bare quotation marks within strings; `json`
takes none of these, nor does it say what a text held up to the place where it was cut. They put the sentences under the
schema's names or others, nested, or encoded twice. Knows nothing of passages, markers or what a sentence says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DEEPEST = 64
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

    >>> [read.value for read in json_values("Well, {'a': [1, 2,], b: None} // or [3, 4")]
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
        if depth > _DEEPEST:
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
                if whole and self._remainder():
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

    def _remainder(self) -> str:
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
        if self._remainder():
            raise _DamageError
        return None, False


def _unescaped(text: str) -> str:
    """The characters of a JSON string; a backslash that escapes nothing stays, and halves of a pair are joined."""

    def character(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _ESCAPES.get(escape[2], escape[0])

    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# A name counts in any case, with blanks, hyphens or a hump for its underscores; the first that is there wins.
_LISTS = (
    *("sentences", "statements", "claims", "answers", "answer", "facts", "points", "items", "results", "result"),
    *("response", "reply", "output", "data", "content", "message", "arguments", "properties", "final_answer"),
)
_TEXTS = (
    *("text", "sentence", "statement", "claim", "content", "answer", "final_answer", "fact", "point", "response"),
    *("reply", "output", "message", "value", "summary", "sentences", "statements", "claims", "answers", "facts"),
)
_CITES = re.compile(
    r"(?:cited|supporting|used|relevant)?_?(?:citations?|cites?|cited|sources?|passages?|references?|refs?|documents?"
    r"|docs?|markers?)_?(?:ids?|numbers?|nums?|nos?|indices|indexes|index|list|used)?"
)
_BEGINS_JSON = re.compile(
    r"```\s*json|[\"']\s*(?:\}\s*[\]}]|,\s*[\"']\w+[\"']\s*:)|\{\s*[\"'{}]|\{\s*\w+\s*:|\[\s*[{\"']|\[\s*\Z|\{\s*\Z",
    re.IGNORECASE,
)
_RESPELLED = (re.compile(r'\\"'), re.compile("[“”„]"))
"""Marks that stand for a quotation mark of JSON: of a value encoded twice, and of one that a word processor touched."""

_DEEPEST_ITEM = 8
_LONGEST_FENCE = 60  # characters, blanks included


def is_json(text: str) -> bool:
    """Whether the whole text is one object or list: what looks like a mark within it stands in a string.

    >>> is_json('{"text": "<think>"}'), is_json('{"text": ""}</think>{"text": "Fluid."}')
    (True, False)
    """
    try:
        return isinstance(json.loads(text, strict=False), dict | list)
    except (ValueError, RecursionError):
        return False


def listed_items(text: str) -> tuple[list[Any] | None, bool]:
    """What the JSON of the text lists as sentences, and whether that is whole; None where there is no such JSON.

    An item is an object or a string. The list is empty where the JSON declines on purpose, or was cut off too soon. The
    last whole value of a usable shape counts; objects of one sentence each, side by side, count together.

    >>> listed_items('Draft: {"sentences": []} Final: {"answer": {"text": "Fluid.", "source": 1}}')
    ([{'text': 'Fluid.', 'source': 1}], True)
    """
    try:
        scalar = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        scalar = {}
    if not isinstance(scalar, dict | list):
        return (_items(scalar, alone=True) if isinstance(scalar, str | None) else [scalar]), True
    listed = _listed(text)
    for written in _RESPELLED:
        if not listed[0] and (respelled := written.sub('"', text)) != text:
            listed = max(listed, _listed(respelled), key=lambda listed: len(listed[0] or ()))
    return listed


def before_json(text: str) -> tuple[str, bool]:
    """The prose before JSON, and whether there is any; of use where nothing in it is."""
    begin = _BEGINS_JSON.search(text)
    return (text[: begin.start()], True) if begin else (text, False)


def text_of(item: Any) -> str | None:
    """The sentence that an item holds, "" where it is empty, None where it holds none."""
    if isinstance(item, str) or item is None:
        return item or ""
    if not isinstance(item, Mapping):
        return None
    members = _members(item)
    named = [members[key] or "" for key in _TEXTS if isinstance(members.get(key, 0), str | None)]
    strings = [member for key, member in members.items() if isinstance(member, str) and not _CITES.fullmatch(key)]
    if not named and any(map(_CITES.fullmatch, members)) and len(strings) == 1:
        named = strings
    return next(filter(str.strip, named), "" if named else None)


def cited_values(item: Any) -> tuple[list[Any], list[Any]]:
    """What an item holds under a name for citations, and the lists that it holds under others."""
    members = _members(item) if isinstance(item, Mapping) else {}
    cited = [member for key, member in members.items() if _CITES.fullmatch(key)]
    lists = [member for key, member in members.items() if isinstance(member, list) and not _CITES.fullmatch(key)]
    return cited, lists


def _listed(text: str) -> tuple[list[Any] | None, bool]:
    values = list(json_values(text))
    cut = next((value for value in values if not value.whole and _items(value.value, cut=True)), None)
    usable = list[tuple[JsonValue, list[Any]]]()
    for value in values:
        if value.whole and (cut is None or value.start < cut.start):  # what stands within a value cut off is its part
            around = text[: value.start] + text[value.end :]  # blank, where the value is all but for its fence
            alone = len(around) < _LONGEST_FENCE and re.sub(r"```\s*\w*|[\s,;]", "", around) == ""
            items = _items(value.value, alone=alone)
            usable += [(value, items)] if items is not None else []
    if usable:
        return _last(usable, text), True
    if cut:
        return _items(cut.value, cut=True), False
    begun = bool(values) and not values[0].whole and before_json(text)[1]
    return ([] if begun else None), False


def _last(usable: list[tuple[JsonValue, list[Any]]], text: str) -> list[Any]:
    """The items of the last value, with those of the values right before it where each is one sentence."""
    last, items = usable[-1]
    for value, earlier in reversed(usable[:-1]):
        beside = text[value.end : last.start].strip(" \t\r\n,;") == ""
        if not beside or earlier != [value.value] or items[0] is not last.value:
            break
        last, items = value, earlier + items
    return items


def _items(value: Any, *, alone: bool = False, cut: bool = False, depth: int = 0) -> list[Any] | None:
    """What a value lists as sentences; [] where it is empty on purpose, None where it lists none.

    alone: strings count, and an empty object or list. cut: an object of one sentence may lack what it cites.
    """
    if depth > _DEEPEST_ITEM:
        return None
    if value is None or value == "" or (alone and value in ({}, [])):
        return []
    if isinstance(value, str):
        return _encoded(value) if alone else None
    if isinstance(value, Mapping):
        return _items_of_object(_members(value), value, alone=alone, cut=cut, depth=depth)
    if not isinstance(value, list):
        return None
    pairs = _pair(value)
    if any(text_of(item) is not None and (alone or isinstance(item, Mapping)) for item in pairs):
        return pairs
    deeper = (_items(item, alone=alone, cut=cut, depth=depth + 1) for item in value if isinstance(item, dict | list))
    return next((items for items in deeper if items is not None), None)


def _items_of_object(
    members: Mapping[str, Any], value: Mapping[str, Any], *, alone: bool, cut: bool, depth: int
) -> list[Any] | None:
    """The items under a name for lists; else the object itself, if it holds a text; else those of any other member."""
    named = [members[key] for key in _LISTS if isinstance(members.get(key, 0), dict | list | None)]
    lists = [_items(member, alone=True, cut=cut, depth=depth + 1) for member in named]
    if items := next(filter(None, lists), None):
        return _cited_beside(items, members)
    if value and all(" " in key.strip() and isinstance(member, list | int) for key, member in value.items()):
        return [{"text": key, "citations": member} for key, member in value.items()]  # {"A sentence.": [1]}
    text = text_of(value)
    if text and not cut:
        encoded = _encoded(text)
        return [value] if encoded == [text] else encoded
    nested = (_items(member, alone=alone, cut=cut, depth=depth + 1) for member in map(_decoded, members.values()))
    return next(filter(None, nested), [] if text == "" or [] in lists else None)


def _cited_beside(items: list[Any], members: Mapping[str, Any]) -> list[Any]:
    """The items, each string of them with what the object that lists them cites: its own, where there are as many."""
    cited = next((member for key, member in members.items() if _CITES.fullmatch(key)), None)
    if not cited or not all(isinstance(item, str) for item in items):
        return items
    own = isinstance(cited, list) and len(cited) == len(items)
    return [{"text": item, "citations": cited[n] if own else cited} for n, item in enumerate(items)]


def _pair(value: list[Any]) -> list[Any]:
    """The list with each pair ["sentence", [1]] as an object; a list that is one such pair is a list of it."""

    def is_pair(item: Any) -> bool:
        return isinstance(item, list) and len(item) > 1 and isinstance(item[0], str) and not text_of(item[1])

    pairs = [value] if is_pair(value) else value
    return [{"text": item[0], "citations": item[1:]} if is_pair(item) else item for item in pairs]


def _decoded(member: Any) -> Any:
    """What may hold items: an object, a list, or a string of JSON, as the arguments of a function are."""
    if isinstance(member, str) and member.lstrip()[:1] in ("{", "["):
        member = listed_items(member)[0]
    return member if isinstance(member, dict | list) else 0


def _encoded(text: str) -> list[Any]:
    """The items of JSON that a string holds, or else the string itself."""
    items = listed_items(text)[0] if text.lstrip()[:1] in ("{", "[", '"') else None
    return [text] if items is None else items


def _members(item: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"[\s-]+|(?<=[a-z])(?=[A-Z])", "_", str(key).strip()).casefold(): item[key] for key in item}
