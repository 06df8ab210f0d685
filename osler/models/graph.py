"""A sentence-transformers model as one torch module that returns every head's vectors, and its spec.

Loads sentence-transformers, which takes seconds; a model that has been converted needs none of it.
"""

from __future__ import annotations

import logging
import string
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import Tensor, nn

from osler.errors import ModelError
from osler.models.bi_encoder import VECTORS
from osler.models.catalog import ModelSource
from osler.models.colbert import TOKEN_VECTORS
from osler.models.text_model import Expansion, Outputs, Run, TextModelSpec, TokenBatch


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with its heads, the spec of its texts, and its tokenizer as JSON."""

    module: nn.Module
    heads: tuple[str, ...]
    spec: TextModelSpec
    tokenizer: str


class _Heads(nn.Module):
    """(ids [B, T], mask [B, T]) -> the vectors of each head, in the order of their names."""

    def __init__(self, backbone: nn.Module, heads: dict[str, Sequence[nn.Module]]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({name: nn.ModuleList(modules) for name, modules in heads.items()})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # [B, T, h]
        return tuple(_apply(head, name, hidden, attention_mask) for name, head in self.heads.items())


def _apply(head: nn.Module, name: str, hidden: Tensor, mask: Tensor) -> Tensor:
    features = {"token_embeddings": hidden, "attention_mask": mask}
    for module in head.children():
        features = module(features)
    vectors = features["sentence_embedding" if name == VECTORS else "token_embeddings"]
    return nn.functional.normalize(vectors, dim=-1)


class _Projection(nn.Module):
    """Token vectors times a fixed matrix [h, d]."""

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.from_numpy(matrix.astype(np.float32)), requires_grad=False)

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**features, "token_embeddings": features["token_embeddings"] @ self.matrix}


# Traced SDPA gives NaN where a window of local attention holds only padding; eager masks with a finite number.
_ATTENTION: Final = {"cpu": "eager", "cuda": "sdpa"}


def bi_encoder_graph(source: ModelSource, device: str) -> Graph:
    """The network of a sentence-transformers folder, or of a bare backbone with mean pooling."""
    model = _load(SentenceTransformer, source, device)
    _require_single_tower(model, source)
    return _graph(model, {VECTORS: list(model)[1:]})


def colbert_graph(source: ModelSource, device: str) -> Graph:
    """The network of a ColBERT folder (sentence-transformers, PyLate, Stanford), or of a backbone without a head.

    A backbone without a head keeps its own token vectors but those of punctuation, projected where a projection is
    shipped for it.
    """
    if not source.has_token_head:
        model = _load(SentenceTransformer, source, device)
        _require_single_tower(model, source)
        return _graph(model, {TOKEN_VECTORS: _projection(source)})
    model = _load(MultiVectorEncoder, source, device)
    _require_single_tower(model, source)
    return _graph(model, {TOKEN_VECTORS: [m for m in list(model)[1:] if not isinstance(m, MultiVectorMask)]})


def pair_graph(source: ModelSource, device: str) -> Graph:
    """Both heads on one backbone: what `bi_encoder_graph` and `colbert_graph` give, in one pass."""
    model = _load(SentenceTransformer, source, device)
    _require_single_tower(model, source)
    return _graph(model, {VECTORS: list(model)[1:], TOKEN_VECTORS: _projection(source)})


def torch_run(graph: Graph, device: str) -> Run:
    """The function that runs the graph in torch on this device, in bfloat16 where that is not the CPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("models.device = 'cuda' is not possible: torch finds no GPU here; use --device cpu.")
    module = graph.module.to(device).eval()
    half = torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu")

    def run(batches: Sequence[TokenBatch]) -> Iterator[Outputs]:
        for batch in batches:
            with torch.inference_mode(), half:
                vectors = module(torch.from_numpy(batch.ids).to(device), torch.from_numpy(batch.mask).to(device))
            yield {name: tensor.float().cpu().numpy() for name, tensor in zip(graph.heads, vectors, strict=True)}

    return run


def _load(kind: type[Any], source: ModelSource, device: str) -> Any:
    with quiet():
        try:
            options = {"attn_implementation": _ATTENTION[device]}
            return kind(str(source.folder), device="cpu", local_files_only=True, model_kwargs=options)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"{source.folder}: no model that can be loaded ({reason}); name another.") from error


def _require_single_tower(model: Any, source: ModelSource) -> None:
    if isinstance(model[0], Transformer):
        return
    kind = type(model[0]).__name__
    raise ModelError(f"{source.folder}: begins with a {kind}, where one transformer is needed; name another model.")


def _projection(source: ModelSource) -> list[nn.Module]:
    return [_Projection(np.load(source.projection))] if source.projection else []


def _graph(model: Any, heads: dict[str, list[nn.Module]]) -> Graph:
    module = _Heads(model[0].auto_model, {name: list(modules) for name, modules in heads.items()}).eval()
    with quiet(), torch.inference_mode():
        shapes = [vectors.shape[-1] for vectors in module(torch.ones(1, 4).long(), torch.ones(1, 4).long())]
    dims = dict(zip(heads, shapes, strict=True))
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(f"{type(model.tokenizer).__name__} has no fast form (tokenizer.json); convert it first.")
    return Graph(module, tuple(heads), _spec(model, dims), backend.to_str())


def _spec(model: Any, dims: dict[str, int]) -> TextModelSpec:
    transformer, tokenizer = model[0], model.tokenizer
    masks = [module for module in model if isinstance(module, MultiVectorMask)]
    skipped = masks[0].skiplist_words if masks else list(string.punctuation)
    prompts = model.prompts
    passage_names = [name for name in ("document", "passage", "corpus") if prompts.get(name)]
    return TextModelSpec(
        query_prompt=prompts.get("query") or "",
        passage_prompt=prompts[passage_names[0]] if passage_names else "",
        max_tokens=_positions(transformer),
        pad=tokenizer.pad_token_id or 0,
        vector_dim=dims.get(VECTORS, 0),
        token_dim=dims.get(TOKEN_VECTORS, 0),
        skip=_token_ids(tokenizer, skipped),
        expansion=_expansion(transformer.query_expansion, tokenizer),
    )


def _token_ids(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    """The ids of those words that are one token each."""
    ids = [tokenizer.convert_tokens_to_ids(word) for word in words]
    return tuple(number for number in ids if number is not None and number != tokenizer.unk_token_id)


def _positions(transformer: Any) -> int:
    config = transformer.auto_model.config
    positions = int(getattr(config, "max_position_embeddings", 512))
    # RoBERTa-like backbones count positions from the padding id + 1, so two of them are never used.
    return positions - 2 if config.model_type in {"roberta", "xlm-roberta", "camembert"} else positions


def _expansion(config: dict[str, Any] | None, tokenizer: Any) -> Expansion | None:
    if config is None:
        return None
    token = config["token"] or tokenizer.mask_token
    return Expansion(config["length"], tokenizer.convert_tokens_to_ids(token), config["attend"])


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
