"""The bi-encoders that osler is compared with, run as their model cards say. Knows texts and vectors, no data set.

A peer is run in torch, by transformers, without osler's own code for models: what it is compared with must not share
its mistakes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from osler.errors import ModelError, UsageError
from osler.models.catalog import resolve
from osler.models.digests import folder_content
from osler.models.export import quiet
from osler.records import Document, Vectors

_BATCH: Final = 32


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


class Peer:
    """A bi-encoder of two Hugging Face models, which may be one and the same, on `device`."""

    def __init__(self, row: PeerRow, *, device: str = "cpu") -> None:
        self.row = row
        folders = [resolve(name).folder for name in (row.query, row.passage)]
        self.query_encoder, self.passage_encoder = (_Encoder(folder, device) for folder in folders)
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

    def _encoded(self, encoder: _Encoder, texts: Sequence[tuple[str, ...]], max_tokens: int) -> Vectors:
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


def load_peer(name: str, *, device: str = "cpu") -> Peer:
    """The peer of this name, on this device; UsageError for an unknown name, ModelError for a model that is not there.

    `NAME=QUERY_MODEL,PASSAGE_MODEL` takes its models from two folders or repositories.
    """
    return Peer(peer_row(name), device=device)


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


class _Encoder:
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
