"""How a data set is called and where its folder lies. Knows no file format."""

from __future__ import annotations

import os
from pathlib import Path

from osler.errors import CorpusError, UsageError

BUILTIN = "builtin:"
"""Before the name of a data set that comes with a package."""

_HOME = "OSLER_DATA"
_DEFAULT_SPLIT = "train"


def parse_name(name: str) -> tuple[str, str]:
    """The data set and the split that `DIR[:split]` names; the split is train where none is named.

    >>> parse_name("data/scifact"), parse_name("scifact:dev"), parse_name("builtin:hpo-lay:dev")
    (('data/scifact', 'train'), ('scifact', 'dev'), ('builtin:hpo-lay', 'dev'))
    """
    prefix = BUILTIN if name.startswith(BUILTIN) else ""
    folder, colon, split = name.removeprefix(prefix).rpartition(":")
    if not colon or "/" in split:  # a colon before a slash belongs to the folder's name
        folder, split = name.removeprefix(prefix), _DEFAULT_SPLIT
    if not folder or not split:
        raise UsageError(f"{name!r} names no data set: write DIR or DIR:split, as in scifact:dev.")
    return prefix + folder, split


def dataset_name(name: str) -> str:
    """What the data set of this folder is called: the last part of its real path, without `.json`.

    >>> dataset_name("builtin:hpo-lay"), dataset_name("sets/scifact")
    ('hpo-lay', 'scifact')
    """
    if name.startswith(BUILTIN):
        return name.removeprefix(BUILTIN)
    try:
        return source_name(find_source(name))
    except CorpusError:  # examples may be given without their folder
        return source_name(Path(name))


def source_name(source: Path) -> str:
    """The name of the data set in this folder or file."""
    return source.resolve().name.removesuffix(".json")


def find_source(name: str | Path) -> Path:
    """The folder or file of this name, also where a relative one lies below the folder that OSLER_DATA names."""
    home = os.environ.get(_HOME)
    path = Path(name).expanduser()
    places = [path, Path(home, path)] if home else [path]
    for place in places:
        if place.exists():
            return place
    remedy = f"nor is there one below {_HOME}={home}" if home else f"set {_HOME} to the folder that it lies in"
    raise CorpusError(f"{name}: no such data set; {remedy}; name a folder in BEIR's layout or {BUILTIN}hpo-lay.")
