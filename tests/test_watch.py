"""An open index whose table is made anew, renamed or restored under it: it never answers from the old one, or mixes."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import lancedb
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed, passages_of, token_vectors_of, vectors_of

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, maintenance, open_index, snapshot, watch
from osler.index.watch import version_file
from osler.records import NOT_RETRACTED

pytestmark = pytest.mark.slow

REPLACED = "index was deleted, replaced or restored since it was opened: open it again"


def manifest() -> Manifest:
    return Manifest(
        encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
        reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
    )


def made(folder: Path, word: str, documents: int = 50) -> Path:
    index = create_index(folder, manifest())
    index.upsert([encoded(document(f"d{number}", f"{word} {number}")) for number in range(documents)])
    return folder


@pytest.fixture(params={"held": 10**9, "mapped": 0}.items(), ids=lambda param: param[0])
def apples(tmp_path, request, monkeypatch) -> LanceIndex:
    """An open index of 50 documents on apples, whose rows are held in memory, or mapped from files."""
    monkeypatch.setattr(snapshot, "HELD_ROWS", request.param[1])
    monkeypatch.setattr(watch, "CHECK_EVERY", 0.1)
    index = open_index(made(tmp_path / "index", "apple"))
    assert words_of(index) == {"apple"}
    return index


def words_of(index: LanceIndex) -> set[str]:
    """The words of all that the index finds and reads."""
    candidates = index.snapshot().nearest(hashed("x", DIM), k=100, where=NOT_RETRACTED)
    candidates += index.snapshot().lexical("apple pear plum", k=100, where=NOT_RETRACTED)
    return {passage.text.split()[0] for passage in passages_of(index, [one.passage_id for one in candidates])}


READS = {
    "dense": lambda index: index.snapshot().nearest(hashed("x", DIM), k=5, where=NOT_RETRACTED),
    "lexical": lambda index: index.snapshot().lexical("apple", k=5, where=NOT_RETRACTED),
    "read": lambda index: passages_of(index, ["d1#0"]),
    "vectors": lambda index: vectors_of(index, ["d1#0"]),
    "token vectors": lambda index: token_vectors_of(index, ["d1#0"]),
    "document": lambda index: index.snapshot().document("d1"),
    "fingerprints": lambda index: index.fingerprints(["d1"]),
    "statistics": lambda index: index.statistics(),
    "upsert": lambda index: index.upsert([encoded(document("d1", "new"))]),
    "delete": lambda index: index.delete(["d1"]),
    "optimise": lambda index: index.optimise(),
}


@pytest.mark.parametrize("name", READS)
def test_no_call_answers_from_an_index_that_was_made_anew_with_as_many_versions(apples, tmp_path, name):
    shutil.rmtree(tmp_path / "index")
    made(tmp_path / "index", "pear")
    assert open_index(tmp_path / "index")._table.version == apples._table.version
    for _ in range(2):
        with pytest.raises(StoreError, match=REPLACED):
            READS[name](apples)
    assert words_of(open_index(tmp_path / "index")) == {"pear"}


def test_more_commits_to_the_new_index_do_not_make_it_the_old_one(apples, tmp_path):
    shutil.rmtree(tmp_path / "index")
    made(tmp_path / "index", "pear")
    writer = open_index(tmp_path / "index")
    for number in range(12):
        writer.upsert([encoded(document(f"d{number}", "plum"))])
    with pytest.raises(StoreError, match=REPLACED):
        words_of(apples)


def test_an_index_that_is_renamed_away_is_not_answered_from(apples, tmp_path):
    (tmp_path / "index").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=REPLACED):
        words_of(apples)
    assert words_of(open_index(tmp_path / "elsewhere")) == {"apple"}


def test_an_index_that_another_one_is_moved_over_is_not_answered_from(apples, tmp_path):
    made(tmp_path / "new", "pear")
    (tmp_path / "index").rename(tmp_path / "old")
    (tmp_path / "new").rename(tmp_path / "index")
    with pytest.raises(StoreError, match=REPLACED):
        words_of(apples)


def test_an_older_copy_that_is_brought_back_is_not_taken_for_what_followed_it(tmp_path):
    folder = made(tmp_path / "index", "apple")
    shutil.copytree(folder, tmp_path / "backup")
    reader = open_index(folder)
    reader.upsert([encoded(document(f"d{number}", f"plum {number}")) for number in range(50)])
    assert words_of(reader) == {"plum"}
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    open_index(folder).upsert([encoded(document(f"d{number}", f"pear {number}")) for number in range(50)])
    with pytest.raises(StoreError, match=REPLACED):  # of the same id and as many versions
        words_of(reader)


def test_a_reader_that_has_read_nothing_yet_is_told_that_an_older_copy_was_brought_back(tmp_path):
    folder = made(tmp_path / "index", "apple")
    shutil.copytree(folder, tmp_path / "backup")
    open_index(folder).upsert([encoded(document("d1", "plum"))])
    reader = open_index(folder)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    with pytest.raises(StoreError, match=REPLACED):
        words_of(reader)


def test_a_writer_makes_no_folder_where_its_index_was_deleted(apples, tmp_path):
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(StoreError, match=REPLACED):
        apples.upsert([encoded(document("d1", "new"))])
    assert not (tmp_path / "index").exists()


def test_a_version_that_lancedb_restores_is_followed(apples, tmp_path):
    before = apples._table.version
    apples.upsert([encoded(document(f"d{number}", f"plum {number}")) for number in range(50)])
    table = lancedb.connect(tmp_path / "index").open_table("passages")
    table.checkout(before)
    table.restore()
    apples.watch.note_commit()
    assert words_of(apples) == {"apple"}


def test_a_reader_whose_version_was_removed_by_upkeep_goes_on_with_the_last_one(apples, tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "_MOST_FILES", 1)
    monkeypatch.setattr(maintenance, "_IN_USE", timedelta(milliseconds=1))
    before = version_file(tmp_path / "index" / "passages.lance" / "_versions", apples.snapshot().version)
    writer = open_index(tmp_path / "index")
    writer.upsert([encoded(document(f"d{number}", f"plum {number}")) for number in range(50)])
    writer.optimise()
    assert not before.exists()
    assert words_of(apples) == {"plum"}


def test_searches_while_an_index_is_made_anew_are_of_one_index_or_an_error(tmp_path, monkeypatch):
    folder = made(tmp_path / "index", "apple")
    made(tmp_path / "new", "pear")
    answers: list[set[str] | str] = []
    done = threading.Event()

    def keep_asking():
        reader = open_index(folder)
        while not done.is_set():
            try:
                answers.append(words_of(reader))
            except StoreError as error:
                answers.append(str(error))
                done.set()

    asking = threading.Thread(target=keep_asking)
    asking.start()
    while len(answers) < 5:
        done.wait(0.01)
    (folder / "passages.lance").rename(tmp_path / "old.lance")
    (tmp_path / "new" / "passages.lance").rename(folder / "passages.lance")
    asking.join(timeout=30)
    assert all(answer == {"apple"} for answer in answers[:-1])
    assert "open it again" in answers[-1]
