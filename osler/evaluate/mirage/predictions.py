"""What was asked and answered, on disk: our lines, and the files that MIRAGE's own code reads. Knows no model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from osler.datasets.mirage import SPLITS, ChoiceQuestion
from osler.errors import UsageError
from osler.evaluate.mirage.prompts import ANSWER

_LINES: Final = "predictions.jsonl"
_SETTINGS: Final = "settings.json"

_VERSION: Final = "osler"
"""The version of osler that began a run; another one may go on with it."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The reply to a question: choice is its letter, None where the reply could not be parsed.

    doc_ids: of the passages in the prompt; seconds of the search and of the reply; characters of the prompt; model:
    what replied, by its own name, "" where it told none; failure: why there is no reply, "" where there is one.
    """

    task: str
    question_id: str
    choice: str | None
    reply: str
    doc_ids: tuple[str, ...]
    search_seconds: float
    reply_seconds: float
    prompt_characters: int
    model: str = ""
    failure: str = ""


class Predictions:
    """The predictions of one run in a folder; a run that was stopped goes on where it was.

    UsageError where the folder holds predictions that were made with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _claim(folder / _SETTINGS, settings)
        self._file = folder / _LINES
        self._file.touch()
        _drop_half_line(self._file)
        self.done = {(one.task, one.question_id): one for one in read_predictions(folder)}

    def add(self, prediction: Prediction) -> None:
        """Keep this one, on disk before the call returns."""
        line = json.dumps(asdict(prediction), ensure_ascii=False) + "\n"
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line)
        self.done[prediction.task, prediction.question_id] = prediction


def read_predictions(folder: Path) -> list[Prediction]:
    """The predictions in a folder; a line that a kill cut short, or that is being written, is left out.

    UsageError where the folder holds no predictions, and for a line that is none.
    """
    path = folder / _LINES
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UsageError(
            f"{folder}: holds no {_LINES} ({error.strerror}); name the --out of a run of `osler evaluate mirage`."
        ) from error
    return [_prediction(line, f"{path}: line {number}") for number, line in enumerate(lines, start=1)]


def _prediction(line: str, place: str) -> Prediction:
    try:
        values = json.loads(line)
        return Prediction(**{**values, "doc_ids": tuple(values["doc_ids"])})
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{place}: no prediction ({error}); delete that line, and its question is asked again."
        ) from error


def _drop_half_line(path: Path) -> None:
    """Cut off what a kill left behind the last whole line: what follows must not be glued to it."""
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if whole != written:
        path.write_bytes(whole)


@dataclass(frozen=True, slots=True)
class Place:
    """Where MIRAGE looks for the predictions of a run: names of the model, the corpus and the retriever, and k.

    k is 0 without retrieval.
    """

    llm: str
    corpus: str = ""
    retriever: str = ""
    k: int = 0

    def folder(self, task: str) -> Path:
        """The folder of a task's predictions, below the one that MIRAGE calls `prediction`."""
        if not self.k:
            return Path(task, "cot", _name(self.llm))
        return Path(task, f"rag_{self.k}", _name(self.llm), _name(self.corpus), _name(self.retriever))


def write_mirage(
    folder: Path, questions: Iterable[ChoiceQuestion], done: Mapping[Any, Prediction], place: Place
) -> None:
    """Write each prediction as the file that MIRAGE's evaluate.py reads: a JSON list of one string, the reply.

    A reply that we could read is written with its letter in the field that MIRAGE looks for; one that we could not is
    written as it is.
    """
    for question in questions:
        prediction = done.get((question.task, question.question_id))
        if prediction is None:
            continue
        target = folder / "prediction" / place.folder(question.task)
        target.mkdir(parents=True, exist_ok=True)
        text = prediction.reply if prediction.choice is None else json.dumps({ANSWER: prediction.choice})
        file = target / f"{SPLITS[question.task]}_{question.question_id}.json"
        file.write_text(json.dumps([text]), encoding="utf-8")


def _claim(path: Path, settings: Mapping[str, Any]) -> None:
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    kept = _settings(path)
    names = sorted((kept.keys() | settings.keys()) - {_VERSION})
    changed = [name for name in names if kept.get(name) != settings.get(name)]
    if changed:
        raise UsageError(
            f"{path.parent}: holds predictions made with another {', '.join(changed)}; name another --out."
        )


def _settings(path: Path) -> dict[str, Any]:
    """The settings in the file; UsageError where it holds none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path}: holds no settings ({error}), so nothing tells how the predictions beside it were made; name "
            "another --out, or delete the folder."
        ) from error


def _name(name: str) -> str:
    """The name as one part of a path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "none"
