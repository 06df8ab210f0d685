"""JSON lines in BEIR's layout: `_id`, `title`, `text`, `metadata`, one document a line, all taken as they are.

Other layouts that leave no doubt are read too: `id`, `doc_id` or `pmid`, and `abstract`, `content` or `contents`.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from osler.corpus.bibliography import title_state
from osler.corpus.streams import read_lines
from osler.records import Damage, Document, Entry, Section
from osler.text.identifiers import identifiers, spelled_identifiers

_IDS = ("_id", "id", "doc_id", "docid")
_TEXTS = ("text", "abstract", "content", "contents")
_OTHER_LAYOUT = {*_IDS, *_TEXTS, "title", "metadata"}
_IDENTIFIERS = {"pmid": "pmid", "pubmedid": "pmid", "doi": "doi", "pmcid": "pmcid", "pmc": "pmcid"}
_BETWEEN = re.compile(r"[\s\ufeff]*")  # with a byte order mark, where files were joined


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each line, its id and text to the character those of the file; blank lines are passed over.

    >>> line = b'{"_id": "4983", "title": "Mice", "text": "Four.", "metadata": {"pmid": 12}}'
    >>> [(entry.doc_id, entry.text, entry.identifiers) for entry in read(io.BytesIO(line), "a file")]
    [('4983', 'Four.', {'pmid': '12'})]
    """
    for line in read_lines(stream, source):
        if isinstance(line, Damage):
            yield line
        elif line.text.strip():
            try:
                documents = [_document(values) for values in _objects(line.text)]
            except ValueError as error:
                yield Damage(source, f"line {line.number}", str(error))
            else:
                yield from documents


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


# NaN is no JSON, but data frames write it for a missing value; 1e999 is, but no number that fits.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)


def _objects(text: str) -> list[dict[str, Any]]:
    """The objects of a line: one, or several where a file that ended without a line end was joined to another."""
    values: list[Any] = []
    try:
        text.encode()
        end = _end_of_gap(text, 0)
        while end < len(text):
            if values and text[end] != "{":
                raise json.JSONDecodeError("Extra data", text, end)
            value, end = _DECODER.raw_decode(text, end)
            values.append(value)
            end = _end_of_gap(text, end)
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos})") from error
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair, which is no character") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise ValueError("a number of more digits than can be read") from error
    if wrong := [value for value in values if not isinstance(value, dict)]:
        raise ValueError(f"a JSON object is expected, not {type(wrong[0]).__name__}")
    return values


def _end_of_gap(text: str, start: int) -> int:
    match = _BETWEEN.match(text, start)
    return match.end() if match else start


def _document(values: Mapping[str, Any]) -> Document:
    metadata = values.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ValueError(f"`metadata` is {type(metadata).__name__}, but must be an object")
    if "_id" not in values and "metadata" not in values:
        metadata = {name: value for name, value in values.items() if name not in _OTHER_LAYOUT}
    own_ids = _identifiers(values)
    ids = _identifiers(metadata) | own_ids
    doc_id = _first(values, _IDS)
    if doc_id is None and "pmid" in own_ids:
        doc_id = f"PMID:{own_ids['pmid']}"
    if isinstance(doc_id, int) and not isinstance(doc_id, bool):
        doc_id = str(doc_id)
    if not isinstance(doc_id, str) or not doc_id:
        raise ValueError(f"`_id` is {doc_id!r}, but must be a string that is not empty")
    ids = spelled_identifiers(doc_id) | ids
    title = "" if values.get("title") is None else _text(values["title"], "title")
    text = _first(values, _TEXTS)
    text = "" if text is None and title.strip() else _text(text, "text")
    return Document(doc_id, title, (Section("", text),), ids, {**metadata, **_state(title, metadata)})


def _state(title: str, metadata: Mapping[str, Any]) -> dict[str, bool]:
    """What the title says of the document's state, where its metadata do not."""
    types = metadata.get("publication_types")
    types = types if isinstance(types, list) else [types]
    said = title_state(title, [name for name in types if isinstance(name, str)])
    name = {"retraction": "retracted", "concern": "concern"}.get(said, "")
    return {name: True} if name and metadata.get(name) is None else {}


def _identifiers(values: Mapping[str, Any]) -> dict[str, str]:
    """The identifiers among the values, whatever the case of their names."""
    named: dict[str, Any] = {}
    for name, value in values.items():
        if kind := _IDENTIFIERS.get(re.sub(r"[\s_-]", "", name).casefold()):
            named = identifiers(**{kind: value}) | named
    return named


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` is {type(value).__name__}, but must be a string")
    return value
