"""Files that are written whole or not at all, and JSON in them. Knows nothing of what the files are for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from osler.errors import OslerError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A new path beside `path`, to be written to; what is there at the end of the block takes the place of `path`.

    Where the block ends in an error, or the process is killed in it, `path` stays as it was.

    >>> with written_whole(Path("notes.txt")) as unfinished:
    ...     size = unfinished.write_text("Fever is heat.")
    >>> Path("notes.txt").read_text()
    'Fever is heat.'
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")  # no suffix by which a half file would be read
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, values: Any) -> None:
    """Write the values as JSON that people can read too; the file is there whole or not at all."""
    with written_whole(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(
    path: Path, *, failure: type[OslerError] = OslerError, remedy: str = "use the file as it was written"
) -> Any:
    """What the JSON file holds, {} where there is none; a `failure` where it cannot be read.

    >>> write_json(Path("counts.json"), {"documents": 2})
    >>> read_json(Path("counts.json")), read_json(Path("missing.json"))
    ({'documents': 2}, {})
    """
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise failure(f"{path}: cannot be read as JSON ({error}); {remedy}.") from error
