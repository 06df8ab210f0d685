from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.index.manifest import Manifest, ModelIdentity
from osler.index.token_columns import packed_spans, packed_vectors, unpacked_spans, unpacked_vectors, values_of
from osler.late_interaction.ragged import concatenate, divide, reorder
from osler.late_interaction.token_vectors import Compression, compress
from osler.records import PooledTokens, TokenVectors

DIM = 16
LENGTHS = [3, 0, 90, 1, 200]


@pytest.fixture(params=[(32, 1), (8, 1), (4, 1), (2, 2), (1, 3)], ids="{0[0]} bits, pooled by {0[1]}".format)
def compression(request) -> Compression:
    return Compression(*request.param)


@pytest.fixture
def manifest(compression) -> Manifest:
    model = ModelIdentity(name="some", fingerprint="00", dim=DIM)
    return Manifest(encoder=model, reranker=model, token_bits=compression.bits, token_pooling=compression.pooling)


@pytest.fixture
def token_vectors(compression) -> TokenVectors:
    vectors = np.random.default_rng(0).standard_normal((sum(LENGTHS), DIM)).astype(np.float32)
    return compress(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), LENGTHS, compression)


def column(token_vectors: TokenVectors) -> pa.LargeBinaryArray:
    return pa.array(map(packed_vectors, divide(token_vectors)), pa.large_binary())


def assert_equal(found: TokenVectors | PooledTokens, expected: TokenVectors | PooledTokens) -> None:
    for name in (field.name for field in fields(expected)):
        one, other = getattr(found, name), getattr(expected, name)
        if isinstance(other, PooledTokens):
            assert_equal(one, other)
        else:
            assert np.array_equal(one, other), name
            assert getattr(one, "dtype", None) == getattr(other, "dtype", None), name


def test_token_vectors_come_back_as_they_went(token_vectors, manifest):
    assert_equal(unpacked_vectors(values_of(pa.chunked_array([column(token_vectors)])), manifest), token_vectors)


def test_values_are_read_wherever_the_chunks_of_a_column_begin(token_vectors, manifest):
    values = column(token_vectors)
    chunks = pa.chunked_array([values.slice(2, 2), values.slice(4), values.slice(0, 2)])
    assert_equal(unpacked_vectors(values_of(chunks), manifest), reorder(token_vectors, [2, 3, 4, 0, 1]))


def test_a_column_without_values_has_no_vectors_of_the_right_length(manifest):
    found = unpacked_vectors([], manifest)
    assert (len(found), found.dim, len(found.codes)) == (0, DIM, 0)


def test_a_passage_without_tokens_is_a_value_of_four_bytes(token_vectors):
    assert packed_vectors(divide(token_vectors)[1]) == bytes(4)


def test_parts_of_several_tables_can_be_joined(token_vectors, manifest):
    values = column(token_vectors)
    tables = [pa.chunked_array([part]) for part in (values.slice(0, 3), values.slice(3))]
    parts = [unpacked_vectors(values_of(table), manifest) for table in tables]
    assert_equal(concatenate(parts), token_vectors)


OUTSIDE = [-1, -1]


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 700), st.integers(1, 700)))))
def test_any_spans_in_order_come_back(tokens):
    spans, end = [], 0
    for token in tokens:
        if token is None:
            spans.append(OUTSIDE)
        else:
            start = end + token[0]
            end = start + token[1]
            spans.append([start, end])
    assert unpacked_spans(packed_spans(np.array(spans, dtype=np.int64).reshape(-1, 2))).tolist() == spans


def test_tokens_of_one_character_may_share_it():
    spans = [[0, 1], [0, 1], [1, 4]]  # the bytes of a character that a vocabulary lacks
    assert unpacked_spans(packed_spans(np.array(spans))).tolist() == spans


@pytest.mark.parametrize(("spans", "size"), [([[-1, -1], [0, 254], [254, 255]], 6), ([[0, 255]], 3), ([[255, 765]], 5)])
def test_a_number_takes_a_byte_and_one_more_for_every_255(spans, size):
    value = packed_spans(np.array(spans))
    assert len(value) == size
    assert unpacked_spans(value).tolist() == spans
