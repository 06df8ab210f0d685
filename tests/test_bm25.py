import numpy as np
import pytest

from osler.text.bm25 import BM25

TEXTS = ["Fluid around the heart.", "The bones are brittle.", "A brittle nail."]


def test_words_count_by_their_stem():
    assert BM25(TEXTS).scores("bone").tolist() == BM25(TEXTS).scores("bones").tolist()
    assert np.flatnonzero(BM25(TEXTS).scores("bone")).tolist() == [1]


def test_a_rarer_word_weighs_more():
    scores = BM25(TEXTS).scores("brittle bones")
    assert scores[1] > scores[2] > scores[0] == 0


@pytest.mark.parametrize("query", ["", "?", "the", "lung"])
def test_a_query_without_a_known_word_scores_nothing(query):
    assert BM25(TEXTS).scores(query).tolist() == [0, 0, 0]


def test_its_scores_are_those_of_the_formula():
    # as Lucene computes it: ln(1 + (N - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * length / mean length))
    idf = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    lengths = [3, 2, 2]  # fluid around heart; bone brittl; brittl nail
    length_share = 2 / np.mean(lengths)
    assert BM25(TEXTS).scores("nail")[2] == pytest.approx(idf / (1 + 1.5 * (0.25 + 0.75 * length_share)), rel=1e-5)
