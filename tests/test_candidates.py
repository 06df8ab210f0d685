from __future__ import annotations

import pytest

from osler.config import SearchSettings
from osler.records import Candidate
from osler.search.candidates import fuse_scores, shares_of_best, stage1_scores


def ids(candidates: list[Candidate]) -> list[str]:
    return [candidate.passage_id for candidate in candidates]


def ranking(*passage_ids: str) -> list[Candidate]:
    return [Candidate(passage_id, rank, 1 / rank) for rank, passage_id in enumerate(passage_ids, start=1)]


def test_the_linear_score_is_the_cosine_and_the_weighted_share_of_the_highest_bm25():
    lexical = [Candidate("b", 1, 12.0), Candidate("c", 2, 3.0)]
    fused = fuse_scores({"a": 0.5, "b": 0.25, "c": 0.375}, lexical, num_candidates=10, lexical_weight=0.5)
    assert [(one.passage_id, one.rank, one.score) for one in fused] == [
        ("b", 1, 0.25 + 0.5),
        ("a", 2, 0.5),
        ("c", 3, 0.375 + 0.5 * 0.25),
    ]


def test_of_equal_fused_scores_the_lower_passage_id_comes_first_and_the_list_is_cut():
    assert ids(fuse_scores({"b": 0.5, "c": 0.75, "a": 0.5}, [], num_candidates=2, lexical_weight=0.2)) == ["c", "a"]


def test_a_lexical_passage_without_a_cosine_is_left_out():
    assert ids(fuse_scores({"a": 0.5}, [Candidate("gone", 1, 9.0)], num_candidates=2, lexical_weight=0.2)) == ["a"]


def test_a_longer_query_with_higher_bm25_weighs_no_more():
    short, long = ([Candidate("a", 1, 2.0 * times), Candidate("b", 2, 1.0 * times)] for times in (1, 10))
    cosines = {"a": 0.1, "b": 0.2}
    assert fuse_scores(cosines, short, num_candidates=2, lexical_weight=0.2) == fuse_scores(
        cosines, long, num_candidates=2, lexical_weight=0.2
    )


def test_shares_are_those_of_the_highest_score():
    assert shares_of_best([Candidate("a", 1, 4.0), Candidate("b", 2, 1.0)]) == [1.0, 0.25]
    assert shares_of_best([Candidate("a", 1, 0.0)]) == [0.0]
    assert shares_of_best([]) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"candidates": "dense"}, [0.5, 0.125]),
        ({"candidates": "hybrid"}, [0.5, 0.125]),
        ({"candidates": "lexical"}, [1.0, 0.25]),
    ],
)
def test_the_scores_of_stage_1_are_on_a_scale_that_queries_share(settings, expected):
    candidates = [Candidate("a", 1, 0.5), Candidate("b", 2, 0.125)]
    assert stage1_scores(candidates, SearchSettings(**settings)) == expected
