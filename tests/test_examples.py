from osler.datasets import Dataset
from osler.records import Document, Passage, Query, Section
from osler.train.data import pairs, titles_as_queries


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
