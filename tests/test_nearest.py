from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.index.nearest import CodedVectors, likely, nearest, possible


def vectors_of(count: int, dim: int, *, seed: int = 0, unit: bool = True) -> np.ndarray:
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((count, dim)).astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / norms if unit else vectors * generator.exponential(size=(count, 1)).astype(np.float32)


def parts_of(vectors: np.ndarray, *cuts: int) -> list[CodedVectors]:
    return [CodedVectors.of(part) for part in np.split(vectors, cuts)]


def highest(vectors: np.ndarray, query: np.ndarray, k: int) -> set[int]:
    """The k highest, and the rows of vectors that equal the lowest of them."""
    scores = vectors.astype(np.float64) @ query
    return set(np.flatnonzero(scores >= np.sort(scores)[-min(k, len(scores))]).tolist())


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 300),
    cuts=st.lists(st.integers(0, 300), max_size=3),
    dim=st.integers(1, 48),
    k=st.integers(1, 40),
    seed=st.integers(0, 999),
    unit=st.booleans(),
)
def test_none_of_the_nearest_is_missed_however_the_vectors_are_parted(count, cuts, dim, k, seed, unit):
    vectors = vectors_of(count, dim, seed=seed, unit=unit)
    query = vectors_of(1, dim, seed=seed + 1, unit=unit)[0]
    rows = possible(parts_of(vectors, *sorted(cuts)), query, k=k, rows=np.arange(count))
    assert highest(vectors, query, k) <= set(rows.tolist())
    assert rows.tolist() == sorted(set(rows.tolist()))


@settings(max_examples=100, deadline=None)
@given(k=st.integers(1, 30), some=st.sets(st.integers(0, 199), min_size=1))
def test_none_of_the_nearest_among_some_is_missed(k, some):
    vectors, chosen = vectors_of(200, 16), np.array(sorted(some))
    query = vectors_of(1, 16, seed=7)[0]
    rows = possible(parts_of(vectors, 50, 60), query, k=k, rows=chosen)
    assert set(chosen[sorted(highest(vectors[chosen], query, k))].tolist()) <= set(rows.tolist()) <= some


@pytest.mark.parametrize("dim", [384, 768, 1024])
@pytest.mark.parametrize("kind", ["any", "all components equal", "one component outweighs"])
def test_none_of_the_nearest_is_missed_at_the_dimensions_of_models(dim, kind):
    vectors, query = vectors_of(3000, dim), vectors_of(1, dim, seed=1)[0]
    if kind == "all components equal":  # all codes are 127 or -127, and so are the query's
        vectors, query = (np.sign(some) / np.float32(dim**0.5) for some in (vectors, query))
    elif kind == "one component outweighs":
        vectors[:, 7] += 1
    rows = possible(parts_of(vectors), query, k=20, rows=np.arange(3000))
    assert highest(vectors, query, 20) <= set(rows.tolist())


@pytest.mark.parametrize("passing", [None, np.arange(3000) % 2 == 0, np.arange(3000) < 5, np.arange(3000) < 0])
@pytest.mark.parametrize("k", [1, 20, 5000])
def test_the_nearest_come_with_their_products(passing, k):
    vectors, query = vectors_of(3000, 384), vectors_of(1, 384, seed=1)[0]
    rows, products = nearest(parts_of(vectors, 1024, 2048), query, k=k, passing=passing)
    chosen = np.arange(3000) if passing is None else np.flatnonzero(passing)
    expected = chosen[sorted(highest(vectors[chosen], query, k))] if len(chosen) else chosen
    assert sorted(rows.tolist()) == expected.tolist()
    assert products == pytest.approx(vectors[rows] @ query, abs=1e-6)


@pytest.mark.parametrize("copies", [3, 43, 2999])
def test_equal_vectors_have_equal_products(copies):
    vectors = vectors_of(3000, 384)
    vectors[:copies] = vectors[0]
    rows, products = nearest(parts_of(vectors, 2), vectors[0], k=2)
    assert sorted(rows.tolist()) == list(range(copies))
    assert len(set(products.tolist())) == 1


def test_few_others_are_left_over():
    vectors, query = vectors_of(20_000, 384), vectors_of(1, 384, seed=1)[0]
    assert len(possible(parts_of(vectors), query, k=100, rows=np.arange(20_000))) < 500


def test_equal_vectors_are_all_there():
    vectors = np.repeat(vectors_of(4, 8), 5, axis=0)
    assert possible(parts_of(vectors, 3), vectors[0], k=1, rows=np.arange(20)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("count", "k"), [(0, 3), (5, 0), (5, 5), (5, 9)])
def test_none_or_all_can_be_asked_for(count, k):
    rows, products = nearest(parts_of(vectors_of(count, 8)), vectors_of(1, 8, seed=1)[0], k=k)
    assert len(rows) == len(products) == min(count, k)
    assert nearest([], vectors_of(1, 8)[0], k=k)[0].tolist() == []


def test_vectors_of_zeros_are_as_near_as_they_are():
    vectors = np.zeros((3, 8), dtype=np.float32)
    vectors[1, 0] = -1
    rows = np.arange(3)
    assert possible(parts_of(vectors), np.eye(8, dtype=np.float32)[0], k=1, rows=rows).tolist() == [0, 2]
    assert possible(parts_of(vectors), vectors[0], k=1, rows=rows).tolist() == [0, 1, 2]


# By signs


def test_the_order_by_signs_is_that_of_a_query_of_sixteen_steps():
    vectors, query = vectors_of(500, 40), vectors_of(1, 40, seed=1)[0]
    steps = np.clip(np.rint(query * 7.5 / np.abs(query).max() + 7.5), 0, 15) - 7.5
    scores = (vectors > 0) @ steps
    for count in (1, 10, 100):
        rows = likely(parts_of(vectors, 100, 300), query, count=count, passing=None)
        assert rows.tolist() == np.flatnonzero(scores >= np.sort(scores)[-count]).tolist()


def test_signs_of_long_vectors_are_compared_too():
    query = np.sign(vectors_of(1, 2400)[0])
    vectors = np.stack([-query, query, -query])
    assert likely(parts_of(vectors), query, count=1, passing=None).tolist() == [1]


def test_signs_leave_rows_that_may_not_be_chosen_out():
    vectors, query = vectors_of(500, 40), vectors_of(1, 40, seed=1)[0]
    passing = np.arange(500) % 3 == 1
    for count in (50, 167, 200):
        rows = likely(parts_of(vectors, 100), query, count=count, passing=passing)
        assert passing[rows].all()
        assert len(rows) >= min(count, 167)


def test_nearly_all_of_the_nearest_are_found_by_signs():
    vectors = vectors_of(50_000, 384)
    queries = vectors[:20] + 0.05 * vectors_of(20, 384, seed=1)
    parts = parts_of(vectors, *range(8192, 50_000, 8192))
    shares = []
    for query in queries:
        exact, found = (set(nearest(parts, query, k=100, exact=how)[0].tolist()) for how in (True, False))
        shares.append(len(exact & found) / 100)
    assert np.mean(shares) > 0.9  # of vectors without any structure, which is the worst case
