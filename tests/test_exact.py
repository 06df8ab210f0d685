from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.index import exact
from osler.index.exact import CodedVectors


def vectors_of(count: int, dim: int, *, seed: int = 0, unit: bool = True) -> np.ndarray:
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((count, dim)).astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / norms if unit else vectors * generator.exponential(size=(count, 1)).astype(np.float32)


def highest(vectors: np.ndarray, query: np.ndarray, k: int) -> set[int]:
    """The k highest, and the places of vectors that equal the lowest of them."""
    scores = vectors.astype(np.float64) @ query
    return set(np.flatnonzero(scores >= np.sort(scores)[-min(k, len(scores))]).tolist())


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 300),
    dim=st.integers(1, 48),
    k=st.integers(1, 40),
    seed=st.integers(0, 999),
    unit=st.booleans(),
)
def test_none_of_the_nearest_is_missed(count, dim, k, seed, unit):
    vectors = vectors_of(count, dim, seed=seed, unit=unit)
    query = vectors_of(1, dim, seed=seed + 1, unit=unit)[0]
    found = CodedVectors.of(vectors).possible(query, k=k)
    assert highest(vectors, query, k) <= set(found.tolist())
    assert found.tolist() == sorted(set(found.tolist()))


@settings(max_examples=100, deadline=None)
@given(k=st.integers(1, 30), some=st.sets(st.integers(0, 199), min_size=1))
def test_none_of_the_nearest_among_some_is_missed(k, some):
    vectors, places = vectors_of(200, 16), np.array(sorted(some))
    query = vectors_of(1, 16, seed=7)[0]
    found = CodedVectors.of(vectors).possible(query, k=k, among=places)
    assert set(places[sorted(highest(vectors[places], query, k))].tolist()) <= set(found.tolist()) <= some


@pytest.mark.parametrize("dim", [384, 768, 1024])
@pytest.mark.parametrize("kind", ["any", "all components equal", "one component outweighs"])
def test_none_of_the_nearest_is_missed_at_the_dimensions_of_models(dim, kind):
    vectors, query = vectors_of(3000, dim), vectors_of(1, dim, seed=1)[0]
    if kind == "all components equal":  # all codes are 127 or -127, and so are the query's
        vectors, query = (np.sign(some) / np.float32(dim**0.5) for some in (vectors, query))
    elif kind == "one component outweighs":
        vectors[:, 7] += 1
    found = CodedVectors.of(vectors).possible(query, k=20)
    assert highest(vectors, query, 20) <= set(found.tolist())


@pytest.mark.parametrize("among", [None, np.arange(0, 3000, 2), np.arange(5)])
@pytest.mark.parametrize("k", [1, 20, 5000])
def test_the_nearest_come_with_their_products(among, k):
    vectors, query = vectors_of(3000, 384), vectors_of(1, 384, seed=1)[0]
    places, products = CodedVectors.of(vectors).nearest(query, k=k, among=among)
    chosen = np.arange(3000) if among is None else among
    assert set(places.tolist()) == set(chosen[sorted(highest(vectors[chosen], query, k))].tolist())
    assert products == pytest.approx(vectors[places] @ query, abs=1e-6)


@pytest.mark.parametrize("copies", [3, 43, 2999])
def test_equal_vectors_have_equal_products(copies):
    vectors = vectors_of(3000, 384)
    vectors[:copies] = vectors[0]
    places, products = CodedVectors.of(vectors).nearest(vectors[0], k=2)
    assert sorted(places.tolist()) == list(range(copies))
    assert len(set(products.tolist())) == 1


def test_few_others_are_left_over():
    vectors, query = vectors_of(20_000, 384), vectors_of(1, 384, seed=1)[0]
    assert len(CodedVectors.of(vectors).possible(query, k=100)) < 500


def test_equal_vectors_are_all_there():
    vectors = np.repeat(vectors_of(4, 8), 5, axis=0)
    assert CodedVectors.of(vectors).possible(vectors[0], k=1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_change_nothing(block, monkeypatch):
    vectors, query = vectors_of(100, 16), vectors_of(1, 16, seed=1)[0]
    expected = CodedVectors.of(vectors).possible(query, k=5).tolist()
    monkeypatch.setattr(exact, "_BLOCK", block)
    monkeypatch.setattr(exact, "_CODED", block)
    assert CodedVectors.of(vectors).possible(query, k=5).tolist() == expected


@pytest.mark.parametrize(("count", "k"), [(0, 3), (5, 0), (5, 5), (5, 9)])
def test_none_or_all_can_be_asked_for(count, k):
    found = CodedVectors.of(vectors_of(count, 8)).possible(vectors_of(1, 8, seed=1)[0], k=k)
    assert len(found) == min(count, k)


def test_vectors_of_zeros_are_as_near_as_they_are():
    vectors = np.zeros((3, 8), dtype=np.float32)
    vectors[1, 0] = -1
    assert CodedVectors.of(vectors).possible(np.eye(8, dtype=np.float32)[0], k=1).tolist() == [0, 2]
    assert CodedVectors.of(vectors).possible(vectors[0], k=1).tolist() == [0, 1, 2]
