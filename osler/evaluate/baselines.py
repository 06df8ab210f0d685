"""What any retriever must beat, by name: BM25, bi-encoders of others, and their fusion. Knows data sets, no index."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from osler.datasets import Dataset
from osler.errors import require
from osler.evaluate.measures import Run, Scores
from osler.evaluate.peers import PEERS, load_peer, peer_row
from osler.evaluate.runs import ranking
from osler.models import load_encoder
from osler.models.bi_encoder import BiEncoder
from osler.models.cache import cache_folder
from osler.models.catalog import resolve
from osler.models.digests import read_config
from osler.records import Document, Passage, Vectors
from osler.search.candidates import reciprocal_rank_fusion
from osler.text.bm25 import BM25

# Documents encoded between two reports.
_SLICE: Final = 256

OnDocuments = Callable[[int, int], None]
"""Told how many documents are encoded, and of how many."""

ZERO_SHOT: Final = "minilm"
"""The backbone of the baseline `zero-shot`."""

BASELINES: Final = ("bm25", "zero-shot", "fusion", *PEERS)


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
        # The cache of vectors goes by this, and the same model reads less at another length.
        self.fingerprint = f"{encoder.fingerprint}:{self.documents.model.spec.max_tokens}"

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query."""
        return self.queries.encode_queries(queries)

    def encode_documents(self, documents: Sequence[Document]) -> Vectors:
        """[D, d], one row a document: its title and text."""
        passages = [
            Passage(f"{document.doc_id}#0", document.doc_id, document.title, document.text, 0, len(document.text))
            for document in documents
        ]
        return self.documents.encode_passages(passages)


def dense_run(
    dataset: Dataset, encoder: DocumentEncoder, *, k: int = 100, on_documents: OnDocuments | None = None
) -> Scores:
    """The k documents of the highest dot product for each query; equal scores keep the order of the corpus.

    The vectors of the corpus are kept in osler's cache, so another split of the data set does not encode it again.
    """
    vectors = _corpus_vectors(list(dataset.documents.values()), encoder, on_documents or (lambda done, of: None))
    doc_ids = list(dataset.documents)
    queries = encoder.encode_queries([query.text for query in dataset.queries.values()])
    run: Scores = {}
    for query_id, query in zip(dataset.queries, queries, strict=True):
        scores = vectors @ query  # [D]
        run[query_id] = {doc_ids[row]: float(scores[row]) for row in best_rows(scores, k)}
    return run


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
            if name == "bm25":
                run = bm25_run(self.dataset, k=self.k)
            elif name == "fusion":
                run = fused_run([self.run("bm25"), self.run("zero-shot")], k=self.k)
            else:
                encoder = _encoder(name, self.device)
                run = dense_run(self.dataset, encoder, k=self.k, on_documents=self.on_documents)
            self._runs[name] = run
        return self._runs[name]


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
    # A model reads as many tokens as it was published with, which may be fewer than its positions allow.
    folder = resolve(model).folder
    modules = read_config(folder / "modules.json") or [{"path": ""}]
    transformer = folder / modules[0]["path"]
    published = read_config(transformer / "sentence_bert_config.json").get("max_seq_length")
    published = published or read_config(transformer / "tokenizer_config.json").get("model_max_length")
    return WholeDocuments(encoder, int(published or 0) or encoder.model.spec.max_tokens)


def bm25_run(dataset: Dataset, *, k: int = 100) -> Scores:
    """The k documents of the highest BM25 score for each query, over title and text.

    A document without a word of the query is never found; equal scores keep the order of the corpus.
    """
    bm25 = BM25([f"{document.title}\n{document.text}" for document in dataset.documents.values()])
    doc_ids = list(dataset.documents)
    run: Scores = {}
    for query_id, query in dataset.queries.items():
        scores = bm25.scores(query.text)
        run[query_id] = {doc_ids[row]: float(scores[row]) for row in best_rows(scores, k) if scores[row] > 0}
    return run


def fused_run(runs: Sequence[Run], *, k: int = 100, constant: int = 60) -> Scores:
    """The k documents of the highest reciprocal rank fusion for each query of any of the runs.

    >>> fused_run([{"q": {"a": 2.0, "b": 1.0}}, {"q": {"b": 9.0}}], k=1, constant=1)
    {'q': {'b': 0.8333333333333333}}
    """
    fused: Scores = {}
    for query_id in dict.fromkeys(query_id for run in runs for query_id in run):
        scores = reciprocal_rank_fusion([ranking(run.get(query_id, {})) for run in runs], constant=constant)
        fused[query_id] = {doc_id: scores[doc_id] for doc_id in ranking(scores)[:k]}
    return fused


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


def _corpus_vectors(documents: Sequence[Document], encoder: DocumentEncoder, on_documents: OnDocuments) -> Vectors:
    """[D, d], one row a document, read from the disk as they are needed."""
    digest = hashlib.sha256(encoder.fingerprint.encode())
    for document in documents:
        digest.update(f"{document.doc_id}\0{document.title}\0{document.text}\0".encode())
    path = cache_folder() / "vectors" / f"{digest.hexdigest()[:32]}.npy"
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
    # Like lengths together would be faster still, but slices in order need no memory for all of them.
    rows: NDArray[np.float32] | None = None
    for start in range(0, len(documents), _SLICE):
        vectors = encoder.encode_documents(documents[start : start + _SLICE])
        if rows is None:
            shape = (len(documents), vectors.shape[1])
            rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        rows[start : start + len(vectors)] = vectors
        on_documents(start + len(vectors), len(documents))
    if isinstance(rows, np.memmap):
        rows.flush()
