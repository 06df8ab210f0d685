"""A file is written whole or stays as it was, and JSON that cannot be read is named."""

from pathlib import Path

import pytest

from osler.errors import ModelError, OslerError
from osler.files import read_json, write_json, written_whole


def fill(path: Path) -> None:
    path.write_text("half of it")
    raise OSError("the disk is full")


def test_a_file_that_could_not_be_written_to_its_end_stays_as_it_was(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="full"), written_whole(path) as unfinished:
        fill(unfinished)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("notes.txt", "before")]


def test_a_file_is_replaced_only_when_it_is_whole(tmp_path):
    path = tmp_path / "notes.txt"
    with written_whole(path) as unfinished:
        unfinished.write_text("all of it")
        assert not path.exists()
        assert unfinished.suffix != ".txt"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("notes.txt", "all of it")]


def test_json_is_written_for_people_too(tmp_path):
    write_json(tmp_path / "a.json", {"fièvre": [1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "fièvre": [\n    1\n  ]\n}\n'


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_json_that_is_none_is_one_sentence_that_names_the_file(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(OslerError, match=r"a\.json: cannot be read as JSON \(.+\); use the file as it was written\."):
        read_json(path)
    with pytest.raises(ModelError, match=r"\); save it again\."):
        read_json(path, failure=ModelError, remedy="save it again")
