"""Steps in one folder: done once, taken up again, refused for another recipe."""

import json

import pytest

from osler.errors import UsageError
from osler.train.pipeline import ResumablePipeline, write_json


def test_a_step_that_is_done_is_not_run_again(tmp_path):
    pipeline = ResumablePipeline(tmp_path, {"seed": 1})
    assert pipeline.run("count", lambda folder: {"words": 1}) == {"words": 1}
    assert ResumablePipeline(tmp_path, {"seed": 1}).run("count", lambda folder: {"words": 2}) == {"words": 1}


def test_a_step_that_failed_is_run_again_in_the_same_folder(tmp_path):
    pipeline = ResumablePipeline(tmp_path, {})

    def fail(folder):
        (folder / "half.txt").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        pipeline.run("count", fail)
    assert not pipeline.done("count")
    assert pipeline.run("count", lambda folder: {"found": (folder / "half.txt").read_text()}) == {"found": "half"}


def test_a_folder_of_another_recipe_is_refused_by_the_name_of_what_differs(tmp_path):
    ResumablePipeline(tmp_path, {"settings": {"seed": 1}, "data": {"a": 1}})
    with pytest.raises(UsageError, match=r"with another settings\.seed:"):
        ResumablePipeline(tmp_path, {"settings": {"seed": 2}, "data": {"a": 1}})


def test_a_folder_that_cannot_be_made_or_read_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        ResumablePipeline(tmp_path / "file" / "inside", {})
    (tmp_path / "recipe.json").write_text("{half")
    with pytest.raises(UsageError, match="recipe.json: not JSON"):
        ResumablePipeline(tmp_path, {})


def test_values_that_json_turns_into_others_are_the_same_recipe(tmp_path):
    ResumablePipeline(tmp_path, {"markers": ("", "")})
    ResumablePipeline(tmp_path, {"markers": ("", "")})


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "a.json", {"n": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"n": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 1}
