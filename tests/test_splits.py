"""Queries split so that what is learned from some cannot be looked up for others."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from osler.datasets import Dataset, load_dataset, split_queries
from osler.records import Document, Query


def dataset(qrels: Mapping[str, str], documents: Mapping[str, Document] | None = None) -> Dataset:
    """A data set of queries and the letters of their relevant documents, plain ones unless they are given."""
    letters = sorted({letter for relevant in qrels.values() for letter in relevant})
    documents = documents or {letter: Document(letter, "", ()) for letter in letters}
    queries = {query_id: Query(query_id, query_id) for query_id in qrels}
    return Dataset(
        "letters", "train", documents, queries, {q: dict.fromkeys(docs, 1) for q, docs in qrels.items()}, "x"
    )


def singles(count: int, prefix: str = "s") -> dict[str, str]:
    """Queries that share nothing."""
    return {f"{prefix}{n}": chr(0x4E00 + n) for n in range(count)}


def together(divided: tuple[Dataset, Dataset], *query_ids: str) -> bool:
    return len({query_id in divided[0].queries for query_id in query_ids}) == 1


def test_every_query_is_in_one_of_two_parts_that_keep_the_corpus():
    whole = dataset(singles(50))
    rest, part = split_queries(whole, 0.2, seed=1, name="valid")
    assert (len(rest.queries), len(part.queries)) == (40, 10)
    assert set(rest.queries) | set(part.queries) == set(whole.queries)
    assert rest.documents == part.documents == whole.documents
    assert (rest.split, part.split) == ("train", "valid")
    assert all(set(one.qrels) == set(one.queries) for one in (rest, part))


@pytest.mark.parametrize("seed", range(20))
def test_queries_of_one_document_stay_together_also_through_a_third_one(seed):
    whole = dataset({"p": "a", "q": "ab", "r": "b"} | singles(7))
    assert together(split_queries(whole, 0.4, seed=seed, name="dev"), "p", "q", "r")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Document("a", "Gout", ()), Document("b", "gout ", ())),
        (Document("a", "Gout", (), {"pmid": "7"}), Document("b", "Gicht", (), {"pmid": "7"})),
    ],
)
def test_documents_of_one_title_or_pmid_stay_together(one, other):
    others = {letter: Document(letter, "", ()) for letter in singles(8).values()}
    whole = dataset({"p": "a", "q": "b"} | singles(8), {"a": one, "b": other} | others)
    assert all(together(split_queries(whole, 0.3, seed=seed, name="dev"), "p", "q") for seed in range(20))


def test_documents_without_title_are_no_siblings():
    whole = dataset({"p": "a", "q": "b"})
    assert not together(split_queries(whole, 0.5, seed=1, name="dev"), "p", "q")


def test_the_order_of_the_queries_changes_nothing():
    whole = dataset(singles(30) | {"p": "ab", "q": "b"})
    backwards = replace(whole, queries=dict(reversed(whole.queries.items())))
    _, part = split_queries(whole, 0.3, seed=5, name="dev")
    _, again = split_queries(backwards, 0.3, seed=5, name="dev")
    assert set(part.queries) == set(again.queries)


def test_another_seed_or_name_draws_another_part():
    whole = dataset(singles(100))
    parts = [split_queries(whole, 0.2, seed=s, name=n)[1] for s, n in ((1, "dev"), (2, "dev"), (1, "valid"))]
    assert len({tuple(part.queries) for part in parts}) == 3


def test_a_few_new_queries_move_few_of_the_others():
    _, before = split_queries(dataset(singles(200)), 0.2, seed=1, name="dev")
    _, after = split_queries(dataset(singles(200) | {f"t{n}": "z" * n for n in range(1, 6)}), 0.2, seed=1, name="dev")
    assert len(set(before.queries) - set(after.queries)) <= 5


def test_a_very_large_component_goes_to_the_rest():
    whole = dataset({f"p{n}": "a" for n in range(30)} | singles(70))
    for seed in range(10):
        rest, part = split_queries(whole, 0.3, seed=seed, name="dev")
        assert len(part.queries) == 30
        assert "p0" in rest.queries


def test_the_share_is_reached_within_half_a_component():
    whole = dataset({f"p{n}": chr(0x4E00 + n // 4) for n in range(100)})
    sizes = [len(split_queries(whole, 0.1, seed=seed, name="dev")[1].queries) for seed in range(10)]
    assert set(sizes) <= {8, 12}


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_that_leaves_nothing_to_divide_is_refused(share):
    with pytest.raises(ValueError, match=f"share is {share}, but must be above 0 and below 1"):
        split_queries(dataset(singles(4)), share, seed=1, name="dev")


def relevant_titles(part: Dataset) -> set[str]:
    return {part.documents[doc_id].title for relevant in part.qrels.values() for doc_id in relevant}


@pytest.mark.data
def test_no_title_of_medquad_is_in_both_parts(data_folder: Path):
    whole = load_dataset(data_folder / "medquad", "train")
    rest, part = split_queries(whole, 0.1, seed=42, name="valid")
    assert len(part.queries) == pytest.approx(0.1 * len(whole.queries), abs=1)
    assert relevant_titles(rest) & relevant_titles(part) == set()


@pytest.mark.data
def test_no_pmid_of_bioasq_is_in_both_parts(data_folder: Path):
    rest, part = split_queries(load_dataset(data_folder / "bioasq", "train"), 0.1, seed=42, name="valid")
    pmids = [
        {one.documents[doc_id].identifiers["pmid"] for relevant in one.qrels.values() for doc_id in relevant}
        for one in (rest, part)
    ]
    assert pmids[0] & pmids[1] == set()
