"""Where results go: checked before anything is computed. Knows paths, no results."""

from __future__ import annotations

from pathlib import Path


def check_file(flag: str, path: Path | None) -> None:
    """Return where a file can be written there, or none is wanted; UsageError for a folder and for one in no folder."""
    from osler.errors import UsageError

    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"{flag} {path}: there is no folder {path.parent}; make it, or name a file in another one.")


def check_new_file(flag: str, path: Path | None) -> None:
    """Return where a file can be written there that is not there yet, or none is wanted; else UsageError."""
    from osler.errors import UsageError

    check_file(flag, path)
    if path and path.exists():
        raise UsageError(f"{flag} {path}: the file is there already; name another one, or delete it first.")


def check_folder(flag: str, path: Path) -> None:
    """Return where there is a folder or can be one; UsageError where a file is in the way."""
    from osler.errors import UsageError

    taken = next((one for one in (path, *path.parents) if one.exists() and not one.is_dir()), None)
    if taken:
        raise UsageError(f"{flag} {path}: {taken} is a file; name a folder.")
