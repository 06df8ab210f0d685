"""Both models together, loaded by their names, read once where they share their backbone. Knows no index."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from tokenizers import Encoding

from osler.errors import ModelError
from osler.late_interaction.token_vectors import Compression
from osler.models.bi_encoder import BiEncoder, passage_input, text_vectors
from osler.models.catalog import ModelSource, NetworkKind, resolve
from osler.models.colbert import ColBERT, scored_tokens
from osler.models.model_card import check_scores, check_structure
from osler.models.openvino import Precision, converted, converted_folder
from osler.models.text_model import INT8_ELSEWHERE, TextModel
from osler.parallel import one_blas_thread
from osler.records import Passage, TokenSpans, TokenVectors, Vectors

if TYPE_CHECKING:
    from osler.models.export import ExportedModel

_BATCH_TOKENS: Final = {"cpu": 1024, "cuda": 32768}


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
        """The same models with token vectors of passages compressed like this."""
        return ModelPair(self.encoder, self.reranker.with_compression(compression))

    def calibrated(self, passages: Sequence[Passage], name: str) -> ModelPair:
        """The same models with passages read in 8 bits, calibrated on these unless a calibration has this name.

        MissingDependencyError without nncf; ModelError on any device but a CPU.
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
        vectors, token_vectors = self._encode_each(passages, self.reranker.tokenize(passages))
        return vectors, self.reranker.joined(token_vectors)

    def encode_with_spans(self, passages: Sequence[Passage]) -> tuple[Vectors, list[TokenVectors], list[TokenSpans]]:
        """The same, passage by passage, and what `reranker.token_spans` gives: all that an index keeps."""
        encodings = self.reranker.tokenize(passages)
        vectors, token_vectors = self._encode_each(passages, encodings)
        return vectors, token_vectors, self.reranker.spans_of(passages, encodings)

    def _encode_each(
        self, passages: Sequence[Passage], encodings: Sequence[Encoding]
    ) -> tuple[Vectors, list[TokenVectors]]:
        if not self.shared:
            return self.encoder.encode_passages(passages), self.reranker.encode_each(encodings)
        vectors = np.zeros((len(encodings), self.encoder.dim), dtype=np.float32)
        token_vectors: dict[int, TokenVectors] = {}
        with one_blas_thread():  # compressing a batch must not take the cores that compute the next
            for batch, outputs in self.encoder.model.outputs_of(encodings, "passage"):
                vectors[batch.rows] = text_vectors(outputs, self.encoder.model.spec)
                token_vectors.update(self.reranker.compressed(batch, outputs))
        return vectors, [token_vectors[number] for number in range(len(encodings))]


@dataclass(frozen=True, slots=True)
class _Runtime:
    """Where networks run, about how many tokens at once, and how precisely."""

    device: str
    batch_tokens: int
    precision: Precision = "auto"


def load_models(
    encoder: str | ModelSource,
    reranker: str | ModelSource,
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    batch_tokens: int | None = None,
    allow_dot: bool = False,
) -> ModelPair:
    """The two models of these names (short names, folders or hub names) or sources, ready to encode on this device.

    precision: int8, which only a CPU has, takes effect once they are `calibrated`. About batch_tokens are run at once:
    more on a GPU, which needs them, than on the cores of a CPU.
    allow_dot lets an encoder through that was trained with dot products: its vectors keep their length, which no index
    expects. ModelError where a model cannot be loaded, 8 bits are asked of a GPU, or a re-ranker is not as its training
    left it.
    """
    if precision == "int8" and device != "cpu":
        raise ModelError(INT8_ELSEWHERE)
    runtime = _Runtime(device, batch_tokens or _BATCH_TOKENS[device], precision)
    encoder_source, reranker_source = (
        resolve(model) if isinstance(model, str) else model for model in (encoder, reranker)
    )
    shared = _share_a_pass(encoder_source, reranker_source)
    colbert = _load_colbert(reranker_source, runtime, kind="pair" if shared else "colbert")
    bi_encoder = _load_bi_encoder(encoder_source, runtime, shared=colbert.model if shared else None)
    if not (bi_encoder.unit_length or allow_dot):
        raise ModelError(
            f"{bi_encoder.name}: was trained with dot products, and an index compares by cosine: "
            'train it with similarity = "cosine".'
        )
    return ModelPair(bi_encoder, colbert)


def load_encoder(name: str, *, device: str = "cpu", precision: Precision = "auto") -> BiEncoder:
    """The bi-encoder of this name alone, for experiments: one that was trained with dot products is no error.

    >>> load_encoder("minilm").dim
    384
    """
    return _load_bi_encoder(resolve(name), _Runtime(device, _BATCH_TOKENS[device], precision))


def _share_a_pass(encoder: ModelSource, reranker: ModelSource) -> bool:
    """Whether both read the same tokens with the same weights, so that one network can have both heads."""
    if encoder.folder != reranker.folder or reranker.has_token_head or encoder.asymmetric:
        return False
    retrieves, ranks = encoder.adapter("encoder"), reranker.adapter("reranker")
    markers = ranks.reranker.markers if ranks and ranks.reranker else encoder.prompts
    changes = [adapter.lora_digest if adapter else "" for adapter in (retrieves, ranks)]
    return changes[0] == changes[1] and markers == encoder.prompts


def _load_bi_encoder(source: ModelSource, runtime: _Runtime, *, shared: TextModel | None = None) -> BiEncoder:
    """The encoder of this source, on the network that it shares with the re-ranker, if any."""
    fingerprint = source.fingerprint("encoder")
    if not source.asymmetric:
        model = shared or _load_network("bi_encoder", source, fingerprint, runtime)
        return BiEncoder(model, name=source.name, fingerprint=fingerprint)
    queries = _load_network("query_encoder", source, fingerprint, runtime)
    passages = _load_network("passage_encoder", source, fingerprint, runtime)
    if queries.spec.vector_dim != passages.spec.vector_dim:
        raise ModelError(
            f"{source.name}: vectors of queries have {queries.spec.vector_dim} dimensions, those of passages "
            f"{passages.spec.vector_dim}: train encoders that end in one dimension."
        )
    return BiEncoder(passages, query_model=queries, name=source.name, fingerprint=fingerprint)


def _load_colbert(source: ModelSource, runtime: _Runtime, *, kind: NetworkKind) -> ColBERT:
    """The re-ranker of this source, checked against its card.

    Its reference passages are scored once a conversion: the key of a conversion names all that changes vectors.
    """
    fingerprint, card = source.fingerprint("reranker"), source.card()
    model = _load_network(kind, source, fingerprint, runtime)
    reranker = ColBERT(model, name=source.name, fingerprint=fingerprint, card=card)
    if card is None:
        return reranker
    check_structure(reranker, card)
    on_cpu = runtime.device == "cpu"
    checked = converted_folder(f"{kind}-{fingerprint}") / f"checked-{card.reference.digest}"
    if not (on_cpu and checked.exists()):
        check_scores(reranker, card)
    if on_cpu:
        with suppress(OSError):  # a cache of another user, or of this process alone
            checked.touch()
    return reranker


def _load_network(kind: NetworkKind, source: ModelSource, fingerprint: str, runtime: _Runtime) -> TextModel:
    def export() -> ExportedModel:
        from osler.models.export import export_model  # seconds, which a converted model saves

        return export_model(kind, source, runtime.device)

    if runtime.device == "cpu":
        key = f"{kind}-{fingerprint}"
        return converted(key, export, batch_tokens=runtime.batch_tokens, precision=runtime.precision)
    from osler.models.export import torch_run

    exported = export()
    run = torch_run(exported, runtime.device, half=runtime.precision != "fp32")
    return TextModel(exported.spec, exported.tokenizer, run, batch_tokens=runtime.batch_tokens)
