"""A bi-encoder's run over a data set, by comparing every query with every document. Knows vectors and their cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from osler.datasets import Dataset
from osler.evaluate.measures import Scores
from osler.models.bi_encoder import BiEncoder
from osler.models.cache import cache_folder
from osler.records import Document, Passage, Vectors

_SLICE: Final = 256
"""Documents encoded between two reports."""

OnDocuments = Callable[[int, int], None]
"""Told how many documents are encoded, and of how many."""


class DocumentEncoder(Protocol):
    """A bi-encoder whose dot products are its scores."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal vectors."""
        ...

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query."""
        ...

    def encode_documents(self, documents: Sequence[Document]) -> Vectors:
        """[D, d], one row a document."""
        ...


class WholeDocuments:
    """A bi-encoder of osler's that reads a document as one passage, cut to `max_tokens`."""

    def __init__(self, encoder: BiEncoder, max_tokens: int) -> None:
        self.queries = encoder
        self.documents = BiEncoder(encoder.model.cut_to(max_tokens), name=encoder.name, fingerprint="")
        self.fingerprint = f"{encoder.fingerprint}:{self.documents.model.spec.max_tokens}"

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query."""
        return self.queries.encode_queries(queries)

    def encode_documents(self, documents: Sequence[Document]) -> Vectors:
        """[D, d], one row a document: its title and text."""
        return self.documents.encode_passages([_passage(document) for document in documents])


def dense_run(
    dataset: Dataset, encoder: DocumentEncoder, *, k: int = 100, on_documents: OnDocuments | None = None
) -> Scores:
    """The k documents of the highest dot product for each query; equal scores keep the order of the corpus.

    The vectors of the corpus are kept in osler's cache, so another split of the data set does not encode it again.
    """
    vectors = _corpus_vectors(list(dataset.documents.values()), encoder, on_documents or (lambda done, of: None))
    doc_ids = list(dataset.documents)
    queries = encoder.encode_queries([query.text for query in dataset.queries.values()])
    return {
        query_id: _best(vectors @ query, doc_ids, k) for query_id, query in zip(dataset.queries, queries, strict=True)
    }


def best_rows(scores: NDArray[np.float32], k: int) -> list[int]:
    """The rows of the k highest scores, best first, equal ones in their order.

    >>> best_rows(np.array([2, 1, 3, 2], dtype=np.float32), 2)
    [2, 0]
    """
    if len(scores) > k:
        lowest = scores[np.argpartition(scores, -k)[-k]]
        rows = np.flatnonzero(scores >= lowest)  # more than k where several have the lowest score
    else:
        rows = np.arange(len(scores))
    best: list[int] = rows[np.argsort(-scores[rows], kind="stable")][:k].tolist()
    return best


def _best(scores: NDArray[np.float32], doc_ids: Sequence[str], k: int) -> dict[str, float]:
    return {doc_ids[row]: float(scores[row]) for row in best_rows(scores, k)}


def _corpus_vectors(documents: Sequence[Document], encoder: DocumentEncoder, on_documents: OnDocuments) -> Vectors:
    """[D, d], one row a document, read from the disk as they are needed."""
    path = _cache_file(documents, encoder.fingerprint)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.npy")
        _write_vectors(unfinished, documents, encoder, on_documents)
        unfinished.replace(path)  # a run that is killed leaves no half file under the name that is looked for
    vectors: Vectors = np.load(path, mmap_mode="r")
    return vectors


def _write_vectors(
    path: Path, documents: Sequence[Document], encoder: DocumentEncoder, on_documents: OnDocuments
) -> None:
    """Encode the documents slice by slice into an array on the disk: no more than a slice is in memory."""
    slices = _encoded(documents, encoder, on_documents)
    head = next(slices)
    shape = (len(documents), head.shape[1])
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    first = 0
    for vectors in chain([head], slices):
        rows[first : first + len(vectors)] = vectors
        first += len(vectors)
    rows.flush()


def _encoded(documents: Sequence[Document], encoder: DocumentEncoder, on_documents: OnDocuments) -> Iterator[Vectors]:
    # Like lengths together would be faster still, but slices in order need no memory for all of them.
    for first in range(0, len(documents), _SLICE):
        yield encoder.encode_documents(documents[first : first + _SLICE])
        on_documents(min(first + _SLICE, len(documents)), len(documents))


def _cache_file(documents: Sequence[Document], fingerprint: str) -> Path:
    digest = hashlib.sha256(fingerprint.encode())
    for document in documents:
        digest.update(f"{document.doc_id}\0{document.title}\0{document.text}\0".encode())
    return cache_folder() / "vectors" / f"{digest.hexdigest()[:32]}.npy"


def _passage(document: Document) -> Passage:
    return Passage(f"{document.doc_id}#0", document.doc_id, document.title, document.text, 0, len(document.text))
