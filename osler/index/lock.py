"""One writer at a time: a lock beside the table, held for the length of one write. Knows files, no table.

The operating system holds the lock (flock, through filelock), and releases it when its owner ends, however it ends: the
lock of a killed process is free at once. A note beside it names the owner, for whoever waits in vain. A reader never
asks for it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from osler.errors import StoreError

WAIT: Final = 30.0
"""Seconds for which a writer waits for another: many commits, but not the upkeep of a large table."""

_ASK_EVERY: Final = 0.01


def is_local(place: str | Path) -> bool:
    """Whether a path is one of this machine, and no URL."""
    return "://" not in str(place)


def lock_path(uri: str) -> Path | None:
    """Where the lock of the table at this place lies; None on object storage, where a file locks nothing.

    >>> lock_path("/library/passages.lance"), lock_path("s3://bucket/passages.lance")
    (PosixPath('/library/passages.lock'), None)
    """
    local = uri.removeprefix("file://")
    return Path(local).with_suffix(".lock") if is_local(local) else None


@contextmanager
def only_writer(path: Path | None) -> Iterator[None]:
    """Be the only one that holds this lock, across threads and processes; without a path no lock is taken.

    StoreError that names the owner where another one holds it for longer than WAIT.
    """
    if path is None:
        yield
        return
    lock = FileLock(path, timeout=WAIT, thread_local=False)
    try:
        lock.acquire(poll_interval=_ASK_EVERY)
    except Timeout:
        remedy = "wait until it is done, or end it; then run the same command again"
        raise StoreError(f"{path.parent}: {_owner(path)} is writing this index: {remedy}.") from None
    try:
        _note(path).write_text(json.dumps(_myself()), encoding="utf-8")
        yield
    finally:
        _note(path).unlink(missing_ok=True)
        lock.release()


def _note(path: Path) -> Path:
    return path.with_suffix(".writer")


def _myself() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _owner(path: Path) -> str:
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        return f"process {note['process']} on {note['host']} (since {note['since']})"
    except (OSError, ValueError, TypeError, KeyError):  # it has just begun or ended
        return "another process"
