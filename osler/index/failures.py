"""What Lance and the disk can do wrong, as errors that a user can mend. Knows no table.

What our own code raises passes through as it is: a wrong argument is never told as a damaged table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb
from typing import Final, TypeVar

import pyarrow as pa

from osler.errors import StoreError

_CONFLICT = ("commit conflict", "concurrent", "incompatible transaction", "too many retries")
"""What Lance says where another process committed first."""

_DAMAGE = ("corrupt", "magic number", "not found", "invalid", "decode", "file size is too small")
"""What Lance says where a file that it reads before it writes is not as it was written."""

_CUT = ("failed to fill whole buffer",)
"""The same of a file that is shorter than it was, which comes as an error of the system."""

_LIMITS = ("too many open files", "cannot allocate memory")
"""What the system says where a limit of the process is reached, not that of the disk."""

_RAISE = "raise the limits of this shell (ulimit -n, ulimit -v), or free some memory"

_PANICS = {"PanicException", "RustPanic"}
"""Classes that cannot be imported; the first is not even an Exception."""

_LIBRARIES: Final = {"lancedb", "lance", "pyarrow"}
"""They tell of a damaged file by a plain RuntimeError or ValueError."""

_FROM_LANCE: Final = "lance error: "
"""What such an error begins with, wherever it was caught and raised again."""

T = TypeVar("T")


class DamageError(StoreError):
    """Something stored is not as it was written; `problem` tells what, without the remedy."""

    def __init__(self, problem: str, *, index: str = "INDEX") -> None:
        check = f"osler check --index {index}"
        super().__init__(f"{problem}: see what is damaged with `{check}`, and mend it with `--repair`.")
        self.problem = problem


def attempt(read: Callable[[], T]) -> tuple[T | None, str]:
    """What is read and "", or None and why it cannot be read."""
    try:
        return read(), ""
    except DamageError as error:
        return None, error.problem
    except BaseException as error:
        if not _is_failure(error):
            raise
        return None, reason(error)


@contextmanager
def opening(path: str) -> Iterator[None]:
    """Turn a failure to open the index at this path into a StoreError with the remedy."""
    remedy = "check the disk and its rights, or index the corpus again into a new folder"
    with _told(path, "check the address, and the credentials in the environment" if "://" in path else remedy):
        yield


@contextmanager
def reading(table: str) -> Iterator[None]:
    """Turn a failure to read this table into a StoreError with the remedy."""
    with _told(
        table, f"see what is damaged with `osler check --index {_folder(table)}`, or check the disk and its rights"
    ):
        yield


@contextmanager
def _told(place: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not _is_failure(error):
            raise
        why = reason(error)
        remedy = _RAISE if _says(why, _LIMITS, of=place) else remedy
        raise StoreError(f"{place} cannot be read ({why}): {remedy}.") from error


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn a failure to write what lies at this place into a StoreError with the remedy."""
    try:
        yield
    except BaseException as error:
        if not _is_failure(error):
            raise
        why = reason(error)
        if _says(why, _CONFLICT, of=place):
            remedy = "what was committed before is kept; run the same command again when that one is done"
            raise StoreError(f"{place}: another process writes this index too ({why}): {remedy}.") from error
        remedy = "check the free space and the rights there; what was committed before is kept"
        if _says(why, _LIMITS, of=place):
            remedy = _RAISE
        elif _says(why, _CUT, of=place) or (not isinstance(error, OSError) and _says(why, _DAMAGE, of=place)):
            raise DamageError(f"{place} cannot be written ({why})", index=_folder(place)) from error
        raise StoreError(f"{place} cannot be written ({why}): {remedy}.") from error


def _is_failure(error: BaseException) -> bool:
    """Whether this is how the disk, Lance, LanceDB or Arrow tell that they failed, rather than of a wrong call."""
    if isinstance(error, TypeError | LookupError | NotImplementedError):
        return False
    if isinstance(error, OSError | pa.ArrowException) or type(error).__name__ in _PANICS:
        return True
    plain = isinstance(error, RuntimeError | ValueError)
    return plain and (str(error).startswith(_FROM_LANCE) or _raised_in(error) in _LIBRARIES)


def _raised_in(error: BaseException) -> str:
    """The package whose code raised it; of an error from the standard library, the package that called that."""
    names = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    return next((name for name in reversed(names) if name not in sys.stdlib_module_names), "")


def reason(error: BaseException) -> str:
    """What an error says, in one line, without the place in Lance's source code.

    >>> reason(RuntimeError("lance error: LanceError(IO): disk full, /registry/src/lance/utils.rs:2:20"))
    'disk full'
    """
    line = str(error).partition(", /")[0].partition("\n")[0]
    return line.rpartition("LanceError(IO): ")[2].removeprefix(_FROM_LANCE).strip() or type(error).__name__


def _says(why: str, words: Sequence[str], *, of: str) -> bool:
    """Whether one of these words stands there, but for the path of what it is said of."""
    path = (of.partition("://")[2] or of).strip("/")
    return any(word in why.replace(path, "").lower() for word in words)


def _folder(place: str) -> str:
    """The index, of its table."""
    return place.removesuffix("/passages.lance")
