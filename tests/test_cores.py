"""BLAS is kept to one thread for as long as anybody asks for it, and has its threads back afterwards."""

from __future__ import annotations

from threading import Thread

import pytest
from threadpoolctl import threadpool_info

from osler.cores import one_blas_thread


def blas_threads() -> int:
    """How many threads BLAS has; true in the thread that set it last."""
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


@pytest.fixture
def before() -> int:
    with one_blas_thread():
        pass
    return blas_threads()


def test_the_limit_is_taken_away_afterwards(before):
    with one_blas_thread():
        assert blas_threads() == 1
    assert blas_threads() == before


def test_the_limit_stays_until_the_last_block_is_left(before):
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert blas_threads() == 1
    assert blas_threads() == before


def test_an_error_takes_the_limit_away(before):
    with pytest.raises(RuntimeError), one_blas_thread():
        raise RuntimeError
    assert blas_threads() == before


def test_a_thread_that_left_first_takes_the_limit_away_the_next_time(before):
    """It set the limit last it knows of, another thread took it away, and it must not take 1 for what was before."""
    block, seen = one_blas_thread(), []

    def enter() -> None:
        block.__enter__()

    def search() -> None:
        with one_blas_thread():
            pass
        seen.append(blas_threads())

    for work in (enter, lambda: block.__exit__(None, None, None), search):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [before]
