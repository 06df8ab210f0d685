from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import pytest
from index_contract import *  # noqa: F403
from index_contract import found, notice, paper, stored_ids
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed, passages_of

from osler.errors import StoreError
from osler.index import (
    LanceIndex,
    Manifest,
    ModelIdentity,
    create_index,
    index_exists,
    maintenance,
    open_index,
    snapshot,
)
from osler.records import NOT_RETRACTED

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)


@pytest.fixture(
    params=[
        pytest.param(10**9, id="held", marks=pytest.mark.slow),
        pytest.param(0, id="mapped", marks=pytest.mark.slow),
        pytest.param(2, id="mapped and a tail"),
    ]
)
def index(tmp_path, request, monkeypatch) -> LanceIndex:
    """An index whose snapshots hold all rows in memory, map them from files, or both, with some of them gone."""
    monkeypatch.setattr(snapshot, "HELD_ROWS", request.param)
    return create_index(tmp_path / "index", MANIFEST)


def version(index: LanceIndex) -> int:
    return index.statistics().versions


def test_an_upsert_is_one_commit_whether_documents_are_new_changed_or_shrunk(index):
    before = version(index)
    index.upsert([encoded(document("a", "one two three four five six seven")), encoded(document("b", "text"))])
    assert version(index) == before + 1
    index.upsert([encoded(document("a", "one two changed")), encoded(document("c", "new"))])
    assert version(index) == before + 2
    assert stored_ids(index) == ["a#0", "b#0", "c#0"]


def test_a_state_that_changes_is_in_the_commit_that_changes_it(index):
    index.upsert([paper("PMC:PMC9", pmid="7")])
    before = version(index)
    index.upsert([notice("PMID:8", "retraction", "PMID:7")])
    assert version(index) == before + 1
    assert stored_ids(index, NOT_RETRACTED) == ["PMID:8#0"]
    index.delete(["PMID:8"])
    assert version(index) == before + 2
    assert stored_ids(index, NOT_RETRACTED) == ["PMC:PMC9#0"]


def test_an_open_reader_sees_a_state_that_a_commit_changes(index, tmp_path, monkeypatch):
    monkeypatch.setattr("osler.index.watch.CHECK_EVERY", 0.0)
    index.upsert([paper("PMC:PMC9", pmid="7"), paper("other")])
    reader = open_index(tmp_path / "index")
    assert stored_ids(reader, NOT_RETRACTED) == ["PMC:PMC9#0", "other#0"]
    index.upsert([notice("PMID:8", "retraction", "PMID:7")])
    assert stored_ids(reader, NOT_RETRACTED) == ["PMID:8#0", "other#0"]
    assert passages_of(reader, ["PMC:PMC9#0"])[0].metadata["notices"] == {"retraction": ["PMID:8"]}


def test_states_are_found_by_indexes_that_were_built_anew(index, monkeypatch):
    monkeypatch.setattr(maintenance, "_LOOKUP_ROWS", 1)
    index.upsert([paper("PMID:7", doi="10.1/x"), notice("n", "concern", "PMC:PMC9")])
    index.optimise()
    index.upsert([paper("a", doi="10.1/X", metadata={"retracted": True}), paper("b", pmcid="PMC9")])
    assert index.snapshot().document("PMID:7").metadata == {"retracted": True}
    assert index.snapshot().document("b").metadata == {"concern": True, "notices": {"concern": ["n"]}}


def test_no_version_ever_shows_a_document_half_replaced(index, tmp_path):
    index.upsert([encoded(document("a", "old " * 30))])
    index.upsert([encoded(document("a", "new words"))])
    for number in range(1, index._table.version + 1):
        text = open_index(tmp_path / "index")._snapshot_of(number).document("a")
        assert text is None or text.text in ("old " * 30, "new words")


def test_a_delete_is_one_commit_and_deleting_what_is_not_there_is_none(index):
    index.upsert([encoded(document("a", "one")), encoded(document("b", "two"))])
    before = version(index)
    index.delete(["a", "b"])
    index.delete(["a", "b"])
    assert version(index) == before + 1


def test_words_are_found_whatever_their_ending(index):
    index.upsert([encoded(document("a", "swollen ankles", title="Oedema")), encoded(document("b", "kidney"))])
    assert found(index, "ankle") == ["a#0"]
    assert found(index, "kidneys") == ["b#0"]


def test_rows_written_after_the_last_upkeep_are_found(index):
    index.upsert([encoded(document("a", "kidney stone"))])
    index.optimise()
    index.upsert([encoded(document("b", "gall stone"))])
    assert index.statistics().unindexed == 1
    assert sorted(found(index, "stones")) == ["a#0", "b#0"]
    index.optimise()
    assert index.statistics().unindexed == 0
    assert sorted(found(index, "stones")) == ["a#0", "b#0"]


def test_upkeep_of_a_tidy_index_leaves_its_version(index):
    index.upsert([encoded(document("a", "one"))])
    index.optimise()
    before = version(index)
    index.optimise()
    assert version(index) == before


def test_upkeep_joins_many_files_and_removes_old_versions(index, monkeypatch):
    for number in range(6):
        index.upsert([encoded(document(f"d{number}", f"heart number {number}"))])
    expected = sorted(found(index, "heart"))
    monkeypatch.setattr(maintenance, "_MOST_FILES", 4)
    monkeypatch.setattr(maintenance, "_IN_USE", timedelta(milliseconds=1))
    index.optimise()
    assert index._table.list_versions()[-1]["metadata"]["total_fragments"] == "1"
    assert version(index) < 4
    assert sorted(found(index, "heart")) == expected
    assert index.statistics().unindexed == 0


def test_a_large_table_has_its_search_indexes_extended(index, monkeypatch):
    monkeypatch.setattr(maintenance, "_REBUILD_ROWS", 1)
    index.upsert([encoded(document("a", "heart")), encoded(document("b", "lung"))])
    index.optimise()
    assert index.statistics().unindexed == 0
    assert found(index, "hearts") == ["a#0"]


def test_the_index_of_ids_is_built_whenever_the_rows_have_doubled(index, monkeypatch):
    monkeypatch.setattr(maintenance, "_LOOKUP_ROWS", 2)
    covered = []
    for number in range(9):
        index.upsert([encoded(document(f"d{number}", "text"))])
        covered.append(maintenance._index_of(index._table, "doc_id").num_indexed_rows)
    assert covered == [0, 2, 2, 4, 4, 4, 4, 8, 8]


def test_an_open_reader_keeps_answering_during_writes_and_upkeep_and_sees_them(index, tmp_path, monkeypatch):
    index.upsert([encoded(document("a", "heart failure"))])
    reader = open_index(tmp_path / "index")
    assert found(reader, "heart") == ["a#0"]
    monkeypatch.setattr(maintenance, "_MOST_FILES", 2)
    answers, done = [], threading.Event()

    def keep_asking():
        while not done.is_set():
            answers.append(found(reader, "failure"))
            answers.append([one.passage_id for one in passages_of(reader, ["a#0"])])

    asking = threading.Thread(target=keep_asking)
    asking.start()
    for number in range(8):
        index.upsert([encoded(document("a", f"heart failure {number}")), encoded(document(f"b{number}", "lung"))])
    index.optimise()
    done.set()
    asking.join()
    assert len(answers) > 2
    assert all(answer == ["a#0"] for answer in answers)
    late = open_index(tmp_path / "index")
    assert late.snapshot().document("a").text == "heart failure 7"


def test_a_reader_sees_a_commit_of_another_without_opening_again(index, tmp_path, monkeypatch):
    monkeypatch.setattr("osler.index.watch.CHECK_EVERY", 0.0)
    reader = open_index(tmp_path / "index")
    index.upsert([encoded(document("a", "heart"))])
    assert found(reader, "heart") == ["a#0"]


def test_an_index_without_token_vectors_says_so(tmp_path):
    index = create_index(tmp_path / "index", MANIFEST.model_copy(update={"token_vectors": False}))
    index.upsert([replace(encoded(document("a", "heart")), token_vectors=None, token_spans=None)])
    stored = index.snapshot().read(["a#0"])
    assert (stored.has_token_vectors, stored.token_spans) == (False, None)
    with pytest.raises(ValueError, match="keeps no token vectors"):
        _ = stored.token_vectors
    assert index.statistics().token_vector_bytes_per_passage == 0


def test_what_is_stored_is_there_after_opening_again_with_its_manifest(index, tmp_path):
    index.upsert([encoded(document("a", "heart", title="T"))])
    index.upsert([encoded(document("a", "heart failure", title="T"))])
    index.optimise()
    assert index_exists(tmp_path / "index")
    again = open_index(str(tmp_path / "index"))
    assert again.manifest == MANIFEST
    assert again.snapshot().document("a").text == "heart failure"
    assert again.snapshot().nearest(hashed("heart failure", DIM), k=1, where=NOT_RETRACTED)[0].score == pytest.approx(
        1.0
    )


def test_statistics_count_documents_passages_and_bytes(index):
    index.upsert([encoded(document("a", "one two three four five six")), encoded(document("b", "seven"))])
    statistics = index.statistics()
    assert (statistics.documents, statistics.passages, statistics.unindexed) == (2, 3, 3)
    assert statistics.token_vector_bytes_per_passage == (7 * (TOKEN_DIM + 4) + 3 * 4) / 3
    assert statistics.changed.tzinfo is not None


def test_the_bytes_of_the_parts_are_those_on_disk(index, tmp_path):
    index.upsert([encoded(document("a", "one two three"))])
    index.optimise()
    sizes = index.statistics().bytes
    data = sum(path.stat().st_size for path in (tmp_path / "index" / "passages.lance" / "data").iterdir())
    every_file = sum(path.stat().st_size for path in (tmp_path / "index").rglob("*") if path.is_file())
    assert sizes["data_files"] == data
    assert sizes["search_indexes"] > 0
    assert sum(sizes.values()) == every_file


def test_where_there_is_no_index_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match=r"holds no index: make one with `osler index SOURCE --index .*/nowhere`"):
        open_index(tmp_path / "nowhere")
    assert not index_exists(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds other files and no index"):
        create_index(tmp_path, MANIFEST)
    with pytest.raises(StoreError, match="holds other files and no index"):
        open_index(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_index(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="other files"):
        create_index(tmp_path / "file", MANIFEST)
    with pytest.raises(StoreError, match="name the folder of an index"):
        open_index(tmp_path / "file")


def test_an_index_is_never_created_over_another(index, tmp_path):
    index.upsert([encoded(document("a", "heart"))])
    with pytest.raises(StoreError, match="holds an index already"):
        create_index(tmp_path / "index", MANIFEST)
    assert stored_ids(index) == ["a#0"]


def test_a_creation_that_was_killed_can_be_made_again(tmp_path):
    (tmp_path / "index" / "passages.lance" / "data").mkdir(parents=True)
    assert stored_ids(create_index(tmp_path / "index", MANIFEST)) == []


def test_a_table_that_osler_did_not_write_is_refused(tmp_path):
    import lancedb

    lancedb.connect(tmp_path).create_table("passages", data=[{"x": 1}])
    with pytest.raises(StoreError, match="osler did not write"):
        open_index(tmp_path)


def test_an_index_may_lie_at_a_url(tmp_path):
    url = (tmp_path / "at a url").as_uri()
    create_index(url, MANIFEST).upsert([encoded(document("a", "heart"))])
    assert stored_ids(open_index(url)) == ["a#0"]
    with pytest.raises(StoreError, match="holds an index already"):
        create_index(url, MANIFEST)


def overwrite(folder, text: bytes) -> None:
    for path in folder.iterdir():
        path.write_bytes(text)


def test_a_damaged_table_is_one_sentence_with_the_remedy(index, tmp_path):
    index.upsert([encoded(document("a", "heart"))])
    overwrite(tmp_path / "index" / "passages.lance" / "_versions", b"damaged")
    with pytest.raises(StoreError, match=r"index cannot be read \(.*\): check the disk .* into a new folder\.$"):
        open_index(tmp_path / "index")


def test_damaged_data_are_one_sentence_with_the_remedy(index, tmp_path):
    index.upsert([encoded(document("a", "heart"))])
    overwrite(tmp_path / "index" / "passages.lance" / "data", b"")
    with pytest.raises(StoreError, match=r"passages.lance cannot be read \(.*\): see .* `osler check --index .*index`"):
        open_index(tmp_path / "index").snapshot()
    with pytest.raises(StoreError, match="cannot be"):
        open_index(tmp_path / "index").upsert([encoded(document("a", "new"))])


@pytest.mark.parametrize("factor", [2.0, 0.0, np.nan, np.inf])
def test_a_vector_that_is_not_of_unit_length_is_refused_and_nothing_is_stored(index, factor):
    one = encoded(document("a", "one two"))
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="a: a vector has length"):
        index.upsert([encoded(document("b", "three")), replace(one, vectors=one.vectors * np.float32(factor))])
    assert index.statistics().passages == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a" * 300, r"a{40}…a{20} cannot be a folder \(File name too long\): name another one"),
        ("file/below", "file/below cannot be a folder, since .*file is a file: name another one"),
        ("zero\0byte", "cannot be a folder .* name another one"),
        ("new\nline", r"'new\\nline' cannot be a folder \(LanceDB reads no control characters\): name another one"),
        ("", "The name of the index is empty: name a folder"),
    ],
)
def test_a_path_that_cannot_be_a_folder_is_one_sentence(tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    for use in (open_index, index_exists, lambda path: create_index(path, MANIFEST)):
        with pytest.raises(StoreError, match=says):
            use(name)


def test_a_wrong_call_is_a_type_error_and_no_damage(index):
    with pytest.raises(TypeError, match="where"):
        index.snapshot().lexical("heart", k=1)
    with pytest.raises(TypeError, match="too many"):
        index.delete(["a"], ["b"])


@pytest.mark.parametrize("name", ["~", "~/library", "~nobody-of-this-name"])
def test_a_tilde_is_the_home_folder_for_every_part_of_an_index(tmp_path, monkeypatch, name):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    create_index(name, MANIFEST).upsert([encoded(document("a", "heart"))])
    assert index_exists(name)
    assert open_index(name).snapshot().document("a")
    folder = here / name if "nobody" in name else Path(name.replace("~", str(home)))
    assert {"passages.lance", "passages.lock"} <= {path.name for path in folder.iterdir()}
    assert list(home.iterdir() if "nobody" in name else here.iterdir()) == []


@pytest.mark.parametrize("lost", ["all", "last"])
def test_a_table_that_lost_its_versions_is_neither_absent_nor_begun_anew(index, tmp_path, lost):
    index.upsert([encoded(document("a", "heart"))])
    versions = sorted((tmp_path / "index" / "passages.lance" / "_versions").iterdir())
    for path in versions if lost == "all" else []:
        path.unlink()
    if lost == "last":
        versions[0].write_bytes(b"")
    for use in (open_index, index_exists, lambda path: create_index(path, MANIFEST)):
        with pytest.raises(StoreError, match=r"lost the list of its versions|cannot be read"):
            use(tmp_path / "index")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_manifest_with_a_changed_bit_is_one_sentence_or_does_no_harm(index, tmp_path, seed):
    index.upsert([encoded(document("a", "heart failure"))])
    chance = random.Random(seed)
    last = min((tmp_path / "index" / "passages.lance" / "_versions").glob("*.manifest"))
    content = bytearray(last.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    last.write_bytes(content)
    with suppress(StoreError):
        reader = open_index(tmp_path / "index")
        found(reader, "heart")
        reader.snapshot().document("a")
        reader.statistics()


def test_a_commit_conflict_is_told_as_another_writer_and_no_full_disk(index, monkeypatch):
    def conflict(*_, **__):
        raise RuntimeError("lance error: Retryable commit conflict for version 4: concurrent transaction, /x/y.rs:1:2")

    monkeypatch.setattr(type(index._table), "add", conflict)
    with pytest.raises(
        StoreError, match=r"another process writes this index too \(Retryable commit conflict .* run the"
    ):
        index.upsert([encoded(document("a", "heart"))])


def test_upkeep_keeps_tagged_versions_and_removes_the_other_old_ones(index, monkeypatch):
    monkeypatch.setattr(maintenance, "_MOST_FILES", 2)
    monkeypatch.setattr(maintenance, "_IN_USE", timedelta(milliseconds=1))
    for number in range(6):
        index.upsert([encoded(document(f"d{number}", f"heart number {number}"))])
        if number in (1, 3):
            index._table.tags.create(f"as-of-{number}", index._table.version)
    for _ in range(2):
        index.optimise()
        tags = {name: tag["version"] for name, tag in index._table.tags.list().items()}
        assert set(tags) == {"as-of-1", "as-of-3"}
        versions = {version["version"] for version in index._table.list_versions()}
        assert versions > set(tags.values())
        assert len(versions) <= 6
        assert index._table.branches.list() == {}
        index.upsert([encoded(document(f"more{number}", "lung")) for number in range(3)])
    past = lancedb.connect(index._table.uri.rpartition("/")[0]).open_table("passages")
    past.checkout("as-of-1")
    assert sorted(row["doc_id"] for row in past.search().to_list()) == ["d0", "d1"]


def test_a_tag_that_a_killed_upkeep_set_aside_is_brought_back(index, monkeypatch):
    index.upsert([encoded(document("a", "heart"))])
    tagged = index._table.version
    index._table.branches.create("osler-in-place-of-first", "main", tagged)
    index.optimise()
    assert index._table.tags.list()["first"]["version"] == tagged
    assert index._table.branches.list() == {}
