from __future__ import annotations

from collections.abc import Sequence

import pytest
from fakes import FakeEncoder, FakeIndex, FakeReranker, encoded_document, fake_index

from osler.config import SearchSettings
from osler.errors import UsageError
from osler.records import Document, Filter, Ranking, Section, StoredPassage
from osler.search.searcher import STAGES, Searcher

TEXTS = {"a": "The lung and its fluid.", "b": "Here the cardiac effusion.", "c": "The heart has fluid.", "d": "A gene."}


def searcher(index: FakeIndex | None = None, **settings: object) -> Searcher:
    return Searcher(index or fake_index(TEXTS), FakeEncoder(), FakeReranker(), SearchSettings(**settings))


def ids(ranking: Ranking) -> list[str]:
    return [one.passage.passage_id for one in ranking.ranked]


def test_the_passage_whose_words_fit_best_comes_first():
    ranking = searcher().search("heart fluid", k=3)
    assert ids(ranking) == ["c#0", "b#0", "a#0"]
    assert [one.score for one in ranking.ranked] == pytest.approx([1.0, 0.8, 0.5], abs=0.003)
    assert [one.rank for one in ranking.ranked] == [1, 2, 3]


def test_stage_1_hands_num_candidates_not_k_to_the_re_ranker():
    """49 passages are nearer to the query as a whole; the one at rank 50 has its every word, among many others."""
    texts = {f"near{number:02}": "heart fluid lung heart fluid" for number in range(49)}
    texts["target"] = "heart fluid lung cardiac effusion" + " other" * 3
    index = fake_index(texts)
    ranking = searcher(index, candidates="dense", num_candidates=50).search("heart fluid lung effusion", k=1)
    assert ids(ranking) == ["target#0"]
    assert ranking.ranked[0].candidate_rank == 50
    assert ids(searcher(index, candidates="dense", num_candidates=49).search("heart fluid lung effusion", k=1)) != [
        "target#0"
    ]


def test_both_searches_of_the_index_are_asked_for_num_candidates():
    index = fake_index(TEXTS)
    searcher(index, num_candidates=3).search("heart", k=1)
    assert index.asked == [3, 3]


def test_never_fewer_than_k_are_fetched():
    assert len(searcher(num_candidates=1).search("heart fluid", k=3).ranked) == 3


def test_a_smaller_k_gives_the_beginning_of_the_same_ranking():
    assert searcher().search("heart fluid", k=2).ranked == searcher().search("heart fluid", k=4).ranked[:2]


def test_k_comes_from_the_settings_unless_it_is_given():
    assert len(searcher(k=2).search("heart").ranked) == 2
    assert len(searcher(k=2).search("heart", k=1).ranked) == 1


@pytest.mark.parametrize("candidates", ["dense", "lexical", "hybrid"])
def test_without_re_ranking_the_order_and_scores_of_stage_1_are_final(candidates):
    ranking = searcher(candidates=candidates, rerank=False).search("heart fluid", k=2)
    assert [one.candidate_rank for one in ranking.ranked] == [1, 2]
    assert all(one.score == one.candidate_score for one in ranking.ranked)


def test_without_re_ranking_there_is_evidence_all_the_same():
    ranking = searcher(rerank=False).search("heart fluid", k=1)
    assert ranking.ranked[0].evidence.text == "The heart has fluid."


def test_lexical_candidates_need_no_encoder():
    class Broken(FakeEncoder):
        def encode_queries(self, queries: Sequence[str]) -> None:
            raise AssertionError("not needed")

    lexical = Searcher(fake_index(TEXTS), Broken(), FakeReranker(), SearchSettings(candidates="lexical"))
    assert ids(lexical.search("heart")) == ["c#0"]


def test_stored_and_encoded_token_vectors_rank_the_same():
    stored, encoded = searcher(stored=True), searcher(stored=False)
    assert stored.search("heart fluid").ranked == encoded.search("heart fluid").ranked
    assert stored.reranker.encoded == []
    assert len(encoded.reranker.encoded) == 4


def test_an_index_without_token_vectors_is_re_ranked_all_the_same():
    bare = searcher(fake_index(TEXTS, token_vectors=False))
    assert bare.search("heart fluid").ranked == searcher().search("heart fluid").ranked


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, (4, True)), ({"stored": False}, (4, False)), ({"rerank": False}, (2, True))],
)
def test_no_more_is_read_than_ranking_and_evidence_need(settings, expected):
    index = fake_index(TEXTS)
    searcher(index, **settings).search("heart fluid", k=2)
    assert index.reads == [expected]


def test_evidence_has_offsets_in_the_document():
    index = FakeIndex()
    document = Document("x", "Title", (Section("AIM", "A gene."), Section("RESULTS", "The lung. The heart has fluid.")))
    index.upsert([encoded_document(document, FakeEncoder(), FakeReranker())])
    evidence = searcher(index).search("heart fluid", k=1).ranked[0].evidence
    assert document.text[evidence.start : evidence.end] == evidence.text == "The heart has fluid."


def test_the_filter_holds_in_both_searches_and_fewer_may_come_back():
    index = FakeIndex()
    for doc_id, metadata in (
        ("old", {"year": 1999}),
        ("new", {"year": 2020}),
        ("bad", {"year": 2020, "retracted": True}),
    ):
        document = Document(doc_id, "", (Section("", "The heart has fluid."),), metadata=metadata)
        index.upsert([encoded_document(document, FakeEncoder(), FakeReranker())])
    assert ids(searcher(index).search("heart", where=Filter(year_from=2010))) == ["new#0"]
    assert ids(searcher(index).search("heart", where=Filter(include_retracted=True))) == ["bad#0", "new#0", "old#0"]


def test_no_passage_comes_twice():
    found = ids(searcher().search("heart fluid lung cardiac effusion", k=10))
    assert sorted(found) == ["a#0", "b#0", "c#0", "d#0"]


def test_nothing_found_is_an_empty_ranking():
    assert searcher(FakeIndex()).search("heart").ranked == ()
    assert searcher(candidates="lexical").search("absent").ranked == ()


def test_a_passage_that_an_update_removed_meanwhile_is_left_out():
    class Updated(FakeIndex):
        def read(self, passage_ids: Sequence[str], *, token_vectors: bool) -> list[StoredPassage]:
            self.delete(["c"])
            return super().read(passage_ids, token_vectors=token_vectors)

    index = Updated()
    index.__dict__.update(fake_index(TEXTS).__dict__)
    ranking = searcher(index).search("heart fluid", k=2)
    assert ids(ranking) == ["b#0", "a#0"]
    assert [one.rank for one in ranking.ranked] == [1, 2]


def test_the_seconds_of_every_stage_are_kept():
    seconds = searcher().search("heart fluid").seconds
    assert tuple(seconds) == STAGES == ("encode", "candidates", "read", "maxsim", "evidence")
    assert all(value > 0 for value in seconds.values())


def test_without_re_ranking_no_time_goes_to_maxsim():
    seconds = searcher(rerank=False).search("heart fluid").seconds
    assert [stage for stage in STAGES if seconds[stage] == 0] == ["maxsim"]


@pytest.mark.parametrize("query", ["", " \n"])
def test_a_blank_query_is_refused(query):
    with pytest.raises(UsageError, match="is empty"):
        searcher().search(query)


def test_a_k_below_one_is_refused():
    with pytest.raises(UsageError, match="k = 0"):
        searcher().search("heart", k=0)


def test_spaces_around_the_query_change_nothing():
    assert searcher().search(" heart ").ranked == searcher().search("heart").ranked
