"""What any retriever must beat: BM25, and the fusion of runs by rank. Knows data sets, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from osler.datasets import Dataset
from osler.errors import require
from osler.evaluate.measures import Run
from osler.search.candidates import reciprocal_rank_fusion

Scores = dict[str, dict[str, float]]


def bm25_run(dataset: Dataset, *, k: int = 100) -> Scores:
    """The k documents of the highest BM25 score (Lucene's, k1 1.5, b 0.75) for each query, over title and text.

    English stop words are left out, nothing is stemmed. A document without a word of the query is never found; equal
    scores keep the order of the corpus.
    """
    bm25s: Any = require("bm25s", extra="evaluate")
    doc_ids = list(dataset.documents)
    texts = [f"{dataset.documents[doc_id].title}\n{dataset.documents[doc_id].text}" for doc_id in doc_ids]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    return {query_id: _best(index, bm25s, query.text, doc_ids, k) for query_id, query in dataset.queries.items()}


def fused_run(runs: Sequence[Run], *, k: int = 100, constant: int = 60) -> Scores:
    """The k documents of the highest reciprocal rank fusion for each query of any of the runs.

    >>> fused_run([{"q": {"a": 2.0, "b": 1.0}}, {"q": {"b": 9.0}}], k=1, constant=1)
    {'q': {'b': 0.8333333333333333}}
    """
    query_ids = dict.fromkeys(query_id for run in runs for query_id in run)
    return {query_id: _fused([run.get(query_id, {}) for run in runs], k, constant) for query_id in query_ids}


def _fused(runs: Sequence[Mapping[str, float]], k: int, constant: int) -> dict[str, float]:
    scores = reciprocal_rank_fusion([_ranking(scores) for scores in runs], constant=constant)
    return {doc_id: scores[doc_id] for doc_id in _ranking(scores)[:k]}


def _ranking(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


def _best(index: Any, bm25s: Any, query: str, doc_ids: list[str], k: int) -> dict[str, float]:
    words = bm25s.tokenize([query], stopwords="en", return_ids=False, show_progress=False)[0]
    if not words:
        return {}
    scores = np.asarray(index.get_scores(words))
    rows = np.argsort(-scores, kind="stable")[:k]
    return {doc_ids[row]: float(scores[row]) for row in rows if scores[row] > 0}
