"""Spans of tokens as one value: nothing is lost, however far apart and however long they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.index.token_spans import to_spans, to_value

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
    assert to_spans(to_value(np.array(spans, dtype=np.int64).reshape(-1, 2))).tolist() == spans


def test_tokens_of_one_character_may_share_it():
    spans = [[0, 1], [0, 1], [1, 4]]  # the bytes of a character that a vocabulary lacks
    assert to_spans(to_value(np.array(spans))).tolist() == spans


@pytest.mark.parametrize(("spans", "size"), [([[-1, -1], [0, 254], [254, 255]], 6), ([[0, 255]], 3), ([[255, 765]], 5)])
def test_a_number_takes_a_byte_and_one_more_for_every_255(spans, size):
    value = to_value(np.array(spans))
    assert len(value) == size
    assert to_spans(value).tolist() == spans
