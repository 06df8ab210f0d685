"""A two-stage search, one query at a time, against what one would build from other libraries: time, quality, size.

    python benchmarks/search.py --data medquad --split dev --work /tmp/search

Every contender finds with the vectors of osler's default models: 100 candidates by one vector, their order by token
vectors. sentence-transformers compares all vectors (semantic_search) and the candidates' token vectors, all in memory.
Qdrant's embedded engine does the same over multivectors. PyLate's fast-plaid has a stage of its own by centroids
instead. osler searches as it comes, with hybrid candidates and evidence; and, like for like, with dense candidates and
no evidence. Queries come in turns. A peer in its own process is charged what it took there, and the encoding of the
query.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import NamedTuple

import numpy as np
import shipped
import torch
from numpy.typing import NDArray
from passages import passages_of
from peer import Peer
from quality import MEASURE, values_of
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.util import semantic_search
from timing import percentile

from osler.config import Settings
from osler.datasets import Dataset, load_dataset, sample_queries
from osler.evaluate.markdown import table
from osler.evaluate.measures import Scores, document_scores
from osler.late_interaction.codes import dequantise
from osler.late_interaction.compression import Compression
from osler.late_interaction.ragged import concatenate, reorder
from osler.load import DEFAULT_MODEL, add_documents, load_searcher
from osler.models import ModelPair, load_models
from osler.models.catalog import resolve
from osler.records import Filter, Passage
from osler.search.searcher import Searcher

CANDIDATES, K = 100, 10
SLICE = 512
EVERYTHING = Filter(include_retracted=True)
PLAID = "pylate_fast_plaid"
PEERS = ("qdrant_edge_search", PLAID)

Found = Sequence[tuple[str, float]]
"""The doc_id and the score of each passage, best first."""


class Reply(NamedTuple):
    """What was found, and the seconds that a peer in its own process is charged; None: those that the call took."""

    found: Found
    charged: float | None = None


Search = Callable[[int], Reply]
"""What a contender finds for the query of this number."""


@dataclass(frozen=True)
class Material:
    """The passages of a corpus and the queries asked, with the vectors that all contenders share."""

    dataset: Dataset
    passages: Sequence[Passage]
    folder: Path
    vectors: NDArray[np.float32]
    tokens: Sequence[NDArray[np.float32]]
    query_vectors: NDArray[np.float32]
    query_tokens: Sequence[NDArray[np.float32]]

    @cached_property
    def texts(self) -> list[str]:
        """The queries."""
        return [query.text for query in self.dataset.queries.values()]

    def found(self, numbers: Sequence[tuple[int, float]]) -> Found:
        """Passages by number as documents."""
        return [(self.passages[number].doc_id, score) for number, score in numbers]


@dataclass
class Contender:
    """A search, the seconds of each query, the run, and what its index takes on disk."""

    search: Search
    bytes: int = 0
    seconds: list[float] = field(default_factory=list)
    run: Scores = field(default_factory=dict)

    def ask(self, number: int, query_id: str) -> None:
        began = perf_counter()
        reply = self.search(number)
        seconds = perf_counter() - began
        self.seconds.append(seconds if reply.charged is None else reply.charged)
        self.run[query_id] = document_scores(reply.found)


def main() -> None:
    arguments = parser().parse_args()
    dataset = sample_queries(load_dataset(arguments.data, arguments.split), arguments.queries, seed=0)
    index = arguments.work / f"index-{dataset.name}"
    searchers = our_searchers(dataset, index)
    models = load_models(DEFAULT_MODEL, DEFAULT_MODEL)
    material = material_of(dataset, models, arguments.work / f"vectors-{dataset.name}")
    size = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
    with ExitStack() as running:
        contenders = {
            name: Contender(osler_search(one, material, evidence=name == "osler"), size)
            for name, one in searchers.items()
        }
        theirs = (shipped.retriever(), shipped.reranker())
        contenders["sentence-transformers"] = Contender(transformers_search(material, *theirs))
        for script in arguments.peer:
            peer = running.enter_context(Peer(script, arguments.work))
            size = size_when_built(peer, material, arguments.work / f"{script}-{dataset.name}")
            search = plaid_search(peer, material) if script == PLAID else qdrant_search(peer, material, *theirs)
            contenders[script.removesuffix("_search")] = Contender(search, size)
        for number, query_id in enumerate(dataset.queries):
            sys.stderr.write(f"\rquery {number + 1} of {len(dataset.queries)}   ")
            for contender in list(contenders.values())[:: 1 if number % 2 else -1]:
                contender.ask(number, query_id)
    sys.stderr.write("\n")
    print(f"{dataset.name} {dataset.split}: {len(dataset.queries)} queries, {len(material.passages):,} passages.\n")
    print(report(dataset, contenders))


def our_searchers(dataset: Dataset, index: Path) -> dict[str, Searcher]:
    """osler as it comes, and with the candidates that the peers have, over an index that is built first."""
    add_documents(dataset.documents.values(), index, Settings())
    return {
        "osler": load_searcher(index),
        "osler, dense candidates, no evidence": load_searcher(index, Settings(search={"candidates": "dense"})),
    }


def material_of(dataset: Dataset, models: ModelPair, folder: Path) -> Material:
    """Float vectors of every passage, encoded unless they lie in the folder, where the peers read them."""
    passages = passages_of(dataset.documents.values(), models.encoder.model)
    if not (folder / "lengths.npy").is_file():
        write_vectors(passages, models.with_compression(Compression(bits=32)), folder)
    vectors, tokens, lengths = (np.load(folder / f"{name}.npy") for name in ("vectors", "tokens", "lengths"))
    by_passage = np.split(tokens.astype(np.float32), np.cumsum(lengths)[:-1])
    queries = models.encode_queries([query.text for query in dataset.queries.values()])
    return Material(dataset, passages, folder, vectors, by_passage, *queries)


def write_vectors(passages: Sequence[Passage], models: ModelPair, folder: Path) -> None:
    by_length = sorted(range(len(passages)), key=lambda number: -len(passages[number].text))
    vectors, tokens = [], []
    for first in range(0, len(by_length), SLICE):
        sys.stderr.write(f"\rencoding for the peers: {first:,} of {len(passages):,}   ")
        dense, late = models.encode_passages([passages[number] for number in by_length[first : first + SLICE]])
        vectors.append(dense)
        tokens.append(late)
    order = np.argsort(by_length)
    late = reorder(concatenate(tokens), order)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "vectors.npy", np.concatenate(vectors)[order])
    np.save(folder / "tokens.npy", dequantise(late).astype(np.float16))
    np.save(folder / "lengths.npy", late.lengths)


def osler_search(searcher: Searcher, material: Material, *, evidence: bool) -> Search:
    def search(number: int) -> Reply:
        ranking = searcher.search(material.texts[number], k=K, where=EVERYTHING, evidence=evidence)
        return Reply([(one.passage.doc_id, one.score) for one in ranking.ranked])

    return search


def transformers_search(material: Material, retriever: SentenceTransformer, reranker: MultiVectorEncoder) -> Search:
    """Everything in memory as torch tensors."""
    vectors, tokens = torch.from_numpy(material.vectors), [torch.from_numpy(one) for one in material.tokens]

    def search(number: int) -> Reply:
        text = material.texts[number]
        query = retriever.encode(text, convert_to_tensor=True)
        found = semantic_search(query, vectors, top_k=CANDIDATES)[0]
        numbers = [int(one["corpus_id"]) for one in found]
        late = [reranker.encode_query(text)]
        scores = reranker.similarity(late, [tokens[one] for one in numbers])[0].tolist()
        return Reply(material.found(sorted(zip(numbers, scores, strict=True), key=lambda one: -one[1])[:K]))

    return search


def size_when_built(peer: Peer, material: Material, folder: Path) -> int:
    """The bytes of the peer's index, built anew in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    built: int = peer.call("build", vectors=str(material.folder), folder=str(folder)).result
    return built


def plaid_search(peer: Peer, material: Material) -> Search:
    peer.call("load", backbone=str(resolve("minilm").folder))

    def search(number: int) -> Reply:
        encoded = peer.call("encode", query=material.texts[number])
        found = peer.call("search", tokens=material.query_tokens[number].tolist(), k=K)
        return Reply(material.found(found.result), encoded.seconds + found.seconds)

    return search


def qdrant_search(
    peer: Peer, material: Material, retriever: SentenceTransformer, reranker: MultiVectorEncoder
) -> Search:
    def search(number: int) -> Reply:
        began = perf_counter()
        vector = retriever.encode(material.texts[number])
        late = reranker.encode_query(material.texts[number], convert_to_numpy=True)
        seconds = perf_counter() - began
        found = peer.call("search", vector=vector.tolist(), tokens=late.tolist(), candidates=CANDIDATES, k=K)
        return Reply(material.found(found.result), seconds + found.seconds)

    return search


def report(dataset: Dataset, contenders: Mapping[str, Contender]) -> str:
    """A Markdown table, a row for each contender; ratios are within a turn."""
    ours = next(iter(contenders.values())).seconds
    rows = []
    for name, one in contenders.items():
        ratio = median(theirs / mine for theirs, mine in zip(one.seconds, ours, strict=True))
        p50, p99 = (f"{1000 * percentile(one.seconds, share):.1f}" for share in (0.5, 0.99))
        size = f"{one.bytes / 1e6:,.0f}" if one.bytes else "in memory"
        rows.append((name, p50, p99, f"{ratio:.1f}", f"{fmean(values_of(dataset, one.run)):.4f}", size))
    return "\n".join(table(("", "p50 ms", "p99 ms", "times osler", MEASURE, "MB on disk"), rows))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--queries", type=int, default=200, help="at most so many queries")
    made.add_argument("--peer", action="append", default=[], choices=PEERS, help="a peer in its own environment")
    made.add_argument("--work", type=Path, required=True, help="a folder for indexes and environments")
    return made


if __name__ == "__main__":
    main()
