"""What any retriever must beat, by name: BM25, bi-encoders of others, and their fusion. Knows data sets, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.datasets import Dataset
from osler.errors import require
from osler.evaluate.dense import DocumentEncoder, OnDocuments, WholeDocuments, best_rows, dense_run
from osler.evaluate.measures import Run, Scores
from osler.evaluate.peers import PEERS, load_peer, peer_row
from osler.evaluate.runs import ranking
from osler.models import load_encoder
from osler.models.catalog import resolve
from osler.models.digests import read_config
from osler.search.candidates import reciprocal_rank_fusion
from osler.text.bm25 import BM25

ZERO_SHOT: Final = "minilm"
"""The backbone of the baseline `zero-shot`."""

BASELINES: Final = ("bm25", "zero-shot", "fusion", *PEERS)


class Baselines:
    """Runs over one data set by name; a run that another is made of is made once.

    bm25; zero-shot: the untrained backbone; fusion: both by reciprocal rank; a peer of `PEERS`, with
    `=QUERY_MODEL,PASSAGE_MODEL` from elsewhere; any other name: the bi-encoder of that short name, folder or
    repository. All but bm25 read a document as one text, cut to what the model reads, and run on `device`.
    """

    def __init__(
        self, dataset: Dataset, *, k: int = 100, device: str = "cpu", on_documents: OnDocuments | None = None
    ) -> None:
        self.dataset = dataset
        self.k = k
        self.device = device
        self.on_documents = on_documents
        self._runs: dict[str, Scores] = {}

    def run(self, name: str) -> Scores:
        """query_id -> doc_id -> score of this baseline; ModelError for a model that is not there."""
        if name not in self._runs:
            self._runs[name] = self._made(name)
        return self._runs[name]

    def _made(self, name: str) -> Scores:
        if name == "bm25":
            return bm25_run(self.dataset, k=self.k)
        if name == "fusion":
            return fused_run([self.run("bm25"), self.run("zero-shot")], k=self.k)
        encoder = _encoder(name, self.device)
        return dense_run(self.dataset, encoder, k=self.k, on_documents=self.on_documents)


def check_baselines(names: Sequence[str]) -> None:
    """Return where what all of these are made of is there; else ModelError or MissingDependencyError.

    Models come from the hub where they are not on this machine yet; none is loaded.
    """
    for name in names:
        if name in ("bm25", "fusion"):
            require("bm25s", extra="evaluate")
            require("Stemmer", extra="evaluate")
        for model in _models(name):
            resolve(model)


def _models(name: str) -> tuple[str, ...]:
    """The names of the models that this baseline is made of."""
    if name == "bm25":
        return ()
    if name in ("zero-shot", "fusion"):
        return (ZERO_SHOT,)
    if name.partition("=")[0] in PEERS:
        row = peer_row(name)
        return row.query, row.passage
    return (name,)


def _encoder(name: str, device: str) -> DocumentEncoder:
    if name.partition("=")[0] in PEERS:
        return load_peer(name, device=device)
    (model,) = _models(name)
    encoder = load_encoder(model, device=device)
    return WholeDocuments(encoder, _published_length(resolve(model).folder) or encoder.model.spec.max_tokens)


def _published_length(folder: Path) -> int | None:
    """The tokens that the model reads as it was published, which may be fewer than its positions allow."""
    modules = read_config(folder / "modules.json") or [{"path": ""}]
    transformer = folder / modules[0]["path"]
    length = read_config(transformer / "sentence_bert_config.json").get("max_seq_length")
    return int(length or read_config(transformer / "tokenizer_config.json").get("model_max_length") or 0) or None


def bm25_run(dataset: Dataset, *, k: int = 100) -> Scores:
    """The k documents of the highest BM25 score for each query, over title and text.

    A document without a word of the query is never found; equal scores keep the order of the corpus.
    """
    bm25 = BM25([f"{document.title}\n{document.text}" for document in dataset.documents.values()])
    doc_ids = list(dataset.documents)
    return {query_id: _best(bm25.scores(query.text), doc_ids, k) for query_id, query in dataset.queries.items()}


def fused_run(runs: Sequence[Run], *, k: int = 100, constant: int = 60) -> Scores:
    """The k documents of the highest reciprocal rank fusion for each query of any of the runs.

    >>> fused_run([{"q": {"a": 2.0, "b": 1.0}}, {"q": {"b": 9.0}}], k=1, constant=1)
    {'q': {'b': 0.8333333333333333}}
    """
    query_ids = dict.fromkeys(query_id for run in runs for query_id in run)
    return {query_id: _fused([run.get(query_id, {}) for run in runs], k, constant) for query_id in query_ids}


def _fused(runs: Sequence[Mapping[str, float]], k: int, constant: int) -> dict[str, float]:
    scores = reciprocal_rank_fusion([ranking(scores) for scores in runs], constant=constant)
    return {doc_id: scores[doc_id] for doc_id in ranking(scores)[:k]}


def _best(scores: NDArray[np.float32], doc_ids: Sequence[str], k: int) -> dict[str, float]:
    return {doc_ids[row]: float(scores[row]) for row in best_rows(scores, k) if scores[row] > 0}
