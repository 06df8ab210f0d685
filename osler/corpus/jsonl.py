"""JSON lines in BEIR's layout: `_id`, `title`, `text`, `metadata`, one document a line, all taken as they are."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

from osler.corpus.bibliography import identifiers
from osler.corpus.lines import Line, read_lines
from osler.records import Damage, Document, Entry, Section


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
            yield _entry(line, source)


def _entry(line: Line, source: str) -> Document | Damage:
    try:
        return _document(_object(line.text))
    except ValueError as error:
        return Damage(source, f"line {line.number}", str(error))


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _object(text: str) -> dict[str, Any]:
    try:
        # NaN is no JSON, but data frames write it for a missing value; 1e999 is, but no number that fits.
        values = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
        text.encode()
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos})") from error
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair, which is no character") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(values, dict):
        raise ValueError(f"a JSON object is expected, not {type(values).__name__}")
    return values


def _document(values: dict[str, Any]) -> Document:
    doc_id = values.get("_id")
    if isinstance(doc_id, int) and not isinstance(doc_id, bool):
        doc_id = str(doc_id)
    if not isinstance(doc_id, str) or not doc_id:
        raise ValueError(f"`_id` is {doc_id!r}, but must be a string that is not empty")
    title, text = (_text(values, name) for name in ("title", "text"))
    metadata = values.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ValueError(f"`metadata` is {type(metadata).__name__}, but must be an object")
    ids = identifiers(pmid=metadata.get("pmid"), doi=metadata.get("doi"), pmcid=metadata.get("pmcid"))
    return Document(doc_id, title, (Section("", text),), ids, metadata)


def _text(values: dict[str, Any], name: str) -> str:
    text = values.get(name, "" if name == "title" else None)
    if text is None and name == "title":
        return ""
    if not isinstance(text, str):
        raise ValueError(f"`{name}` is {type(text).__name__}, but must be a string")
    return text
