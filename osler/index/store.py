"""Where an index lies: a folder or an object-store URL becomes an open `LanceIndex`. Knows paths, no rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import lancedb
from lancedb.db import DBConnection
from lancedb.table import LanceTable

from osler.errors import StoreError
from osler.index.failures import opening, writing
from osler.index.lance import LanceIndex
from osler.index.lock import is_local, lock_path, only_writer
from osler.index.maintenance import create_search_indexes
from osler.index.manifest import Manifest
from osler.index.schema import MANIFEST_KEY, table_schema

TABLE = "passages"


def create_index(path: str | Path, manifest: Manifest) -> LanceIndex:
    """A new, empty index at this folder or object-store URL (`s3://bucket/folder`).

    StoreError where an index is there already, or a folder that holds something else.
    """
    path = _expanded(path)
    _check_is_free(path)
    with writing(str(path)), only_writer(_lock_of(path)):
        _check_is_free(path)  # another process may have made one while this one waited for the lock
        connection = lancedb.connect(_address(path))
        create_search_indexes(cast("LanceTable", connection.create_table(TABLE, schema=table_schema(manifest))))
        return LanceIndex(partial(_open_table, connection), manifest)


def open_index(path: str | Path) -> LanceIndex:
    """The index at this folder or object-store URL; StoreError where there is none, or one that cannot be read."""
    path = _expanded(path)
    table = _table_at(path)
    if table is None:
        if _holds_something(path):
            raise StoreError(f"{path} holds other files and no index: name the folder of an index.")
        raise StoreError(f"{path} holds no index: make one with `osler index SOURCE --index {path}`.")
    with opening(str(path)):
        schema = table.schema
        written = (schema.metadata or {}).get(MANIFEST_KEY)
        if written is None:
            raise StoreError(f"{path} holds a table that osler did not write: name another folder.")
        manifest = Manifest.from_json(written)
        manifest.check_columns(schema)
        return LanceIndex(partial(_open_table, lancedb.connect(_address(path))), manifest)


def _open_table(connection: DBConnection) -> LanceTable:
    return cast("LanceTable", connection.open_table(TABLE))


def index_exists(path: str | Path) -> bool:
    """Whether an index is there; StoreError where it is damaged.

    >>> index_exists("no/such/folder")
    False
    """
    return _table_at(_expanded(path)) is not None


def _expanded(path: str | Path) -> str | Path:
    """The path with the home folder in place of a `~`, which a shell leaves as it is in `--index=~/library`."""
    if not is_local(path) or not str(path).strip():
        return path
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # nobody has that name
        return Path(path)


def _address(path: str | Path) -> str:
    """What LanceDB is given: an absolute path, since it takes each `~` at the beginning of another for the home."""
    return str(Path(path).absolute()) if is_local(path) else str(path)


def _table_at(path: str | Path) -> LanceTable | None:
    if not str(path).strip():
        raise StoreError("The name of the index is empty: name a folder or an object-store URL.")
    if is_local(path):
        _check_path(Path(path))
        if not _table_folder(path).is_dir():
            return None
    with opening(str(path)):
        try:
            # The table stays at its version until `TableWatch` moves it.
            return _open_table(lancedb.connect(_address(path)))
        except ValueError as error:
            if "was not found" not in str(error):
                raise
    if is_local(path) and (files := _written_files(path)):
        raise StoreError(
            f"{path} holds the files of an index that has lost the list of its versions ({files[0]} is there, "
            f"{_table_folder(path)}/_versions is not whole): bring the folder back from a backup, or index the corpus "
            "again into a new folder."
        )
    return None


def _check_path(path: Path) -> None:
    """StoreError where no folder can be at this path: its name is too long, a parent is a file, or has no rights."""
    if any(character < " " or character == "\x7f" for character in str(path.absolute())):
        raise StoreError(f"{str(path)!r} cannot be a folder (LanceDB reads no control characters): name another one.")
    try:
        str(path).encode()  # Lance takes no other names
        path.stat()
    except UnicodeEncodeError:
        raise StoreError(f"{str(path)!r} is not UTF-8: take a name in UTF-8.") from None
    except (FileNotFoundError, NotADirectoryError):
        parent = next(folder for folder in (*path.parents, Path()) if folder.exists())
        if not parent.is_dir():
            raise StoreError(f"{path} cannot be a folder, since {parent} is a file: name another one.") from None
    except OSError as error:
        raise StoreError(f"{_shortened(str(path))} cannot be a folder ({error.strerror}): name another one.") from error


def _check_is_free(path: str | Path) -> None:
    if _table_at(path) is not None:
        raise StoreError(f"{path} holds an index already: add to it, or name a new folder.")
    if _holds_something(path):
        raise StoreError(f"{path} holds other files and no index: name a new or an empty folder.")


def _lock_of(path: str | Path) -> Path | None:
    lock = lock_path(str(_table_folder(path))) if is_local(path) else lock_path(f"{path}/{TABLE}.lance")
    if lock:
        lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def _holds_something(path: str | Path) -> bool:
    """Whether a local path is taken by a file, or by a folder with anything but what is left of an index."""
    if not is_local(path) or not Path(path).exists():
        return False
    return not Path(path).is_dir() or any(not entry.name.startswith(f"{TABLE}.") for entry in Path(path).iterdir())


def _written_files(path: str | Path) -> list[Path]:
    """Files that a commit has written, some at least: rows, or lists of them."""
    folder = _table_folder(path)
    return [*folder.glob("data/*.lance"), *folder.glob("_versions/*.manifest")]


def _table_folder(path: str | Path) -> Path:
    return Path(path) / f"{TABLE}.lance"


def _shortened(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:40]}…{name[-20:]}"
