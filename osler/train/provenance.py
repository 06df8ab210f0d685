"""What a run was made with: settings, data and library versions. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any, Final

from osler.models.digests import file_digest
from osler.train.examples.parts import Parts
from osler.train.settings import RecipeSettings

_LIBRARIES: Final = ("osler", "torch", "transformers", "sentence-transformers", "peft", "accelerate", "numpy")


def provenance(recipe: RecipeSettings, parts: Sequence[Parts]) -> dict[str, Any]:
    """The resolved settings, what each data set gives to the parts, and the digests of all files that are read."""
    exclusions = recipe.mining.exclusions
    return {
        "settings": recipe.model_dump(mode="json", exclude={"device"}),  # which changes none of it
        "data": {part.name: _counts(part) for part in parts},
        "exclusions": file_digest(exclusions).hex() if exclusions else "",
    }


def library_versions() -> dict[str, str]:
    """The version of each library that the trained weights depend on."""
    return {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # osler run from a checkout, or full tuning without peft
        return "not installed"


def _counts(part: Parts) -> dict[str, Any]:
    return {
        "documents": len(part.train.documents),
        "train": len(part.train.queries),
        "valid": len(part.valid.queries),
        "dev": len(part.dev.queries) if part.dev else 0,
        "digest": part.train.digest,
    }
