"""A backbone as trainable sentence-transformers modules, and which of its weights change. Knows no loss and no data.

Trained are all weights, or low-rank matrices beside them (LoRA), or the head alone. sentence-transformers' own
`add_adapter` reaches the first route of a `Router` only; here every transformer of a model is adapted, and merged again
before it is saved, so that the folder is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor, nn

from osler.errors import ModelError, UsageError, require
from osler.models.adapter import LowRank
from osler.models.catalog import resolve
from osler.models.digests import read_config
from osler.models.export import positions, quiet
from osler.train.settings import RetrieverSettings, TuningSettings


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


_PASSAGE_ROUTE = "document"


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


def _encoder(name: str, settings: RetrieverSettings) -> list[Any]:
    transformer = load_transformer(name, max_tokens=settings.max_tokens)
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=settings.pooling)]


def lift_cap(model: nn.Module) -> None:
    """From now on, as in search, only a backbone's positions limit a text, whatever training cut texts to."""
    for module in model.modules():
        if isinstance(module, Transformer):
            module.max_seq_length = positions(module.auto_model.config)


def backbones(model: nn.Module) -> dict[str, nn.Module]:
    """The Hugging Face model of every transformer in there, by the name of its module: one, or one a route."""
    return {name: module.auto_model for name, module in model.named_modules() if isinstance(module, Transformer)}


_ADAPTER: Final = "default"
_LORA: Final = ("lora_A", "lora_B")
_START: Final = "_start_weights"


def adapt(model: nn.Module, tuning: TuningSettings) -> None:
    """Make trainable what is to be trained, in place.

    full: every weight. lora: matrices beside the linear layers of every transformer, and every weight outside the
    transformers (a re-ranker's projection). head: the latter alone. UsageError where a name of tuning.targets fits no
    layer, or nothing would be trained.
    """
    # With dropout, attention on a CPU takes the slow path, which costs as much again as everything else.
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.requires_grad_(tuning.method != "head")
    if tuning.method == "head":
        _unfreeze_heads(model)
    if tuning.method == "lora":
        for backbone in backbones(model).values():
            _inject(backbone, tuning)
    # Where training began, for `merge` to interpolate with; matrices of LoRA begin at no change.
    start = {
        name: weight.detach().cpu().clone()
        for name, weight in trainable(model)
        if not set(_LORA) & set(name.split("."))
    }
    setattr(model, _START, start)


def _unfreeze_heads(model: nn.Module) -> None:
    inside = {id(weight) for backbone in backbones(model).values() for weight in backbone.parameters()}
    heads = [weight for weight in model.parameters() if id(weight) not in inside]
    if not heads:
        raise UsageError('tuning.method = "head" trains nothing here: the model has no projection; use lora or full.')
    for weight in heads:
        weight.requires_grad_(True)


def _inject(backbone: nn.Module, tuning: TuningSettings) -> None:
    peft = require("peft", extra="train")
    config = peft.LoraConfig(
        r=tuning.rank,
        lora_alpha=tuning.alpha,
        lora_dropout=0.0,
        target_modules=target_layers(backbone, tuning.targets),
    )
    backbone.requires_grad_(False)
    peft.inject_adapter_in_model(config, backbone, adapter_name=_ADAPTER)


def target_layers(backbone: nn.Module, targets: tuple[str, ...]) -> list[str]:
    """The full names of the linear layers in the encoder's blocks that end with one of these names; all by default.

    UsageError where a name fits none of them.
    """
    # Numbered blocks (`encoder.layer.3`, `layers.3`) leave out a pooler; behind the number is what a layer is called.
    inside: dict[str, str] = {}
    for name, module in backbone.named_modules():
        parts = name.split(".")
        number = next((index for index, part in enumerate(parts) if part.isdigit()), None)
        if isinstance(module, nn.Linear) and number is not None:
            inside[name] = ".".join(parts[number + 1 :])
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in inside):
            layers = ", ".join(sorted(set(inside.values())))
            raise UsageError(f"tuning.targets: no linear layer is called {target!r}; the backbone has {layers}.")
    return [name for name in inside if not targets or any(f".{name}".endswith(f".{target}") for target in targets)]


def trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The weights that training changes, by name."""
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def merge(model: nn.Module, *, keep: float = 1.0) -> None:
    """Make an adapted model an ordinary one, with this share of what it learned: start + keep * change, in place."""
    start: dict[str, Tensor] = getattr(model, _START)
    with torch.no_grad():
        for name, weight in trainable(model):
            if name in start and keep < 1.0:
                weight.lerp_(start[name].to(weight.device), 1.0 - keep)
        for backbone in backbones(model).values():
            _merge_lora(backbone, keep)
    delattr(model, _START)
    model.requires_grad_(True)


def _merge_lora(backbone: nn.Module, keep: float) -> None:
    for name, layer in list(_lora_layers(backbone)):
        layer.scale_layer(keep)
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(backbone.get_submodule(parent), last, layer.get_base_layer())
    if hasattr(backbone, "peft_config"):
        delattr(backbone, "peft_config")


def lora_matrices(model: nn.Module, *, keep: float = 1.0) -> tuple[dict[str, LowRank], float]:
    """The changes of a model with one transformer, by the layer's name in there, and the scale they are added with.

    Called before `merge`, with the same keep. No changes where all weights were trained.
    """
    (backbone,) = backbones(model).values()
    layers = dict(_lora_layers(backbone))
    changes = {name: LowRank(a=_matrix(layer.lora_A), b=_matrix(layer.lora_B)) for name, layer in layers.items()}
    scales = {layer.scaling[_ADAPTER] for layer in layers.values()}
    return changes, keep * (scales.pop() if scales else 1.0)


def _lora_layers(backbone: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in backbone.named_modules() if hasattr(module, "lora_A"))


def _matrix(adapters: Any) -> Any:
    return adapters[_ADAPTER].weight.detach().cpu().float().numpy().copy()
