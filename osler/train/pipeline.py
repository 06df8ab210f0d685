"""A sequence of steps in one folder: what is done is kept, what was interrupted goes on. Knows no step.

Each step owns a sub-folder; a file `done.json` in there says that it is complete. The folder as a whole belongs to one
recipe on one state of the data: `recipe.json` holds both.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from osler.errors import UsageError
from osler.models.digests import file_digest
from osler.train.data import DatasetSplits
from osler.train.settings import RecipeSettings

_DONE: Final = "done.json"
_RECIPE: Final = "recipe.json"
_LIBRARIES: Final = ("osler", "torch", "transformers", "sentence-transformers", "peft", "accelerate", "numpy")
_SMOOTHED_STEPS: Final = 20  # one batch says little, and the mean of all of them lags behind


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stage is: `step` of `steps` is done, `loss` is the mean over the last few steps, or None.

    examples_per_second and seconds_left count the time that checkpoints take.
    """

    stage: str
    step: int
    steps: int
    loss: float | None
    examples_per_second: float
    seconds_left: float | None


OnProgress = Callable[[Progress], None]


class Pace:
    """Turns finished steps into progress; `resumed_at`: the step that a run was taken up at."""

    def __init__(self, stage: str, *, batch: int, steps: int, resumed_at: int = 0) -> None:
        self.stage = stage
        self.batch = batch
        self.steps = steps
        self.resumed_at = resumed_at
        self._began = time.monotonic()
        self._losses: deque[float] = deque(maxlen=_SMOOTHED_STEPS)

    def progress(self, step: int, loss: float) -> Progress:
        """Where the stage is now that this step is done."""
        self._losses.append(loss)
        seconds = max(time.monotonic() - self._began, 1e-9)
        steps_per_second = (step - self.resumed_at) / seconds
        return Progress(
            stage=self.stage,
            step=step,
            steps=self.steps,
            loss=sum(self._losses) / len(self._losses),
            examples_per_second=steps_per_second * self.batch,
            seconds_left=(self.steps - step) / steps_per_second,
        )


class ResumablePipeline:
    """The steps of one recipe in one folder.

    >>> pipeline = ResumablePipeline(Path("models"), {"seed": 42})
    >>> pipeline.run("greet", lambda folder: (folder / "hello.txt").write_text("hello") and {"words": 1})
    {'words': 1}
    >>> pipeline.run("greet", lambda folder: {"words": 2})  # done already
    {'words': 1}
    """

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _claim(folder / _RECIPE, recipe)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror}); name another --out folder.") from error

    def done(self, name: str) -> bool:
        """Whether the step of this name is complete."""
        return (self.folder / name / _DONE).is_file()

    def run(self, name: str, work: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """What the step reports, from `done.json` where it is complete, else from `work(its folder)`."""
        folder = self.folder / name
        if self.done(name):
            report: dict[str, Any] = _read_json(folder / _DONE)["report"]
            return report
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        report = work(folder)
        write_json(folder / _DONE, {"seconds": round(time.monotonic() - began, 1), "report": report})
        return report


def _claim(path: Path, recipe: Mapping[str, Any]) -> None:
    if not path.is_file():
        write_json(path, recipe)
        return
    try:
        made_with = _read_json(path)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error}); name another --out folder, or delete that file.") from error
    # JSON has no tuples: what would be written is compared with what was.
    changed = list(_differing(made_with, json.loads(json.dumps(recipe))))
    if changed:
        raise UsageError(
            f"{path.parent} holds a run with another {', '.join(changed)}: "
            "name another --out folder, or go on with the recipe and the data that it was made with."
        )


def _differing(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """The dotted names of what is not the same in both."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differing(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield name


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Write the file whole or not at all."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def provenance(recipe: RecipeSettings, datasets: Sequence[DatasetSplits]) -> dict[str, Any]:
    """The resolved settings, what each data set gives to its splits, and the digests of all files that are read."""
    exclusions = recipe.mining.exclusions
    counts = {
        dataset.name: {
            "documents": len(dataset.train.documents),
            "train": len(dataset.train.queries),
            "valid": len(dataset.valid.queries),
            "dev": len(dataset.dev.queries) if dataset.dev else 0,
            "digest": dataset.train.digest,
        }
        for dataset in datasets
    }
    return {
        "settings": recipe.model_dump(mode="json", exclude={"device"}),  # which changes none of it
        "data": counts,
        "exclusions": file_digest(exclusions).hex() if exclusions else "",
    }


def library_versions() -> dict[str, str]:
    """The version of each library that the trained weights depend on."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # osler run from a checkout, or full tuning without peft
            versions[name] = "not installed"
    return versions
