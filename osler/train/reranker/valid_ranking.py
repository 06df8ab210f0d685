"""How well a ColBERT in training ranks mined candidates. Knows texts and their order, no index and no run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import log2
from statistics import fmean
from typing import Any, Final

from sentence_transformers import MultiVectorEncoder

from osler.train.examples.example import Example

_MOST: Final = 120
"""Examples measured: their passages take MiniLM half a minute on two cores, and there are several measurements."""
_CUTOFF: Final = 10


def candidates_ndcg(model: MultiVectorEncoder, examples: Sequence[Example], *, seed: int) -> float | None:
    """nDCG@10 of each positive among its own negatives, in the mean over a fixed sample; None where none has any.

    A shortcut of the real figure, which ranks the candidates of an index: good enough to see whether training helps.
    """
    usable = [example for example in examples if example.negatives]
    sample = random.Random(seed).sample(usable, min(_MOST, len(usable)))
    if not sample:
        return None
    rows = [[(example.query, text) for text in example.texts] for example in sample]
    scores = maxsim_of(model, [pair for row in rows for pair in row])
    return fmean(_ndcg([scores[pair] for pair in row]) for row in rows)


def maxsim_of(model: MultiVectorEncoder, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """The score of each query with each passage, as search computes it: the mean over query tokens, here in float32."""
    queries = list(dict.fromkeys(query for query, _ in pairs))
    passages = list(dict.fromkeys(passage for _, passage in pairs))
    query_vectors = dict(zip(queries, _on_cpu(model.encode_query(queries)), strict=True))
    token_vectors = dict(zip(passages, _on_cpu(model.encode_document(passages)), strict=True))
    return {
        (query, passage): float((query_vectors[query] @ token_vectors[passage].T).amax(dim=1).mean())
        for query, passage in dict.fromkeys(pairs)
    }


def _on_cpu(vectors: Any) -> list[Any]:
    return [one.cpu().float() for one in vectors]


def _ndcg(scores: Sequence[float]) -> float:
    """That of the first score, which is the only relevant one's; it ranks behind those that are equal to it."""
    rank = sum(score >= scores[0] for score in scores)  # counts itself
    return 1 / log2(1 + rank) if rank <= _CUTOFF else 0.0
