"""Data sets by name: the function that loads any of them, and where their folders lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from osler.datasets import beir, hpo_lay, pubmedqa
from osler.datasets.beir import Dataset, source_name
from osler.datasets.splits import disjoint_from, sample_queries, split_queries
from osler.errors import CorpusError, UsageError

__all__ = [
    "BUILTIN",
    "DATASETS",
    "Dataset",
    "check_name",
    "dataset_name",
    "disjoint_from",
    "find_source",
    "load_dataset",
    "parse_name",
    "sample_queries",
    "split_names",
    "split_queries",
]

BUILTIN = "builtin:"
"""Before the name of a data set that comes with a package."""

_HOME = "OSLER_DATA"
_DEFAULT_SPLIT = "train"

DATASETS: Mapping[str, Callable[[str], Dataset]] = MappingProxyType({"hpo-lay": hpo_lay.load})
"""Every data set that comes with a package, by the name behind `builtin:`; each is called with a split."""


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


def find_source(name: str | Path) -> Path:
    """The folder or file of this name, also where a relative one lies below the folder that OSLER_DATA names."""
    home = os.environ.get(_HOME)
    path = Path(name).expanduser()
    for candidate in [path, Path(home, path)] if home else [path]:
        if candidate.exists():
            return candidate
    remedy = f"nor is there one below {_HOME}={home}" if home else f"set {_HOME} to the folder that it lies in"
    raise CorpusError(f"{name}: no such data set; {remedy}; name a folder in BEIR's layout or {BUILTIN}hpo-lay.")


def load_dataset(name: str | Path, split: str = "train") -> Dataset:
    """One split of a data set, read and checked whole.

    name: a folder in BEIR's layout, a folder or file of PubMedQA's own (`ori_pqal.json`, `ori_pqaa.json`), or
    `builtin:` and a name of `DATASETS`. A relative folder that is not there is looked for in the one that the
    environment variable OSLER_DATA names.

    Raises CorpusError for a folder, file or split that is missing, damaged lines, ids that come twice, and qrels that
    are empty or speak of queries or documents that are not there.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "mice")
    >>> folder.mkdir()
    >>> _ = (folder / "corpus.jsonl").write_text('{"_id": "d", "title": "Mice", "text": "Four."}')
    >>> _ = (folder / "queries.jsonl").write_text('{"_id": "q", "text": "How many mice?"}')
    >>> _ = (folder / "qrels_dev.tsv").write_text("query-id\\tcorpus-id\\tscore\\nq\\td\\t1\\n")
    >>> dataset = load_dataset(folder, "dev")
    >>> dataset.name, dataset.queries["q"].text, dataset.qrels
    ('mice', 'How many mice?', {'q': {'d': 1}})
    """
    if str(name).startswith(BUILTIN):
        return _builtin(str(name))(split)
    source = find_source(name)
    if pubmedqa.holds(source):
        return pubmedqa.load(source, split)
    return beir.load(source, split)


def check_name(name: str) -> None:
    """Return where there is something of this name, without reading it; else the error of `load_dataset`.

    >>> check_name("builtin:hpo-lay")
    """
    if name.startswith(BUILTIN):
        _builtin(name)
    else:
        find_source(name)


def split_names(name: str) -> tuple[str, ...]:
    """The splits of the data set of this name, as `load_dataset` takes them; the errors are those of `check_name`.

    >>> split_names("builtin:hpo-lay")
    ('train', 'dev', 'test')
    """
    if name.startswith(BUILTIN):
        _builtin(name)
        return hpo_lay.SPLITS
    source = find_source(name)
    return pubmedqa.SPLITS if pubmedqa.holds(source) else beir.split_names(source)


def _builtin(name: str) -> Callable[[str], Dataset]:
    load = DATASETS.get(name.removeprefix(BUILTIN))
    if load is None:
        raise UsageError(f"{name}: no such data set. Known: {', '.join(BUILTIN + dataset for dataset in DATASETS)}.")
    return load
