"""A sequence of steps in one folder: what is done is kept, what was interrupted is taken up. Knows no step.

Each step owns a sub-folder; a file `done.json` in there says that it is complete. The folder as a whole belongs to one
recipe on one state of the data: `recipe.json` holds both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from osler.errors import UsageError

_DONE: Final = "done.json"
_RECIPE: Final = "recipe.json"


class Steps:
    """The steps of one recipe in one folder.

    >>> steps = Steps(Path("models"), {"seed": 42})
    >>> steps.run("greet", lambda folder: (folder / "hello.txt").write_text("hello") and {"words": 1})
    {'words': 1}
    >>> steps.run("greet", lambda folder: {"words": 2})  # done already
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
            kept: dict[str, Any] = read_json(folder / _DONE)["report"]
            return kept
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
        made_with = read_json(path)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error}); name another --out folder, or delete that file.") from error
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


def read_json(path: Path) -> Any:
    """What the JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Write the file whole or not at all."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
