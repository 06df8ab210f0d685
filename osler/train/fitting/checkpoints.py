"""Checkpoints of a training: numbered folders, whole or not at all, that belong to one course. Knows no model."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from osler.errors import UsageError

_COURSE: Final = "course.json"
_PREFIX: Final = "step-"
_UNFINISHED: Final = ".step-"
_KEPT: Final = 2  # the newest ones: should the last be damaged, there is one before it


class Checkpoints:
    """The checkpoints in a folder.

    digest: of everything that decides what the training computes. UsageError where the folder holds another's.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._claim(digest)
        for unfinished in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished)

    @property
    def steps(self) -> list[int]:
        """The steps that there is a checkpoint of, in order."""
        return sorted(int(path.name.removeprefix(_PREFIX)) for path in self.folder.glob(f"{_PREFIX}*"))

    def path(self, step: int) -> Path:
        """Where the checkpoint of this step is kept."""
        return self.folder / f"{_PREFIX}{step:06d}"

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """A new folder that becomes the checkpoint of this step when the block ends well."""
        unfinished = Path(tempfile.mkdtemp(dir=self.folder, prefix=_UNFINISHED))
        yield unfinished
        unfinished.chmod(0o755)
        target = self.path(step)
        if target.exists():  # the step that a resumed training began with
            shutil.rmtree(target)
        unfinished.replace(target)

    def keep(self, best: int | None) -> None:
        """Delete all but the newest two and the best."""
        for step in self.steps[:-_KEPT]:
            if step != best:
                shutil.rmtree(self.path(step))

    def _claim(self, digest: str) -> None:
        path = self.folder / _COURSE
        if not path.is_file():
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
            unfinished.replace(path)
        elif json.loads(path.read_text(encoding="utf-8"))["digest"] != digest:
            raise UsageError(
                f"{self.folder} holds checkpoints of a training with other settings or data: "
                "delete that folder, or train into another one."
            )
