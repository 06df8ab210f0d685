"""What a snapshot promises of its files: written once, never out of date, and of no loss when they are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed, passages_of

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, open_index, snapshot
from osler.index.filters import passing, to_sql
from osler.records import Filter

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
EVERYTHING = Filter(include_retracted=True)


@pytest.fixture(autouse=True)
def _few_rows_are_many(monkeypatch):
    monkeypatch.setattr(snapshot, "HELD_ROWS", 4)


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of an index of ten documents, whose snapshot is in one file."""
    create_index(tmp_path / "index", MANIFEST)
    write(tmp_path / "index", range(10), "heart")
    return tmp_path / "index"


def write(folder: Path, numbers: range, word: str) -> None:
    index = open_index(folder)
    index.upsert([encoded(document(f"d{number}", f"{word} {number}")) for number in numbers])
    index.optimise()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "passages.snapshot").glob("*"))


def texts(index: LanceIndex) -> list[str]:
    """The texts of all passages that both searches find, as they are read."""
    read = index.snapshot()
    dense = [one.passage_id for one in read.nearest(hashed("x", DIM), k=100, where=EVERYTHING)]
    words = [one.passage_id for one in read.lexical("heart lung liver", k=100, where=EVERYTHING)]
    assert sorted(dense) == sorted(words)
    return sorted(passage.text for passage in passages_of(index, dense))


HEARTS = [f"heart {number}" for number in range(10)]


def test_a_small_index_has_no_file_and_a_larger_one_has_one(tmp_path, folder):
    create_index(tmp_path / "small", MANIFEST)
    write(tmp_path / "small", range(4), "heart")
    assert files(tmp_path / "small") == []
    assert len(files(folder)) == 1


def test_an_index_that_has_become_small_has_no_file_left(folder):
    index = open_index(folder)
    index.delete([f"d{number}" for number in range(3, 10)])
    index.optimise()
    assert (files(folder), texts(index)) == ([], HEARTS[:3])


@pytest.mark.parametrize("harm", ["gone", "cut", "empty", "other bytes", "half written"])
def test_a_file_that_is_not_there_or_damaged_is_made_anew(folder, harm):
    (file,) = files(folder)
    content = file.read_bytes()
    if harm == "gone":
        shutil.rmtree(file.parent)
    elif harm == "half written":
        file.rename(file.with_suffix(".begun"))
    else:
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "other bytes": b"x" * 5000}[harm])
    assert texts(open_index(folder)) == HEARTS
    open_index(folder).optimise()
    assert [path.suffix for path in files(folder)] == [".arrow"]
    assert texts(open_index(folder)) == HEARTS


def test_where_no_file_can_be_written_rows_are_held(folder, monkeypatch):
    shutil.rmtree(folder / "passages.snapshot")
    monkeypatch.setattr("osler.index.blocks.BlockFiles.can_write", lambda files: False)
    assert texts(open_index(folder)) == HEARTS
    assert files(folder) == []


def test_files_of_another_index_are_passed_over(folder, tmp_path):
    create_index(tmp_path / "other", MANIFEST.model_copy(update={"id": "another"}))
    write(tmp_path / "other", range(10), "lung")
    shutil.copy(files(tmp_path / "other")[0], folder / "passages.snapshot" / "stranger.arrow")
    assert texts(open_index(folder)) == HEARTS


def test_an_older_table_beside_newer_files_is_read_as_it_is(folder, tmp_path):
    shutil.copytree(folder / "passages.lance", tmp_path / "backup")
    write(folder, range(10), "lung")
    shutil.rmtree(folder / "passages.lance")
    shutil.copytree(tmp_path / "backup", folder / "passages.lance")
    assert texts(open_index(folder)) == HEARTS


def test_a_newer_table_beside_older_files_is_read_as_it_is(folder, tmp_path):
    shutil.copytree(folder / "passages.snapshot", tmp_path / "backup")
    write(folder, range(5), "lung")
    shutil.rmtree(folder / "passages.snapshot")
    shutil.copytree(tmp_path / "backup", folder / "passages.snapshot")
    assert texts(open_index(folder)) == sorted([*HEARTS[5:], *(f"lung {number}" for number in range(5))])


def test_files_are_joined_when_they_are_many_or_half_empty(folder, monkeypatch):
    (before,) = files(folder)
    write(folder, range(10, 13), "heart")
    assert len(files(folder)) == 2
    write(folder, range(6), "lung")  # more than half of the first file
    assert before not in files(folder)
    monkeypatch.setattr(snapshot, "_MOST_FILES", 2)
    write(folder, range(13, 15), "heart")
    write(folder, range(15, 17), "heart")
    assert len(files(folder)) <= 2
    expected = [f"lung {number}" for number in range(6)] + [f"heart {number}" for number in range(6, 17)]
    assert texts(open_index(folder)) == sorted(expected)


def test_a_reader_of_many_small_commits_holds_few_blocks(folder, monkeypatch):
    monkeypatch.setattr("osler.index.watch.CHECK_EVERY", 0.0)
    monkeypatch.setattr(snapshot, "_MOST_BLOCKS", 2)
    monkeypatch.setattr(snapshot, "HELD_ROWS", 1000)
    reader, writer = open_index(folder), open_index(folder)
    for number in range(10, 18):
        writer.upsert([encoded(document(f"d{number}", f"lung {number}"))])
        assert len(texts(reader)) == number + 1
    assert len(reader.snapshot().blocks) <= 5


FILTERS = [
    Filter(),
    EVERYTHING,
    Filter(year_from=2001),
    Filter(year_from=2001, year_to=2002),
    Filter(mesh=("Humans",)),
    Filter(mesh=["mice", "humans"], languages={"eng"}),
    Filter(publication_types=("Review",)),
    Filter(journals=("The Lancet",)),
    Filter(authors=("Osler W",)),
    Filter(authors=("Nobody", "Smith, Jane"), year_to=2003),
]


def test_a_mask_lets_the_same_rows_through_as_the_condition(folder):
    metadata = [
        {"year": 2001, "mesh": ["Humans", "Mice"], "language": "eng", "authors": ["Osler, William"]},
        {"year": 2002, "mesh": ["Mice"], "publication_types": ["Review"], "journal": "Lancet (London, England)"},
        {"year": 2003, "language": ["eng", "ger"], "authors": ["Smith, Jane", "Osler W"], "journal": "Cell"},
        {"mesh": [], "retracted": True, "language": None},
        {"retracted": True, "year": 2003},
    ]
    index = open_index(folder)
    index.upsert([encoded(document(f"m{number}", "text", **values)) for number, values in enumerate(metadata)])
    read = index.snapshot()
    for where in FILTERS:
        condition = to_sql(where) or "true"
        expected = sorted(
            row["passage_id"] for row in read._table.search().where(condition).select(["passage_id"]).to_list()
        )
        masks = [passing(where, block.rows) & alive for block, alive in zip(read.blocks, read.alive, strict=True)]
        rows = zip(read.blocks, masks, strict=True)
        assert (
            sorted(name for block, mask in rows for name in np.array(block.rows["passage_id"].to_pylist())[mask])
            == expected
        )
        assert sorted(one.passage_id for one in read.nearest(hashed("x", DIM), k=100, where=where)) == expected
        words = [one.passage_id for one in read.lexical("heart text", k=100, where=where)]
        assert sorted(words) == expected


def test_a_large_index_is_searched_by_signs_and_says_how_much_it_finds(folder, monkeypatch):
    assert open_index(folder).snapshot().recall() is None
    monkeypatch.setattr(snapshot, "APPROXIMATE_FROM", 5)
    read = open_index(folder).snapshot()
    assert read.recall() == 1.0
    assert len(read.nearest(hashed("x", DIM), k=3, where=EVERYTHING)) == 3


def test_a_row_that_only_a_damaged_index_names_is_never_another_row():
    rows = snapshot.TableRows(np.array([3, 5, 9], np.uint64), np.array([2, 0, 1]))
    assert rows.of(np.array([9, 3], np.uint64)).tolist() == [1, 2]
    for row_id in (4, 10):
        with pytest.raises(StoreError, match=r"full-text index names rows .*osler check --index INDEX"):
            rows.of(np.array([row_id], np.uint64))
