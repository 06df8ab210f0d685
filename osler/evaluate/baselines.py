"""What any retriever must beat, by name: BM25, bi-encoders of others, and their fusion. Knows data sets, no index.

A peer, which is a bi-encoder that osler is compared with, is run as its model card says: in torch, by transformers,
without osler's own code for models, for what osler is compared with must not share its mistakes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from osler.datasets import Dataset
from osler.errors import ModelError, UsageError, require
from osler.evaluate.measures import Run, Scores, ranking
from osler.models import load_encoder
from osler.models.bi_encoder import BiEncoder
from osler.models.cache import cache_folder
from osler.models.catalog import resolve
from osler.models.digests import folder_content, read_config
from osler.models.export import quiet
from osler.records import Document, Passage, Vectors
from osler.text.bm25 import BM25

OnDocuments = Callable[[int, int], None]
"""Told how many documents are encoded, and of how many."""

ZERO_SHOT: Final = "minilm"
"""The backbone of the baseline `zero-shot`."""


@dataclass(frozen=True, slots=True)
class PeerRow:
    """How a peer is run: its two models, pooling, similarity, and how many tokens it reads.

    pairs: whether title and text are two segments, as MedCPT and DPR were trained, in place of one text.
    """

    query: str
    passage: str
    pooling: Literal["cls", "mean"]
    similarity: Literal["dot", "cosine"]
    query_tokens: int = 512
    passage_tokens: int = 512
    pairs: bool = False

    def at(self, query: str, passage: str) -> PeerRow:
        """The same peer with its models from elsewhere."""
        return replace(self, query=query, passage=passage)


PEERS: Final[Mapping[str, PeerRow]] = {
    "medcpt": PeerRow(
        "ncbi/MedCPT-Query-Encoder", "ncbi/MedCPT-Article-Encoder", "cls", "dot", query_tokens=64, pairs=True
    ),
    "dpr": PeerRow(
        "facebook/dpr-question_encoder-single-nq-base",
        "facebook/dpr-ctx_encoder-single-nq-base",
        "cls",
        "dot",
        pairs=True,
    ),
    "contriever": PeerRow("facebook/contriever", "facebook/contriever", "mean", "dot"),
}
"""Sources: the model cards of these repositories."""

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
            if name == "bm25":
                run = bm25_run(self.dataset, k=self.k)
            elif name == "fusion":
                run = fused_run([self.run("bm25"), self.run("zero-shot")], k=self.k)
            else:
                encoder = _load_encoder(name, self.device)
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


def _load_encoder(name: str, device: str) -> DocumentEncoder:
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


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]], *, constant: int = 60) -> dict[str, float]:
    """Score per id: the sum over rankings of 1 / (constant + rank), rank from 1 (Cormack et al., 2009).

    >>> reciprocal_rank_fusion([["a", "b"], ["b"]], constant=1)
    {'a': 0.5, 'b': 0.8333333333333333}
    """
    scores: dict[str, float] = {}
    for ids in rankings:
        for rank, doc_id in enumerate(ids, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1 / (constant + rank)
    return scores


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


# Documents encoded between two reports.
_SLICE: Final = 256


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


def peer_row(name: str) -> PeerRow:
    """How the peer of this name is run, and by which models; UsageError for an unknown name.

    >>> peer_row("contriever=here").passage
    'here'
    """
    name, _, models = name.partition("=")
    if name not in PEERS:
        raise UsageError(f"{name!r} is no peer. Known: {', '.join(PEERS)}.")
    if not models:
        return PEERS[name]
    query, _, passage = models.partition(",")
    return PEERS[name].at(query, passage or query)


def load_peer(name: str, *, device: str = "cpu") -> Peer:
    """The peer of this name, on this device; UsageError for an unknown name, ModelError for a model that is not there.

    `NAME=QUERY_MODEL,PASSAGE_MODEL` takes its models from two folders or repositories.
    """
    return Peer(peer_row(name), device=device)


class Peer:
    """A bi-encoder of two Hugging Face models, which may be one and the same, on `device`."""

    def __init__(self, row: PeerRow, *, device: str = "cpu") -> None:
        self.row = row
        folders = [resolve(name).folder for name in (row.query, row.passage)]
        self.query_encoder, self.passage_encoder = (_TransformersModel(folder, device) for folder in folders)
        # Equal for equal models that are run alike, wherever they lie.
        contents = [hashlib.sha256(folder_content(folder)).hexdigest() for folder in folders]
        run = (row.pooling, row.similarity, row.query_tokens, row.passage_tokens, row.pairs)
        self.fingerprint = hashlib.sha256(" ".join(map(str, (*run, *contents))).encode()).hexdigest()[:32]

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query; their dot products with those of documents are the scores."""
        return self._encoded(self.query_encoder, [(query,) for query in queries], self.row.query_tokens)

    def encode_documents(self, documents: Sequence[Document]) -> Vectors:
        """[D, d], one row a document: its title and as much of its text as the peer reads."""
        texts = [self._input(document) for document in documents]
        return self._encoded(self.passage_encoder, texts, self.row.passage_tokens)

    def _input(self, document: Document) -> tuple[str, ...]:
        if self.row.pairs:
            return (document.title, document.text)
        return ("\n".join(part for part in (document.title, document.text) if part),)

    def _encoded(self, encoder: _TransformersModel, texts: Sequence[tuple[str, ...]], max_tokens: int) -> Vectors:
        # Of like length together, so that little is padded.
        longest = sorted(range(len(texts)), key=lambda index: -sum(map(len, texts[index])))
        rows: dict[int, Any] = {}
        for start in range(0, len(longest), _BATCH):
            batch = longest[start : start + _BATCH]
            vectors = encoder.vectors([texts[index] for index in batch], max_tokens, self.row.pooling)
            if self.row.similarity == "cosine":
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            rows.update(zip(batch, vectors, strict=True))
        return np.stack([rows[index] for index in range(len(texts))])


_BATCH: Final = 32


class _TransformersModel:
    """One Hugging Face model with its tokenizer."""

    def __init__(self, folder: Path, device: str) -> None:
        import transformers

        self.device = device
        with quiet():
            try:
                config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
                # Of DPR's two kinds AutoModel knows one: the class that the weights were saved from is the right one.
                name = config.architectures[0] if config.model_type == "dpr" else "AutoModel"
                kind: Any = getattr(transformers, name)
                self.model = kind.from_pretrained(folder, local_files_only=True).eval().to(device)
                self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            except (OSError, ValueError, TypeError, AttributeError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise ModelError(f"{folder}: no encoder that can be run ({reason}); name another.") from error

    def vectors(self, texts: Sequence[tuple[str, ...]], max_tokens: int, pooling: str) -> Vectors:
        import torch

        segments = [list(part) for part in zip(*texts, strict=True)]
        batch = self.tokenizer(*segments, truncation=True, padding=True, max_length=max_tokens, return_tensors="pt")
        batch = batch.to(self.device)
        with torch.inference_mode():
            outputs = self.model(**batch)
        return np.asarray(_pooled(outputs, batch["attention_mask"], pooling).cpu(), dtype=np.float32)


def _pooled(outputs: Any, attention_mask: Any, pooling: str) -> Any:
    """[texts, d], a vector a text, as a tensor."""
    if "last_hidden_state" not in outputs:  # DPR's encoders give their CLS vector, projected where they do so
        return outputs.pooler_output
    hidden = outputs.last_hidden_state
    if pooling == "cls":
        return hidden[:, 0]
    mask = attention_mask.unsqueeze(-1)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)
