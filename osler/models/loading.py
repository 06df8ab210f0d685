"""From names to the two models: which networks are needed, converted or in torch, and whether they may be used.

Knows nothing of tokens or of the modules in a network.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from osler.errors import ModelError
from osler.models.bi_encoder import BiEncoder
from osler.models.catalog import ModelSource, resolve
from osler.models.check import check_scores, check_structure
from osler.models.colbert import ColBERT
from osler.models.openvino import Precision, converted, converted_folder
from osler.models.pair import ModelPair
from osler.models.text_model import INT8_ELSEWHERE, TextModel

if TYPE_CHECKING:
    from osler.models.graph import Graph

_BATCH_TOKENS: Final = {"cpu": 1024, "cuda": 32768}


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
    load = _Loader(device, batch_tokens or _BATCH_TOKENS[device], precision)
    encoder_source, reranker_source = (resolve(one) if isinstance(one, str) else one for one in (encoder, reranker))
    shared = _share_a_pass(encoder_source, reranker_source)
    colbert = load.colbert(reranker_source, kind="pair" if shared else "colbert")
    bi_encoder = load.bi_encoder(encoder_source, colbert.model if shared else None)
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
    return _Loader(device, _BATCH_TOKENS[device], precision).bi_encoder(resolve(name), None)


def _share_a_pass(encoder: ModelSource, reranker: ModelSource) -> bool:
    """Whether both read the same tokens with the same weights, so that one network can have both heads."""
    if encoder.folder != reranker.folder or reranker.has_token_head or encoder.asymmetric:
        return False
    retrieves, ranks = encoder.adapter("encoder"), reranker.adapter("reranker")
    markers = ranks.reranker.markers if ranks and ranks.reranker else encoder.prompts
    changes = [adapter.lora_digest if adapter else "" for adapter in (retrieves, ranks)]
    return changes[0] == changes[1] and markers == encoder.prompts


@dataclass(frozen=True, slots=True)
class _Loader:
    """Loads networks for one device."""

    device: str
    batch_tokens: int
    precision: Precision = "auto"

    def bi_encoder(self, source: ModelSource, shared: TextModel | None) -> BiEncoder:
        """The encoder of this source, on the network that it shares with the re-ranker, if any."""
        fingerprint = source.fingerprint("encoder")
        if not source.asymmetric:
            model = shared or self._model("bi_encoder", source, fingerprint)
            return BiEncoder(model, name=source.name, fingerprint=fingerprint)
        queries, passages = (self._model(kind, source, fingerprint) for kind in ("query_encoder", "passage_encoder"))
        if queries.spec.vector_dim != passages.spec.vector_dim:
            raise ModelError(
                f"{source.name}: vectors of queries have {queries.spec.vector_dim} dimensions, those of passages "
                f"{passages.spec.vector_dim}: train encoders that end in one dimension."
            )
        return BiEncoder(passages, query_model=queries, name=source.name, fingerprint=fingerprint)

    def colbert(self, source: ModelSource, *, kind: str) -> ColBERT:
        """The re-ranker of this source, checked against what it was trained with.

        Its reference passages are scored once a conversion: the key of a conversion names all that changes vectors.
        """
        fingerprint, facts = source.fingerprint("reranker"), source.facts()
        model = self._model(kind, source, fingerprint)
        reranker = ColBERT(model, name=source.name, fingerprint=fingerprint, facts=facts)
        if facts is None:
            return reranker
        check_structure(reranker, facts)
        done = converted_folder(f"{kind}-{fingerprint}") / f"checked-{facts.reference.digest}"
        if not (self.device == "cpu" and done.exists()):
            check_scores(reranker, facts)
        if self.device == "cpu":
            with suppress(OSError):  # a cache of another user, or of this process alone
                done.touch()
        return reranker

    def _model(self, kind: str, source: ModelSource, fingerprint: str) -> TextModel:
        build = partial(_graph, kind, source, self.device)
        if self.device == "cpu":
            return converted(f"{kind}-{fingerprint}", build, batch_tokens=self.batch_tokens, precision=self.precision)
        from osler.models.graph import torch_run

        graph = build()
        run = torch_run(graph, self.device, half=self.precision != "fp32")
        return TextModel(graph.spec, graph.tokenizer, run, batch_tokens=self.batch_tokens)


def _graph(kind: str, source: ModelSource, device: str) -> Graph:
    from osler.models import graph

    builders: dict[str, Callable[[ModelSource, str], Graph]] = {
        "bi_encoder": graph.bi_encoder_graph,
        "query_encoder": partial(graph.bi_encoder_graph, role="query"),
        "passage_encoder": partial(graph.bi_encoder_graph, role="passage"),
        "colbert": graph.colbert_graph,
        "pair": graph.pair_graph,
    }
    return builders[kind](source, device)
