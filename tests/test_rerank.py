from __future__ import annotations

import pytest
from fakes import FakeReranker, fake_index

from osler.late_interaction.maxsim import LOWEST
from osler.late_interaction.ragged import divide
from osler.records import Candidate
from osler.search import rerank as module
from osler.search.rerank import best_first, encode_by_id, interpolated, maxsim_scores

TEXTS = {"a": "lung fluid", "b": "heart fluid", "c": "cardiac effusion", "d": "gene"}
IDS = [f"{doc_id}#0" for doc_id in TEXTS]


def scores_of(texts: dict[str, str], query: str = "heart fluid") -> list[float]:
    """Of each text, with token vectors as an index gives them."""
    passage_ids = [f"{doc_id}#0" for doc_id in texts]
    stored = fake_index(texts).snapshot().read(passage_ids).token_vectors
    vectors = dict(zip(passage_ids, divide(stored), strict=True))
    return maxsim_scores(FakeReranker().encode_queries([query])[0], passage_ids, vectors)


def candidates(*doc_ids: str) -> list[Candidate]:
    return [Candidate(f"{doc_id}#0", rank, 1 / rank) for rank, doc_id in enumerate(doc_ids, start=1)]


def test_scores_are_mean_similarities_of_the_best_words():
    assert scores_of(TEXTS) == pytest.approx([0.5, 1.0, 0.8, 0.0], abs=1e-6)


def test_freshly_encoded_token_vectors_are_those_that_an_index_stores():
    encoded = encode_by_id(fake_index(TEXTS).snapshot().read(IDS).passages, FakeReranker())
    assert maxsim_scores(FakeReranker().encode_queries(["heart fluid"])[0], IDS, encoded) == scores_of(TEXTS)


def test_a_passage_that_is_given_twice_is_encoded_once(monkeypatch):
    monkeypatch.setattr(module, "_SLICE", 3)
    reranker, told = FakeReranker(), []
    passages = fake_index(TEXTS).snapshot().read(IDS).passages
    encode_by_id([*passages, *passages], reranker, on_passages=lambda done, of: told.append((done, of)))
    assert sorted(reranker.encoded) == IDS
    assert told == [(3, 4), (4, 4)]


def test_more_passages_than_one_block_score_the_same(monkeypatch):
    expected = scores_of(TEXTS)
    monkeypatch.setattr(module, "BLOCK_PASSAGES", 3)
    assert scores_of(TEXTS) == expected


def test_a_passage_without_a_token_scores_lowest():
    assert scores_of({"empty": "", "a": "heart"}, "heart") == [LOWEST, 1.0]


def test_the_best_score_comes_first():
    assert best_first(candidates("a", "b", "c"), [0.5, 1.0, 0.8], k=2) == [1, 2]


def test_equal_scores_keep_the_order_of_stage_1():
    assert best_first(candidates("c", "a", "b"), [0.5, 0.5, 0.5], k=3) == [0, 1, 2]


def test_the_interpolated_score_is_the_weighted_mean_of_both_stages():
    assert interpolated([0.5, 1.0], [0.9, 0.1], weight=0.25) == pytest.approx([0.6, 0.775])


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [0.3, 0.7]), (1.0, [0.9, 0.1])])
def test_a_weight_of_0_or_1_leaves_one_stage_as_it_is(weight, expected):
    assert interpolated([0.3, 0.7], [0.9, 0.1], weight=weight) == expected


def test_nothing_to_rank_gives_nothing():
    assert encode_by_id([], FakeReranker()) == {}
    assert maxsim_scores(FakeReranker().encode_queries(["heart"])[0], [], {}) == []
    assert best_first([], [], k=3) == []
