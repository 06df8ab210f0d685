from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import pytest
from fakes import FakeEncoder, FakeIndex, FakeReranker, FakeSnapshot, encoded_document, fake_index

from osler.config import SearchSettings
from osler.errors import UsageError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index
from osler.protocols import Snapshot
from osler.records import Document, Filter, Ranking, Section
from osler.search.searcher import STAGES, Searcher

TEXTS = {"a": "The lung and its fluid.", "b": "Here the cardiac effusion.", "c": "The heart has fluid.", "d": "A gene."}


def searcher(index: FakeIndex | None = None, *, reranker: FakeReranker | None = None, **settings: object) -> Searcher:
    reranker = reranker or FakeReranker()
    return Searcher(index or fake_index(TEXTS), FakeEncoder(), reranker, SearchSettings(**settings))


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
    assert sorted(asked for asked in index.asked if asked[0] in ("nearest", "lexical")) == [
        ("lexical", 3),
        ("nearest", 3),
    ]


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


def test_an_index_without_token_vectors_is_re_ranked_all_the_same():
    bare, stored = searcher(fake_index(TEXTS, token_vectors=False)), searcher()
    assert bare.search("heart fluid").ranked == stored.search("heart fluid").ranked
    assert (len(bare.reranker.encoded), stored.reranker.encoded) == (4, [])


READ = [
    ({}, [("passages", 2), ("token_vectors", 2), ("token_vectors", 4), ("vectors", 4)]),
    ({"rerank": False}, [("passages", 2), ("token_vectors", 2), ("vectors", 4)]),
    ({"candidates": "dense"}, [("passages", 2), ("token_vectors", 2), ("token_vectors", 4)]),
]


@pytest.mark.parametrize(("settings", "read"), READ)
def test_no_more_is_read_than_ranking_and_evidence_need(settings, read):
    index = fake_index(TEXTS)
    searcher(index, **settings).search("heart fluid", k=2)
    assert sorted(asked for asked in index.asked if asked[0] not in ("nearest", "lexical")) == read


def test_where_nothing_is_compared_late_no_token_vectors_are_read():
    index = fake_index(TEXTS)
    searcher(index, candidates="dense", rerank=False).search("heart fluid", k=2, evidence=False)
    assert index.asked == [("nearest", 100), ("passages", 2)]


def test_evidence_has_offsets_in_the_document():
    index = FakeIndex()
    document = Document("x", "Title", (Section("AIM", "A gene."), Section("RESULTS", "The lung. The heart has fluid.")))
    index.upsert([encoded_document(document, FakeEncoder(), FakeReranker())])
    evidence = searcher(index).search("heart fluid", k=1).ranked[0].evidence
    assert document.text[evidence.start : evidence.end] == evidence.text == "The heart has fluid."


@pytest.mark.parametrize(("token_vectors", "expected"), [(True, []), (False, ["c#0"])])
def test_stored_spans_spare_taking_the_passages_apart_again(token_vectors, expected):
    reranker = FakeReranker()
    ranking = searcher(fake_index(TEXTS, token_vectors=token_vectors), reranker=reranker).search("heart fluid", k=1)
    assert reranker.tokenized == expected
    assert ranking.ranked == searcher().search("heart fluid", k=1).ranked


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


class Busy(Snapshot):
    """A snapshot of an index to which another commit is made before each of its steps."""

    def __init__(self, index: LanceIndex, snapshot: Snapshot) -> None:
        self.index, self.snapshot, self.steps = index, snapshot, []

    def __getattribute__(self, name: str) -> object:
        if name in ("index", "snapshot", "steps", "commit"):
            return object.__getattribute__(self, name)
        self.commit(name)
        return getattr(self.snapshot, name)

    def commit(self, step: str) -> None:
        self.steps.append(step)
        self.index.delete(["c"])
        documents = [Document(doc_id, "", (Section("", f"heart fluid {len(self.steps)}"),)) for doc_id in ("a", "new")]
        self.index.upsert([encoded_document(document, FakeEncoder(), FakeReranker()) for document in documents])


@pytest.mark.parametrize("held_rows", [10**9, 0])
def test_a_search_reads_one_version_whatever_is_committed_between_its_steps(tmp_path, monkeypatch, held_rows):
    monkeypatch.setattr("osler.index.snapshot.HELD_ROWS", held_rows)
    monkeypatch.setattr("osler.index.watch.CHECK_EVERY", 0.0)
    encoder, reranker = (ModelIdentity(name="fake", fingerprint=f"fake-{kind}", dim=6) for kind in ("e", "r"))
    index = create_index(tmp_path / "index", Manifest(encoder=encoder, reranker=reranker))
    documents = [Document(doc_id, "", (Section("", text),)) for doc_id, text in TEXTS.items()]
    index.upsert([encoded_document(document, FakeEncoder(), FakeReranker()) for document in documents])
    expected = searcher(index).search("heart fluid").ranked

    busy = Busy(index, index.snapshot())
    asked = searcher(index)
    asked.index = SimpleNamespace(snapshot=lambda: busy)
    assert asked.search("heart fluid").ranked == expected
    assert {"nearest", "lexical", "read"} <= set(busy.steps)
    assert ids(searcher(index).search("heart fluid", k=2)) == ["a#0", "new#0"]


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


def scores(ranking: Ranking) -> dict[str, float]:
    return {one.passage.passage_id: one.score for one in ranking.ranked}


def test_the_fusion_adds_the_lexical_share_to_the_cosine():
    cosines = scores(searcher(candidates="dense", rerank=False).search("heart fluid", k=4))
    fused = scores(searcher(rerank=False, lexical_weight=0.5).search("heart fluid", k=4))
    # the query has two words in common with c, the most; one with a; none with b and d
    assert fused == pytest.approx({**cosines, "c#0": cosines["c#0"] + 0.5, "a#0": cosines["a#0"] + 0.25})


def test_a_passage_that_only_words_find_gets_its_true_cosine():
    texts = {"near": "cardiac effusion", "words": "heart lung lung lung"}
    index = fake_index(texts)
    cosines = scores(searcher(index, candidates="dense", rerank=False).search("heart", k=2))
    ranking = searcher(index, num_candidates=1, rerank=False, lexical_weight=0.5).search("heart", k=1)
    assert cosines["near#0"] > cosines["words#0"]  # so the dense list of one lacks it
    assert scores(ranking) == pytest.approx({"words#0": cosines["words#0"] + 0.5})
    assert ("vectors", 2) in index.asked


@pytest.mark.parametrize("candidates", ["dense", "lexical"])
def test_no_vector_is_read_for_one_kind_of_candidates(candidates):
    index = fake_index(TEXTS)
    searcher(index, candidates=candidates).search("heart fluid")
    assert "vectors" not in {name for name, _ in index.asked}


def test_the_final_score_interpolates_both_stages():
    plain = searcher(stage1_weight=0.0).search("heart fluid", k=4)
    mixed = searcher(stage1_weight=0.25).search("heart fluid", k=4)
    expected = {one.passage.passage_id: 0.75 * one.score + 0.25 * one.candidate_score for one in plain.ranked}
    assert scores(mixed) == pytest.approx(expected)
    assert {one.passage.passage_id: one.maxsim for one in mixed.ranked} == scores(plain)


def test_the_final_score_with_lexical_candidates_interpolates_the_share_of_the_highest_bm25():
    ranking = searcher(candidates="lexical", stage1_weight=0.5).search("heart fluid", k=4)
    maxsim = {one.passage.passage_id: one.maxsim for one in ranking.ranked}
    assert scores(ranking) == pytest.approx({"c#0": (maxsim["c#0"] + 1) / 2, "a#0": (maxsim["a#0"] + 0.5) / 2})
    assert [one.candidate_score for one in ranking.ranked] == [2.0, 1.0]


def test_all_weight_on_stage_1_gives_its_order():
    ranking = searcher(stage1_weight=1.0).search("heart fluid", k=4)
    assert [one.candidate_rank for one in ranking.ranked] == [1, 2, 3, 4]


def test_a_weight_that_nobody_chose_is_none():
    assert searcher().search("heart fluid").ranked == searcher(stage1_weight=0.0).search("heart fluid").ranked


def test_the_evidence_keeps_its_maxsim_whatever_the_weight():
    plain, mixed = (searcher(stage1_weight=weight).search("heart fluid", k=1).ranked[0] for weight in (0.0, 0.5))
    assert mixed.score != plain.score
    assert mixed.evidence == plain.evidence


def test_without_evidence_the_ranking_is_the_same():
    with_it, without = (searcher().search("heart fluid", evidence=evidence).ranked for evidence in (True, False))
    assert [one.evidence for one in without] == [None] * len(with_it)
    assert [replace(one, evidence=None) for one in with_it] == list(without)


def test_neither_re_ranking_nor_evidence_needs_the_re_ranker():
    bare = searcher(fake_index(TEXTS, token_vectors=False), rerank=False)
    assert ids(bare.search("heart fluid", k=2, evidence=False)) == ids(bare.search("heart fluid", k=2))
    assert len(bare.reranker.encoded) == 2  # those of the search with evidence


def test_words_are_looked_up_while_the_query_is_encoded():
    looked_up = Event()

    class Watched(FakeSnapshot):
        def lexical(self, query: str, **named):
            looked_up.set()
            return super().lexical(query, **named)

    index = fake_index(TEXTS)
    documents = index.snapshot().documents
    index.snapshot = lambda: Watched(1, documents, [])

    def encode_queries(queries: Sequence[str]):
        assert looked_up.wait(timeout=10)
        return FakeEncoder().encode_queries(queries), FakeReranker().encode_queries(queries)

    found = Searcher(index, FakeEncoder(), FakeReranker(), encode_queries=encode_queries).search("heart fluid")
    assert found.ranked == searcher().search("heart fluid").ranked


# Several queries


QUERIES = ["heart fluid", " lung ", "effusion", "gene"]


@pytest.mark.parametrize("settings", [{}, {"candidates": "lexical"}, {"rerank": False}])
def test_many_queries_are_ranked_as_one_by_one_in_their_order(settings):
    one = searcher(**settings)
    found = one.search_many(QUERIES, k=2)
    assert [ranking.query for ranking in found] == [query.strip() for query in QUERIES]
    assert [ranking.ranked for ranking in found] == [one.search(query, k=2).ranked for query in QUERIES]


def test_many_queries_are_encoded_in_one_call():
    calls = []

    def encode_queries(queries: Sequence[str]):
        calls.append(list(queries))
        return FakeEncoder().encode_queries(queries), FakeReranker().encode_queries(queries)

    both = Searcher(fake_index(TEXTS), FakeEncoder(), FakeReranker(), encode_queries=encode_queries)
    assert [one.ranked for one in both.search_many(QUERIES)] == [one.ranked for one in searcher().search_many(QUERIES)]
    assert calls == [["heart fluid", "lung", "effusion", "gene"]]


def test_half_a_surrogate_pair_in_a_query_is_searched_as_an_unknown_character():
    ranking = searcher().search("heart \ud83d fluid \ud83e\udec0")
    assert ranking.query == "heart \ufffd fluid \U0001fac0"
    assert ids(ranking)[0] == "c#0"


def test_a_blank_query_among_many_is_refused_and_none_is_none():
    with pytest.raises(UsageError, match="is empty"):
        searcher().search_many(["heart", ""])
    assert searcher().search_many([]) == []


# Queries of nothing but ids


def library() -> FakeIndex:
    index = FakeIndex()
    two = (Section("", "The heart."), Section("", "The lung."))
    for document in (
        Document("PMID:31588070", "", two, {"doi": "10.1017/S09"}),
        Document("PMC:PMC7653990", "", two, {"pmid": "31588070"}),
        Document("PMID:1234567", "", two, metadata={"retracted": True}),
        Document("heart", "", two),
    ):
        index.upsert([encoded_document(document, FakeEncoder(), FakeReranker())])
    return index


BOTH = ["PMC:PMC7653990#0", "PMC:PMC7653990#1", "PMID:31588070#0", "PMID:31588070#1"]


@pytest.mark.parametrize("query", ["31588070", " pmid: 31588070 ", "https://pubmed.ncbi.nlm.nih.gov/31588070/"])
def test_an_id_finds_the_passages_of_its_documents_first_passages_first(query):
    ranking = searcher(library()).search(query)
    assert sorted(ids(ranking)) == BOTH
    assert [one.passage.position for one in ranking.ranked] == [0, 0, 1, 1]
    assert [(one.rank, one.score, one.evidence) for one in ranking.ranked][:2] == [(1, 1.0, None), (2, 1.0, None)]
    assert ranking.warnings == ()


def test_a_passage_that_is_named_comes_first_and_k_holds():
    assert ids(searcher(library()).search("PMC:PMC7653990#1", k=1)) == ["PMC:PMC7653990#1"]


def test_several_ids_find_their_documents_and_name_those_that_are_missing():
    ranking = searcher(library()).search("doi:10.1017/s09, PMC7653990; PMID: 5")
    assert sorted(ids(ranking)) == BOTH
    assert ranking.warnings == ("No document has the id PMID: 5.",)


def test_an_id_of_no_document_is_told_and_searched_for_as_words():
    ranking = searcher(library()).search("PMID: 555555")
    assert ranking.warnings == ("No document has the id PMID: 555555. Its characters were searched for as words.",)
    assert ranking.ranked


@pytest.mark.parametrize("query", ["2019", "17", "heart", "heart 31588070", "covid-19"])
def test_words_are_words_and_short_numbers_too_unless_they_name_something(query):
    ranking = searcher(library()).search(query, evidence=False)
    assert ranking.warnings == ()
    assert ranking.seconds["encode"] > 0


def test_a_word_with_a_digit_means_the_document_of_that_very_id_alone():
    index = library()
    index.upsert([encoded_document(Document("p53", "", (Section("", "A gene."),)), FakeEncoder(), FakeReranker())])
    assert ids(searcher(index).search("p53")) == ["p53#0"]
    assert searcher(index).search("P53").seconds["encode"] > 0


def test_a_retracted_document_is_left_out_by_its_id_too_and_that_is_told():
    one = searcher(library())
    ranking = one.search("1234567")
    assert ranking.ranked == ()
    told = "PMID:1234567 is retracted and therefore left out: the condition retracted=any lets it in."
    assert ranking.warnings == (told,)
    assert len(one.search("1234567", where=Filter(include_retracted=True)).ranked) == 2


def test_conditions_that_leave_a_named_document_out_are_told():
    ranking = searcher(library()).search("PMC7653990", where=Filter(year_from=2000))
    assert ranking.warnings == ("PMC:PMC7653990 does not meet the conditions: leave them out to see it.",)


def test_ids_among_many_queries_are_found_in_their_places():
    one = searcher(library())
    queries = ["heart", "PMC7653990", "lung"]
    assert [ids(ranking) for ranking in one.search_many(queries, k=2)] == [ids(one.search(q, k=2)) for q in queries]


# Queries that are cut


class ShortEncoder(FakeEncoder):
    """Reads ten characters of a query."""

    def query_end(self, query: str) -> int | None:
        return 10 if len(query) > 10 else None


class ShortReranker(FakeReranker):
    query_end = ShortEncoder.query_end


@pytest.mark.parametrize(
    ("encoder", "reranker", "settings", "readers"),
    [
        (ShortEncoder, FakeReranker, {}, "the encoder"),
        (ShortEncoder, ShortReranker, {}, "the encoder and the re-ranker"),
        (ShortEncoder, ShortReranker, {"candidates": "lexical"}, "the re-ranker"),
        (FakeEncoder, FakeReranker, {}, None),
        (ShortEncoder, FakeReranker, {"candidates": "lexical"}, None),
    ],
)
def test_a_query_that_a_model_does_not_read_to_its_end_is_told(encoder, reranker, settings, readers):
    one = Searcher(fake_index(TEXTS), encoder(), reranker(), SearchSettings(**settings))
    told = f"The query is too long: {readers} read it up to “…heart flui” and no further."
    assert [warning.partition(" Shorten")[0] for warning in one.search("heart fluid").warnings] == [told] * bool(
        readers
    )
    assert one.search("heart").warnings == ()


def test_models_that_read_differently_far_are_told_apart():
    long_reader = ShortReranker()
    long_reader.query_end = lambda query: 5
    ranking = Searcher(fake_index(TEXTS), ShortEncoder(), long_reader).search("heart fluid")
    assert ["encoder read it up to “…heart flui”" in one for one in ranking.warnings] == [True, False]
    assert "re-ranker read it up to “…heart”" in ranking.warnings[1]


@pytest.mark.parametrize("k", [-1, 2**32, 1_000_001])
def test_a_k_that_no_index_can_give_is_refused_with_the_range(k):
    with pytest.raises(UsageError, match=f"k = {k} is not possible: ask for 1 to 1,000,000 passages"):
        searcher().search("heart", k=k)
