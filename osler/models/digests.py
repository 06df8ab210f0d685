"""What makes two models equal: digests of their files. Knows which files change vectors, not what is in them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from osler.errors import ModelError
from osler.files import read_json
from osler.models.model_card import CARD_FILE

_KINDS: Final = {".json", ".safetensors", ".bin", ".txt", ".model", ".metadata"}
# Written beside a model by those who trained it; no library reads them when it is loaded.
_WITHOUT_EFFECT: Final = {
    CARD_FILE,
    "done.json",
    "recipe.json",
    "training.json",
    "trainer_state.json",
    "training_args.bin",
}


def folder_content(folder: Path) -> bytes:
    """The names and digests of all files that change vectors: weights, tokenizer, configuration."""
    content = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        in_checkpoint = any(part.startswith("checkpoint-") for part in name.parts)
        if path.is_file() and path.suffix in _KINDS and path.name not in _WITHOUT_EFFECT and not in_checkpoint:
            content.append(name.as_posix().encode() + file_digest(path))
    return b"".join(content)


def weights_digest(folder: Path) -> str:
    """The sha256, in hex digits, of the file with the backbone's weights (of the digests, where it is in shards).

    ModelError where there is none.
    """
    modules = read_config(folder / "modules.json")
    transformer = folder / (str(modules[0]["path"]) if modules else "")
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


def read_config(path: Path) -> Any:
    """What this JSON file of a model holds, {} where there is none; ModelError where it cannot be read."""
    return read_json(path, failure=ModelError, remedy="use the model's files as they were saved")


@cache
def _digest(path: Path, size: int, changed: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
