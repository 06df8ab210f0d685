"""Who may use the cores of the machine. Knows no task.

BLAS divides a product among its threads, which spin for a while after it in case another one follows. In a search they
would spin on the cores that the network of the next stage needs: a product there is too small to be worth it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np  # noqa: F401  # loads the BLAS that is limited


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products of arrays are not divided among threads, in the whole process, until the last of these blocks is left.

    >>> with one_blas_thread():
    ...     np.eye(2) @ np.ones(2)
    array([1., 1.])
    """
    _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave()


class _Blas:
    """Counts who is in such a block: the first one sets the limit, the last one takes it away.

    What it goes back to is asked once: OpenBLAS tells a thread what that thread has set, not what holds.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0

    def enter(self) -> None:
        """Set the limit, unless it is set."""
        with self._lock:
            if not self._inside:
                self._limit(dict.fromkeys(self._threads, 1))
            self._inside += 1

    def leave(self) -> None:
        """Take the limit away, unless another block needs it."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit(self._threads)

    def _limit(self, threads: Mapping[str, int]) -> None:
        self._libraries.limit(limits=dict(threads))

    @cached_property
    def _threads(self) -> dict[str, int]:
        """How many threads each library has, by its file."""
        return {library["filepath"]: library["num_threads"] for library in self._libraries.info()}

    @cached_property
    def _libraries(self) -> Any:
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController().select(user_api="blas")


_BLAS = _Blas()
