from __future__ import annotations

from fractions import Fraction

import pytest

from osler.records import Candidate
from osler.search.candidates import hybrid_candidates, reciprocal_rank_fusion


def ids(candidates: list[Candidate]) -> list[str]:
    return [candidate.passage_id for candidate in candidates]


def ranking(*passage_ids: str) -> list[Candidate]:
    return [Candidate(passage_id, rank, 1 / rank) for rank, passage_id in enumerate(passage_ids, start=1)]


def test_a_passage_of_both_rankings_comes_before_one_that_a_single_ranking_has_first():
    fused = hybrid_candidates([ranking("a", "b"), ranking("c", "b")], num_candidates=10)
    assert ids(fused) == ["b", "a", "c"]
    assert fused[0].score == pytest.approx(float(Fraction(1, 62) + Fraction(1, 62)))
    assert [candidate.rank for candidate in fused] == [1, 2, 3]


def test_the_fused_list_is_cut_to_num_candidates():
    fused = hybrid_candidates([ranking("a", "b"), ranking("c", "d")], num_candidates=2)
    assert ids(fused) == ["a", "c"]


def test_a_small_constant_lets_one_first_rank_beat_two_third_ranks():
    rankings = [["a", "x", "b"], ["y", "z", "b"]]
    steep, flat = reciprocal_rank_fusion(rankings, constant=0), reciprocal_rank_fusion(rankings, constant=60)
    assert steep["a"] == 1 > steep["b"] == pytest.approx(2 / 3)
    assert flat["a"] == 1 / 61 < flat["b"] == pytest.approx(2 / 63)


def test_no_ranking_gives_no_scores():
    assert reciprocal_rank_fusion([]) == {}
    assert hybrid_candidates([[], []], num_candidates=3) == []
