"""Who may use the cores of the machine. Knows no task.

numpy's BLAS divides a product among its threads, which spin for a while after it in case another one follows. Beside a
network they would spin on the cores that it needs, and the products there are too small to be worth it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock, local
from typing import Any, TypeVar

import numpy as np  # noqa: F401  # loads the BLAS that is limited

Item = TypeVar("Item")

_THREAD = local()


def available_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """numpy's products are not divided among threads, in any thread, until the last of these blocks is left.

    >>> import numpy as np
    >>> with one_blas_thread():
    ...     np.eye(2) @ np.ones(2)
    array([1., 1.])
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


def a_thread_a_core() -> ThreadPoolExecutor:
    """Threads for work that is divided already: `on_every_core` in one of them stays in it."""
    return ThreadPoolExecutor(available_cores(), initializer=lambda: setattr(_THREAD, "has_a_core", True))


def on_every_core(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do the work on every item, each core on its share. It is worth it where numpy takes a millisecond for an item.

    >>> on_every_core(print, ["one"])
    one
    """
    count = 1 if hasattr(_THREAD, "has_a_core") else max(1, min(available_cores(), len(items)))

    def share(first: int) -> None:
        for item in items[first::count]:
            work(item)

    if count == 1:
        share(0)
        return
    # The calling thread has a share too: it is awake, and a thread that only waits delays those that work.
    with one_blas_thread(), ThreadPoolExecutor(count - 1) as others:
        shares = [others.submit(share, first) for first in range(1, count)]
        share(0)
        for other in shares:
            other.result()  # so that an error of one of them is raised


class _Limit:
    """Counts who is in such a block: the first one sets the limit, the last one takes it away, whichever thread it is.

    threadpoolctl lets no thread but one set a limit, so each time that one is asked to give it up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._set: Any = None

    def enter(self) -> None:
        """Set the limit, unless it is set."""
        with self._lock:
            if not self._inside:
                with _control():
                    self._set = _libraries().limit(limits=1, user_api="blas")
            self._inside += 1

    def leave(self) -> None:
        """Take the limit away, unless another block needs it."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                with _control():
                    self._set.restore_original_limits()


_LIMIT = _Limit()


@contextmanager
def _control() -> Iterator[None]:
    """This thread may set limits, and keeps no other from it afterwards."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)
    yield
    OpenBLASController.clear_controlling_thread(force=True)


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
