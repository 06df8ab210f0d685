"""The folders of converted models: written whole or not at all, looked at when they are opened, shared if possible.

A folder has the size and the CRC-32 of each of its files in `sums.json`. One that is not as it was written is removed
and made anew. Knows files, no network.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

from osler.errors import ModelError, OslerError
from osler.files import read_json, write_json

_SUMS: Final = "sums.json"
_BUILDING: Final = "tmp-"
_LEFT_BEHIND: Final = 3600.0
"""Seconds after which a folder that is being built belongs to a process that was killed: it takes some ten."""

_AT_ONCE: Final = 1 << 20

_LOG: Final = logging.getLogger(__name__)

_fallbacks: dict[Path, Path] = {}
"""The temporary folders that this process uses instead of those that it cannot write."""


def cache_folder() -> Path:
    """Where converted models are kept: OSLER_CACHE, else osler in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("OSLER_CACHE") or Path(base) / "osler")


def cached_folder(folder: Path, write: Callable[[Path], None], *, unread: Collection[str] = ()) -> Path:
    """The folder as `write` made it, made anew if it is missing or damaged; of unread files only the size counts.

    If it cannot be written, a temporary folder of this process takes its place, with one warning. ModelError if that
    cannot be written either.
    """
    folder = _fallbacks.get(folder, folder)
    if is_whole(folder, unread=unread):
        return folder
    try:
        shutil.rmtree(folder, ignore_errors=True)
        return _build(folder, write)
    except OSError as error:
        _warn_once(
            f"{folder.parent} cannot be written ({error.strerror or error}): models are converted anew each time."
        )
        temporary = _fallbacks[folder] = _temporary_folder() / folder.name
    try:
        return _build(temporary, write)
    except OSError as error:
        raise ModelError(
            f"No converted model can be written, neither to {folder.parent} nor to {temporary.parent} "
            f"({error.strerror or error}): free some space, or name another folder by OSLER_CACHE."
        ) from error


def is_whole(folder: Path, *, unread: Collection[str] = ()) -> bool:
    """Whether the files of this folder are as `write_sums` saw them; of unread ones only the size counts."""
    try:
        sums = read_json(folder / _SUMS)
        return bool(sums) and all(
            _size(folder / name) == size and (name in unread or _checksum(folder / name) == checksum)
            for name, (size, checksum) in sums.items()
        )
    except (OslerError, OSError, ValueError, TypeError, AttributeError):
        return False


def write_sums(folder: Path, names: Iterable[str] | None = None) -> None:
    """Note the size and checksum of these files, or of all in the folder; who may read the folder may read them."""
    names = sorted(names or (path.name for path in folder.iterdir() if path.is_file() and path.name != _SUMS))
    readable = folder.stat().st_mode & 0o444  # OpenVINO writes some files for their maker alone
    for name in names:
        with suppress(OSError):
            (folder / name).chmod((folder / name).stat().st_mode | readable)
    write_json(folder / _SUMS, {name: (_size(folder / name), _checksum(folder / name)) for name in names})


def _build(folder: Path, write: Callable[[Path], None]) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(folder.parent)
    building = folder.parent / f"{_BUILDING}{uuid4().hex}"
    building.mkdir()  # with the rights that the umask leaves, so that others may read it
    try:
        write(building)
        write_sums(building)
        with suppress(OSError):  # another process was faster: what it made is looked at
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    if not is_whole(folder):
        raise OSError("what was written there cannot be read")
    return folder


def _remove_left_behind(parent: Path) -> None:
    for folder in parent.glob("tmp*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_BEHIND:
                shutil.rmtree(folder, ignore_errors=True)


@cache
def _temporary_folder() -> Path:
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="osler-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _warn_once(text: str) -> None:
    _LOG.warning(text)


def _size(path: Path) -> int:
    return path.stat().st_size


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(_AT_ONCE):
            checksum = zlib.crc32(part, checksum)
    return checksum
