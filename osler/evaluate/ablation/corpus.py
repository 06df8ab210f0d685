"""A corpus cut to what its queries need and a sample of the rest, so that every cell can search it exactly.

Knows documents and ids, no model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from osler.datasets import Dataset
from osler.datasets.parts import sample_ids

SAMPLE_SEED: Final = 0
"""Of the distractors, whatever the seed of a training: every cell searches the same corpora."""


@dataclass(frozen=True, slots=True)
class CutCorpus:
    """A data set whose corpus is the relevant documents of its queries and so many distractors."""

    dataset: Dataset
    relevant: int
    distractors: int

    @property
    def digest(self) -> str:
        """Equal for equal documents, by their ids."""
        return hashlib.sha256("\n".join(sorted(self.dataset.documents)).encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Name its documents in `NAME.txt`, an id a line."""
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join(sorted(self.dataset.documents)) + "\n"
        (folder / f"{self.dataset.name}.txt").write_text(text, encoding="utf-8")


def cut_corpus(dataset: Dataset, distractors: int | None) -> CutCorpus:
    """The data set with the relevant documents of its queries and `distractors` others, sampled; None: all others.

    >>> from osler.records import Document, Query
    >>> documents = {doc_id: Document(doc_id, "", ()) for doc_id in "abcd"}
    >>> cut = cut_corpus(Dataset("tiny", "dev", documents, {"q": Query("q", "?")}, {"q": {"b": 1}}, ""), 2)
    >>> len(cut.dataset.documents), cut.relevant, "b" in cut.dataset.documents
    (3, 1, True)
    """
    relevant = set(dataset.relevant_ids)
    others = [doc_id for doc_id in dataset.documents if doc_id not in relevant]
    sampled = others if distractors is None else sample_ids(others, distractors, SAMPLE_SEED)
    kept = relevant.union(sampled)
    documents = {doc_id: document for doc_id, document in dataset.documents.items() if doc_id in kept}
    return CutCorpus(replace(dataset, documents=documents), len(relevant), len(sampled))
