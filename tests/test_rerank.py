from __future__ import annotations

import pytest
from fakes import FakeReranker, fake_index

from osler.late_interaction.maxsim import LOWEST
from osler.records import Candidate, StoredPassage
from osler.search import rerank as module
from osler.search.rerank import interpolated, maxsim_scores, rerank, token_vectors_of

TEXTS = {"a": "lung fluid", "b": "heart fluid", "c": "cardiac effusion", "d": "gene"}


def read(*doc_ids: str, token_vectors: bool = True) -> list[StoredPassage]:
    return fake_index(TEXTS).read([f"{doc_id}#0" for doc_id in doc_ids], token_vectors=token_vectors)


def candidates(*doc_ids: str) -> list[Candidate]:
    return [Candidate(f"{doc_id}#0", rank, 1 / rank) for rank, doc_id in enumerate(doc_ids, start=1)]


def scores_of(passages: list[StoredPassage], *, stored: bool = True) -> list[float]:
    reranker = FakeReranker()
    query_vectors = reranker.encode_queries(["heart fluid"])[0]
    return maxsim_scores(query_vectors, token_vectors_of(passages, reranker, stored=stored))


def test_scores_are_mean_similarities_of_the_best_words():
    assert scores_of(read("a", "b", "c", "d")) == pytest.approx([0.5, 1.0, 0.8, 0.0], abs=1e-6)


def test_stored_and_freshly_encoded_token_vectors_score_the_same():
    passages = read("a", "b", "c", "d")
    assert scores_of(passages, stored=True) == scores_of(passages, stored=False)


def test_only_passages_without_stored_token_vectors_are_encoded():
    reranker = FakeReranker()
    mixed = [*read("a"), *read("b", "c", token_vectors=False), *read("d")]
    vectors = token_vectors_of(mixed, reranker)
    assert reranker.encoded == ["b#0", "c#0"]
    assert maxsim_scores(reranker.encode_queries(["heart fluid"])[0], vectors) == scores_of(read("a", "b", "c", "d"))


def test_stored_token_vectors_are_left_alone_when_told_so():
    reranker = FakeReranker()
    token_vectors_of(read("a", "b"), reranker, stored=False)
    assert reranker.encoded == ["a#0", "b#0"]


def test_more_passages_than_one_block_score_the_same(monkeypatch):
    expected = scores_of(read("a", "b", "c", "d"))
    monkeypatch.setattr(module, "BLOCK_PASSAGES", 3)
    assert scores_of(read("a", "b", "c", "d")) == expected


def test_a_passage_without_a_token_scores_lowest():
    reranker = FakeReranker()
    vectors = token_vectors_of(
        fake_index({"empty": "", "a": "heart"}).read(["empty#0", "a#0"], token_vectors=True), reranker
    )
    assert maxsim_scores(reranker.encode_queries(["heart"])[0], vectors) == [LOWEST, 1.0]


def test_the_best_score_comes_first_and_both_ranks_are_kept():
    ranked = rerank(candidates("a", "b", "c"), read("a", "b", "c"), [0.5, 1.0, 0.8], k=2)
    assert [(one.passage.passage_id, one.rank, one.candidate_rank) for one in ranked] == [("b#0", 1, 2), ("c#0", 2, 3)]
    assert [(one.score, one.candidate_score) for one in ranked] == [(1.0, 1 / 2), (0.8, 1 / 3)]


def test_equal_scores_keep_the_order_of_stage_1():
    ranked = rerank(candidates("c", "a", "b"), read("c", "a", "b"), [0.5, 0.5, 0.5], k=3)
    assert [one.passage.passage_id for one in ranked] == ["c#0", "a#0", "b#0"]


def test_the_interpolated_score_is_the_weighted_mean_of_both_stages():
    assert interpolated([0.5, 1.0], [0.9, 0.1], weight=0.25) == pytest.approx([0.6, 0.775])


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [0.3, 0.7]), (1.0, [0.9, 0.1])])
def test_a_weight_of_0_or_1_leaves_one_stage_as_it_is(weight, expected):
    assert interpolated([0.3, 0.7], [0.9, 0.1], weight=weight) == expected


def test_a_ranked_passage_keeps_its_maxsim_beside_the_score_that_ranks():
    ranked = rerank(candidates("a", "b"), read("a", "b"), [0.2, 0.4], k=2, maxsim=[0.6, 0.5])
    assert [(one.passage.passage_id, one.score, one.maxsim) for one in ranked] == [
        ("b#0", 0.4, 0.5),
        ("a#0", 0.2, 0.6),
    ]


def test_without_re_ranking_there_is_no_maxsim():
    assert rerank(candidates("a"), read("a"), [0.2], k=1)[0].maxsim is None


def test_nothing_to_rank_gives_nothing():
    assert token_vectors_of([], FakeReranker()) == []
    assert maxsim_scores(FakeReranker().encode_queries(["heart"])[0], []) == []
    assert rerank([], [], [], k=3) == []
