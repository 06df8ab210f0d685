"""From the name of a backbone to trainable sentence-transformers modules. Knows no loss and no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import nn

from osler.errors import ModelError
from osler.models.catalog import resolve
from osler.models.digests import read_config
from osler.models.export import positions, quiet
from osler.train.settings import RetrieverSettings

_PASSAGE_ROUTE = "document"


def load_transformer(name: str, *, max_tokens: int) -> Transformer:
    """The transformer of a short name, folder or hub name, in float32; of a model with two, that of the passages.

    Texts are cut to max_tokens, or to what its positions allow. ModelError where there is none to load.
    """
    folder = resolve(name).folder
    with quiet():
        try:
            transformer: Transformer = _first_transformer(folder)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"{folder}: no backbone that can be trained ({reason}); name another.") from error
    transformer.max_seq_length = min(max_tokens, positions(transformer.auto_model.config))
    return transformer


def load_retriever(name: str, settings: RetrieverSettings) -> SentenceTransformer:
    """A bi-encoder on this backbone, on the CPU: its pooling, one or two encoders, unit vectors for cosine.

    The prompts of a folder that sentence-transformers wrote are kept.
    """
    heads: list[nn.Module] = [Normalize()] if settings.similarity == "cosine" else []
    if settings.separate_encoders:
        router = Router.for_query_document(_encoder(name, settings), _encoder(name, settings))
        modules: list[nn.Module] = [router, *heads]
    else:
        modules = [*_encoder(name, settings), *heads]
    saved = read_config(resolve(name).folder / "config_sentence_transformers.json")
    return SentenceTransformer(
        modules=modules, device="cpu", similarity_fn_name=settings.similarity, prompts=saved.get("prompts")
    )


def lift_cap(model: nn.Module) -> None:
    """From now on, as in search, only a backbone's positions limit a text, whatever training cut texts to."""
    for module in model.modules():
        if isinstance(module, Transformer):
            module.max_seq_length = positions(module.auto_model.config)


def backbones(model: nn.Module) -> dict[str, nn.Module]:
    """The Hugging Face model of every transformer in there, by the name of its module: one, or one a route."""
    return {name: module.auto_model for name, module in model.named_modules() if isinstance(module, Transformer)}


def _encoder(name: str, settings: RetrieverSettings) -> list[Any]:
    transformer = load_transformer(name, max_tokens=settings.max_tokens)
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=settings.pooling)]


def _first_transformer(folder: Path) -> Any:
    # Weights that were saved in half precision would be trained in it, and small steps would be lost.
    modules = read_config(folder / "modules.json")
    if not modules:
        local: dict[str, Any] = {"local_files_only": True}
        dtype = {"dtype": torch.float32, **local}
        return Transformer(str(folder), model_kwargs=dtype, processor_kwargs=local, config_kwargs=local)
    options: dict[str, Any] = {"model_kwargs": {"dtype": torch.float32}, "local_files_only": True}
    kind, subfolder = modules[0]["type"], modules[0]["path"]
    if not kind.endswith("Router"):
        return Transformer.load(str(folder), subfolder=subfolder, **options)
    router: Any = Router.load(str(folder), subfolder=subfolder, **options)
    return router.sub_modules[_PASSAGE_ROUTE][0]
