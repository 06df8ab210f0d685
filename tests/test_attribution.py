from __future__ import annotations

import numpy as np
import pytest
from fakes import word_vectors

from osler.late_interaction.attribution import token_matches
from osler.late_interaction.codes import quantise
from osler.late_interaction.maxsim import LOWEST, maxsim


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
