"""A corpus with the vectors that all contenders of a search share, made once and kept in a folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from passages import passages_of

from osler.config import Settings
from osler.datasets import Dataset
from osler.index import open_index
from osler.late_interaction.ragged import concatenate, divide, reorder
from osler.late_interaction.token_vectors import Compression, compress, dequantise
from osler.load import add_documents
from osler.models import ModelPair
from osler.records import EncodedDocument, Passage, TokenSpans

SLICE = 512
COMMIT = 2048

Found = Sequence[tuple[str, float]]
"""The doc_id and the score of each passage, best first."""


class Built(NamedTuple):
    """What an index took: seconds from vectors to a finished index, and bytes on disk."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Material:
    """The passages of a corpus with their vectors, those of their tokens, and where these stand in the text.

    dataset: the queries that are asked; folder: where the vectors lie.
    """

    dataset: Dataset
    passages: Sequence[Passage]
    folder: Path
    vectors: NDArray[np.float32]
    tokens: Sequence[NDArray[np.float32]]
    spans: Sequence[TokenSpans]

    @cached_property
    def queries(self) -> list[str]:
        """The queries, in their order."""
        return [query.text for query in self.dataset.queries.values()]

    def found(self, numbers: Sequence[tuple[int, float]]) -> Found:
        """Passages by number as documents."""
        return [(self.passages[number].doc_id, score) for number, score in numbers]


def material_of(dataset: Dataset, models: ModelPair, work: Path) -> Material:
    """Float vectors of every passage, encoded unless these models' lie below `work`, where the peers read them."""
    passages = passages_of(dataset.documents.values(), models.encoder.model)
    made_by = f"{models.encoder.fingerprint}{models.reranker.fingerprint}{dataset.digest}{len(passages)}"
    folder = work / f"vectors-{dataset.name}-{sha256(made_by.encode()).hexdigest()[:8]}"
    if not (folder / "lengths.npy").is_file():
        _write_vectors(passages, models.with_compression(Compression(bits=32)), folder)
    vectors, tokens, lengths = (np.load(folder / f"{name}.npy") for name in ("vectors", "tokens", "lengths"))
    by_passage = np.split(tokens.astype(np.float32), np.cumsum(lengths)[:-1])
    return Material(dataset, passages, folder, vectors, by_passage, models.reranker.token_spans(passages))


def build_index(material: Material, folder: Path) -> Built:
    """osler's index of the material in this folder, made anew: token vectors compressed, texts and metadata stored."""
    shutil.rmtree(folder, ignore_errors=True)
    add_documents([], folder, Settings())
    index = open_index(folder)
    began = perf_counter()
    documents = _encoded(material, index.manifest.compression)
    while commit := [one for one, _ in zip(documents, range(COMMIT), strict=False)]:
        index.upsert(commit)
    index.optimise()
    seconds, sizes = perf_counter() - began, index.statistics().bytes
    return Built(seconds, sizes["data_files"] + sizes["search_indexes"])


def _encoded(material: Material, compression: Compression) -> Iterator[EncodedDocument]:
    numbered = enumerate(material.passages)
    for doc_id, group in groupby(numbered, key=lambda one: one[1].doc_id):
        numbers, passages = zip(*group, strict=True)
        tokens = [material.tokens[number] for number in numbers]
        kept = compress(np.concatenate(tokens), [len(one) for one in tokens], compression)
        document = material.dataset.documents[doc_id]
        spans = tuple(material.spans[number] for number in numbers)
        yield EncodedDocument(document, passages, material.vectors[list(numbers)], tuple(divide(kept)), spans)


def _write_vectors(passages: Sequence[Passage], models: ModelPair, folder: Path) -> None:
    by_length = sorted(range(len(passages)), key=lambda number: -len(passages[number].text))
    vectors, tokens = [], []
    for first in range(0, len(by_length), SLICE):
        sys.stderr.write(f"\rencoding for all: {first:,} of {len(passages):,}   ")
        dense, late = models.encode_passages([passages[number] for number in by_length[first : first + SLICE]])
        vectors.append(dense)
        tokens.append(late)
    order = np.argsort(by_length)
    late = reorder(concatenate(tokens), order)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "vectors.npy", np.concatenate(vectors)[order])
    np.save(folder / "tokens.npy", dequantise(late).astype(np.float16))
    np.save(folder / "lengths.npy", late.lengths)
