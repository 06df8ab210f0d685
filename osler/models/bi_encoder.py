"""The bi-encoder: one vector of unit length per text. Knows nothing of token vectors or of where vectors are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from osler.models.text_model import Outputs, Role, TextModel, TextModelSpec
from osler.records import Passage, Vectors

VECTORS: Final = "vectors"
_LONGEST_TITLE: Final = 300  # characters


class BiEncoder:
    """Stage 1's model: the dot product of two of its vectors is their cosine.

    One model reads both queries and passages, unless an asymmetric retriever has a `query_model` of its own.

    >>> from osler.models import load_models
    >>> encoder = load_models("minilm", "minilm").encoder
    >>> query, near, far = encoder.encode_queries(["a heart attack", "myocardial infarction", "a fractured wrist"])
    >>> bool(query @ near > query @ far)
    True
    """

    def __init__(self, model: TextModel, *, name: str, fingerprint: str, query_model: TextModel | None = None) -> None:
        self.model = model
        self.query_model = query_model or model
        self.name = name
        self.fingerprint = fingerprint

    def cut_to(self, max_tokens: int) -> BiEncoder:
        """The same model, reading at most `max_tokens` tokens of a text."""
        return self._with(self.model.cut_to(max_tokens), self.query_model.cut_to(max_tokens))

    def with_model(self, model: TextModel) -> BiEncoder:
        """The same encoder, its passages read by this model."""
        return self._with(model, self.query_model)

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.model.spec.vector_dim

    @property
    def unit_length(self) -> bool:
        """Whether dot products are cosines: not those of a model that was trained with dot products."""
        return self.model.spec.unit_length and self.query_model.spec.unit_length

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query."""
        return self._encode(queries, "query")

    def encode_passages(self, passages: Sequence[Passage]) -> Vectors:
        """[P, d], one row a passage."""
        return self._encode([passage_input(passage) for passage in passages], "passage")

    def query_end(self, query: str) -> int | None:
        """How many characters of the query it reads, None where it reads them all."""
        return self.query_model.end_of_reading(query, "query")

    def _with(self, model: TextModel, query_model: TextModel) -> BiEncoder:
        return BiEncoder(model, query_model=query_model, name=self.name, fingerprint=self.fingerprint)

    def _encode(self, texts: Sequence[str], role: Role) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        model = self.query_model if role == "query" else self.model
        for batch, outputs in model.outputs(texts, role):
            vectors[batch.rows] = text_vectors(outputs, model.spec)
        return vectors


def text_vectors(outputs: Outputs, spec: TextModelSpec) -> Vectors:
    """[B, d], the vectors of a batch, of unit length in float32: the network's own precision may be less than that.

    Those of a model that was trained with dot products keep their length.
    """
    vectors: Vectors = outputs[VECTORS]
    if not spec.unit_length:
        return vectors
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def passage_input(passage: Passage) -> str:
    """What the encoders read: title, heading and text, one line each, empty ones left out.

    A title or heading longer than any real one is cut, so that it cannot push out the text.

    >>> passage_input(Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18))
    'Anaemia\\nToo few red cells.'
    """
    above = (passage.title[:_LONGEST_TITLE], passage.heading[:_LONGEST_TITLE])
    return "\n".join(part for part in (*above, passage.text) if part)
