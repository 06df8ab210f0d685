from __future__ import annotations

import numpy as np
import pytest
from fakes import word_vectors
from hypothesis import given
from hypothesis import strategies as st

from osler.late_interaction.attribution import best_span, token_matches
from osler.late_interaction.maxsim import LOWEST, maxsim
from osler.late_interaction.token_vectors import quantise


def test_every_query_token_names_its_best_passage_token():
    matches = token_matches(word_vectors("fluid heart"), word_vectors("cardiac effusion lung"))
    assert matches.tokens.tolist() == [1, 0]
    assert matches.similarities.tolist() == pytest.approx([0.8, 0.8])


def test_two_query_tokens_can_choose_one_passage_token():
    matches = token_matches(word_vectors("heart cardiac lung"), word_vectors("heart lung"))
    assert matches.weights.tolist() == pytest.approx([(1 + 0.8) / 3, 1 / 3])


def test_the_weights_add_up_to_the_maxsim_score():
    random = np.random.default_rng(0)
    query, codes = random.random((5, 4), dtype=np.float32), np.eye(4, dtype=np.float32)
    matches = token_matches(query, codes)
    assert matches.weights.sum() == pytest.approx(matches.score)
    assert matches.score == pytest.approx(float(maxsim(query, quantise(codes, [4]))[0]))


def test_a_negative_similarity_is_kept():
    matches = token_matches(word_vectors("heart"), -word_vectors("heart"))
    assert matches.weights.tolist() == [-1]


def test_a_query_without_tokens_matches_nothing():
    matches = token_matches(word_vectors(""), word_vectors("heart"))
    assert (matches.weights.tolist(), matches.score) == ([0], LOWEST)


def test_a_passage_without_tokens_is_refused():
    with pytest.raises(ValueError, match="without tokens"):
        token_matches(word_vectors("heart"), word_vectors(""))


def test_tokens_that_share_a_vector_have_equal_parts_of_its_weight():
    matches = token_matches(word_vectors("heart"), word_vectors("lung heart heart"))
    assert matches.tokens.tolist() == [1]
    assert matches.weights.tolist() == [0, 0.5, 0.5]


def best_of_each_span(query, vectors, places, spans):
    """The (start, end) and score of the best span, one span after another."""
    inside = [((start, end), vectors[(places[:, 0] >= start) & (places[:, 0] < end)]) for start, end in spans]
    scored = [(token_matches(query, part).score, span) for span, part in inside if len(part)]
    return max(scored, key=lambda one: one[0], default=(None, None))


@given(
    gaps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=6),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    tokens=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_best_span_is_that_of_a_loop_over_spans(gaps, before, after, tokens, seed):
    """Between spans lie tokens that belong to none, and before and after the text those of markers and title."""
    spans, end = [], 0
    for gap, length in gaps:
        spans.append((end + gap, end + gap + length))
        end += gap + length
    places = np.array([(-1, -1)] * before + [(start, start + 1) for start in range(end + 2)] + [(-1, -1)] * after)
    random = np.random.default_rng(seed)
    query, vectors = random.standard_normal((tokens, 4)), random.standard_normal((len(places), 4))
    score, span = best_of_each_span(query, vectors, places, spans)
    found = best_span(query, vectors, places, spans)
    assert (found and (found.start, found.end)) == span
    assert found is None or found.matches.score == pytest.approx(score)


def test_a_query_without_tokens_is_answered_by_the_first_span_with_tokens():
    found = best_span(
        word_vectors(""), word_vectors("heart lung"), np.array([[3, 8], [9, 13]]), [(0, 2), (3, 8), (9, 13)]
    )
    assert (found.start, found.matches.score) == (3, LOWEST)
