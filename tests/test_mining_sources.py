"""Where candidates come from: an index, BM25, chance."""

from __future__ import annotations

import pytest
from fakes import FakeEncoder, fake_index

from osler.errors import StoreError
from osler.records import Passage
from osler.train.data import Example, training_passage
from osler.train.mining.sources import BM25Source, PassageTable, RandomSource, RetrieverSource

TEXTS = {"a": "heart", "b": "cardiac", "c": "lung", "d": "fluid"}


def passage(passage_id: str, text: str) -> Passage:
    return Passage(passage_id, passage_id.partition("#")[0], "", text, 0, len(text))


def passages(texts: dict[str, str]) -> dict[str, Passage]:
    return {f"{doc_id}#0": passage(f"{doc_id}#0", text) for doc_id, text in texts.items()}


def example(query: str, positive: Passage, query_id: str = "q") -> Example:
    return Example("set", query_id, query, training_passage(positive))


def found(candidates) -> list[tuple[str, int]]:
    return [(one.passage_id, one.rank) for one in candidates]


def retriever() -> RetrieverSource:
    return RetrieverSource(fake_index(TEXTS), FakeEncoder(), passages(TEXTS))


def test_the_retriever_s_candidates_are_those_of_its_index_best_first():
    [candidates] = retriever().candidates([example("heart", passages(TEXTS)["a#0"])], k=3)
    assert found(candidates) == [("a#0", 1), ("b#0", 2), ("c#0", 3)]
    assert [one.score for one in candidates] == pytest.approx([1.0, 0.8, 0.0])


def test_a_positive_scores_as_the_best_passage_of_its_document():
    both = {"a#0": passage("a#0", "lung"), "a#1": passage("a#1", "cardiac")}
    source = RetrieverSource(fake_index({}), FakeEncoder(), both)
    assert source.positive_scores([example("heart", both["a#0"])]) == pytest.approx([0.8])
    assert BM25Source(both).positive_scores([example("cardiac", both["a#0"])])[0] > 0


def test_candidates_and_positives_are_scored_alike():
    examples = [example("heart", one, str(number)) for number, one in enumerate(passages(TEXTS).values())]
    for source in (retriever(), BM25Source(passages(TEXTS)), RandomSource(passages(TEXTS), 1)):
        by_id = {one.passage_id: one.score for one in source.candidates(examples[:1], k=4)[0]}
        scores = source.positive_scores(examples)
        assert scores == pytest.approx([by_id.get(one.positive.passage_id, 0.0) for one in examples])


def test_an_index_of_other_passages_is_refused():
    source = RetrieverSource(fake_index(TEXTS), FakeEncoder(), passages({"z": "heart"}))
    with pytest.raises(StoreError, match="a#0, which is no passage of the data: index the training corpus again"):
        source.candidates([example("heart", passage("z#0", "heart"))], k=1)


def test_a_positive_that_no_passage_holds_is_refused():
    with pytest.raises(ValueError, match="The positive z#0 of query q"):
        retriever().positive_scores([example("heart", passage("z#0", "heart"))])


def test_bm25_finds_passages_that_share_a_word_and_no_others():
    texts = {"a": "Fever and cough", "b": "cough, cough, cough", "c": "rash"}
    [candidates] = BM25Source(passages(texts)).candidates([example("the cough", passages(texts)["a#0"])], k=3)
    assert found(candidates) == [("b#0", 1), ("a#0", 2)]


def test_bm25_orders_equal_scores_by_passage_id_also_at_the_edge():
    texts = {"c": "cough once", "a": "cough once", "b": "cough once"}
    [candidates] = BM25Source(passages(texts)).candidates([example("cough", passages(texts)["a#0"])], k=2)
    assert found(candidates) == [("a#0", 1), ("b#0", 2)]


@pytest.mark.parametrize("query", ["", "the of", "unheard"])
def test_bm25_finds_nothing_for_a_query_without_a_known_word(query):
    source = BM25Source(passages(TEXTS))
    asked = [example(query, passages(TEXTS)["a#0"])]
    assert source.candidates(asked, k=3) == [[]]
    assert source.positive_scores(asked) == [0.0]


def test_bm25_reads_the_title_too():
    titled = {"a#0": Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18), "b#0": passage("b#0", "Red eyes.")}
    [candidates] = BM25Source(titled).candidates([example("anaemia", titled["a#0"])], k=2)
    assert found(candidates) == [("a#0", 1)]


def test_random_candidates_of_a_query_do_not_depend_on_the_other_queries():
    many = passages({str(number): "text" for number in range(100)})
    source = RandomSource(many, 7)
    one, two = example("x", many["0#0"], "1"), example("x", many["0#0"], "2")
    assert source.candidates([one, two], k=5)[1] == source.candidates([two], k=5)[0]
    assert source.candidates([one], k=5) != source.candidates([two], k=5)
    assert source.candidates([one], k=5) != RandomSource(many, 8).candidates([one], k=5)


def test_random_candidates_come_once_each_and_score_nothing():
    [candidates] = RandomSource(passages(TEXTS), 1).candidates([example("x", passages(TEXTS)["a#0"])], k=9)
    assert sorted(one.passage_id for one in candidates) == ["a#0", "b#0", "c#0", "d#0"]
    assert {one.score for one in candidates} == {0.0}


def test_candidates_of_one_passage_share_its_text():
    table = PassageTable(passages(TEXTS))
    first, second = table.candidate("a#0", score=1.0, rank=1), table.candidate("a#0", score=0.5, rank=2)
    assert first.text is second.text
    assert (second.score, second.rank) == (0.5, 2)
