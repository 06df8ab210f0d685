"""One transformer of a sentence-transformers folder, with its head and how its texts are written.

Knows sentence-transformers' modules; knows nothing of adapters, of tracing, or of batches.
"""

from __future__ import annotations

import logging
import string
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import nn

from osler.errors import ModelError
from osler.models.catalog import ModelSource, role_prompts
from osler.models.digests import read_json
from osler.models.text_model import Role

# Traced SDPA gives NaN where a window of local attention holds only padding; eager masks with a finite number.
_ATTENTION: Final = {"cpu": "eager", "cuda": "sdpa"}
_UNLOADABLE: Final = (
    *(
        OSError,
        ValueError,
        LookupError,
        RuntimeError,
        TypeError,
        AttributeError,
        EOFError,
        ArithmeticError,
        MemoryError,
    ),
)
_UNREADABLE: Final = (UnpicklingError, SafetensorError)
"""What damaged or pickled weights and foreign configurations make the libraries raise."""

_LARGEST: Final = {
    **{"num_hidden_layers": 1000, "num_layers": 1000, "hidden_size": 100_000, "intermediate_size": 1_000_000},
    **{"vocab_size": 10_000_000, "max_position_embeddings": 10_000_000},
}
"""Numbers of a configuration beyond which a network is none, but would be built for hours, or fill the memory."""

_ROUTES: Final = {"query": "query", "passage": "document"}  # the names that Router.for_query_document gives


@dataclass(frozen=True, slots=True)
class Tower:
    """A transformer, the modules behind it, (query, passage) prompts and the words of passages that get no vector.

    unit_length: whether the vector of a text is compared by its direction alone.
    """

    transformer: Any
    head: tuple[nn.Module, ...]
    prompts: tuple[str, str]
    skip: tuple[str, ...] = tuple(string.punctuation)
    unit_length: bool = True

    @property
    def backbone(self) -> nn.Module:
        """The network of transformers, without a head."""
        network: nn.Module = self.transformer.auto_model
        return network

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""
        return self.transformer.tokenizer


def bi_encoder_tower(source: ModelSource, device: str, role: Role | None = None) -> Tower:
    """The tower of a SentenceTransformer folder or of a bare backbone; of an asymmetric one that of this role."""
    model = _load(SentenceTransformer, source, device)
    modules = list(model) if role is None else [*_route(model[0], source, role), *list(model)[1:]]
    transformer, head = _divide(modules, source)
    unit_length = model.similarity_fn_name != "dot" or any(isinstance(module, Normalize) for module in head)
    return Tower(transformer, head, role_prompts(model.prompts), unit_length=unit_length)


def colbert_tower(source: ModelSource, device: str) -> Tower:
    """The tower of a ColBERT folder: its projection is the head, its mask the skip list."""
    model = _load(MultiVectorEncoder, source, device)
    transformer, behind = _divide(list(model), source)
    skip = [word for module in behind if isinstance(module, MultiVectorMask) for word in module.skiplist_words]
    head = tuple(module for module in behind if not isinstance(module, MultiVectorMask))
    return Tower(transformer, head, role_prompts(model.prompts), skip=tuple(skip))


def _load(kind: type[Any], source: ModelSource, device: str) -> Any:
    _require_modules(source)
    _require_size(source)
    with quiet():
        try:
            options = {"attn_implementation": _ATTENTION[device]}
            model = kind(str(source.folder), device="cpu", local_files_only=True, model_kwargs=options)
            _require_weights(model, source)
        except (*_UNLOADABLE, *_UNREADABLE) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ModelError(f"{source.folder}: no model that can be loaded ({reason}); name another.") from error
    return model


def _require_size(source: ModelSource) -> None:
    for path in source.folder.glob("**/config.json"):
        config = read_json(path)
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
    for module in read_json(source.folder / "modules.json") or ():
        if not (source.folder / module["path"]).is_dir() and not module["type"].endswith(".Normalize"):
            raise ModelError(
                f"{source.folder}: its part {module['path']} is missing; use the model's files as training saved them."
            )


def _route(first: Any, source: ModelSource, role: Role) -> list[nn.Module]:
    if not isinstance(first, Router) or set(first.sub_modules) != set(_ROUTES.values()) or first.route_mappings:
        raise ModelError(
            f"{source.folder}: a router whose routes are not just `query` and `document`; "
            "save one that Router.for_query_document made."
        )
    return list(first.sub_modules[_ROUTES[role]].children())


def _divide(modules: list[nn.Module], source: ModelSource) -> tuple[Transformer, tuple[nn.Module, ...]]:
    first, *behind = modules
    if isinstance(first, Router):
        raise ModelError(
            f"{source.folder}: has separate encoders for queries and passages, which a re-ranker cannot have: "
            "name a model with one encoder."
        )
    if not isinstance(first, Transformer):
        kind = type(first).__name__
        raise ModelError(f"{source.folder}: begins with a {kind}, where one transformer is needed; name another model.")
    return first, tuple(behind)


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
