"""What an ablation varies, a variant each, and at which size. Knows names and numbers, trains nothing.

The grid is that of the reference system (arXiv 2510.04757): negatives and similarity of the retriever, one encoder or
two, the number of training pairs, and where the re-ranker's negatives come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from osler.errors import UsageError

Stage = Literal["untrained", "retriever", "re-ranker"]
Negatives = Literal["in-batch", "random", "bm25", "mined", "untrained"]

BASE: Final = "in-batch-cosine"
"""The retriever that others are compared with, and that every re-ranker of the grid stands behind."""

ZERO_SHOT: Final = "zero-shot"

# Of a passage: half of a corpus's tokens lie beyond, and half of the grid's time is spent on encoding corpora.
_TOKENS: Final = 128

# One epoch with a checkpoint before it and one behind; batches whole, so that nothing is encoded twice.
_SHORT: Final = {"epochs": 1.0, "max_steps": None, "max_tokens": _TOKENS, "mini_batch": 32, "checkpoint_steps": 1000}


@dataclass(frozen=True, slots=True)
class Variant:
    """One system of the grid.

    stage: what is trained, and so what is measured: nothing, a retriever, or a re-ranker behind the base retriever.
    negatives: `in-batch` compares a query with the passages of its batch, every other kind with its own negatives, of
    which `mined` are those of the base retriever and `untrained` those of the backbone. pairs: fewer than the size's.
    """

    name: str
    about: str
    stage: Stage
    negatives: Negatives = "in-batch"
    similarity: Literal["cosine", "dot"] = "cosine"
    separate_encoders: bool = False
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How much is trained and measured.

    pairs, reranker_pairs: what retrievers and re-rankers learn from, in all data sets together. queries: asked of each
    data set; distractors: documents that its corpus keeps beside the relevant ones; None: all. max_tokens: of a passage
    that are read when it is searched; None: as many as the model reads. retriever, reranker, mining: settings in place
    of the recipe's.
    """

    name: str
    seeds: tuple[int, ...]
    pairs: int
    fewer_pairs: tuple[int, ...]
    reranker_pairs: int
    queries: int | None
    distractors: int | None
    valid_queries: int | None
    num_candidates: int = 20
    max_tokens: int | None = None
    retriever: Mapping[str, Any] = field(default_factory=dict)
    reranker: Mapping[str, Any] = field(default_factory=dict)
    mining: Mapping[str, Any] = field(default_factory=dict)


SIZES: Final[Mapping[str, Size]] = {
    "cpu": Size(
        name="cpu",
        seeds=(1, 2, 3),
        pairs=2000,
        fewer_pairs=(500, 1000),
        reranker_pairs=600,
        queries=200,
        distractors=3000,
        valid_queries=24,
        max_tokens=_TOKENS,
        retriever={**_SHORT, "batch": 32, "learning_rate": 2e-4},
        reranker={**_SHORT, "batch": 8, "negatives": 3, "learning_rate": 2e-4, "dim": 128},
        mining={"num_candidates": 30},
    ),
    "full": Size(
        name="full",
        seeds=(1, 2, 3),
        pairs=10_000,
        fewer_pairs=(500, 1000, 2000),
        reranker_pairs=10_000,
        queries=None,
        distractors=None,
        valid_queries=500,
    ),
}
"""`cpu`: two hours with MiniLM on two cores that multiply in bfloat16; `full`: for those who have a GPU."""

_RETRIEVERS: Final = (
    Variant(ZERO_SHOT, "the backbone, untrained", "untrained"),
    Variant(BASE, "in-batch negatives, cosine, one encoder", "retriever"),
    Variant("in-batch-dot", "in-batch negatives, dot product", "retriever", similarity="dot"),
    Variant("random-cosine", "one random negative, cosine", "retriever", "random"),
    Variant("random-dot", "one random negative, dot product", "retriever", "random", "dot"),
    Variant("bm25-cosine", "one BM25 negative, cosine", "retriever", "bm25"),
    Variant("bm25-dot", "one BM25 negative, dot product", "retriever", "bm25", "dot"),
    Variant("asymmetric", "in-batch negatives, cosine, separate encoders", "retriever", separate_encoders=True),
)
_RERANKERS: Final = (
    Variant("reranker-mined", "negatives mined from the retriever it stands behind", "re-ranker", "mined"),
    Variant("reranker-bm25", "BM25 negatives", "re-ranker", "bm25"),
    Variant("reranker-random", "random negatives", "re-ranker", "random"),
    Variant("reranker-mismatched", "negatives mined from the untrained retriever", "re-ranker", "untrained"),
)


def grid(size: Size) -> tuple[Variant, ...]:
    """The variants at this size, each after the one that it needs.

    >>> [variant.name for variant in grid(SIZES["cpu"]) if variant.pairs]
    ['pairs-500', 'pairs-1000']
    """
    fewer = (
        Variant(pairs_variant(pairs), f"in-batch negatives, cosine, {pairs:,} pairs", "retriever", pairs=pairs)
        for pairs in size.fewer_pairs
    )
    return (*_RETRIEVERS, *fewer, *_RERANKERS)


def pairs_variant(pairs: int) -> str:
    """The name of the variant that learns from so many pairs."""
    return f"pairs-{pairs}"


def select(variants: Sequence[Variant], names: Sequence[str]) -> tuple[Variant, ...]:
    """The variants of these names, all where none is named, with the base before re-rankers, which stand behind it.

    UsageError for a name that is not there.
    """
    all_names = [variant.name for variant in variants]
    for name in names:
        if name not in all_names:
            raise UsageError(f"--only {name!r} is no variant of this size. Variants: {', '.join(all_names)}.")
    selected = set(names or all_names)
    if any(variant.stage == "re-ranker" for variant in variants if variant.name in selected):
        selected.add(BASE)
    return tuple(variant for variant in variants if variant.name in selected)
