"""Both models together, read once where they share their backbone. Knows nothing of documents or indexes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding

from osler.late_interaction.ragged import divide
from osler.late_interaction.token_vectors import Compression
from osler.models.bi_encoder import BiEncoder, passage_input, text_vectors
from osler.models.colbert import ColBERT, TokenVectorBuilder, scored_tokens
from osler.parallel import one_blas_thread
from osler.records import Passage, TokenSpans, TokenVectors, Vectors


class ModelPair:
    """A bi-encoder and a ColBERT.

    >>> from osler.models import load_models
    >>> pair = load_models("minilm", "minilm")
    >>> vectors, token_vectors = pair.encode_passages([Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18)])
    >>> vectors.shape, token_vectors.codes.shape
    ((1, 384), (8, 128))
    """

    def __init__(self, encoder: BiEncoder, reranker: ColBERT) -> None:
        self.encoder = encoder
        self.reranker = reranker

    def with_compression(self, compression: Compression) -> ModelPair:
        """The same models, token vectors of passages kept like this."""
        return ModelPair(self.encoder, self.reranker.with_compression(compression))

    def calibrated(self, passages: Sequence[Passage], name: str) -> ModelPair:
        """The same models with passages read in 8 bits, calibrated on these unless it was done under this name before.

        MissingDependencyError without nncf; ModelError on another device than a CPU.
        """
        texts = [passage_input(passage) for passage in passages]
        of_encoder = self.encoder.model.calibrated(texts, name)
        of_reranker = of_encoder if self.shared else self.reranker.model.calibrated(texts, name)
        return ModelPair(self.encoder.with_model(of_encoder), self.reranker.with_model(of_reranker))

    @property
    def shared(self) -> bool:
        """Whether one pass through the network gives the vectors of both."""
        return self.encoder.model is self.reranker.model

    @property
    def max_tokens(self) -> int:
        """The longest passage that both models read whole, special tokens included."""
        return min(self.encoder.model.spec.max_tokens, self.reranker.model.spec.max_tokens)

    def encode_queries(self, queries: Sequence[str]) -> tuple[Vectors, list[Vectors]]:
        """What `encoder.encode_queries` and `reranker.encode_queries` give, in one pass where they share it."""
        if not self.shared:
            return self.encoder.encode_queries(queries), self.reranker.encode_queries(queries)
        vectors = np.zeros((len(queries), self.encoder.dim), dtype=np.float32)
        tokens: list[Vectors] = [np.empty((0, self.reranker.dim), dtype=np.float32)] * len(queries)
        for batch, outputs in self.encoder.model.outputs(queries, "query"):
            vectors[batch.rows] = text_vectors(outputs, self.encoder.model.spec)
            for number, rows in scored_tokens(batch, outputs):
                tokens[number] = rows
        return vectors, tokens

    def encode_passages(self, passages: Sequence[Passage]) -> tuple[Vectors, TokenVectors]:
        """What `encoder.encode_passages` and `reranker.encode_passages` give, in one pass where they share it."""
        if not self.shared:
            return self.encoder.encode_passages(passages), self.reranker.encode_passages(passages)
        vectors, builder = self._in_one_pass(self._tokenized(passages))
        return vectors, builder.joined()

    def encode_with_spans(self, passages: Sequence[Passage]) -> tuple[Vectors, list[TokenVectors], list[TokenSpans]]:
        """The same, passage by passage, and what `reranker.token_spans` gives: all that an index keeps."""
        if not self.shared:
            token_vectors = divide(self.reranker.encode_passages(passages), [1] * len(passages))
            return self.encoder.encode_passages(passages), token_vectors, self.reranker.token_spans(passages)
        encodings = self._tokenized(passages)
        vectors, builder = self._in_one_pass(encodings)
        return vectors, builder.passages, self.reranker.spans_of(passages, encodings)

    def _tokenized(self, passages: Sequence[Passage]) -> list[Encoding]:
        return self.encoder.model.tokenize([passage_input(passage) for passage in passages], "passage")

    def _in_one_pass(self, encodings: Sequence[Encoding]) -> tuple[Vectors, TokenVectorBuilder]:
        model, reranker = self.encoder.model, self.reranker
        vectors = np.zeros((len(encodings), self.encoder.dim), dtype=np.float32)
        builder = TokenVectorBuilder(len(encodings), reranker.dim, reranker.compression)
        with one_blas_thread():  # compressing a batch must not take the cores that compute the next
            for batch, outputs in model.outputs_of(encodings, "passage"):
                vectors[batch.rows] = text_vectors(outputs, model.spec)
                builder.add(batch, outputs)
        return vectors, builder
