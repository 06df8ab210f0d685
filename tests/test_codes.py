from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from osler.late_interaction.codes import concatenate, dequantise, divide, quantise, reorder, take

FLOATS = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 5)), elements=FLOATS))
def test_no_component_is_off_by_more_than_half_a_scale(vectors):
    stored = quantise(vectors, [len(vectors)])
    error = np.abs(dequantise(stored) - vectors)
    smallest_float = np.finfo(np.float32).tiny
    assert (error <= 0.501 * stored.scales[:, None] + smallest_float).all()


def test_the_largest_component_has_the_largest_code():
    stored = quantise(np.array([[0.6, -0.8]], dtype=np.float32), [1])
    assert stored.codes.tolist() == [[95, -127]]
    assert stored.scales[0] == pytest.approx(0.8 / 127)


def test_a_vector_of_zeros_stays_one():
    stored = quantise(np.zeros((1, 3), dtype=np.float32), [1])
    assert dequantise(stored).tolist() == [[0, 0, 0]]


def test_the_smallest_float_does_not_leave_the_range_of_int8():
    tiny = np.array([[np.finfo(np.float32).smallest_subnormal * 200]], dtype=np.float32)
    assert quantise(tiny, [1]).codes.min() > 0


def test_codes_are_stored_in_the_types_of_the_record():
    stored = quantise(np.eye(2, dtype=np.float32), (1, 1))
    assert (stored.codes.dtype, stored.scales.dtype, stored.lengths.dtype) == (np.int8, np.float32, np.int64)


def test_lengths_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="2 token vectors for passages of 3 tokens"):
        quantise(np.eye(2, dtype=np.float32), [1, 2])


def test_a_vector_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        quantise(np.array([[np.nan, 0]], dtype=np.float32), [1])


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


def test_parts_are_consecutive_and_may_be_empty():
    whole = quantise(np.eye(4, dtype=np.float32), [1, 0, 3])
    parts = divide(whole, [0, 2, 1])
    assert [part.lengths.tolist() for part in parts] == [[], [1, 0], [3]]
    assert concatenate(parts).codes.tolist() == whole.codes.tolist()


def test_parts_that_leave_a_passage_out_are_refused():
    with pytest.raises(ValueError, match="1 passages of 2"):
        divide(quantise(np.eye(2, dtype=np.float32), [1, 1]), [1])


@given(st.lists(st.integers(0, 4), max_size=8), st.randoms())
def test_reordering_is_taking_one_by_one(lengths, random):
    tokens = sum(lengths)
    whole = quantise(np.arange(tokens * 3, dtype=np.float32).reshape(tokens, 3), lengths)
    order = random.sample(range(len(lengths)), len(lengths))
    found = divide(reorder(whole, order), [1] * len(lengths))
    for part, number in zip(found, order, strict=True):
        assert part.codes.tolist() == take(whole, number).codes.tolist()
        assert part.scales.tolist() == take(whole, number).scales.tolist()
