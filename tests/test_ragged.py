from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.late_interaction.ragged import concatenate, divide, reorder, take
from osler.late_interaction.token_vectors import Compression, compress, quantise, vectors_per_token
from osler.records import TokenVectors


def test_taking_every_passage_and_joining_them_gives_the_same():
    whole = quantise(np.eye(4, dtype=np.float32), [1, 0, 3])
    parts = [take(whole, number) for number in range(len(whole))]
    joined = concatenate(parts)
    assert [len(part.codes) for part in parts] == [1, 0, 3]
    assert joined.codes.tolist() == whole.codes.tolist()
    assert joined.lengths.tolist() == whole.lengths.tolist()


@pytest.mark.parametrize("number", [2, -1])
def test_a_passage_that_does_not_exist_is_refused(number):
    with pytest.raises(ValueError, match="there are 2"):
        take(quantise(np.eye(2, dtype=np.float32), [1, 1]), number)


def test_every_passage_is_a_part_in_order_and_may_be_empty():
    whole = quantise(np.eye(4, dtype=np.float32), [1, 0, 3])
    parts = divide(whole)
    assert [part.lengths.tolist() for part in parts] == [[1], [0], [3]]
    assert concatenate(parts).codes.tolist() == whole.codes.tolist()


def test_no_passages_are_no_parts():
    assert divide(quantise(np.empty((0, 8), dtype=np.float32), [])) == []


@given(st.lists(st.integers(0, 4), max_size=8), st.randoms())
def test_reordering_is_taking_one_by_one(lengths, random):
    tokens = sum(lengths)
    whole = quantise(np.arange(tokens * 3, dtype=np.float32).reshape(tokens, 3), lengths)
    order = random.sample(range(len(lengths)), len(lengths))
    found = divide(reorder(whole, order))
    for part, number in zip(found, order, strict=True):
        assert part.codes.tolist() == take(whole, number).codes.tolist()
        assert part.scales.tolist() == take(whole, number).scales.tolist()


def pooled(counts: list[int]) -> TokenVectors:
    vectors = np.random.default_rng(0).standard_normal((sum(counts), 8)).astype(np.float32)
    return compress(vectors, counts, Compression(bits=8, pooling=3))


def test_pooled_passages_keep_the_vectors_of_their_tokens_when_they_are_divided_and_joined():
    whole = pooled([5, 100, 0, 200])
    parts = divide(whole)
    assert [len(part.codes) for part in parts] == [5, 64, 0, 67]
    assert [len(vectors_per_token(part)) for part in parts] == [5, 100, 0, 200]
    assert vectors_per_token(concatenate(parts)).tolist() == vectors_per_token(whole).tolist()
    assert vectors_per_token(take(whole, 3)).tolist() == vectors_per_token(parts[3]).tolist()


def test_pooled_passages_keep_the_vectors_of_their_tokens_when_they_are_reordered():
    whole = pooled([5, 100, 0, 200])
    back = [vectors_per_token(part) for part in divide(reorder(whole, [3, 2, 1, 0]))]
    there = [vectors_per_token(part) for part in divide(whole)]
    assert [one.tolist() for one in back] == [one.tolist() for one in reversed(there)]
