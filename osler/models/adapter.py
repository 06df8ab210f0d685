"""Adapters: low-rank changes (LoRA) to the linear layers of a backbone, in one small file. Knows no catalog, no peft.

A file holds, for each changed layer, `<layer>.lora_a` [r, in] and `<layer>.lora_b` [out, r] under the layer's own name
in the backbone (`encoder.layer.0.attention.self.query`); for a re-ranker `token_projection` [h, d]; and JSON in the
metadata. Reading needs numpy only, merging needs torch (Hu et al., 2021: W + scale * B A).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from osler.errors import ModelError
from osler.files import written_whole
from osler.models.digests import weights_digest
from osler.models.model_card import RerankerCard, from_json

if TYPE_CHECKING:
    from torch import Tensor, nn

_METADATA: Final = "osler"
_A, _B, _PROJECTION = ".lora_a", ".lora_b", "token_projection"

Matrix = NDArray[np.floating[Any]]
"""float32, or float16 to save space."""


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The change of one linear layer: b @ a, where a is [r, in] and b is [out, r]. ValueError where they do not fit."""

    a: Matrix
    b: Matrix

    def __post_init__(self) -> None:
        if self.a.ndim != 2 or self.b.ndim != 2 or self.b.shape[1] != self.a.shape[0]:
            raise ValueError(f"lora_a {self.a.shape} and lora_b {self.b.shape} do not fit: give [r, in] and [out, r].")

    @property
    def shape(self) -> tuple[int, int]:
        """[out, in], that of the layer's weight."""
        return self.b.shape[0], self.a.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """What changes a backbone into a retriever or a re-ranker.

    weights: the digest of the backbone's weights (`digests.weights_digest`), the only ones that it fits.
    token_projection: [h, d], `reranker`: what it was trained with; both for a re-ranker only.

    >>> change = LowRank(a=np.ones((2, 3), dtype=np.float32), b=np.ones((4, 2), dtype=np.float32))
    >>> change.shape
    (4, 3)
    >>> Adapter({"encoder.0": change}, scale=2.0, weights="ab12").lora_digest != ""
    True
    """

    layers: Mapping[str, LowRank]
    scale: float
    weights: str
    token_projection: Matrix | None = None
    reranker: RerankerCard | None = None

    @property
    def lora_digest(self) -> str:
        """Equal for equal changes to the backbone; empty where there is none."""
        if not self.layers:
            return ""
        digest = hashlib.sha256(f"{float(self.scale)}".encode())
        for name, change in sorted(self.layers.items()):
            for matrix in (change.a, change.b):
                digest.update(f"{name} {matrix.shape}".encode())
                digest.update(_float32(matrix).tobytes())
        return digest.hexdigest()

    @property
    def digest(self) -> str:
        """Equal for adapters that give equal vectors, whatever weights and thresholds go with their scores."""
        digest = hashlib.sha256(self.lora_digest.encode())
        if self.token_projection is not None:
            digest.update(f"{self.token_projection.shape}".encode())
            digest.update(_float32(self.token_projection).tobytes())
        if self.reranker is not None:
            digest.update(self.reranker.shaping.encode())
        return digest.hexdigest()


class _Metadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    scale: float
    weights: str
    reranker: RerankerCard | None = None


def on_top(base: Adapter, change: Adapter) -> Adapter:
    """Both changes as one adapter of the base's backbone: what `change` learned on that backbone with `base` merged.

    The matrices of a layer that both change lie side by side, so its rank is the sum of theirs.

    >>> once = LowRank(a=np.ones((1, 2), dtype=np.float32), b=np.ones((2, 1), dtype=np.float32))
    >>> both = on_top(Adapter({"0": once}, scale=2.0, weights="ab"), Adapter({"0": once}, scale=1.0, weights="cd"))
    >>> both.scale * both.layers["0"].b @ both.layers["0"].a
    array([[3., 3.],
           [3., 3.]], dtype=float32)
    """
    layers, share = dict(base.layers), np.float32(change.scale / base.scale)
    for name, added in change.layers.items():
        a, b = _float32(added.a), _float32(added.b) * share
        if below := layers.get(name):  # b1 @ a1 + share * b2 @ a2
            a, b = np.vstack([_float32(below.a), a]), np.hstack([_float32(below.b), b])
        layers[name] = LowRank(a, b)
    return Adapter(layers, base.scale, base.weights, change.token_projection, change.reranker)


def write_adapter(path: Path, adapter: Adapter) -> None:
    """Write the adapter to this file, in the precision that its matrices have."""
    tensors = {name + _A: change.a for name, change in adapter.layers.items()}
    tensors |= {name + _B: change.b for name, change in adapter.layers.items()}
    if adapter.token_projection is not None:
        tensors[_PROJECTION] = adapter.token_projection
    metadata = _Metadata(scale=adapter.scale, weights=adapter.weights, reranker=adapter.reranker)
    contiguous = {name: np.ascontiguousarray(matrix) for name, matrix in tensors.items()}
    with written_whole(path) as unfinished:
        save_file(contiguous, unfinished, metadata={_METADATA: metadata.model_dump_json()})
        unfinished.chmod(0o644)  # safetensors lets nobody else read it


def read_adapter(path: Path) -> Adapter:
    """The adapter in this file; ModelError where there is none that this osler reads."""
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_METADATA)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (OSError, SafetensorError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: no adapter that can be read ({reason}); write it again.") from error
    if text is None:
        raise ModelError(f"{path}: a file without osler's metadata; name an adapter that osler wrote.")
    metadata = from_json(_Metadata, text, path=path)
    projection = tensors.pop(_PROJECTION, None)
    try:
        names = {name.removesuffix(_A).removesuffix(_B) for name in tensors}
        layers = {name: LowRank(tensors.pop(name + _A), tensors.pop(name + _B)) for name in sorted(names)}
    except KeyError as error:
        raise ModelError(f"{path}: the matrix {error} is missing; write the adapter again.") from error
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error
    return Adapter(layers, metadata.scale, metadata.weights, projection, metadata.reranker)


def merge_adapter(backbone: nn.Module, adapter: Adapter, *, folder: Path) -> None:
    """Add scale * B A to the weight of every layer that the adapter names, in float32, in place.

    folder: where the backbone was loaded from. ModelError, before any weight changes, where its weights are not those
    that the adapter belongs to, a layer is missing, or a shape does not fit.
    """
    import torch

    if (digest := weights_digest(folder)) != adapter.weights:
        raise ModelError(
            f"{folder}: the adapter belongs to other weights ({adapter.weights[:12]}, not {digest[:12]}): "
            "name the backbone that it was trained on."
        )
    modules = dict(backbone.named_modules())
    weights = {name: _weight(modules.get(name), name, change.shape) for name, change in adapter.layers.items()}
    with torch.no_grad():
        for name, change in adapter.layers.items():
            delta = adapter.scale * (_float32(change.b) @ _float32(change.a))
            weights[name].copy_(weights[name].float() + torch.from_numpy(delta))


def _weight(layer: nn.Module | None, name: str, shape: tuple[int, int]) -> Tensor:
    from torch import nn

    if not isinstance(layer, nn.Linear):
        raise ModelError(f"{name!r} is no linear layer of the backbone: merge the adapter into the one it belongs to.")
    if tuple(layer.weight.shape) != shape:
        size = list(layer.weight.shape)
        raise ModelError(f"{name!r} is {size}, its adapter {list(shape)}: merge it into the backbone it belongs to.")
    return layer.weight


def _float32(matrix: Matrix) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix, dtype=np.float32)
