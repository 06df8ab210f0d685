"""Records as JSON lines, one a line: written whole or not at all, checked as they are read. Knows no single record.

A record is a dataclass; what is read has its fields and their types.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from osler.errors import CorpusError
from osler.train.examples.example import Example

_T = TypeVar("_T")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors put it there


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write the examples, one a line; the file is there whole or not at all."""
    write_records(path, examples, Example)


def read_examples(path: Path) -> list[Example]:
    """The examples of the file; CorpusError that names the line where one is damaged."""
    return list(read_records(path, Example))


def write_records(path: Path, records: Iterable[_T], kind: type[_T]) -> None:
    """Write the records, all of this kind, one a line; the file is there whole or not at all."""
    adapter = TypeAdapter(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(adapter.dump_json(record) + b"\n" for record in records)
        unfinished.chmod(0o644)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_records(path: Path, kind: type[_T]) -> Iterator[_T]:
    """The records of the file in their order, blank lines passed over.

    CorpusError where the file is not there, or names the line that holds no such record.
    """
    adapter = TypeAdapter(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line := line.removeprefix(_BYTE_ORDER_MARK).strip():
                    yield _record(adapter, line, f"{path}, line {number}")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); name a file of JSON lines.") from error


def _record(adapter: TypeAdapter[_T], line: bytes, place: str) -> _T:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        raise CorpusError(f"{place}: {_problem(error)}; mend the line, or make the file again.") from error


def _problem(error: ValidationError) -> str:
    found: Any = error.errors()[0]
    if found["type"] == "json_invalid":
        return "not JSON"
    name = ".".join(map(str, found["loc"])) or "the line"
    given = "" if found["type"] == "missing" else f" ({found['input']!r:.60})"
    return f"{name}{given}: {found['msg'][0].lower()}{found['msg'][1:]}"
