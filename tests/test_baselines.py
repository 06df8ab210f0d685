from __future__ import annotations

import pytest

from osler.datasets.beir import Dataset
from osler.evaluate.baselines import bm25_run, fused_run
from osler.records import Document, Query, Section

TEXTS = {
    "heart": ("Pericardial effusion", "Fluid gathers around the heart."),
    "lung": ("", "Fluid in the lung. The lung is wet."),
    "dog": ("", "Dogs bark."),
}


def dataset(queries: dict[str, str], texts: dict[str, tuple[str, str]] = TEXTS) -> Dataset:
    documents = {doc_id: Document(doc_id, title, (Section("", text),)) for doc_id, (title, text) in texts.items()}
    asked = {query_id: Query(query_id, text) for query_id, text in queries.items()}
    return Dataset("tiny", "dev", documents, asked, {query_id: {"heart": 1} for query_id in queries}, "digest")


def found(query: str, **options: int) -> list[str]:
    return list(bm25_run(dataset({"q": query}), **options)["q"])


def test_words_of_title_and_text_are_found_whatever_their_case():
    assert found("PERICARDIAL") == found("gathers") == ["heart"]


def test_the_document_with_more_of_the_words_comes_first_and_one_with_none_is_left_out():
    run = bm25_run(dataset({"q": "fluid heart"}))["q"]
    assert list(run) == ["heart", "lung"]
    assert run["heart"] > run["lung"] > 0


def test_a_word_counts_more_where_it_comes_more_often():
    texts = {"once": ("", "lung heart liver skin"), "twice": ("", "lung lung liver skin")}
    assert list(bm25_run(dataset({"q": "lung"}, texts))["q"]) == ["twice", "once"]


@pytest.mark.parametrize("query", ["the of and", "zebra", "", "?"])
def test_a_query_without_words_that_count_finds_nothing(query):
    assert found(query) == []


def test_no_more_than_k_documents_come_back_and_k_may_exceed_the_corpus():
    assert found("fluid heart", k=1) == ["heart"]
    assert found("fluid heart", k=1000) == ["heart", "lung"]


def test_equal_scores_keep_the_order_of_the_corpus():
    texts = dict.fromkeys("cab", ("", "same words"))
    assert list(bm25_run(dataset({"q": "words"}, texts), k=2)["q"]) == ["c", "a"]


def test_the_formula_is_lucenes_with_k1_of_1_5_and_b_of_0_75():
    """Two documents of two words, one holds the word once: idf = ln(1 + 1.5 / 1.5), tf = 1 / (1 + 1.5)."""
    run = bm25_run(dataset({"q": "lung"}, {"a": ("", "lung skin"), "b": ("", "heart skin")}))["q"]
    assert run == {"a": pytest.approx(0.6931 / 2.5, abs=1e-4)}


def test_every_query_has_a_row():
    assert list(bm25_run(dataset({"q2": "dogs", "q1": "nothing here"}))) == ["q2", "q1"]


def test_a_document_of_both_runs_comes_before_one_that_a_single_run_has_first():
    fused = fused_run([{"q": {"a": 9.0, "b": 8.0}}, {"q": {"c": 0.9, "b": 0.8}}])
    assert list(fused["q"]) == ["b", "a", "c"]
    assert fused["q"]["b"] == pytest.approx(2 / 62)


def test_a_query_that_a_run_lacks_is_ranked_by_the_others():
    assert fused_run([{"q1": {"a": 1.0}}, {"q2": {"b": 1.0}}], constant=1) == {"q1": {"a": 0.5}, "q2": {"b": 0.5}}


def test_a_fused_run_is_cut_to_k_and_equal_scores_go_by_doc_id():
    assert list(fused_run([{"q": {"b": 1.0}}, {"q": {"a": 1.0}}], k=1)["q"]) == ["a"]
    assert fused_run([]) == {}
