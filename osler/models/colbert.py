"""The ColBERT: one vector of unit length per token, quantised for passages. Knows nothing of ranking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from tokenizers import Encoding

from osler.late_interaction.ragged import concatenate, divide
from osler.late_interaction.token_vectors import Compression, compress
from osler.models.bi_encoder import passage_input
from osler.models.model_card import RerankerCard
from osler.models.text_model import Outputs, TextModel, TokenBatch
from osler.parallel import one_blas_thread
from osler.records import Passage, TokenSpans, TokenVectors, Vectors

TOKEN_VECTORS: Final = "token_vectors"
UNPOOLED: Final = Compression()
"""Every token its own vector, 8 bits a component: what a re-ranker's scores are checked and measured with."""

_OUTSIDE: Final = (-1, -1)


class ColBERT:
    """Stage 2's model: queries keep float vectors, those of passages are compressed.

    card: what osler trained it with; None for a model from elsewhere, or without a trained head.
    """

    def __init__(
        self,
        model: TextModel,
        *,
        name: str,
        fingerprint: str,
        card: RerankerCard | None = None,
        compression: Compression = UNPOOLED,
    ) -> None:
        self.model = model
        self.name = name
        self.fingerprint = fingerprint
        self.card = card
        self.compression = compression

    @property
    def dim(self) -> int:
        """The length of a token vector."""
        return self.model.spec.token_dim

    def with_compression(self, compression: Compression) -> ColBERT:
        """The same model with token vectors of passages compressed like this."""
        return self._with(self.model, compression)

    def cut_to(self, max_tokens: int) -> ColBERT:
        """The same model, reading at most `max_tokens` tokens of a text."""
        return self.with_model(self.model.cut_to(max_tokens))

    def with_model(self, model: TextModel) -> ColBERT:
        """The same re-ranker on this network."""
        return self._with(model, self.compression)

    def encode_queries(self, queries: Sequence[str]) -> list[Vectors]:
        """One [q, d] array a query: its scored tokens, prefix tokens and expansion included."""
        vectors: list[Vectors] = [np.empty((0, self.dim), dtype=np.float32)] * len(queries)
        for batch, outputs in self.model.outputs(queries, "query"):
            for number, rows in scored_tokens(batch, outputs):
                vectors[number] = rows
        return vectors

    def query_end(self, query: str) -> int | None:
        """How many characters of the query it reads, None where it reads them all."""
        return self.model.end_of_reading(query, "query")

    def encode_passages(self, passages: Sequence[Passage]) -> TokenVectors:
        """The compressed vectors of the scored tokens of each passage."""
        builder = TokenVectorBuilder(len(passages), self.dim, self.compression)
        with one_blas_thread():  # compressing a batch must not take the cores that compute the next
            for batch, outputs in self.model.outputs([passage_input(passage) for passage in passages], "passage"):
                builder.add(batch, outputs)
        return builder.joined()

    def token_spans(self, passages: Sequence[Passage]) -> list[TokenSpans]:
        """One [p, 2] array a passage: start and end in `Passage.text` of each scored token.

        Special tokens, prefix tokens, title and heading are (-1, -1).
        """
        return self.spans_of(passages, self.model.tokenize([passage_input(passage) for passage in passages], "passage"))

    def spans_of(self, passages: Sequence[Passage], encodings: Sequence[Encoding]) -> list[TokenSpans]:
        """The same for passages that the model's `tokenize` has read."""
        spec, spans = self.model.spec, []
        for passage, encoding in zip(passages, encodings, strict=True):
            before = len(spec.passage_prompt) + len(passage_input(passage)) - len(passage.text)
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) - before
            offsets[(offsets[:, 0] < 0) | (offsets[:, 1] <= offsets[:, 0])] = _OUTSIDE
            spans.append(offsets[spec.scored(encoding.ids)])
        return spans

    def _with(self, model: TextModel, compression: Compression) -> ColBERT:
        return ColBERT(model, name=self.name, fingerprint=self.fingerprint, card=self.card, compression=compression)


def scored_tokens(batch: TokenBatch, outputs: Outputs) -> Iterator[tuple[int, Vectors]]:
    """The number of each text of the batch in the caller's list, and a copy of the vectors of its scored tokens."""
    for row, number in enumerate(batch.rows.tolist()):
        yield number, outputs[TOKEN_VECTORS][row][batch.scored[row]]


class TokenVectorBuilder:
    """Compresses passages that come in batches, out of order.

    passages: the token vectors of each, in the caller's order.
    """

    def __init__(self, count: int, dim: int, compression: Compression) -> None:
        self.passages = [compress(np.empty((0, dim), dtype=np.float32), [0], compression)] * count
        self._nothing = compress(np.empty((0, dim), dtype=np.float32), [], compression)
        self._compression = compression

    def add(self, batch: TokenBatch, outputs: Outputs) -> None:
        """Keep the scored tokens of this batch."""
        numbers, vectors = zip(*scored_tokens(batch, outputs), strict=True)
        compressed = compress(np.concatenate(vectors), [len(rows) for rows in vectors], self._compression)
        for number, passage in zip(numbers, divide(compressed, [1] * len(numbers)), strict=True):
            self.passages[number] = passage

    def joined(self) -> TokenVectors:
        """All passages in one piece."""
        return concatenate([self._nothing, *self.passages])
