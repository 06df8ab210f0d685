import pytest

from osler.errors import UsageError
from osler.train.fitting.trainer import Checkpoints


def write(checkpoints: Checkpoints, *steps: int) -> None:
    for step in steps:
        with checkpoints.writing(step) as folder:
            (folder / "weights").write_text(str(step))


def write_half(checkpoints: Checkpoints, step: int) -> None:
    with checkpoints.writing(step) as folder:
        (folder / "weights").write_text("ha")
        raise KeyboardInterrupt


def test_the_newest_two_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, "course")
    write(checkpoints, 0, 5, 10, 15, 20)
    checkpoints.keep(best=5)
    assert checkpoints.steps == [5, 15, 20]


def test_a_checkpoint_that_was_not_finished_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path, "course")
    write(checkpoints, 5)
    with pytest.raises(KeyboardInterrupt):
        write_half(checkpoints, 10)
    assert checkpoints.steps == [5]
    Checkpoints(tmp_path, "course")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course.json", "step-000005"]


def test_a_checkpoint_is_written_anew_where_there_is_one(tmp_path):
    checkpoints = Checkpoints(tmp_path, "course")
    write(checkpoints, 5, 5)
    assert (checkpoints.path(5) / "weights").read_text() == "5"


def test_a_folder_of_another_course_is_refused_with_the_remedy(tmp_path):
    Checkpoints(tmp_path, "course")
    with pytest.raises(UsageError, match=f"{tmp_path} holds checkpoints .* other settings or data: delete that folder"):
        Checkpoints(tmp_path, "another")
