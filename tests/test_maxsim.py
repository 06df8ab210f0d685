from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.late_interaction import maxsim as module
from osler.late_interaction.maxsim import LOWEST, maxsim
from osler.late_interaction.ragged import take
from osler.late_interaction.token_vectors import dequantise, quantise


def unit_vectors(count: int, *, dim: int = 8, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def naive_maxsim(query_vectors, passages) -> list[float]:
    scores = []
    for number in range(len(passages)):
        vectors = dequantise(take(passages, number)).astype(np.float64)
        best = [max((float(token @ one) for one in vectors), default=LOWEST) for token in query_vectors]
        scores.append(sum(best) / len(best))
    return scores


@given(
    lengths=st.lists(st.integers(0, 5), max_size=12),
    block=st.integers(1, 10),
    tokens=st.integers(1, 4),
    bits=st.sampled_from([32, 8, 4, 2, 1]),
    seed=st.integers(0, 99),
)
def test_scores_equal_a_naive_loop_over_tokens(lengths, block, tokens, bits, seed):
    vectors = unit_vectors(sum(lengths), seed=seed + 100)
    query, passages = unit_vectors(tokens, seed=seed), quantise(vectors, lengths, bits=bits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_TOKENS", block)
        scores = maxsim(query, passages)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx(naive_maxsim(query, passages), abs=1e-5)


def test_the_score_is_the_mean_over_query_tokens_of_the_best_passage_token():
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    passages = quantise(np.array([[1, 0], [0, 0.5], [0, 0.25]], dtype=np.float32), [3])
    assert maxsim(query, passages).tolist() == [(1 + 0.5) / 2]


def test_a_padded_token_never_wins_the_max():
    """A zero vector, which padding would be, scores 0 and would beat the negative similarity of the real token."""
    query = np.array([[1, 0]], dtype=np.float32)
    short, long = [[-0.5, 0]], [[-0.25, 0], [-1, 0]]
    passages = quantise(np.array([*short, *long], dtype=np.float32), [1, 2])
    assert maxsim(query, passages).tolist() == [-0.5, -0.25]


@pytest.mark.parametrize("lengths", [[0, 2, 0, 1, 0, 0], [3, 0], [0, 0, 3]])
def test_an_empty_passage_scores_lowest_and_changes_no_neighbour(lengths):
    query, vectors = unit_vectors(3), unit_vectors(3, seed=1)
    scores = maxsim(query, quantise(vectors, lengths))
    without = maxsim(query, quantise(vectors, [length for length in lengths if length]))
    assert [score for score, length in zip(scores, lengths, strict=True) if length] == pytest.approx(without.tolist())
    assert all(score == LOWEST for score, length in zip(scores, lengths, strict=True) if not length)


def test_no_passage_with_a_token_scores_below_an_empty_one():
    opposite = quantise(np.array([[-1, 0]], dtype=np.float32), [1, 0])
    assert maxsim(np.array([[1, 0]], dtype=np.float32), opposite).tolist() == [-1, -1]


def test_no_passages_have_no_scores():
    assert maxsim(unit_vectors(2), quantise(unit_vectors(0), [])).tolist() == []


def test_a_query_without_tokens_prefers_no_passage():
    assert maxsim(unit_vectors(0), quantise(unit_vectors(2), [1, 1])).tolist() == [LOWEST, LOWEST]


def test_a_passage_longer_than_a_block_is_scored_whole(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_TOKENS", 2)
    passages = quantise(np.array([[0, 1], [0, 1], [0, 1], [1, 0]], dtype=np.float32), [4])
    assert maxsim(np.array([[1, 0]], dtype=np.float32), passages).tolist() == [1.0]


def test_vectors_of_different_models_are_refused():
    with pytest.raises(ValueError, match="8 and 4 dimensions"):
        maxsim(unit_vectors(1), quantise(unit_vectors(1, dim=4), [1]))
