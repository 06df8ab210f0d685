"""Both models together, read once where they share their backbone. Knows nothing of documents or indexes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osler.models.bi_encoder import VECTORS, BiEncoder, passage_input
from osler.models.catalog import ModelSource, resolve
from osler.models.colbert import ColBERT, GatheredTokens
from osler.models.openvino import converted
from osler.models.text_model import TextModel
from osler.records import Passage, TokenVectors, Vectors

if TYPE_CHECKING:
    from osler.models.graph import Graph


_BATCH_TOKENS: Final = {"cpu": 1024, "cuda": 32768}


class ModelPair:
    """A bi-encoder and a ColBERT.

    >>> pair = load_models("minilm", "minilm")
    >>> vectors, token_vectors = pair.encode_passages([Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18)])
    >>> vectors.shape, token_vectors.codes.shape
    ((1, 384), (8, 128))
    """

    def __init__(self, encoder: BiEncoder, reranker: ColBERT) -> None:
        self.encoder = encoder
        self.reranker = reranker

    @property
    def shared(self) -> bool:
        """Whether one pass through the network gives the vectors of both."""
        return self.encoder.model is self.reranker.model

    @property
    def max_tokens(self) -> int:
        """The longest passage that both models read whole, special tokens included."""
        return min(self.encoder.model.spec.max_tokens, self.reranker.model.spec.max_tokens)

    def encode_passages(self, passages: Sequence[Passage]) -> tuple[Vectors, TokenVectors]:
        """What `encoder.encode_passages` and `reranker.encode_passages` give, in one pass where they share it."""
        if not self.shared:
            return self.encoder.encode_passages(passages), self.reranker.encode_passages(passages)
        vectors = np.zeros((len(passages), self.encoder.dim), dtype=np.float32)
        tokens = GatheredTokens(len(passages), self.reranker.dim)
        for batch, outputs in self.encoder.model.outputs([passage_input(p) for p in passages], "passage"):
            vectors[batch.rows] = outputs[VECTORS]
            tokens.add(batch, outputs)
        return vectors, tokens.token_vectors()


def load_models(encoder: str, reranker: str, *, device: str = "cpu", batch_tokens: int | None = None) -> ModelPair:
    """The two models of these names (short names, folders or hub names), ready to encode on this device.

    batch_tokens, padding included, are run at once: more on a GPU, which needs them, than on the cores of a CPU.
    """
    encoder_source, reranker_source = resolve(encoder), resolve(reranker)
    encoder_print = encoder_source.fingerprint(projected=False)
    reranker_print = reranker_source.fingerprint(projected=True)
    load = partial(_load, device=device, batch_tokens=batch_tokens or _BATCH_TOKENS[device])
    if encoder_source.folder == reranker_source.folder and not reranker_source.has_token_head:
        encoder_model = reranker_model = load(reranker_source, "pair", reranker_print)
    else:
        encoder_model = load(encoder_source, "bi_encoder", encoder_print)
        reranker_model = load(reranker_source, "colbert", reranker_print)
    return ModelPair(
        BiEncoder(encoder_model, name=encoder_source.name, fingerprint=encoder_print),
        ColBERT(reranker_model, name=reranker_source.name, fingerprint=reranker_print),
    )


def _load(source: ModelSource, kind: str, fingerprint: str, *, device: str, batch_tokens: int) -> TextModel:
    if device == "cpu":
        return converted(f"{kind}-{fingerprint}", lambda: _graph(kind, source, device), batch_tokens=batch_tokens)
    from osler.models.graph import torch_run

    graph = _graph(kind, source, device)
    return TextModel(graph.spec, graph.tokenizer, torch_run(graph, device), batch_tokens=batch_tokens)


def _graph(kind: str, source: ModelSource, device: str) -> Graph:
    from osler.models import graph

    builders = {"bi_encoder": graph.bi_encoder_graph, "colbert": graph.colbert_graph, "pair": graph.pair_graph}
    return builders[kind](source, device)
