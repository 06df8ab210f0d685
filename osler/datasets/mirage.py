"""MIRAGE's benchmark file: multiple-choice questions of five tasks. Knows its format, asks nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from osler.errors import CorpusError

SPLITS: Final[Mapping[str, str]] = {
    "mmlu": "test",
    "medqa": "test",
    "medmcqa": "dev",
    "pubmedqa": "test",
    "bioasq": "test",
}
"""The tasks, and the split that MIRAGE took each from: part of the names of its prediction files."""

# Bytes: with split and ending, what a file's name may have.
_LONGEST_ID: Final = 240

_BEGINNING: Final = re.compile(rb'\s*\{\s*"(\w+)"\s*:')


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A question with its options by letter, the letter of the right one, and the PubMed records that it rests on."""

    task: str
    question_id: str
    text: str
    options: Mapping[str, str]
    answer: str
    pmids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The questions of a benchmark file, task by task, ids in order; digest: equal for equal files."""

    questions: tuple[ChoiceQuestion, ...]
    digest: str


def load_mirage(file: Path) -> Benchmark:
    """The questions of MIRAGE's benchmark.json, or of a sample in its format.

    CorpusError for a file that is not there or no JSON object of tasks, an unknown task, an id that cannot be part of
    a file's name, and a question that lacks a part of it.
    """
    try:
        content = file.read_bytes()
        tasks = json.loads(content)
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file}: cannot be read as MIRAGE's benchmark.json ({error}); name that file.") from error
    questions = [
        _question(file, task, question_id, values)
        for task, of_task in _object(file, "the file", tasks).items()
        for question_id, values in sorted(_object(file, task, of_task).items())
    ]
    if not questions:
        raise CorpusError(f"{file}: holds no question; name MIRAGE's benchmark.json.")
    return Benchmark(tuple(questions), sha256(content).hexdigest())


def holds_mirage(source: Path) -> bool:
    """Whether this is a file that begins as MIRAGE's benchmark.json does: with the name of a task."""
    if not source.is_file():
        return False
    with source.open("rb") as stream:
        beginning = _BEGINNING.match(stream.read(256))
    return beginning is not None and beginning[1].decode() in SPLITS


def _object(file: Path, part: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise CorpusError(
            f"{file}: {part} is a JSON {type(values).__name__} and no object, as in MIRAGE's benchmark.json; "
            "name that file."
        )
    return values


def _question(file: Path, task: str, question_id: str, values: Mapping[str, Any]) -> ChoiceQuestion:
    where = f"{file}: {task} {question_id}"
    if task not in SPLITS:
        raise CorpusError(f"{where}: no task of MIRAGE; its tasks are {', '.join(SPLITS)}.")
    plain = question_id.isprintable() and not {"/", "\\"} & set(question_id)
    if not plain or len(question_id.encode()) > _LONGEST_ID:
        raise CorpusError(
            f"{file}: {task} {question_id!r}: predictions are files named by these ids, and none can be named so; "
            "give the question a short id without slashes."
        )
    try:
        text, options, answer = str(values["question"]), dict(values["options"]), str(values["answer"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{where}: lacks question, options or answer ({error}); download the file again.") from error
    if answer not in options:
        raise CorpusError(f"{where}: its answer {answer!r} is none of its options {', '.join(options)}; mend the file.")
    pmids = values.get("PMID") or []  # one record or several
    pmids = frozenset(map(str, pmids if isinstance(pmids, list) else [pmids]))
    return ChoiceQuestion(task, question_id, text, options, answer, pmids)
