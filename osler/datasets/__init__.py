"""Folders become data sets: the one function that loads any of them, and the one that divides their queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from osler.datasets import beir, hpo_lay, pubmedqa
from osler.datasets.dataset import Dataset
from osler.datasets.names import BUILTIN, dataset_name, find_source, parse_name
from osler.datasets.parts import disjoint_from, sample_queries, split_queries
from osler.errors import UsageError

__all__ = [
    "DATASETS",
    "Dataset",
    "check_name",
    "dataset_name",
    "disjoint_from",
    "load_dataset",
    "parse_name",
    "sample_queries",
    "split_names",
    "split_queries",
]

DATASETS: Mapping[str, Callable[[str], Dataset]] = MappingProxyType({"hpo-lay": hpo_lay.load})
"""Every data set that comes with a package, by the name behind `builtin:`; each is called with a split."""


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
        raise UsageError(f"{name}: no such data set. Known: {', '.join(BUILTIN + known for known in DATASETS)}.")
    return load
