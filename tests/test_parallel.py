"""BLAS keeps to one thread for as long as anybody asks for it, and has its threads back afterwards; work is shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from osler import parallel
from osler.parallel import map_cores, one_blas_thread, per_core_pool

THREADS = 2


def blas_threads() -> int:
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


@pytest.fixture(autouse=True)
def several_threads() -> Iterator[None]:
    with threadpool_limits(limits=THREADS, user_api="blas"):
        assert blas_threads() == THREADS
        yield


def test_the_limit_is_taken_away_afterwards():
    with one_blas_thread():
        assert blas_threads() == 1
    assert blas_threads() == THREADS


def test_the_limit_stays_until_the_last_block_is_left():
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert blas_threads() == 1
    assert blas_threads() == THREADS


def test_an_error_takes_the_limit_away():
    with pytest.raises(RuntimeError), one_blas_thread():
        raise RuntimeError
    assert blas_threads() == THREADS


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_core_has_a_share_and_every_item_is_worked_on_once(monkeypatch, count):
    monkeypatch.setattr(parallel, "available_cores", lambda: 3)
    done = []
    map_cores(lambda item: done.append((item, threading.get_ident())), range(count))
    assert sorted(item for item, _ in done) == list(range(count))
    here = [item for item, thread in done if thread == threading.get_ident()]
    assert here == list(range(0, count, 3))


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_of_any_core_is_raised(monkeypatch, bad):
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)

    def work(item: int) -> None:
        if item == bad:
            raise ValueError(item)

    with pytest.raises(ValueError, match=str(bad)):
        map_cores(work, [0, 1])
    assert blas_threads() == THREADS


def test_work_that_has_a_core_already_is_not_divided_again(monkeypatch):
    monkeypatch.setattr(parallel, "available_cores", lambda: 3)
    workers: set[int] = set()
    with per_core_pool() as threads:
        threads.submit(map_cores, lambda _: workers.add(threading.get_ident()), range(9)).result(timeout=10)
    assert len(workers) == 1


def test_blocks_of_several_threads_overlap_in_any_order():
    """The thread that set the limit leaves first, and the next time it is another one that sets it."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:

        def do(thread: ThreadPoolExecutor, work: Callable[[], object]) -> int:
            thread.submit(work).result(timeout=10)
            return blas_threads()

        for first, second in ((one, other), (other, one), (one, other)):
            blocks = one_blas_thread(), one_blas_thread()
            assert do(first, blocks[0].__enter__) == 1
            assert do(second, blocks[1].__enter__) == 1
            assert do(first, lambda block=blocks[0]: block.__exit__(None, None, None)) == 1
            assert do(second, lambda block=blocks[1]: block.__exit__(None, None, None)) == THREADS


def test_what_the_caller_has_set_in_the_meantime_is_gone_back_to():
    with one_blas_thread():
        pass
    with threadpool_limits(limits=1, user_api="blas"):
        with one_blas_thread():
            pass
        assert blas_threads() == 1
    assert blas_threads() == THREADS
