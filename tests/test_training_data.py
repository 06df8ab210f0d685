"""Examples, and the data sets of a recipe in their splits."""

import json

import pytest

from osler.datasets import Dataset
from osler.errors import CorpusError, UsageError
from osler.records import Document, Passage, Query, Section
from osler.train.data import load_splits, pairs, relevant_documents, titles_as_queries
from osler.train.settings import ChoiceSettings, DataSettings, RecipeSettings


def dataset(qrels):
    doc_ids = {doc_id for docs in qrels.values() for doc_id in docs}
    documents = {doc_id: Document(doc_id, f"Title {doc_id}", (Section("", "Text."),)) for doc_id in doc_ids}
    queries = {query_id: Query(query_id, f"query {query_id}") for query_id in qrels}
    return Dataset("tiny", "train", documents, queries, qrels, "")


def first_passages(data):
    return {doc_id: [Passage(f"{doc_id}#0", doc_id, f"Title {doc_id}", "Text.", 0, 5)] for doc_id in data.documents}


def test_a_query_comes_once_with_each_of_its_positives():
    data = dataset({"q": {"a": 1, "b": 1}})
    examples = pairs(data, first_passages(data), positives=4, seed=1)
    assert sorted(one.positive.passage_id for one in examples) == ["a#0", "b#0"]
    assert examples[0].positive.text.startswith("Title ")


def test_no_more_positives_are_taken_than_wanted():
    data = dataset({"q": {"a": 1, "b": 1, "c": 1}})
    assert len(pairs(data, first_passages(data), positives=2, seed=1)) == 2


def test_every_query_comes_once_before_any_comes_twice():
    data = dataset({f"q{n}": {f"a{n}": 1, f"b{n}": 1} for n in range(5)})
    examples = pairs(data, first_passages(data), positives=2, limit=5, seed=1)
    assert len({one.query_id for one in examples}) == 5


def test_the_positives_of_a_query_do_not_depend_on_other_queries():
    alone, together = dataset({"q": {"a": 1, "b": 1}}), dataset({"q": {"a": 1, "b": 1}, "p": {"c": 1}})
    (one,) = pairs(alone, first_passages(alone), positives=1, seed=3)
    others = pairs(together, first_passages(together), positives=1, seed=3)
    assert one in others


def test_a_title_as_query_is_not_in_its_own_positive():
    data = dataset({"q": {"a": 1}})
    (example,) = titles_as_queries(data, first_passages(data), count=9, seed=1)
    assert (example.query, example.positive.text) == ("Title a", "Text.")


def write_dataset(folder, count=40, splits=("train",)):
    """Two questions about each title, every one with a document of its own; and a document that nobody asks for."""
    folder.mkdir()
    rows = [{"_id": f"d{n}", "title": f"Disease {n // 2}", "text": f"Text {n}."} for n in range(count)]
    rows.append({"_id": "spare", "title": "Spare", "text": "Nobody asks."})
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    queries = [{"_id": f"q{n}", "text": f"Question {n}?"} for n in range(count)]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    for split in splits:
        lines = [f"q{n}\td{n}\t1" for n in range(count)]
        (folder / f"qrels_{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return folder


def recipe(folder, choice=None, **data):
    return RecipeSettings(data=(DataSettings(folder=str(folder), **data),), choice=choice or ChoiceSettings())


def titles(part):
    return {part.documents[doc_id].title for docs in part.qrels.values() for doc_id in docs}


def test_train_valid_and_dev_share_no_title(tmp_path):
    (parts,) = load_splits(recipe(write_dataset(tmp_path / "a"), dev_share=0.2))
    assert [len(part.queries) for part in (parts.train, parts.valid, parts.dev)] == [28, 4, 8]
    assert titles(parts.train).isdisjoint(titles(parts.valid) | titles(parts.dev))
    assert titles(parts.valid).isdisjoint(titles(parts.dev))


def test_queries_about_what_a_dev_split_asks_for_are_not_trained_on(tmp_path):
    folder = write_dataset(tmp_path / "a")
    (folder / "qrels_dev.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t1\nq2\td2\t1\n")
    (parts,) = load_splits(recipe(folder, dev="dev"))
    assert set(parts.dev.queries) == {"q0", "q2"}
    assert titles(parts.dev).isdisjoint(titles(parts.train) | titles(parts.valid))
    assert len(parts.train.queries) + len(parts.valid.queries) == 36


def test_a_split_called_dev_is_taken_and_without_one_a_tenth(tmp_path):
    folder = write_dataset(tmp_path / "a")
    assert len(load_splits(recipe(folder))[0].dev.queries) == 4
    (folder / "qrels_dev.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t1\nq2\td2\t1\n")
    assert set(load_splits(recipe(folder))[0].dev.queries) == {"q0", "q2"}
    assert load_splits(recipe(folder, dev_share=0))[0].dev is None


def test_what_is_trained_on_is_no_dev_split(tmp_path):
    with pytest.raises(UsageError, match="dev = 'train' is what is trained on"):
        load_splits(recipe(write_dataset(tmp_path / "a"), dev="train"))


def test_a_dev_part_of_no_query_is_refused(tmp_path):
    with pytest.raises(UsageError, match="0 queries are left for dev"):
        load_splits(recipe(write_dataset(tmp_path / "a"), dev_share=0.001))


def test_fewer_queries_keep_titles_together(tmp_path):
    (parts,) = load_splits(recipe(write_dataset(tmp_path / "a"), queries=10))
    assert len(parts.train.queries) == 10
    assert len(titles(parts.train)) == 5


def test_a_smaller_corpus_keeps_the_relevant_documents_and_those_of_their_titles(tmp_path):
    (parts,) = load_splits(recipe(write_dataset(tmp_path / "a"), queries=2, distractors=0, dev_share=0))
    wanted = titles(parts.train) | titles(parts.valid)
    assert {document.title for document in parts.train.documents.values()} == wanted
    assert len(parts.train.documents) == 2 * len(wanted)
    assert parts.train.documents.keys() == parts.valid.documents.keys()


def test_the_same_queries_are_taken_whatever_their_order(tmp_path):
    folder = write_dataset(tmp_path / "a")
    (before,) = load_splits(recipe(folder, queries=10))
    lines = (folder / "queries.jsonl").read_text().splitlines()
    (folder / "queries.jsonl").write_text("\n".join(reversed(lines)))
    (after,) = load_splits(recipe(folder, queries=10))
    assert set(before.train.queries) == set(after.train.queries)


def test_known_positives_are_those_of_every_part(tmp_path):
    (parts,) = load_splits(recipe(write_dataset(tmp_path / "a")))
    assert relevant_documents([parts.train, parts.valid])["a", "q3"] == {"d3"}


def test_no_data_and_two_sets_of_one_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="names no data: add --data DIR"):
        load_splits(RecipeSettings())
    folder = write_dataset(tmp_path / "a")
    twice = RecipeSettings(data=(DataSettings(folder=str(folder)),) * 2)
    with pytest.raises(UsageError, match="Two data sets are called 'a'"):
        load_splits(twice)


def test_a_data_set_too_small_to_choose_with_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a: 0 queries are left for valid"):
        load_splits(recipe(write_dataset(tmp_path / "a", count=4)))


def test_every_data_set_is_checked_before_anything_else_happens(tmp_path):
    good, bad = write_dataset(tmp_path / "a"), write_dataset(tmp_path / "b")
    with (bad / "corpus.jsonl").open("a") as file:
        file.write('\n{"_id": "d0", "title": "", "text": "Again."}')
    both = RecipeSettings(data=(DataSettings(folder=str(good)), DataSettings(folder=str(bad))))
    with pytest.raises(CorpusError, match="d0"):
        load_splits(both)
