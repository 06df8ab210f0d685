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
        return self.joined(self.encode_each(self.tokenize(passages)))

    def joined(self, token_vectors: Sequence[TokenVectors]) -> TokenVectors:
        """Those of all these passages, of which there may be none, in one piece."""
        nothing = compress(np.empty((0, self.dim), dtype=np.float32), [], self.compression)
        return concatenate([nothing, *token_vectors])

    def tokenize(self, passages: Sequence[Passage]) -> list[Encoding]:
        """The tokens of the passages, as `encode_each` and `spans_of` take them."""
        return self.model.tokenize([passage_input(passage) for passage in passages], "passage")

    def encode_each(self, encodings: Sequence[Encoding]) -> list[TokenVectors]:
        """What `encode_passages` gives, passage by passage."""
        token_vectors: dict[int, TokenVectors] = {}
        with one_blas_thread():  # compressing a batch must not take the cores that compute the next
            for batch, outputs in self.model.outputs_of(encodings, "passage"):
                token_vectors.update(self.compressed(batch, outputs))
        return [token_vectors[number] for number in range(len(encodings))]

    def compressed(self, batch: TokenBatch, outputs: Outputs) -> Iterator[tuple[int, TokenVectors]]:
        """The number of each passage of the batch in the caller's list, and its compressed token vectors."""
        lengths = np.count_nonzero(batch.scored, axis=1)
        compressed = compress(outputs[TOKEN_VECTORS][batch.scored], lengths, self.compression)
        return zip(batch.rows.tolist(), divide(compressed), strict=True)

    def token_spans(self, passages: Sequence[Passage]) -> list[TokenSpans]:
        """One [p, 2] array a passage: start and end in `Passage.text` of each scored token.

        Special tokens, prefix tokens, title and heading are (-1, -1).
        """
        return self.spans_of(passages, self.tokenize(passages))

    def spans_of(self, passages: Sequence[Passage], encodings: Sequence[Encoding]) -> list[TokenSpans]:
        """The same for passages that `tokenize` has read."""
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
