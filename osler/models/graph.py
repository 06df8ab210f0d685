"""A model as one torch module that returns every head's vectors, its adapter merged, and the spec of its texts.

Loads sentence-transformers, which takes seconds; a model that has been converted needs none of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osler.errors import ModelError
from osler.models.adapter import Matrix, merge_adapter
from osler.models.bi_encoder import VECTORS
from osler.models.catalog import Job, ModelSource
from osler.models.colbert import TOKEN_VECTORS
from osler.models.text_model import Expansion, Outputs, Role, Run, TextModelSpec, TokenBatch
from osler.models.tower import Tower, bi_encoder_tower, colbert_tower, positions, quiet


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with its heads, the spec of its texts, and its tokenizer as JSON."""

    module: nn.Module
    heads: tuple[str, ...]
    spec: TextModelSpec
    tokenizer: str


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


def bi_encoder_graph(source: ModelSource, device: str, role: Role | None = None) -> Graph:
    """The network of a sentence-transformers folder, or of a bare backbone with mean pooling.

    role: the side of an asymmetric folder, which has a network a side; None for any other.
    """
    tower = bi_encoder_tower(source, device, role)
    _merge(tower, source, "encoder")
    return _graph(tower, {VECTORS: tower.head})


def colbert_graph(source: ModelSource, device: str) -> Graph:
    """The network of a ColBERT folder (sentence-transformers, PyLate, Stanford), or of a backbone without a head.

    A backbone without a head takes the adapter, or the projection, that osler has for it. Where it has neither, it
    keeps its own token vectors but those of punctuation.
    """
    if source.has_token_head:
        tower = colbert_tower(source, device)
        return _graph(tower, {TOKEN_VECTORS: tower.head})
    tower = _adapted(bi_encoder_tower(source, device), source)
    return _graph(tower, {TOKEN_VECTORS: _token_head(source)})


def pair_graph(source: ModelSource, device: str) -> Graph:
    """Both heads on one backbone: what `bi_encoder_graph` and `colbert_graph` give, in one pass."""
    tower = _adapted(bi_encoder_tower(source, device), source)
    return _graph(tower, {VECTORS: tower.head, TOKEN_VECTORS: _token_head(source)})


def torch_run(graph: Graph, device: str, *, half: bool = True) -> Run:
    """The function that runs the graph in torch on this device; half: in bfloat16, where that is not the CPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("models.device = 'cuda' is not possible: torch finds no GPU here; use --device cpu.")
    module = graph.module.to(device).eval()
    autocast = torch.autocast(device, dtype=torch.bfloat16, enabled=half and device != "cpu")

    def run(batches: Sequence[TokenBatch]) -> Iterator[Outputs]:
        for batch in batches:
            with torch.inference_mode(), autocast:
                vectors = module(torch.from_numpy(batch.ids).to(device), torch.from_numpy(batch.mask).to(device))
            yield {name: tensor.float().cpu().numpy() for name, tensor in zip(graph.heads, vectors, strict=True)}

    return run


def _merge(tower: Tower, source: ModelSource, job: Job) -> None:
    if adapter := source.adapter(job):
        merge_adapter(tower.backbone, adapter, folder=source.folder)


def _adapted(tower: Tower, source: ModelSource) -> Tower:
    """The tower as the re-ranker's adapter has it: its low-rank changes merged, its markers, its skip list."""
    _merge(tower, source, "reranker")
    adapter = source.adapter("reranker")
    if adapter is None or adapter.reranker is None:
        return tower
    return replace(tower, prompts=adapter.reranker.markers, skip=adapter.reranker.skip)


def _token_head(source: ModelSource) -> list[nn.Module]:
    adapter = source.adapter("reranker")
    if adapter and adapter.token_projection is not None:
        return [_Projection(adapter.token_projection)]
    return [_Projection(np.load(source.projection))] if source.projection else []


def _graph(tower: Tower, heads: Mapping[str, Sequence[nn.Module]]) -> Graph:
    raw = set() if tower.unit_length else {VECTORS}
    module = _Heads(tower.backbone, heads, raw=raw).eval()
    with quiet(), torch.inference_mode():
        shapes = [vectors.shape[-1] for vectors in module(torch.ones(1, 4).long(), torch.ones(1, 4).long())]
    backend = getattr(tower.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(f"{type(tower.tokenizer).__name__} has no fast form (tokenizer.json); convert it first.")
    spec = _spec(tower, dict(zip(heads, shapes, strict=True)), _projection_shape(heads.get(TOKEN_VECTORS, ())))
    return Graph(module, tuple(heads), spec, backend.to_str())


def _spec(tower: Tower, dims: Mapping[str, int], projection: tuple[int, int] | None) -> TextModelSpec:
    return TextModelSpec(
        query_prompt=tower.prompts[0],
        passage_prompt=tower.prompts[1],
        max_tokens=positions(tower.backbone.config),
        pad=tower.tokenizer.pad_token_id or 0,
        vector_dim=dims.get(VECTORS, 0),
        token_dim=dims.get(TOKEN_VECTORS, 0),
        skip=_token_ids(tower.tokenizer, tower.skip),
        expansion=_expansion(tower.transformer.query_expansion, tower.tokenizer),
        projection=projection,
        unit_length=tower.unit_length,
    )


def _projection_shape(head: Sequence[nn.Module]) -> tuple[int, int] | None:
    linear = [layer for module in head for layer in module.modules() if isinstance(layer, nn.Linear)]
    return (linear[0].in_features, linear[-1].out_features) if linear else None


def _token_ids(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    """The ids of those words that are one token each."""
    ids = [tokenizer.convert_tokens_to_ids(word) for word in words]
    return tuple(number for number in ids if number is not None and number != tokenizer.unk_token_id)


def _expansion(config: dict[str, Any] | None, tokenizer: Any) -> Expansion | None:
    if config is None:
        return None
    token = config["token"] or tokenizer.mask_token
    return Expansion(config["length"], tokenizer.convert_tokens_to_ids(token), config["attend"])
