"""The ColBERT: one vector of unit length per token, quantised to int8 for passages. Knows nothing of ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osler.late_interaction.codes import concatenate, quantise
from osler.models.bi_encoder import passage_input
from osler.models.check import RerankerFacts
from osler.models.text_model import Outputs, TextModel, TokenBatch
from osler.records import Passage, TokenVectors, Vectors

TOKEN_VECTORS: Final = "token_vectors"
_OUTSIDE: Final = (-1, -1)


class ColBERT:
    """Stage 2's model: queries keep float vectors, passages int8 codes with one scale a token.

    facts: what osler trained it with; None for a model from elsewhere, or without a trained head.
    """

    def __init__(self, model: TextModel, *, name: str, fingerprint: str, facts: RerankerFacts | None = None) -> None:
        self.model = model
        self.name = name
        self.fingerprint = fingerprint
        self.facts = facts

    @property
    def dim(self) -> int:
        """The length of a token vector."""
        return self.model.spec.token_dim

    def encode_queries(self, queries: Sequence[str]) -> list[Vectors]:
        """One [q, d] array a query: its scored tokens, prefix tokens and expansion included."""
        vectors: list[Vectors] = [np.empty((0, self.dim), dtype=np.float32)] * len(queries)
        for batch, outputs in self.model.outputs(queries, "query"):
            for row, place in enumerate(batch.rows):
                vectors[place] = outputs[TOKEN_VECTORS][row][batch.scored[row]]
        return vectors

    def encode_passages(self, passages: Sequence[Passage]) -> TokenVectors:
        """The codes of the scored tokens of each passage."""
        gathered = GatheredTokens(len(passages), self.dim)
        for batch, outputs in self.model.outputs([passage_input(passage) for passage in passages], "passage"):
            gathered.add(batch, outputs)
        return gathered.token_vectors()

    def token_spans(self, passages: Sequence[Passage]) -> list[NDArray[np.int64]]:
        """One [p, 2] array a passage: start and end in `Passage.text` of each scored token.

        Special tokens, prefix tokens, title and heading are (-1, -1).
        """
        texts = [passage_input(passage) for passage in passages]
        encodings = self.model.tokenize(texts, "passage")
        spans = []
        for passage, text, encoding in zip(passages, texts, encodings, strict=True):
            before = len(self.model.spec.passage_prompt) + len(text) - len(passage.text)
            batch = self.model.token_batch([encoding], np.zeros(1, dtype=np.int64), "passage")
            spans.append(_text_spans(encoding.offsets, before)[batch.scored[0]])
        return spans


class GatheredTokens:
    """Collects the codes of passages that come in batches, out of order."""

    def __init__(self, count: int, dim: int) -> None:
        self._parts = [_no_tokens(dim)] * count
        self._dim = dim

    def add(self, batch: TokenBatch, outputs: Outputs) -> None:
        """Keep the scored tokens of this batch."""
        for row, place in enumerate(batch.rows):
            vectors = outputs[TOKEN_VECTORS][row][batch.scored[row]]
            self._parts[place] = quantise(vectors, [len(vectors)])

    def token_vectors(self) -> TokenVectors:
        """All passages, in the caller's order."""
        return concatenate(self._parts) if self._parts else _no_tokens(self._dim, passages=0)


def _no_tokens(dim: int, *, passages: int = 1) -> TokenVectors:
    return TokenVectors(
        np.empty((0, dim), dtype=np.int8), np.empty(0, dtype=np.float32), np.zeros(passages, dtype=np.int64)
    )


def _text_spans(offsets: Sequence[tuple[int, int]], before: int) -> NDArray[np.int64]:
    shifted = np.array(offsets, dtype=np.int64).reshape(-1, 2) - before
    outside = (shifted[:, 0] < 0) | (shifted[:, 1] <= shifted[:, 0])
    shifted[outside] = _OUTSIDE
    return shifted
