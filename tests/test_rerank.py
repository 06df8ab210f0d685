from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeReranker, fake_index, word_vectors

from osler.late_interaction.maxsim import LOWEST
from osler.late_interaction.ragged import divide
from osler.late_interaction.token_vectors import quantise
from osler.records import Candidate, EvidenceSpan, Passage
from osler.search import rerank as module
from osler.search.rerank import best_evidence, best_first, encode_by_id, interpolated, maxsim_scores

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


def test_a_passage_that_is_given_twice_is_encoded_once():
    reranker = FakeReranker()
    passages = fake_index(TEXTS).snapshot().read(IDS).passages
    encode_by_id([*passages, *passages], reranker)
    assert sorted(reranker.encoded) == IDS


def test_progress_moves_and_ends_at_the_number_of_passages():
    told = []
    passages = [Passage(f"{number}#0", str(number), "", "heart", 0, 5) for number in range(600)]
    encoded = encode_by_id(passages, FakeReranker(), on_passages=lambda done, of: told.append((done, of)))
    assert encoded.keys() == {passage.passage_id for passage in passages}
    assert told == sorted(told)
    assert told[0] < told[-1] == (600, 600)


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


QUERY = "heart fluid"


def passage(text: str, *, start: int = 0, title: str = "") -> Passage:
    return Passage("d#0", "d", title, text, start, start + len(text))


def evidence(one: Passage, query: str = QUERY) -> EvidenceSpan:
    reranker = FakeReranker()
    return best_evidence(word_vectors(query), one, reranker.encode_passages([one]), reranker.token_spans([one])[0])


def test_the_sentence_that_matches_most_of_the_query_is_the_evidence():
    text = "The lung is well. Around the heart is fluid. The heart beats on."
    found = evidence(passage(text))
    assert found.text == "Around the heart is fluid."
    assert text[found.start : found.end] == found.text
    assert found.score == pytest.approx(1.0)


def test_offsets_count_in_the_document_not_in_the_passage():
    text = "The lung is well. Around the heart is fluid."
    found = evidence(passage(text, start=1000))
    assert (found.start, found.end) == (1018, 1044)
    assert [(start, end) for start, end, _ in found.words] == [(1029, 1034), (1038, 1043)]


def test_the_words_that_matched_carry_weights_that_add_up_to_the_score():
    found = evidence(passage("A cardiac effusion was seen."))
    assert [weight for _, _, weight in found.words] == pytest.approx([0.4, 0.4], abs=0.002)
    assert sum(weight for _, _, weight in found.words) == pytest.approx(found.score)


def test_only_the_tokens_inside_a_sentence_count_for_it():
    """The title has both words of the query; a sentence gains nothing from it."""
    found = evidence(passage("The lung is well.", title="Heart fluid"))
    assert found.score == pytest.approx(0.0)


@pytest.mark.parametrize("heading", ["HEART FLUID", "FLUID OF HEART:"])
def test_a_heading_does_not_win_over_a_statement(heading):
    found = evidence(passage(f"{heading}\nThe cardiac wall was thick."))
    assert found.text == "The cardiac wall was thick."


def test_a_short_sentence_is_the_evidence_when_there_is_no_other():
    assert evidence(passage("Heart fluid.")).text == "Heart fluid."


def test_of_equally_good_sentences_the_first_is_taken():
    assert evidence(passage("The heart beats on. This heart beats on.")).text == "The heart beats on."


def test_a_passage_that_is_only_a_title_has_empty_evidence_with_its_score():
    assert evidence(passage("", start=7, title="heart")) == EvidenceSpan(7, 7, "", 0.5)


def test_sub_word_tokens_are_merged_to_whole_words():
    """Tokens: peri | cardial | ( | fluid; the first two touch within a word, the bracket only touches one."""
    text, spans = "The pericardial (fluid).", [(4, 8), (8, 15), (16, 17), (17, 22)]
    vectors = word_vectors("heart cardiac lung fluid")
    found = best_evidence(
        word_vectors("heart fluid lung"), passage(text), quantise(vectors, [4]), np.array(spans, dtype=np.int64)
    )
    assert [(text[start:end], round(weight, 3)) for start, end, weight in found.words] == [
        ("pericardial", 0.333),
        ("(", 0.333),
        ("fluid", 0.333),
    ]


def test_both_parts_of_a_word_give_it_their_weight():
    spans = np.array([(4, 8), (8, 15), (16, 19)], dtype=np.int64)
    stored = quantise(word_vectors("heart fluid unknown"), [3])
    found = best_evidence(word_vectors(QUERY), passage("The pericardial sac."), stored, spans)
    assert found.words == ((4, 15, pytest.approx(1.0)),)


def test_a_sentence_that_was_cut_off_before_scoring_is_no_evidence():
    one = passage("The lung is well. The heart has fluid.")
    stored = quantise(word_vectors("the lung is well"), [4])
    spans = FakeReranker().token_spans([one])[0][:4]
    assert best_evidence(word_vectors(QUERY), one, stored, spans).text == "The lung is well."


def test_spans_of_another_tokenizer_are_refused():
    one = passage("The heart beats.")
    with pytest.raises(ValueError, match="1 token vectors and 3 token spans"):
        best_evidence(
            word_vectors(QUERY), one, quantise(word_vectors("heart"), [1]), FakeReranker().token_spans([one])[0]
        )
