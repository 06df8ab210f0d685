"""`check_index` finds what a disk, a copy or another program did to an index, and says which documents it cost."""

from __future__ import annotations

import random
from pathlib import Path

import lancedb
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded, hashed, passages_of, vectors_of

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, open_index, snapshot
from osler.index.check import check_index, repair
from osler.records import NOT_RETRACTED

pytestmark = pytest.mark.slow

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)


def documents(count: int = 20):
    text = "Pericardial effusion gathers around the heart\nand is drained"
    return [encoded(document(f"d{number}", f"{text} {number}", title="T", year=2000)) for number in range(count)]


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    index = create_index(tmp_path / "index", MANIFEST)
    index.upsert(documents())
    index.upsert([encoded(document("empty", "", title="A title alone"))])
    index.optimise()
    return index


def table_of(tmp_path: Path):
    return lancedb.connect(tmp_path / "index").open_table("passages")


def files(tmp_path: Path, pattern: str) -> list[Path]:
    return sorted(path for path in (tmp_path / "index" / "passages.lance").glob(pattern) if path.is_file())


def test_an_index_as_it_was_written_is_whole(index, capfd):
    capfd.readouterr()
    report = check_index(index)
    assert report.whole
    assert capfd.readouterr().err == ""  # of Lance's warnings
    assert report.passages == index.statistics().passages
    index.upsert([encoded(document("d1", "changed\n\nby an update", mesh=["Humans"]))])
    index.delete(["d2"])
    assert check_index(index).whole


@pytest.mark.parametrize(
    ("column", "value"),
    [("text", "'other'"), ("start", "7"), ("title", "'U'"), ("metadata", "'{}'"), ("fingerprint", "'0'")],
)
def test_a_value_that_was_changed_is_found_with_its_document(index, tmp_path, column, value):
    table_of(tmp_path).update(where="passage_id = 'd3#0'", values_sql={column: value})
    assert list(check_index(open_index(tmp_path / "index")).documents) == ["d3"]


def test_a_vector_that_was_changed_is_found(index, tmp_path):
    table_of(tmp_path).update(where="passage_id = 'd4#1'", values={"vector": [1.0] + [0.0] * (DIM - 1)})
    assert check_index(open_index(tmp_path / "index")).documents == {"d4": "a row of it is not as it was written"}


def test_passages_that_are_missing_or_there_twice_are_found(index, tmp_path):
    table = table_of(tmp_path)
    twice = table.search().where("passage_id = 'd5#0'").to_arrow()
    table.delete("passage_id = 'd6#0'")
    table.add(twice)
    report = check_index(open_index(tmp_path / "index"))
    assert report.documents["d5"] == "its passage d5#0 is there twice"
    assert report.documents["d6"] == "its passages do not make up its text"
    with pytest.raises(StoreError, match="passages are missing or there twice"):
        open_index(tmp_path / "index").snapshot().document("d5")


@pytest.mark.parametrize("seed", range(12))
def test_a_bit_that_flips_in_a_data_file_is_found_unless_nothing_reads_it(index, tmp_path, seed):
    chance = random.Random(seed)
    path = chance.choice(files(tmp_path, "data/*"))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    before = [index.snapshot().document(f"d{number}") for number in range(20)]
    vectors = {name: vector.tobytes() for name, vector in vectors_of(index, [f"d{n}#0" for n in range(20)]).items()}
    path.write_bytes(content)
    reader = open_index(tmp_path / "index")
    if check_index(reader).whole:
        assert [reader.snapshot().document(f"d{number}") for number in range(20)] == before
        assert {name: vector.tobytes() for name, vector in vectors_of(reader, list(vectors)).items()} == vectors


@pytest.mark.parametrize("damage", ["cut", "zeroed", "gone"])
@pytest.mark.parametrize("pattern", ["_indices/*/*tokens.lance", "_indices/*/*invert*", "_indices/*/page_data.lance"])
def test_a_damaged_search_index_is_found_and_made_anew_and_nothing_else(index, tmp_path, pattern, damage):
    for path in files(tmp_path, pattern):
        size = path.stat().st_size
        path.write_bytes(b"" if damage == "cut" else bytes(size))
        if damage == "gone":
            path.unlink()
    reader = open_index(tmp_path / "index")
    report = check_index(reader)
    assert report.search_indexes
    assert not report.documents
    repair(reader, report)
    assert check_index(open_index(tmp_path / "index")).whole


def test_a_search_index_over_short_words_or_ids_alone_is_asked_too(tmp_path):
    index = create_index(tmp_path / "index", MANIFEST)
    index.upsert([encoded(document(f"d{number}", "ill or not")) for number in range(20)])
    index.optimise()
    for path in files(tmp_path, "_indices/*/*.lance"):
        path.write_bytes(bytes(path.stat().st_size))
    reported = " ".join(check_index(open_index(tmp_path / "index")).search_indexes)
    assert all(
        f"that of {column} " in reported for column in ("doc_id", "pmid", "doi", "pmcid", "notice_of", "lexical")
    )


def test_every_word_of_the_full_text_index_is_asked_for(tmp_path):
    index = create_index(tmp_path / "index", MANIFEST)
    words = [f"{letter}{end}" for letter in "bcdf" for end in ("og", "ug", "ag")]
    index.upsert([encoded(document(f"d{number}", f"heartburn {word}")) for number, word in enumerate(words * 2)])
    index.optimise()
    path = files(tmp_path, "_indices/*/*invert*")[-1]
    content = path.read_bytes()
    for place in range(324, 408, 20):  # where the rows of short words are listed
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        reader = open_index(tmp_path / "index")
        if check_index(reader).whole:
            assert all(reader.snapshot().lexical(word, k=3, where=NOT_RETRACTED) for word in words)


@pytest.mark.parametrize("length", [0, 50, 400, "zeros"])
def test_an_old_version_that_cannot_be_read_is_found_and_removed_by_the_repair(index, tmp_path, length):
    oldest = files(tmp_path, "_versions/*.manifest")[-1]
    content = oldest.read_bytes()
    oldest.write_bytes(bytes(len(content)) if length == "zeros" else content[:length])
    reader = open_index(tmp_path / "index")
    report = check_index(reader)
    assert report.versions == ("the list of version 1 cannot be read",)
    with pytest.raises(StoreError, match="osler check --index .*--repair"):
        reader.optimise()
    repair(reader, report)
    assert check_index(open_index(tmp_path / "index")).whole
    assert reader.statistics().documents == 21


def test_damaged_documents_are_removed_by_the_repair_so_that_they_are_stored_again(index, tmp_path):
    table_of(tmp_path).update(where="passage_id = 'd3#0'", values_sql={"text": "'other'"})
    reader = open_index(tmp_path / "index")
    repair(reader, check_index(reader))
    assert reader.fingerprints(["d3", "d4"]).keys() == {"d4"}
    reader.upsert([encoded(documents()[3].document)])
    assert check_index(reader).whole


def test_a_file_of_the_snapshot_that_is_not_as_it_was_written_is_found_and_made_anew(index, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "HELD_ROWS", 0)
    index.optimise()
    assert check_index(open_index(tmp_path / "index")).whole
    (file,) = (tmp_path / "index" / "passages.snapshot").iterdir()
    file.write_bytes(file.read_bytes().replace(b"Pericardial", b"Perioardial"))
    reader = open_index(tmp_path / "index")
    report = check_index(reader)
    assert report.snapshot == ("20 of its rows are not as they were written",)
    assert not report.documents
    repair(reader, report)
    again = open_index(tmp_path / "index")
    assert check_index(again).whole
    assert passages_of(again, ["d1#0"])[0].text.startswith("Pericardial")


def test_an_empty_index_is_whole(tmp_path):
    assert check_index(create_index(tmp_path / "empty", MANIFEST)).whole


def test_of_a_data_file_that_was_cut_the_rows_are_counted_and_the_others_are_looked_at(tmp_path):
    index = create_index(tmp_path / "index", MANIFEST)
    for part in range(3):
        index.upsert([encoded(document(f"d{part}-{number}", "heart")) for number in range(5)])
    cut = files(tmp_path, "data/*")[1]
    cut.write_bytes(cut.read_bytes()[:300])
    report = check_index(open_index(tmp_path / "index"))
    assert report.unreadable == ("5 rows cannot be read, nor the ids of their documents",)
    assert (report.passages, report.documents) == (10, {})


@pytest.mark.parametrize("damage", ["cut", "emptied", "zeroed", "gone"])
def test_a_repair_that_rows_stand_in_the_way_of_says_so_and_not_to_repair(tmp_path, damage):
    index = create_index(tmp_path / "index", MANIFEST)
    for part in range(2):
        index.upsert([encoded(document(f"d{part}-{number}", "heart")) for number in range(5)])
    path = files(tmp_path, "data/*")[0]
    size = path.stat().st_size
    path.write_bytes({"cut": path.read_bytes()[: size // 2], "zeroed": bytes(size)}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    reader = open_index(tmp_path / "index")
    report = check_index(reader)
    assert report.unreadable == ("5 rows cannot be read, nor the ids of their documents",)
    with pytest.raises(StoreError, match=r"rows cannot be read, so not all can be repaired: bring the folder back"):
        repair(reader, report)


@pytest.mark.parametrize("place", [2356, 2479, 2725, 2807])
def test_documents_of_which_one_column_cannot_be_read_are_removed_by_the_repair(index, tmp_path, place):
    (path,) = files(tmp_path, "data/*")[:1]
    content = bytearray(path.read_bytes())
    for number in range(len(content) - place, len(content) - place + 8):  # in what the file says of a column
        content[number] ^= 0xFF
    path.write_bytes(content)
    reader = open_index(tmp_path / "index")
    report = check_index(reader)
    assert report.documents
    repair(reader, report)
    assert check_index(open_index(tmp_path / "index")).whole


def test_a_column_that_is_zeroed_costs_the_documents_of_its_file_by_name(tmp_path):
    index = create_index(tmp_path / "index", MANIFEST)
    for part in range(2):
        index.upsert([encoded(document(f"d{part}-{number}", "heart attack")) for number in range(3)])
    (zeroed, *_) = files(tmp_path, "data/*")
    content = zeroed.read_bytes()
    vectors = b"".join(hashed("heart attack", DIM).astype("<f4").tobytes() for _ in range(3))
    assert vectors in content
    zeroed.write_bytes(content.replace(vectors, bytes(len(vectors))))
    damaged = check_index(open_index(tmp_path / "index")).documents
    assert len({name[:2] for name in damaged}) == 1
    assert len(damaged) == 3
