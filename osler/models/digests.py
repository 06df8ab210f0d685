"""What makes two models equal: digests of their files. Knows which files change vectors, not what is in them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from osler.errors import ModelError
from osler.models.check import FACTS_FILE

_KINDS: Final = {".json", ".safetensors", ".bin", ".txt", ".model", ".metadata"}
# Written beside a model by those who trained it; no library reads them when it is loaded.
_WITHOUT_EFFECT: Final = {
    FACTS_FILE,
    "done.json",
    "recipe.json",
    "training.json",
    "trainer_state.json",
    "training_args.bin",
}


def folder_content(folder: Path) -> bytes:
    """The names and digests of all files that change vectors: weights, tokenizer, configuration."""
    files = sorted(_files_with_effect(folder))
    return b"".join(path.relative_to(folder).as_posix().encode() + file_digest(path) for path in files)


def weights_digest(folder: Path) -> str:
    """The sha256, in hex digits, of the file with the backbone's weights (of the digests, where it is in shards).

    ModelError where there is none.
    """
    transformer = folder / _first_module(folder)
    for pattern in ("model*.safetensors", "pytorch_model*.bin"):
        shards = sorted(transformer.glob(pattern))
        if len(shards) == 1:
            return file_digest(shards[0]).hex()
        if shards:
            return hashlib.sha256(b"".join(map(file_digest, shards))).hexdigest()
    raise ModelError(f"{transformer}: no weights in there (model.safetensors); name the folder of a model.")


def file_digest(path: Path) -> bytes:
    """The sha256 of a file, which is read once a process as long as it keeps its size and the time of its change."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


def read_json(path: Path) -> Any:
    """What the file holds, {} where there is none; ModelError where it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be read as JSON ({error}); use the model's files as they were saved."
        ) from error


@cache
def _digest(path: Path, size: int, changed: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _first_module(folder: Path) -> str:
    modules = read_json(folder / "modules.json")
    return str(modules[0]["path"]) if modules else ""


def _files_with_effect(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in _KINDS]
    return [path for path in files if path.name not in _WITHOUT_EFFECT and not _in_checkpoint(path.relative_to(folder))]


def _in_checkpoint(path: Path) -> bool:
    return any(part.startswith("checkpoint-") for part in path.parts)
