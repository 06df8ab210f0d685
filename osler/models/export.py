"""A model as one torch module that returns every head's vectors, its adapter merged, and the spec of its texts.

Loads sentence-transformers, which takes seconds; a model that has been converted needs none of it.
"""

from __future__ import annotations

import logging
import string
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pickle import UnpicklingError
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import Tensor, nn

from osler.errors import ModelError
from osler.models.adapter import Matrix, merge_adapter
from osler.models.bi_encoder import VECTORS
from osler.models.catalog import ModelSource, NetworkKind, role_prompts
from osler.models.colbert import TOKEN_VECTORS
from osler.models.digests import read_config
from osler.models.text_model import Expansion, Outputs, Run, TextModelSpec, TokenBatch

# Traced SDPA gives NaN where a window of local attention holds only padding; eager masks with a finite number.
_ATTENTION: Final = {"cpu": "eager", "cuda": "sdpa"}
_UNLOADABLE: Final = (
    *(OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, EOFError),
    *(ArithmeticError, MemoryError, UnpicklingError, SafetensorError),
)
"""What damaged or pickled weights and foreign configurations make the libraries raise."""

_LARGEST: Final = {
    **{"num_hidden_layers": 1000, "num_layers": 1000, "hidden_size": 100_000, "intermediate_size": 1_000_000},
    **{"vocab_size": 10_000_000, "max_position_embeddings": 10_000_000},
}
"""Numbers of a configuration beyond which a network is none, but would be built for hours, or fill the memory."""

_ROUTES: Final = {"query_encoder": "query", "passage_encoder": "document"}
"""The route of each side of an asymmetric folder, by the names that Router.for_query_document gives."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A network with its heads, the spec of its texts, and its tokenizer as JSON."""

    module: nn.Module
    heads: tuple[str, ...]
    spec: TextModelSpec
    tokenizer: str


def export_model(kind: NetworkKind, source: ModelSource, device: str) -> ExportedModel:
    """The network of this kind, its adapter merged; ModelError where the source holds none.

    bi_encoder: that of a sentence-transformers folder, or of a bare backbone with mean pooling.
    query_encoder, passage_encoder: that of one side of an asymmetric folder.
    colbert: that of a ColBERT folder (sentence-transformers, PyLate, Stanford), or of a backbone without a head. Such a
    backbone takes the adapter, or the projection, that osler has for it; where there is neither, it keeps its own token
    vectors but those of punctuation.
    pair: the heads of `bi_encoder` and `colbert` on one backbone, in one pass.
    """
    if kind == "colbert" and source.has_token_head:
        backbone = _colbert_backbone(source, device)
        return _exported(backbone, {TOKEN_VECTORS: backbone.head})
    backbone = _bi_encoder_backbone(source, device, _ROUTES.get(kind))
    ranks = kind in ("colbert", "pair")
    adapter = source.adapter("reranker" if ranks else "encoder")
    if adapter:
        merge_adapter(backbone.network, adapter, folder=source.folder)
    if not ranks:
        return _exported(backbone, {VECTORS: backbone.head})
    token_head: list[nn.Module] = []
    if adapter and adapter.token_projection is not None:
        token_head = [_Projection(adapter.token_projection)]
    elif source.projection:
        token_head = [_Projection(np.load(source.projection))]
    if adapter and adapter.reranker:
        backbone = replace(backbone, prompts=adapter.reranker.markers, skip=adapter.reranker.skip)
    text_head = {} if kind == "colbert" else {VECTORS: backbone.head}
    return _exported(backbone, {**text_head, TOKEN_VECTORS: token_head})


def torch_run(exported: ExportedModel, device: str, *, half: bool = True) -> Run:
    """The function that runs the network in torch on this device; half: in bfloat16, where that is not the CPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("models.device = 'cuda' is not possible: torch finds no GPU here; use --device cpu.")
    module = exported.module.to(device).eval()
    autocast = torch.autocast(device, dtype=torch.bfloat16, enabled=half and device != "cpu")

    def run(batches: Sequence[TokenBatch]) -> Iterator[Outputs]:
        for batch in batches:
            with torch.inference_mode(), autocast:
                vectors = module(torch.from_numpy(batch.ids).to(device), torch.from_numpy(batch.mask).to(device))
            yield {name: tensor.float().cpu().numpy() for name, tensor in zip(exported.heads, vectors, strict=True)}

    return run


class _Heads(nn.Module):
    """(ids [B, T], mask [B, T]) -> the vectors of each head, in the order of their names."""

    def __init__(self, backbone: nn.Module, heads: Mapping[str, Sequence[nn.Module]], *, raw: Collection[str]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({name: nn.ModuleList(modules) for name, modules in heads.items()})
        self.raw = frozenset(raw)  # heads whose vectors keep their length

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # [B, T, h]
        vectors = {name: _apply(head, name, hidden, attention_mask) for name, head in self.heads.items()}
        return tuple(v if name in self.raw else nn.functional.normalize(v, dim=-1) for name, v in vectors.items())


def _apply(head: nn.Module, name: str, hidden: Tensor, mask: Tensor) -> Tensor:
    features = {"token_embeddings": hidden, "attention_mask": mask}
    for module in head.children():
        features = module(features)
    return features["sentence_embedding" if name == VECTORS else "token_embeddings"]


class _Projection(nn.Module):
    """Token vectors times a fixed matrix [h, d]."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self.linear = nn.Linear(matrix.shape[0], matrix.shape[1], bias=False)
        self.linear.weight = nn.Parameter(torch.from_numpy(matrix.T.astype(np.float32)), requires_grad=False)

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**features, "token_embeddings": self.linear(features["token_embeddings"])}


def _exported(backbone: Backbone, heads: Mapping[str, Sequence[nn.Module]]) -> ExportedModel:
    module = _Heads(backbone.network, heads, raw=set() if backbone.unit_length else {VECTORS}).eval()
    with quiet(), torch.inference_mode():
        shapes = [vectors.shape[-1] for vectors in module(torch.ones(1, 4).long(), torch.ones(1, 4).long())]
    tokenizer, dims = backbone.tokenizer, dict(zip(heads, shapes, strict=True))
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(f"{type(tokenizer).__name__} has no fast form (tokenizer.json); convert it first.")
    skip = [tokenizer.convert_tokens_to_ids(word) for word in backbone.skip]
    linear = [
        layer for head in heads.get(TOKEN_VECTORS, ()) for layer in head.modules() if isinstance(layer, nn.Linear)
    ]
    spec = TextModelSpec(
        query_prompt=backbone.prompts[0],
        passage_prompt=backbone.prompts[1],
        max_tokens=positions(backbone.network.config),
        pad=tokenizer.pad_token_id or 0,
        vector_dim=dims.get(VECTORS, 0),
        token_dim=dims.get(TOKEN_VECTORS, 0),
        skip=tuple(number for number in skip if number is not None and number != tokenizer.unk_token_id),
        expansion=_expansion(backbone.transformer.query_expansion, tokenizer),
        projection=(linear[0].in_features, linear[-1].out_features) if linear else None,
        unit_length=backbone.unit_length,
    )
    return ExportedModel(module, tuple(heads), spec, backend.to_str())


def _expansion(config: dict[str, Any] | None, tokenizer: Any) -> Expansion | None:
    if config is None:
        return None
    token = config["token"] or tokenizer.mask_token
    return Expansion(config["length"], tokenizer.convert_tokens_to_ids(token), config["attend"])


@dataclass(frozen=True, slots=True)
class Backbone:
    """A transformer, the modules behind it, (query, passage) prompts and the words of passages that get no vector.

    unit_length: whether the vector of a text is compared by its direction alone.
    """

    transformer: Any
    head: tuple[nn.Module, ...]
    prompts: tuple[str, str]
    skip: tuple[str, ...] = tuple(string.punctuation)
    unit_length: bool = True

    @property
    def network(self) -> nn.Module:
        """The network of transformers, without a head."""
        network: nn.Module = self.transformer.auto_model
        return network

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""
        return self.transformer.tokenizer


def _bi_encoder_backbone(source: ModelSource, device: str, route: str | None) -> Backbone:
    """That of a SentenceTransformer folder or of a bare backbone; of an asymmetric folder, that of this route."""
    model = _load(SentenceTransformer, source, device)
    modules = list(model) if route is None else [*_modules_of(route, model[0], source), *list(model)[1:]]
    transformer, head = _transformer_and_head(modules, source)
    unit_length = model.similarity_fn_name != "dot" or any(isinstance(module, Normalize) for module in head)
    return Backbone(transformer, head, role_prompts(model.prompts), unit_length=unit_length)


def _colbert_backbone(source: ModelSource, device: str) -> Backbone:
    """That of a ColBERT folder: its projection is the head, its mask the skip list."""
    model = _load(MultiVectorEncoder, source, device)
    transformer, behind = _transformer_and_head(list(model), source)
    skip = [word for module in behind if isinstance(module, MultiVectorMask) for word in module.skiplist_words]
    head = tuple(module for module in behind if not isinstance(module, MultiVectorMask))
    return Backbone(transformer, head, role_prompts(model.prompts), skip=tuple(skip))


def _load(kind: type[Any], source: ModelSource, device: str) -> Any:
    _require_modules(source)
    _require_size(source)
    with quiet():
        try:
            options = {"attn_implementation": _ATTENTION[device]}
            model = kind(str(source.folder), device="cpu", local_files_only=True, model_kwargs=options)
            _require_weights(model, source)
        except _UNLOADABLE as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ModelError(f"{source.folder}: no model that can be loaded ({reason}); name another.") from error
    return model


def _require_size(source: ModelSource) -> None:
    for path in source.folder.glob("**/config.json"):
        config = read_config(path)
        for name, largest in _LARGEST.items() if isinstance(config, dict) else ():
            if isinstance(config.get(name), int | float) and config[name] > largest:
                raise ModelError(f"{path}: {name} = {config[name]} is no size of a network; name another model.")


def _require_weights(model: nn.Module, source: ModelSource) -> None:
    """ModelError where most of a network has no weights in the folder, as under the configuration of another kind.

    transformers would make them up: random numbers, which rank at random. A prefix of a name makes no difference.
    """
    stored = set[str]()
    for path in source.folder.glob("**/*.safetensors"):
        with safe_open(path, framework="numpy") as weights:
            parts = [name.split(".") for name in weights.keys()]  # noqa: SIM118, it is no dict
        stored |= {".".join(name[start:]) for name in parts for start in range(len(name))}
    transformers = [module for module in model.modules() if isinstance(module, Transformer)]
    names = [name for transformer in transformers for name, _ in transformer.auto_model.named_parameters()]
    if stored and 2 * sum(name in stored for name in names) < len(names):
        raise ModelError(
            f"{source.folder}: the weights are not those of the network that config.json describes "
            f"({len(names)} parts, {sum(name in stored for name in names)} with weights); name another model."
        )


def _require_modules(source: ModelSource) -> None:
    """ModelError where a module that the folder names is not in there; Normalize has no files, and often no folder."""
    for module in read_config(source.folder / "modules.json") or ():
        if not (source.folder / module["path"]).is_dir() and not module["type"].endswith(".Normalize"):
            raise ModelError(
                f"{source.folder}: its part {module['path']} is missing; use the model's files as training saved them."
            )


def _modules_of(route: str, router: Any, source: ModelSource) -> list[nn.Module]:
    if not isinstance(router, Router) or set(router.sub_modules) != set(_ROUTES.values()) or router.route_mappings:
        raise ModelError(
            f"{source.folder}: a router whose routes are not just `query` and `document`; "
            "save one that Router.for_query_document made."
        )
    return list(router.sub_modules[route].children())


def _transformer_and_head(modules: list[nn.Module], source: ModelSource) -> tuple[Transformer, tuple[nn.Module, ...]]:
    transformer, *head = modules
    if isinstance(transformer, Router):
        raise ModelError(
            f"{source.folder}: has separate encoders for queries and passages, which a re-ranker cannot have: "
            "name a model with one encoder."
        )
    if not isinstance(transformer, Transformer):
        kind = type(transformer).__name__
        raise ModelError(f"{source.folder}: begins with a {kind}, where one transformer is needed; name another model.")
    return transformer, tuple(head)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars, notices and warnings that loading and tracing print."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def positions(config: Any) -> int:
    """How many tokens a backbone of this configuration reads."""
    count = int(getattr(config, "max_position_embeddings", 512))
    # RoBERTa-like backbones count positions from the padding id + 1, so two of them are never used.
    return count - 2 if config.model_type in {"roberta", "xlm-roberta", "camembert"} else count
