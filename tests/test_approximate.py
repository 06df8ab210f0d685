"""A large table's approximate index, with "large" made small."""

from __future__ import annotations

import numpy as np
import pytest
from index_fakes import DIM, TOKEN_DIM

from osler.index import Manifest, ModelIdentity, approximate, create_index, open_index
from osler.index.approximate import approximate_index, keep_approximate
from osler.records import Document, EncodedDocument, Filter, Passage, Section

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
EVERYTHING = Filter(include_retracted=True)


def unit_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def documents(first: int, count: int) -> list[EncodedDocument]:
    found = []
    for number, vector in zip(range(first, first + count), unit_vectors(count, seed=first), strict=True):
        doc_id, text = f"d{number}", f"Text {number}."
        document = Document(doc_id, "", (Section("", text),), {}, {"year": 2000 + number % 2})
        passage = Passage(f"{doc_id}#0", doc_id, "", text, 0, len(text))
        found.append(EncodedDocument(document, (passage,), vector[None], None))
    return found


@pytest.fixture
def large(tmp_path, monkeypatch):
    monkeypatch.setattr(approximate, "FROM_ROWS", 300)
    create_index(tmp_path / "index", MANIFEST).upsert(documents(0, 400))
    return open_index(tmp_path / "index", memory=0)


def nearest(index, vector, where=EVERYTHING):
    return [one.passage_id for one in index.search_dense(vector, k=10, where=where)]


def test_a_small_table_has_no_approximate_index(large, monkeypatch):
    monkeypatch.setattr(approximate, "FROM_ROWS", 401)
    large.optimise()
    assert approximate_index(large._table) is None
    assert large.recall() is None


def test_a_large_table_is_given_one_that_finds_what_an_exact_search_finds(large, tmp_path):
    before = [nearest(large, vector) for vector in unit_vectors(20, seed=1)]
    large.optimise()
    assert approximate_index(large._table).index_type == "IvfHnswSq"
    after = [nearest(large, vector) for vector in unit_vectors(20, seed=1)]
    found = sum(len({*ours} & {*theirs}) for ours, theirs in zip(after, before, strict=True))
    assert found > 0.98 * 200
    assert large.recall() > 0.98
    exact = open_index(tmp_path / "index", exact=True, memory=0)
    assert [nearest(exact, vector) for vector in unit_vectors(20, seed=1)] == before


def test_its_scores_are_the_cosines_themselves(large):
    large.optimise()
    vector = unit_vectors(1, seed=1)[0]
    for one in large.search_dense(vector, k=5, where=EVERYTHING):
        assert one.score == pytest.approx(float(large.vectors([one.passage_id])[one.passage_id] @ vector), abs=1e-5)


def test_a_rough_search_finds_about_the_same(large):
    vectors = unit_vectors(20, seed=1)
    exact = [nearest(large, vector) for vector in vectors]
    large.optimise()
    rough = [large.search_dense(vector, k=10, where=EVERYTHING, rough=True) for vector in vectors]
    shared = sum(len({one.passage_id for one in ours} & {*theirs}) for ours, theirs in zip(rough, exact, strict=True))
    assert shared > 0.95 * 200
    assert all([one.score for one in found] == sorted((one.score for one in found), reverse=True) for found in rough)
    assert rough != [large.search_dense(vector, k=10, where=EVERYTHING) for vector in vectors]


def test_a_filter_holds_and_finds_as_many(large):
    large.optimise()
    found = nearest(large, unit_vectors(1, seed=1)[0], Filter(year_from=2001, include_retracted=True))
    assert len(found) == 10
    assert all(int(one.removeprefix("d").partition("#")[0]) % 2 for one in found)


def test_what_is_written_or_deleted_later_is_found_or_gone_at_once(large):
    large.optimise()
    new = documents(400, 20)
    large.upsert(new)
    for one in new:
        assert nearest(large, one.vectors[0])[0] == one.passages[0].passage_id
    large.delete([one.document.doc_id for one in new[:5]])
    assert new[0].passages[0].passage_id not in nearest(large, new[0].vectors[0])


def test_many_new_rows_join_the_index(large, monkeypatch):
    large.optimise()
    monkeypatch.setattr(approximate, "_FEW_ROWS", 10)
    large.upsert(documents(400, 20))
    assert approximate_index(large._table).num_unindexed_rows == 20
    large.optimise()
    assert approximate_index(large._table).num_unindexed_rows == 0
    assert large.recall() > 0.98


def test_an_index_in_many_segments_is_built_anew(large, monkeypatch):
    monkeypatch.setattr(approximate, "_FEW_ROWS", 10)
    large.optimise()
    for first in (400, 420):
        large.upsert(documents(first, 20))
        large.optimise()
    assert approximate_index(large._table).num_segments == 3
    monkeypatch.setattr(approximate, "_MOST_SEGMENTS", 2)
    keep_approximate(large._table)
    assert approximate_index(large._table).num_segments == 1


def test_as_many_as_there_are_can_be_asked_for(large):
    large.optimise()
    found = large.search_dense(unit_vectors(1, seed=1)[0], k=1000, where=EVERYTHING)
    assert len(found) == len({one.passage_id for one in found}) == 400


def test_rows_in_memory_are_compared_exactly_all_the_same(large, tmp_path, monkeypatch):
    large.optimise()
    vector, held = unit_vectors(1, seed=1)[0], open_index(tmp_path / "index")
    nearest(held, vector), nearest(held, vector)
    expected = [f"d{place}#0" for place in np.argsort(-(unit_vectors(400, seed=0) @ vector))[:10]]
    monkeypatch.setattr("osler.index.lance.nearest_query", None)
    assert nearest(held, vector) == expected
