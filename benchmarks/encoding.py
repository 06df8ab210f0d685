"""How fast passages become vectors, and how near these are, against sentence-transformers on the same texts.

    python benchmarks/encoding.py scifact/corpus.jsonl --peer sentence_transformers_openvino --work /tmp/peers

All run MiniLM on the CPU, in turns: sentence-transformers as it comes and, where the processor has it, in bfloat16;
where they are asked for, each in an environment of its own, sentence-transformers on OpenVINO, which computes in what
suits the processor, and PyLate's token vectors in both; osler's dense vectors in each precision that the processor
has; dense and token vectors of the shipped models in one pass; and the whole of `osler index`, splitting, compressing
and writing included. In 8 bits it calibrates once an index, half a minute, which belongs to the turn that warms up. No
passage is longer than what sentence-transformers reads.

How far a ratio can go depends on the processor: the last rows are products of large matrices by torch, as many
operations in each type as the network needs for the passages. So fast would be a network that did nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from machine import PRODUCT, SIDE, precisions
from peer import Peer
from sentence_transformers import SentenceTransformer
from timing import Seconds, Work, in_turns, times_faster

from osler.config import Settings
from osler.corpus import read_documents
from osler.corpus.split import split
from osler.evaluate.report import table
from osler.index import index_exists, open_index
from osler.late_interaction.token_vectors import Compression
from osler.load import DEFAULT_MODEL, add_documents
from osler.models import load_models
from osler.models.bi_encoder import BiEncoder, passage_input
from osler.models.catalog import resolve
from osler.models.pair import load_encoder
from osler.records import Document, Passage, Vectors

BACKBONE = "minilm"
REFERENCE = "sentence-transformers"
EXACT = "fp32"
MAX_TOKENS = 250
"""Of a passage: with the special ones within the 256 that sentence-transformers reads of a text."""

CALIBRATED_ON = 256
"""Passages from everywhere, as many as `osler index --precision int8` takes of the first that it encodes."""


def main() -> None:
    made = parser()
    arguments = made.parse_args()
    if arguments.peer and not arguments.work:
        made.error("a --peer needs --work")
    documents, passages = sampled(arguments.corpus, arguments.passages)
    texts = [passage_input(passage) for passage in passages]
    peers = {
        REFERENCE + suffix: SentenceTransformer(plain(), device="cpu", model_kwargs={"dtype": dtype})
        for suffix, dtype in precisions().items()
    }
    ours = {f"osler, {precision}": encoder for precision, encoder in encoders(passages, plain())}
    work: dict[str, Work] = {name: lambda model=model: model.encode(texts) for name, model in peers.items()}
    work |= {name: lambda model=model: model.encode_passages(passages) for name, model in ours.items()}
    with ExitStack() as running:
        work |= both_heads(documents, passages, Path(running.enter_context(TemporaryDirectory())))
        for script in arguments.peer:
            work |= PEERS[script](running.enter_context(Peer(script, arguments.work)), texts)
        count = operations(peers[REFERENCE], texts)
        seconds = in_turns(work | dict(products(count)), turns=arguments.turns)
    vectors = {name: model.encode(texts) for name, model in peers.items()}
    vectors |= {name: model.encode_passages(passages) for name, model in ours.items()}
    tokens = median(next(iter(ours.values())).model.count_tokens(texts))
    print(f"{len(texts):,} passages, {tokens:.0f} tokens in the median; {arguments.turns} turns.\n")
    print(report(seconds, vectors, len(texts), count))


def plain() -> str:
    """The backbone's folder: named by it, a model is without anything that osler has for it."""
    return str(resolve(BACKBONE).folder)


def sampled(corpus: Path, passages: int) -> tuple[list[Document], list[Passage]]:
    """The first documents of the corpus that give so many passages, and these."""
    count_tokens = load_models(plain(), plain()).encoder.model.count_tokens
    documents: list[Document] = []
    found: list[Passage] = []
    for document in read_documents([corpus]):
        if isinstance(document, Document) and len(found) < passages:
            documents.append(document)
            found += split(document, count_tokens=count_tokens, max_tokens=MAX_TOKENS)
    return documents, found


def encoders(passages: Sequence[Passage], name: str) -> Iterator[tuple[str, BiEncoder]]:
    """The bi-encoder of this name in each precision that this processor has, 8 bits calibrated on some passages."""
    bf16 = ("bf16",) if "bfloat16" in precisions().values() else ()
    for precision in (EXACT, *bf16, "int8"):
        encoder = load_encoder(name, precision=precision)
        yield precision, calibrated(encoder, passages) if precision == "int8" else encoder


def calibrated(encoder: BiEncoder, passages: Sequence[Passage]) -> BiEncoder:
    """The encoder in 8 bits, calibrated on a sample of these passages, under a name that no other sample has."""
    texts = [passage_input(one) for one in passages[:: max(1, len(passages) // CALIBRATED_ON)][:CALIBRATED_ON]]
    name = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    return encoder.with_model(encoder.model.calibrated(texts, name))


def both_heads(documents: Sequence[Document], passages: Sequence[Passage], folder: Path) -> Iterator[tuple[str, Work]]:
    """The shipped models' passages, encoded; and indexes of the documents in the folder, emptied and filled again."""
    kept = Settings().index
    models = load_models(DEFAULT_MODEL, DEFAULT_MODEL)
    compressed = models.with_compression(Compression(kept.token_bits, kept.token_pooling))
    yield "osler, dense and token vectors", lambda: compressed.encode_passages(passages)
    for name, precision in (("osler index", "auto"), ("osler index, int8", "int8")):
        settings = Settings(split={"max_tokens": MAX_TOKENS}, models={"precision": precision})
        yield name, partial(index, documents, folder / precision, settings)


def index(documents: Sequence[Document], folder: Path, settings: Settings) -> None:
    """What `osler index` does with documents that are not there; an index of before knows its calibration."""
    if index_exists(folder):
        open_index(folder).delete([document.doc_id for document in documents])
    add_documents(documents, folder, settings)


def pylate(peer: Peer, texts: Sequence[str]) -> Iterator[tuple[str, Work]]:
    """PyLate's ColBERT of the same backbone, its projection random."""
    peer.call("load", backbone=plain())
    for suffix, precision in precisions().items():
        work = partial(peer.call, "encode_passages", texts=list(texts), precision=precision)
        yield f"PyLate, token vectors{suffix}", work


def transformers_openvino(peer: Peer, texts: Sequence[str]) -> Iterator[tuple[str, Work]]:
    """sentence-transformers' dense vectors by its OpenVINO backend, with the precision that this chose."""
    precision = peer.call("load", backbone=plain()).result
    yield f"sentence-transformers, OpenVINO, {precision}", partial(peer.call, "encode", texts=list(texts))


PEERS = {"sentence_transformers_openvino": transformers_openvino, "pylate_fast_plaid": pylate}


def products(count: float) -> Iterator[tuple[str, Work]]:
    """Products of two large matrices by torch, about so many operations in all, in each type that it is fast in."""
    for dtype in (*precisions().values(), "int8"):
        matrix = torch.ones(SIDE, SIDE, dtype=getattr(torch, dtype))
        multiply = partial(torch._int_mm if dtype == "int8" else torch.mm, matrix, matrix)
        yield f"large matrices alone, {dtype}", partial(repeat, multiply, round(count / PRODUCT))


def repeat(work: Work, times: int) -> None:
    for _ in range(times):
        work()


def operations(model: SentenceTransformer, texts: Sequence[str]) -> float:
    """The multiplications and additions of the backbone's layers for the tokens of these texts, without padding."""
    config: Any = model[0].auto_model.config
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    read = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)["input_ids"]
    lengths = np.array([len(ids) for ids in read], dtype=np.float64)
    return float(layers * (lengths * (8 * hidden**2 + 4 * hidden * inner) + 4 * hidden * lengths**2).sum())


def report(seconds: Seconds, vectors: dict[str, Vectors], passages: int, operations: float) -> str:
    """A Markdown table, a row for each contender."""
    exact = vectors["osler, fp32"]
    rows = []
    for name, of_turns in seconds.items():
        cosine = f"{np.mean(np.sum(unit(vectors[name]) * exact, axis=1)):.5f}" if name in vectors else ""
        faster = times_faster(seconds, name, REFERENCE)
        speed = 1e-9 * operations / median(of_turns)
        rows.append((name, f"{passages / median(of_turns):.0f}", faster, f"{speed:.0f}", cosine))
    columns = ("", "passages a second", f"times {REFERENCE}", "billion operations a second", "cosine to fp32")
    return "\n".join(table(columns, rows))


def unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", type=Path, help="a corpus that osler index reads")
    made.add_argument("--passages", type=int, default=1024, help="passages that are encoded in each turn")
    made.add_argument("--peer", action="append", default=[], choices=PEERS, help="a peer in its own environment")
    made.add_argument("--work", type=Path, help="a folder for the environments of peers")
    made.add_argument("--turns", type=int, default=5)
    return made


if __name__ == "__main__":
    main()
