from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import fcluster, linkage

from osler.late_interaction.token_vectors import (
    KEPT,
    OFFSETS,
    SCALES,
    Compression,
    compress,
    dequantise,
    num_vectors,
    pool,
    quantise,
    vectors_per_token,
)

FLOATS = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 5)), elements=FLOATS))
def test_no_component_is_off_by_more_than_half_a_scale(vectors):
    stored = quantise(vectors, [len(vectors)])
    error = np.abs(dequantise(stored) - vectors)
    smallest_float = np.finfo(np.float32).tiny
    assert (error <= 0.501 * stored.scales[:, None] + smallest_float).all()


def test_the_largest_component_has_the_largest_code():
    stored = quantise(np.array([[0.6, -0.8]], dtype=np.float32), [1])
    assert stored.codes.tolist() == [[222, 0]]
    assert stored.scales[0] == pytest.approx(0.8 / 127)


def test_a_vector_of_zeros_stays_one():
    stored = quantise(np.zeros((1, 3), dtype=np.float32), [1])
    assert dequantise(stored).tolist() == [[0, 0, 0]]


def test_the_smallest_float_does_not_leave_the_range_of_the_codes():
    tiny = np.array([[np.finfo(np.float32).smallest_subnormal * 200]], dtype=np.float32)
    assert quantise(tiny, [1]).codes.min() > 127


@pytest.mark.parametrize("bits", [32, 8, 4, 2, 1])
def test_a_scale_is_not_rounded_when_it_is_stored(bits):
    scales = quantise(unit_vectors(20), [20], bits=bits).scales
    assert (scales.astype(SCALES[bits]).astype(np.float32) == scales).all()


def test_codes_are_stored_in_the_types_of_the_record():
    stored = quantise(np.eye(2, dtype=np.float32), (1, 1))
    assert (stored.codes.dtype, stored.scales.dtype, stored.lengths.dtype) == (np.uint8, np.float32, np.int64)


def test_lengths_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="2 token vectors for passages of 3 tokens"):
        quantise(np.eye(2, dtype=np.float32), [1, 2])


def test_a_vector_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        quantise(np.array([[np.nan, 0]], dtype=np.float32), [1])


def unit_vectors(count: int, dim: int = 64) -> np.ndarray:
    vectors = np.random.default_rng(0).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("bits", "size", "cosine"), [(32, 256, 0.999999), (8, 64, 0.9999), (4, 32, 0.993), (2, 16, 0.93), (1, 8, 0.79)]
)
def test_fewer_bits_take_less_room_and_keep_the_direction(bits, size, cosine):
    vectors = unit_vectors(500)
    stored = quantise(vectors, [500], bits=bits)
    read = dequantise(stored)
    assert stored.codes.shape == (500, size)
    assert (stored.dim, stored.bits) == (64, bits)
    cosines = (read * vectors).sum(axis=1) / np.linalg.norm(read, axis=1)
    assert cosines.mean() > cosine


@pytest.mark.parametrize("bits", [4, 2, 1])
def test_no_other_scale_brings_a_vector_nearer_but_for_the_constant(bits):
    vectors = unit_vectors(50)
    stored = quantise(vectors, [50], bits=bits)

    def error(factor):
        scales = stored.scales * np.float32(factor * KEPT[bits])
        return ((dequantise(replace(stored, scales=scales)) - vectors) ** 2).sum(axis=1)

    for factor in (0.97, 1.03):
        assert (error(1) < error(factor)).all()


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_products_are_neither_smaller_nor_larger_for_it(bits):
    vectors = unit_vectors(2000)
    read = dequantise(quantise(vectors, [2000], bits=bits))
    queries = vectors + 0.1 * np.random.default_rng(1).standard_normal(vectors.shape).astype(np.float32)
    products, kept = (queries * vectors).sum(axis=1), (queries * read).sum(axis=1)
    assert kept.mean() == pytest.approx(products.mean(), rel=0.01)


@pytest.mark.parametrize("bits", [32, 8, 4, 2, 1])
def test_a_vector_and_its_opposite_are_kept_equally_well(bits):
    vectors = unit_vectors(50)
    there, back = (dequantise(quantise(sign * vectors, [50], bits=bits)) for sign in (1, -1))
    np.testing.assert_allclose(there, -back, atol=1e-6)


@pytest.mark.parametrize("bits", [32, 8, 4, 2, 1])
def test_zeros_stay_zeros_whatever_the_bits(bits):
    assert not dequantise(quantise(np.zeros((2, 8), dtype=np.float32), [2], bits=bits)).any()


def test_components_that_do_not_fill_bytes_are_refused():
    with pytest.raises(ValueError, match="12 components of 1 bits do not fill bytes: choose a multiple of 8"):
        quantise(np.ones((1, 12), dtype=np.float32), [1], bits=1)


@pytest.mark.parametrize("bits", [4, 2, 1])
def test_components_keep_their_places_in_bytes(bits):
    codes = np.random.default_rng(0).integers(0, 2**bits, size=(5, 16))
    vectors = (codes - np.float32(OFFSETS[bits])) * np.float32(0.5)
    read = dequantise(quantise(vectors.astype(np.float32), [5], bits=bits))
    assert np.sign(read).tolist() == np.sign(vectors).tolist()
    assert np.corrcoef(read.ravel(), vectors.ravel())[0, 1] > 0.9


def random_directions(count: int, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_short_passage_keeps_a_vector_for_every_token():
    vectors = random_directions(64)
    found = pool(vectors, [64], factor=4)
    assert found.vectors.tolist() == vectors.tolist()
    assert found.tokens.places.tolist() == list(range(64))


@pytest.mark.parametrize(("tokens", "factor", "left"), [(65, 4, 64), (300, 3, 100), (301, 3, 101), (2000, 2, 256)])
def test_a_long_passage_is_left_with_a_share_of_its_vectors(tokens, factor, left):
    assert num_vectors(tokens, factor) == left
    assert len(pool(random_directions(tokens), [tokens], factor=factor).vectors) == left


def test_passages_are_pooled_by_themselves():
    vectors = random_directions(290)
    together = pool(vectors, [100, 0, 190], factor=3)
    apart = [pool(part, [len(part)], factor=3) for part in (vectors[:100], vectors[100:])]
    assert together.lengths.tolist() == [64, 0, 64]
    assert together.tokens.counts.tolist() == [100, 0, 190]
    assert together.vectors.tolist() == np.concatenate([part.vectors for part in apart]).tolist()


def test_clusters_are_those_of_ward_with_their_means_at_unit_length():
    vectors = random_directions(200)
    found = pool(vectors, [200], factor=2)
    labels = fcluster(linkage(vectors, "ward"), 100, "maxclust")
    for place, vector in enumerate(found.vectors):
        members = np.flatnonzero(found.tokens.places == place)
        assert len(set(labels[members])) == 1
        assert (labels == labels[members[0]]).sum() == len(members)
        mean = vectors[members].mean(axis=0)
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_vectors_are_numbered_by_their_first_tokens():
    places = pool(random_directions(200), [200], factor=3).tokens.places.tolist()
    first = [places.index(number) for number in range(max(places) + 1)]
    assert first == sorted(first)


def test_tokens_of_equal_vectors_keep_them():
    vectors = np.repeat(random_directions(2), 100, axis=0)
    kept = vectors_per_token(compress(vectors, [200], Compression(bits=32, pooling=2)))
    assert kept == pytest.approx(vectors, abs=1e-6)


def test_no_passages_have_no_vectors():
    found = pool(random_directions(0), [], factor=3)
    assert found.vectors.shape == (0, 16)
    assert found.lengths.tolist() == found.tokens.places.tolist() == []


def test_the_vector_of_each_token_is_near_what_it_was():
    centres = random_directions(64)
    noise = np.random.default_rng(0).standard_normal((192, 16)).astype(np.float32) * 0.05
    vectors = np.repeat(centres, 3, axis=0) + noise
    kept = vectors_per_token(compress(vectors, [192], Compression(bits=8, pooling=3)))
    assert kept.shape == vectors.shape
    cosines = (kept * vectors).sum(axis=1) / np.linalg.norm(kept, axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.min() > 0.9
