"""Who may use the cores of the machine. Knows no task.

numpy's BLAS divides a product among its threads, which spin for a while after it in case another one follows. Beside a
network they would spin on the cores that it needs, and the products there are too small to be worth it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from threading import Lock, local
from typing import Any, TypeVar

import numpy as np  # noqa: F401  # loads the BLAS that is limited

Item = TypeVar("Item")

_THREAD = local()


def available_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> AbstractContextManager[None]:
    """numpy's products are not divided among threads, in any thread, until the last of these blocks is left.

    >>> import numpy as np
    >>> with one_blas_thread():
    ...     np.eye(2) @ np.ones(2)
    array([1., 1.])
    """
    return _LIMIT


def per_core_pool() -> ThreadPoolExecutor:
    """A thread per core, for work that is divided already: `map_cores` in one of these threads stays in it."""
    return ThreadPoolExecutor(available_cores(), initializer=lambda: setattr(_THREAD, "has_a_core", True))


def map_cores(work: Callable[[Item], None], items: Sequence[Item], *, share: int = 1) -> None:
    """Do the work on every item; each core takes some, but no thread is begun for fewer items than a share.

    A share is worth it where numpy takes a millisecond for it.

    >>> map_cores(print, ["an item"])
    an item
    """
    if len(items) < 2 * share or hasattr(_THREAD, "has_a_core") or available_cores() == 1:
        for item in items:
            work(item)
        return
    count = min(available_cores(), len(items) // share)

    def do_share(number: int) -> None:
        for item in items[number::count]:
            work(item)

    # The calling thread has a share too: it is awake, and a thread that only waits delays those that work.
    with one_blas_thread(), ThreadPoolExecutor(count - 1) as threads:
        others = [threads.submit(do_share, number) for number in range(1, count)]
        do_share(0)
        for other in others:
            other.result()  # so that an error in one of the threads is raised


class _BlasLimit(AbstractContextManager[None]):
    """Counts who is in such a block: the first to enter sets the limit, the last to leave takes it away.

    Any thread may be the first or the last.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                _forget_limiting_thread()
                self._limits = _blas_libraries().limit(limits=1, user_api="blas")
                _forget_limiting_thread()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _forget_limiting_thread()
                self._limits.restore_original_limits()
                _forget_limiting_thread()


_LIMIT = _BlasLimit()


def _forget_limiting_thread() -> None:
    """Make threadpoolctl forget which thread set a limit last: it lets no other thread set one."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)


@cache
def _blas_libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
