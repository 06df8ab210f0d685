"""Where an index lies: a folder or an object-store URL becomes an open `LanceIndex`. Knows paths, no rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import cast

import lancedb
from lancedb.table import LanceTable

from osler.errors import StoreError
from osler.index.failures import reading, writing
from osler.index.lance import LanceIndex
from osler.index.manifest import Manifest
from osler.index.residence import CHECK_EVERY, MEMORY
from osler.index.rows import MANIFEST_KEY, table_schema
from osler.index.upkeep import create_search_indexes

TABLE = "passages"

_SEE_COMMITS_WITHIN = timedelta(seconds=1 - CHECK_EVERY)
"""How long LanceDB takes a table to be unchanged. With what its rows are held for, that makes a second."""


def create_index(path: str | Path, manifest: Manifest) -> LanceIndex:
    """A new, empty index at this folder or object-store URL (`s3://bucket/folder`).

    StoreError where an index is there already, or a folder that holds something else.
    """
    if _table_at(path) is not None:
        raise StoreError(f"{path} holds an index already: add to it, or name a new folder.")
    if _holds_something(path):
        raise StoreError(f"{path} holds other files and no index: name a new or an empty folder.")
    with writing(str(path)):
        table = cast("LanceTable", _connect(path).create_table(TABLE, schema=table_schema(manifest)))
        create_search_indexes(table)
    return LanceIndex(table, manifest)


def open_index(path: str | Path, *, memory: int = MEMORY, exact: bool = False) -> LanceIndex:
    """The index at this folder or object-store URL; StoreError where there is none, or one that cannot be read.

    memory: bytes of vectors, token vectors and passages that it may hold between searches. exact: search without the
    approximate index that a large table has.
    """
    table = _table_at(path)
    if table is None:
        found = "holds other files and no index" if _holds_something(path) else "holds no index"
        raise StoreError(f"{path} {found}: make one with `osler index SOURCE --index {path}`.")
    written = (table.schema.metadata or {}).get(MANIFEST_KEY)
    if written is None:
        raise StoreError(f"{path} holds a table that osler did not write: name another folder.")
    return LanceIndex(table, Manifest.from_json(written), memory=memory, exact=exact)


def index_exists(path: str | Path) -> bool:
    """Whether an index is there; StoreError where it is damaged.

    >>> index_exists("no/such/folder")
    False
    """
    return _table_at(path) is not None


def _connect(path: str | Path) -> lancedb.DBConnection:
    return lancedb.connect(str(path), read_consistency_interval=_SEE_COMMITS_WITHIN)


def _table_at(path: str | Path) -> LanceTable | None:
    if _is_local(path) and not Path(path).is_dir():
        return None
    try:
        with reading(str(path)):
            return cast("LanceTable", _connect(path).open_table(TABLE))
    except ValueError:  # LanceDB's word for "not found"
        return None


def _holds_something(path: str | Path) -> bool:
    """Whether a local path is taken by a file, or by a folder with anything but what is left of an index."""
    if not _is_local(path) or not Path(path).exists():
        return False
    return not Path(path).is_dir() or any(not entry.name.startswith(f"{TABLE}.") for entry in Path(path).iterdir())


def _is_local(path: str | Path) -> bool:
    return "://" not in str(path)
