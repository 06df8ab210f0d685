"""Which weights change and how: all of them, or low-rank matrices beside them (LoRA). Knows no loss and no data.

sentence-transformers' own `add_adapter` reaches the first route of a `Router` only; here every transformer of a model
is adapted, and merged again before it is saved, so that the folder is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from osler.errors import UsageError, require
from osler.models.adapter import LowRank
from osler.train.fitting.backbone import backbones
from osler.train.settings import TuningSettings

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


def lora_matrices(model: nn.Module, *, keep: float = 1.0) -> tuple[dict[str, LowRank], float]:
    """The changes of a model with one transformer, by the layer's name in there, and the scale they are added with.

    Called before `merge`, with the same keep. No changes where all weights were trained.
    """
    (backbone,) = backbones(model).values()
    layers = dict(_lora_layers(backbone))
    changes = {name: LowRank(a=_matrix(layer.lora_A), b=_matrix(layer.lora_B)) for name, layer in layers.items()}
    scales = {layer.scaling[_ADAPTER] for layer in layers.values()}
    return changes, keep * (scales.pop() if scales else 1.0)


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


def _merge_lora(backbone: nn.Module, keep: float) -> None:
    for name, layer in list(_lora_layers(backbone)):
        layer.scale_layer(keep)
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(backbone.get_submodule(parent), last, layer.get_base_layer())
    if hasattr(backbone, "peft_config"):
        delattr(backbone, "peft_config")


def _lora_layers(backbone: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in backbone.named_modules() if hasattr(module, "lora_A"))


def _matrix(adapters: Any) -> Any:
    return adapters[_ADAPTER].weight.detach().cpu().float().numpy().copy()
