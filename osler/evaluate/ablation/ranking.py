"""Exact rankings of a small corpus: every query against every vector, and MaxSim over the best. Knows no files.

An index compares by cosine; here dot products of vectors of any length are compared, so that retrievers trained with
either similarity are measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.datasets import Dataset
from osler.evaluate.dense import best_rows
from osler.evaluate.measures import Scores, document_scores, per_query
from osler.evaluate.report import HIT, MAIN
from osler.protocols import Encoder, Reranker
from osler.records import Passage, Vector, Vectors
from osler.search.rerank import encode_by_id, maxsim_scores

MEASURES: Final = (MAIN, HIT)

OnPassages = Callable[[int, int], None]
"""Told how many passages are encoded, and of how many."""

_RANKED: Final = 100
"""Documents of a run: ten are measured."""

_SLICE: Final = 256
"""Passages encoded between two reports."""


class ExactSearch:
    """Passages with one vector each [P, d]; those of one document follow each other."""

    def __init__(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        self.passages = passages
        self.vectors = vectors
        self._first_rows: dict[str, int] = {}
        for row, passage in enumerate(passages):
            self._first_rows.setdefault(passage.doc_id, row)
        self._starts = np.fromiter(self._first_rows.values(), dtype=np.int64)
        self._places = {doc_id: place for place, doc_id in enumerate(self._first_rows)}

    def best_passages(self, query: Vector, *, k: int) -> list[tuple[Passage, float]]:
        """The k passages of the highest dot product with the query, best first, equal ones in their order."""
        scores = self.vectors @ query
        return [(self.passages[row], float(scores[row])) for row in best_rows(scores, k)]

    def best_documents(self, query: Vector, *, k: int = _RANKED) -> dict[str, float]:
        """The scores of the k best documents, each that of its best passage."""
        scores, doc_ids = self._documents(query), list(self._places)
        return {doc_ids[place]: float(scores[place]) for place in best_rows(scores, k)}

    def score(self, query: Vector, doc_id: str) -> float:
        """The score of this document."""
        return float(self._documents(query)[self._places[doc_id]])

    def _documents(self, query: Vector) -> NDArray[np.float32]:
        best: NDArray[np.float32] = np.maximum.reduceat(self.vectors @ query, self._starts)
        return best


def encode_passages(passages: Sequence[Passage], encoder: Encoder, *, on_passages: OnPassages) -> Vectors:
    """[P, d], one row a passage."""
    blocks = []
    for first in range(0, len(passages), _SLICE):
        blocks.append(encoder.encode_passages(passages[first : first + _SLICE]))
        on_passages(min(first + _SLICE, len(passages)), len(passages))
    return np.concatenate(blocks)


def dense_run(dataset: Dataset, search: ExactSearch, queries: Vectors) -> Scores:
    """query_id -> doc_id -> score, by the vectors [Q, d] of the queries in their order."""
    return {query_id: search.best_documents(vector) for query_id, vector in zip(dataset.queries, queries, strict=True)}


def maxsim_run(
    dataset: Dataset,
    candidates: Mapping[str, Sequence[Passage]],
    reranker: Reranker,
    *,
    on_passages: OnPassages,
) -> Scores:
    """query_id -> doc_id -> MaxSim of its best passage among the candidates of the query; stage 1's score has no say.

    Each candidate is encoded once, however many queries it is a candidate of.
    """
    passages = (one for found in candidates.values() for one in found)
    encoded = encode_by_id(passages, reranker, on_passages=on_passages)
    query_vectors = reranker.encode_queries([query.text for query in dataset.queries.values()])
    run: Scores = {}
    for query_id, vectors in zip(dataset.queries, query_vectors, strict=True):
        found = candidates[query_id]
        scores = maxsim_scores(vectors, [one.passage_id for one in found], encoded)
        run[query_id] = document_scores(zip((one.doc_id for one in found), scores, strict=True))
    return run


def measured(dataset: Dataset, run: Scores) -> dict[str, dict[str, float]]:
    """measure -> query_id -> value."""
    return per_query(dataset.qrels, run, MEASURES)
