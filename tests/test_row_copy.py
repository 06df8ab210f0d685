"""The copy of what a search reads, beside a table that is too large for memory, with memory made small."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, copying, create_index, open_index, row_copy, upkeep
from osler.index.residence import _ID_BYTES
from osler.late_interaction.token_vectors import dequantise
from osler.records import NOT_RETRACTED, EncodedDocument

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
IDS_ONLY = 80 * _ID_BYTES
"""Memory for the ids of some 80 passages, and for nothing else of twenty."""

NAMES = [f"d{number}" for number in range(30)]
PASSAGES = [f"{name}#0" for name in NAMES]


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def index(folder) -> LanceIndex:
    create_index(folder, MANIFEST)
    index = small(folder)
    index.upsert([encoded(document(name, f"text {name}", title="T")) for name in NAMES])
    return index


def small(folder: Path) -> LanceIndex:
    return open_index(folder, memory=IDS_ONLY)


def copy_of(folder: Path) -> Path:
    return folder / "passages.copy.sqlite"


def searched(index: LanceIndex) -> LanceIndex:
    """The index after two searches that find everything: ids are held, and the row of each passage is known."""
    for _ in range(2):
        index.search_dense(hashed("query", DIM), k=100, where=NOT_RETRACTED)
    return index


def all_of(index: LanceIndex, passage_ids: list[str]) -> list:
    """All that a search reads of these passages."""
    vectors, tokens = index.vectors(passage_ids), index.token_vectors(passage_ids)
    read = [(passage, spans.tolist()) for passage, spans in index.read_with_spans(passage_ids)]
    return [
        read,
        {name: vectors[name].tolist() for name in sorted(vectors)},
        {name: dequantise(tokens[name]).tolist() for name in sorted(tokens)},
    ]


def without_table(index: LanceIndex, monkeypatch) -> LanceIndex:
    """The index, which from now on may not read a row of the table by its id."""
    monkeypatch.setattr(index._lookup, "_table", None)
    return index


def text_in_copy(folder: Path, passage_id: str, monkeypatch) -> str:
    (passage,) = without_table(searched(small(folder)), monkeypatch).read([passage_id])
    return passage.text


def add_one(index: LanceIndex, text: str = "text") -> None:
    index.upsert([encoded(document("new", text))])
    index.optimise()


def test_an_index_that_fits_in_memory_has_no_copy(index, folder):
    index.optimise()
    assert copy_of(folder).is_file()
    open_index(folder).optimise()
    assert not copy_of(folder).exists()


def test_an_index_whose_ids_do_not_fit_in_memory_has_none_since_it_could_not_be_read(index, folder):
    open_index(folder, memory=29 * _ID_BYTES).optimise()
    assert not copy_of(folder).exists()


def test_whoever_wants_no_copy_has_none(index, folder):
    index.optimise(row_copy=False)
    assert not copy_of(folder).exists()
    index.optimise()
    index.optimise(row_copy=False)
    assert sorted(path.name for path in folder.iterdir()) == ["passages.lance", "passages.lock"]


def test_what_is_read_of_the_copy_is_what_the_table_has(index, folder, monkeypatch):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    assert all_of(without_table(searched(small(folder)), monkeypatch), PASSAGES) == expected


def test_unknown_passages_are_left_out(index, folder):
    index.optimise()
    reader = searched(small(folder))
    assert [one.passage_id for one in reader.read(["d1#0", "missing#0", "d0#0"])] == ["d1#0", "d0#0"]
    assert sorted(reader.vectors(["d1#0", "missing#0"])) == ["d1#0"]


def test_what_is_written_later_is_read_of_the_table(index, folder):
    index.optimise()
    reader = searched(small(folder))
    reader.upsert([encoded(document("d1", "changed")), encoded(document("new", "text"))])
    read = searched(reader).read(["d1#0", "new#0", "d2#0"])
    assert [passage.text for passage in read] == ["changed", "text", "text d2"]
    assert np.allclose(reader.vectors(["d1#0"])["d1#0"], hashed("changed", DIM))


def test_a_row_that_is_gone_is_not_read_of_the_copy(index, folder):
    index.optimise()
    reader = searched(small(folder))
    reader.delete(["d1"])
    reader.upsert([encoded(document("d2", "changed"))])
    assert reader.read(["d1#0"]) == []  # whose row was found by the searches before
    assert reader.vectors(["d1#0"]) == {}
    assert [passage.text for passage in reader.read(["d2#0"])] == ["changed"]


def test_upkeep_adds_new_rows_and_takes_old_ones_away(index, folder, monkeypatch):
    index.optimise()
    index.upsert([encoded(document("d1", "changed")), encoded(document("new", "text"))])
    index.delete(["d2"])
    monkeypatch.setattr(copying, "_make", None)
    index.optimise()
    assert rows_in(copy_of(folder)) == 30
    left = [name for name in [*PASSAGES, "new#0"] if name != "d2#0"]
    expected = all_of(open_index(folder), left)
    assert all_of(without_table(searched(small(folder)), monkeypatch), left) == expected


def test_upkeep_that_has_nothing_to_do_leaves_the_copy(index, folder):
    index.optimise()
    before = copy_of(folder).stat().st_mtime_ns
    index.optimise()
    assert copy_of(folder).stat().st_mtime_ns == before


def test_joined_files_have_the_copy_made_anew(folder, monkeypatch):
    create_index(folder, MANIFEST)
    index = small(folder)
    for name in NAMES[:20]:
        index.upsert([encoded(document(name, f"text {name}"))])
    index.optimise()
    monkeypatch.setattr(upkeep, "_MOST_FILES", 4)
    monkeypatch.setattr(copying, "_renewed", None)
    add_one(index)
    assert rows_in(copy_of(folder)) == 21
    assert text_in_copy(folder, "d3#0", monkeypatch) == "text d3"


def test_an_open_reader_takes_a_copy_that_was_made_since(index, folder, monkeypatch):
    reader = searched(small(folder))
    assert reader._residence.copied([0], ["text"]) is None
    index.optimise()
    monkeypatch.setattr("osler.index.watch.CHECK_EVERY", 0.0)
    reader.watch.note_commit()
    assert [one.text for one in without_table(searched(reader), monkeypatch).read(["d3#0"])] == ["text d3"]


@pytest.mark.parametrize("damage", ["cut short", "no database", "empty", "missing"])
def test_without_a_whole_copy_the_table_is_read_and_upkeep_makes_one(index, folder, damage, monkeypatch):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    content = copy_of(folder).read_bytes()
    copy_of(folder).unlink()
    if damage != "missing":
        left = {"cut short": content[: len(content) // 2], "no database": b"no database" * 1000, "empty": b""}
        copy_of(folder).write_bytes(left[damage])
    assert all_of(searched(small(folder)), PASSAGES) == expected
    index.optimise()
    assert all_of(without_table(searched(small(folder)), monkeypatch), PASSAGES) == expected


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM source",
        "UPDATE rows SET vector = NULL",
        "UPDATE rows SET vector = x'00'",
        "UPDATE rows SET text = 1",
    ],
)
def test_damage_inside_the_copy_breaks_no_search(index, folder, damage):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    file = sqlite3.connect(copy_of(folder))
    file.execute(damage)
    file.commit()
    file.close()
    assert all_of(searched(small(folder)), PASSAGES) == expected
    small(folder).optimise()


def test_many_rows_are_asked_for_by_several_statements(index, folder, monkeypatch):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    monkeypatch.setattr(row_copy, "_NAMED", 7)
    assert all_of(without_table(searched(small(folder)), monkeypatch), PASSAGES) == expected


def test_a_copy_is_renewed_also_where_tidying_removed_the_version_that_it_was_made_of(index, folder, monkeypatch):
    index.optimise()
    monkeypatch.setattr(upkeep, "_IN_USE", timedelta(milliseconds=1))
    monkeypatch.setattr(upkeep, "_REBUILD_ROWS", 1)
    monkeypatch.setattr(copying, "_make", None)
    add_one(index)
    assert rows_in(copy_of(folder)) == 31
    assert text_in_copy(folder, "new#0", monkeypatch) == "text"


def test_what_a_killed_run_left_goes_and_is_in_nobodys_way(index, folder):
    index.optimise()
    begun = folder / "passages.copy.begun"
    begun.write_bytes(b"half")
    index.optimise()
    assert not begun.exists()
    shutil.rmtree(folder / "passages.lance")
    assert create_index(folder, MANIFEST).read(PASSAGES) == []


def test_a_copy_that_is_being_written_is_left_aside(index, folder):
    index.optimise()
    reader, late = searched(small(folder)), small(folder)
    expected = all_of(reader, PASSAGES)
    writer = sqlite3.connect(copy_of(folder))
    writer.execute("BEGIN EXCLUSIVE")
    assert all_of(reader, PASSAGES) == all_of(searched(late), PASSAGES) == expected
    assert late._residence.copied([0], ["text"]) is None
    writer.close()
    late.watch.note_commit()
    row_id = late._residence.rows().row_ids[:1].tolist()
    assert late._residence.copied(row_id, ["text"]).num_rows == 1


def test_a_run_that_is_killed_while_it_copies_leaves_the_copy_before(index, folder, monkeypatch):
    index.optimise()
    before = copy_of(folder).read_bytes()
    index.upsert([encoded(document(f"new{number}", "text")) for number in range(40)])

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(copying, "_values", killed)
    with pytest.raises(KeyboardInterrupt):
        index.optimise()
    assert copy_of(folder).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["passages.copy.sqlite", "passages.lance", "passages.lock"]


def test_what_a_killed_run_began_to_change_is_undone(index, folder, monkeypatch):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    change_and_be_killed(copy_of(folder))
    assert all_of(searched(small(folder)), PASSAGES) == expected  # from the table
    add_one(index)
    assert all_of(without_table(searched(small(folder)), monkeypatch), PASSAGES) == expected


def test_it_is_not_undone_in_a_copy_that_takes_its_place(index, folder, monkeypatch):
    expected = all_of(searched(index), PASSAGES)
    index.optimise()
    change_and_be_killed(copy_of(folder))
    monkeypatch.setattr(copying, "_source", lambda *_: None)  # as where the copy is another table's
    index.optimise()
    assert all_of(without_table(searched(small(folder)), monkeypatch), PASSAGES) == expected


def test_a_copy_of_another_table_is_left_aside(index, folder, tmp_path):
    index.optimise()
    before = copy_of(folder).read_bytes()
    shutil.rmtree(folder)
    create_index(folder, MANIFEST)
    other = small(folder)
    other.upsert([encoded(document(name, f"other {name}")) for name in NAMES])
    copy_of(folder).write_bytes(before)
    assert [one.text for one in searched(other).read(["d1#0"])] == ["other d1"]
    other.optimise()
    assert [one.text for one in searched(small(folder)).read(["d1#0"])] == ["other d1"]


def test_a_table_brought_back_from_a_backup_is_not_mixed_with_what_came_after_it(index, folder, tmp_path):
    index.optimise()
    shutil.copytree(folder / "passages.lance", tmp_path / "backup")
    add_one(index, "lost")
    shutil.rmtree(folder / "passages.lance")
    shutil.copytree(tmp_path / "backup", folder / "passages.lance")
    back = small(folder)
    back.upsert([encoded(document("new", "written after"))])
    assert [one.text for one in searched(back).read(["new#0"])] == ["written after"]
    assert np.allclose(back.vectors(["new#0"])["new#0"], hashed("written after", DIM))


def test_where_the_copy_cannot_be_written_the_error_says_so_and_the_index_is_whole(index, folder, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(copying, "_write", full)
    with pytest.raises(
        StoreError,
        match=r"passages.copy.sqlite cannot be written \(.* is full\): free some space, or set `index.row_copy",
    ):
        index.optimise()
    assert len(searched(small(folder)).read(PASSAGES)) == 30


def test_its_bytes_are_counted(index, folder):
    assert index.statistics().bytes["row_copy"] == 0
    index.optimise()
    sizes = index.statistics().bytes
    assert sizes["row_copy"] == copy_of(folder).stat().st_size > 0
    assert sum(sizes.values()) == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_an_index_without_token_vectors_has_a_copy_too(tmp_path, monkeypatch):
    create_index(tmp_path / "index", MANIFEST.model_copy(update={"token_vectors": False}))
    index = small(tmp_path / "index")
    index.upsert([without_tokens(name) for name in NAMES])
    index.optimise()
    reader = without_table(searched(small(tmp_path / "index")), monkeypatch)
    assert sorted(reader.vectors(PASSAGES)) == sorted(PASSAGES)
    assert [one.text for one in reader.read(["d3#0"])] == ["text d3"]


def rows_in(path: Path) -> int:
    file = sqlite3.connect(path)
    (count,) = file.execute("SELECT count(*) FROM rows").fetchone()
    file.close()
    return count


def without_tokens(name: str) -> EncodedDocument:
    whole = encoded(document(name, f"text {name}"))
    return EncodedDocument(whole.document, whole.passages, whole.vectors, None)


def change_and_be_killed(path: Path) -> None:
    """Leave half a change in the file, and beside it the journal that undoes it."""
    change = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("PRAGMA cache_size = 1")
file.execute("UPDATE rows SET text = 'half', vector = zeroblob(1000)")
os._exit(9)
"""
    before = path.read_bytes()
    assert subprocess.run([sys.executable, "-c", change, path], check=False).returncode == 9
    assert path.read_bytes() != before
    assert path.with_name(f"{path.name}-journal").stat().st_size
