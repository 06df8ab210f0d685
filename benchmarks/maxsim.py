"""MaxSim of many candidates on the codes as an index keeps them, against the same in float and in torch.

    osler index scifact/corpus.jsonl --index scifact-index
    python benchmarks/maxsim.py --index scifact-index

One query of 32 token vectors against 1,000 passages of the index, warm, in turns. Passages keep what the index gave
them; float and torch compare the vectors that these codes stand for, so that all do the same work. What an index keeps
comes in one piece; passages that a search has encoded itself come one by one, and are laid side by side first.
"""

from __future__ import annotations

import argparse
from statistics import median

import numpy as np
import torch
from numpy.typing import ArrayLike
from timing import in_turns, times_faster

from osler.evaluate.report import table
from osler.index import LanceIndex, open_index
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import divide
from osler.late_interaction.token_vectors import dequantise, quantise
from osler.records import Filter, TokenVectors, Vector, Vectors
from osler.search.rerank import maxsim_scores

CODES, PARTS = "osler, the codes", "osler, the codes, laid side by side first"
FLOAT, TORCH = "osler, float", "torch, padded float"


def main() -> None:
    arguments = parser().parse_args()
    index, generator = open_index(arguments.index), np.random.default_rng(0)
    dim = index.manifest.reranker.dim
    query = unit_vectors(generator, arguments.tokens, dim)
    codes = candidates(index, unit_vectors(generator, 1, index.manifest.encoder.dim)[0], arguments.passages)
    floats = quantise(dequantise(codes), codes.lengths, bits=32)
    parts = {str(number): part for number, part in enumerate(divide(codes))}
    padded, mask = as_tensor(dequantise(codes), codes.lengths)
    work = {
        CODES: lambda: maxsim(query, codes),
        PARTS: lambda: maxsim_scores(query, list(parts), parts),
        FLOAT: lambda: maxsim(query, floats),
        TORCH: lambda: in_torch(torch.from_numpy(query), padded, mask),
    }
    assert np.allclose(work[CODES](), work[TORCH]().numpy(), atol=1e-3)
    seconds = in_turns(work, turns=arguments.turns)
    rows = [(name, f"{1000 * median(one):.1f}", times_faster(seconds, name, TORCH)) for name, one in seconds.items()]
    kept = f"{len(codes.codes):,} vectors of {dim} dimensions in {codes.bits} bits"
    print(f"{len(codes):,} passages, {kept}; {len(query)} query tokens.\n")
    print("\n".join(table(("", "ms, median", f"times {TORCH}"), rows)))


def unit_vectors(generator: np.random.Generator, count: int, dim: int) -> Vectors:
    vectors = generator.standard_normal((count, dim)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def candidates(index: LanceIndex, vector: Vector, count: int) -> TokenVectors:
    """What the index keeps of the passages that are nearest to a vector."""
    snapshot = index.snapshot()
    found = snapshot.nearest(vector, k=count, where=Filter(include_retracted=True))
    return snapshot.read([one.passage_id for one in found]).token_vectors


def as_tensor(vectors: Vectors, lengths: ArrayLike) -> tuple[torch.Tensor, torch.Tensor]:
    """[P, p, d] and [P, p]: the passages padded to the longest, and which of their vectors are real."""
    parts = [torch.from_numpy(part) for part in np.split(vectors, np.cumsum(lengths)[:-1])]
    padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
    return padded, torch.arange(padded.shape[1]) < torch.tensor([len(part) for part in parts])[:, None]


@torch.inference_mode()
def in_torch(query: torch.Tensor, passages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    similarities = (passages @ query.T).masked_fill(~mask[:, :, None], -torch.inf)  # [P, p, q]
    return similarities.amax(dim=1).mean(dim=1)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--index", required=True, help="an index with token vectors")
    made.add_argument("--passages", type=int, default=1000)
    made.add_argument("--tokens", type=int, default=32, help="token vectors of the query")
    made.add_argument("--turns", type=int, default=15)
    return made


if __name__ == "__main__":
    main()
