"""What Lance and the disk can do wrong, as errors that a user can mend. Knows no table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from osler.errors import StoreError


@contextmanager
def reading(place: str = "The index") -> Iterator[None]:
    """Turn a failure to read into a StoreError with the remedy; use it as a decorator or with `with`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        remedy = "check the disk and its rights, or index the corpus again into a new folder"
        raise StoreError(f"{place} cannot be read ({_reason(error)}): {remedy}.") from error


@contextmanager
def writing(place: str = "The index") -> Iterator[None]:
    """Turn a failure to write into a StoreError with the remedy; use it as a decorator or with `with`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        remedy = "check the free space and the rights there; what was committed before is kept"
        raise StoreError(f"{place} cannot be written ({_reason(error)}): {remedy}.") from error


def _reason(error: Exception) -> str:
    """What it says, without the place in Lance's source code.

    >>> _reason(RuntimeError("lance error: LanceError(IO): disk full, /registry/src/lance/utils.rs:2:20"))
    'disk full'
    """
    return str(error).partition(", /")[0].rpartition("LanceError(IO): ")[2]
