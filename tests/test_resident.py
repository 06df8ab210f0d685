"""What a search holds in memory: when, how much of it, and what it reads again after a commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed

from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, exact, open_index, residence, restriction
from osler.index.filters import to_sql
from osler.index.residence import _COMPONENT_BYTES, _ID_BYTES, _PLACE_BYTES
from osler.records import NOT_RETRACTED, Filter

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
QUERY = hashed("query", DIM)
VECTOR_BYTES = _COMPONENT_BYTES * DIM + _ID_BYTES + _PLACE_BYTES


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    index = create_index(tmp_path / "index", MANIFEST)
    index.upsert([encoded(document(f"d{number}", f"text {number}", year=2000 + number)) for number in range(10)])
    return index


def nearest(index: LanceIndex, where: Filter = NOT_RETRACTED) -> list[str]:
    return [one.passage_id for one in index.search_dense(QUERY, k=100, where=where)]


def test_rows_are_held_from_the_second_search_on(index):
    first = nearest(index)
    assert index._residence.rows() is None
    assert nearest(index) == first
    assert sorted(index._residence.rows().passage_ids.to_pylist()) == sorted(first)


def test_searches_by_words_alone_hold_the_rows_too(index):
    for _ in range(2):
        assert index._residence.rows() is None
        index.search_lexical("text", k=3, where=NOT_RETRACTED)
    assert index._residence.rows() is not None


def test_a_search_of_both_kinds_counts_once(index):
    index.search_dense(QUERY, k=3, where=NOT_RETRACTED)
    index.search_lexical("text", k=3, where=NOT_RETRACTED)
    assert index._residence.rows() is None


def test_rows_are_renewed_part_by_part(index, monkeypatch):
    monkeypatch.setattr(residence, "_COPIED", 3)
    nearest(index), nearest(index)
    index.upsert([encoded(document("d1", "changed")), encoded(document("new", "text"))])
    fresh = LanceIndex(index._table, MANIFEST)
    nearest(fresh)
    assert nearest(index) == nearest(fresh)
    assert index.read(nearest(index)) == fresh.read(nearest(index))


@pytest.mark.parametrize(
    ("memory", "vectors", "tokens"),
    [(10 * VECTOR_BYTES - 1, False, False), (10 * VECTOR_BYTES, True, False), (11 * VECTOR_BYTES, True, True)],
)
def test_what_fits_is_held(index, memory, vectors, tokens):
    small = LanceIndex(index._table, MANIFEST, memory=memory)
    assert nearest(small) == nearest(small) == nearest(index)
    rows = small._residence.rows()
    assert len(rows.row_ids) == 10
    assert (rows.vectors is not None) == vectors
    assert (rows.token_vectors is not None) == tokens
    assert rows.passages is None
    stored, expected = (one.token_vectors(["d3#0"])["d3#0"] for one in (small, index))
    assert np.array_equal(stored.codes, expected.codes)


def test_passages_are_held_where_they_fit_beside_the_rest(index):
    held = []
    for memory in range(11 * VECTOR_BYTES, 30 * VECTOR_BYTES, 500):
        rows_of = LanceIndex(index._table, MANIFEST, memory=memory)
        nearest(rows_of), nearest(rows_of)
        held.append(rows_of._residence.rows().passages is not None)
    assert held == sorted(held)
    assert set(held) == {False, True}


def test_after_a_commit_only_its_rows_are_read(index, monkeypatch):
    nearest(index), nearest(index)
    taken = []
    read = index._residence._take
    monkeypatch.setattr(
        index._residence, "_take", lambda row_ids, columns: taken.append(len(row_ids)) or read(row_ids, columns)
    )
    index.upsert([encoded(document("d1", "changed")), encoded(document("new", "text"))])
    index.delete(["d2"])
    found = nearest(index)
    assert sorted(found) == sorted({*(f"d{number}#0" for number in range(10)), "new#0"} - {"d2#0"})
    assert taken == [2]
    assert np.array_equal(index.vectors(["d1#0"])["d1#0"], encoded(document("d1", "changed")).vectors[0])
    assert index.token_vectors(["d2#0"]) == {}
    assert [passage.text for passage in index.read(["new#0", "d2#0", "d1#0"])] == ["text", "changed"]


def test_passages_in_memory_are_those_of_the_table(index):
    ids = ["d7#0", "unknown#0", "d2#0"]
    nearest(index)
    from_table = index.read(ids)
    nearest(index)
    assert index._residence.rows().passages is not None
    assert index.read(ids) == from_table
    assert [passage.passage_id for passage in from_table] == ["d7#0", "d2#0"]


def test_words_find_the_same_with_ids_from_memory_and_what_memory_does_not_hold_yet(index, tmp_path):
    from_table = index.search_lexical("text", k=5, where=NOT_RETRACTED)
    nearest(index), nearest(index)
    assert index._residence.rows() is not None
    assert index.search_lexical("text", k=5, where=NOT_RETRACTED) == from_table
    assert index.search_lexical("nowhere", k=5, where=NOT_RETRACTED) == []
    rows = index._residence.rows()
    index.upsert([encoded(document("new", "text text text"))])
    index._residence.rows = lambda: rows  # as if the commit had come in between
    assert "new#0" in [one.passage_id for one in index.search_lexical("text", k=100, where=NOT_RETRACTED)]


@pytest.mark.parametrize("memory", [0, 10 * VECTOR_BYTES - 1, 512_000_000])
def test_a_retracted_passage_of_a_commit_since_is_not_found(index, tmp_path, memory):
    """`searching` has its rows, and the filter, of before the commit."""
    searching = open_index(tmp_path / "index", memory=memory)
    index.upsert([encoded(document("old", "text", retracted=True))])
    for _ in range(2):
        searching.search_lexical("text", k=100, where=NOT_RETRACTED), nearest(searching)
    rows = searching._residence.rows()
    changed = [document(doc_id, "text text", retracted=True) for doc_id in ("new", "old")]
    searching.upsert([encoded(one) for one in changed])
    searching._residence.rows = lambda: rows
    lexical = [one.passage_id for one in searching.search_lexical("text", k=100, where=NOT_RETRACTED)]
    assert not {"new#0", "old#0"} & {*lexical, *nearest(searching)}
    assert len(lexical) == 10


@pytest.mark.parametrize("memory", [0, 512_000_000])
@pytest.mark.parametrize("year", [2000, 2003, 2008, 2099])
def test_a_filter_lets_the_same_through_whether_the_table_or_its_hits_are_asked(index, monkeypatch, year, memory):
    index.optimise()  # rows that no search index covers are scored among those that pass alone
    index = LanceIndex(index._table, MANIFEST, memory=memory)
    where = Filter(year_from=year)

    def found():
        lexical = [index.search_lexical("text", k=k, where=where) for k in (1, 2, 10)]
        return [*lexical, *(index.search_dense(QUERY, k=k, where=where) for k in (1, 2, 10))]

    expected = [min(k, max(0, 2010 - year)) for k in (1, 2, 10)] * 2
    monkeypatch.setattr(residence, "_WORTH_IT", 10**9)
    from_table = found()
    assert [len(one) for one in from_table] == expected
    monkeypatch.setattr(residence, "_WORTH_IT", 2)
    monkeypatch.setattr(restriction, "_SPARE", 0)  # so that more are asked for
    monkeypatch.setattr(restriction, "_MOST_FAILING", 5)  # of 2008, the table is asked
    from_hits = found()
    assert [[one.passage_id for one in of] for of in from_hits] == [[one.passage_id for one in of] for of in from_table]
    for ours, theirs in zip(from_hits, from_table, strict=True):
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs])
    assert (index._residence.restriction(index._residence.rows(), to_sql(where)).sql == "") == (year < 2005)


def test_which_rows_fail_a_filter_follows_commits(index):
    index = LanceIndex(index._table, MANIFEST, memory=0)
    recent = Filter(year_from=2008)
    assert sorted(nearest(index, recent)) == sorted(nearest(index, recent)) == ["d8#0", "d9#0"]
    index.upsert([encoded(document("d1", "text 1", year=2020)), encoded(document("d9", "text 9", year=1990))])
    assert sorted(nearest(index, recent)) == ["d1#0", "d8#0"]
    assert sorted(one.passage_id for one in index.search_lexical("text", k=9, where=recent)) == ["d1#0", "d8#0"]


@pytest.mark.parametrize("where", [NOT_RETRACTED, Filter(year_from=2004)])
def test_the_nearest_in_memory_are_those_of_the_table_with_their_scores(index, monkeypatch, where):
    monkeypatch.setattr(exact, "_FEW", 0)
    for k in (1, 4, 100):
        from_table = LanceIndex(index._table, MANIFEST, memory=0).search_dense(QUERY, k=k, where=where)
        for _ in range(2):
            held = index.search_dense(QUERY, k=k, where=where)
        assert [one.passage_id for one in held] == [one.passage_id for one in from_table]
        assert [one.score for one in held] == pytest.approx([one.score for one in from_table], abs=1e-6)


def test_a_commit_through_another_handle_is_seen_within_a_second(index, tmp_path):
    other = open_index(tmp_path / "index")
    nearest(index), nearest(index)
    other.delete(["d3"])
    sleep(1)
    assert "d3#0" not in nearest(index)


def test_what_is_held_outlives_files_that_are_joined(index):
    nearest(index), nearest(index)
    for number in range(3):
        index.upsert([encoded(document(f"more{number}", "text"))])
    before = nearest(index)
    index._table.optimize()
    assert nearest(index) == before
    assert len(index.read(before)) == 13


@pytest.mark.parametrize("few", [0, 1000])
def test_a_filter_holds_in_memory_and_follows_commits(index, monkeypatch, few):
    monkeypatch.setattr(exact, "_FEW", few)  # the vectors that pass are compared, or the codes of all
    recent = Filter(year_from=2008)
    assert sorted(nearest(index, recent)) == sorted(nearest(index, recent)) == ["d8#0", "d9#0"]
    index.upsert([encoded(document("d1", "text 1", year=2020)), encoded(document("d9", "text 9", year=1990))])
    assert sorted(nearest(index, recent)) == ["d1#0", "d8#0"]


def test_an_index_that_lost_its_last_document_finds_nothing(index):
    nearest(index), nearest(index)
    index.delete([f"d{number}" for number in range(10)])
    assert nearest(index) == []


def test_many_threads_find_the_same(index):
    expected = nearest(index)
    with ThreadPoolExecutor(8) as threads:
        assert all(found == expected for found in threads.map(lambda _: nearest(index), range(40)))


def test_a_passage_that_a_search_found_is_read_by_its_row(index, monkeypatch):
    ids = [one.passage_id for one in index.search_lexical("text", k=3, where=NOT_RETRACTED)]

    def scan(*arguments):
        raise AssertionError("the table is searched for ids that are known")

    monkeypatch.setattr("osler.index.lookup.one_of", scan)
    assert [one.passage_id for one in index.read(ids)] == ids
    assert sorted(index.token_vectors(ids)) == sorted(ids)


def test_a_row_that_moved_is_found_all_the_same(index):
    ids = [one.passage_id for one in index.search_lexical("text", k=3, where=NOT_RETRACTED)]
    index.upsert([encoded(document("more", "text"))])
    index._table.optimize()
    assert [one.passage_id for one in index.read(ids)] == ids
