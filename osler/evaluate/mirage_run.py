"""Asks MIRAGE's questions, a bounded number at once, and keeps every prediction on disk: our lines, and MIRAGE's files.

A run that was stopped goes on where it was. Knows a search and a generator as seams.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from osler.answer.prompt import within_budget
from osler.datasets.mirage import SPLITS, ChoiceQuestion
from osler.errors import ReplyError, UsageError
from osler.evaluate.answers import require_replies
from osler.evaluate.mirage import ANSWER, Prediction, choice_prompt, parse_choice
from osler.protocols import CountTokens, Generator, Message, PassageIndex
from osler.records import Passage, RankedPassage
from osler.search.searcher import Searcher
from osler.text.identifiers import pubmed_id

OnPrediction = Callable[[int, int], None]
"""Told how many questions are answered, and of how many."""


def ask_questions(
    questions: Sequence[ChoiceQuestion],
    examinee: Examinee,
    predictions: Predictions,
    *,
    at_once: int = 1,
    on_prediction: OnPrediction | None = None,
) -> None:
    """Ask every question that has no prediction yet, `at_once` of them at the same time.

    A question without a reply counts as one that did not parse, and the next is asked. The first other error stops the
    run when the questions under way are answered; what is done is kept. GeneratorError also where the first questions
    all get no reply.
    """
    remedy = f"mend that, then delete {predictions.folder} or name another --out"
    waiting = (question for question in questions if (question.task, question.question_id) not in predictions.done)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for prediction in _answered(waiting, examinee, pool, at_once):
            predictions.add(prediction)
            require_replies([prediction.failure for prediction in predictions.done.values()], remedy)
            if on_prediction:
                on_prediction(len(predictions.done), len(questions))


def _answered(
    waiting: Iterator[ChoiceQuestion], examinee: Examinee, pool: ThreadPoolExecutor, at_once: int
) -> Iterator[Prediction]:
    """The predictions as they come; no more than `at_once` questions are under way."""
    running: set[Future[Prediction]] = set()
    failed: BaseException | None = None
    while True:
        if failed is None:
            running |= {pool.submit(examinee.answer, question) for question in islice(waiting, at_once - len(running))}
        if not running:
            break
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            if error := future.exception():
                failed = failed or error
            else:
                yield future.result()
    if failed:
        raise failed


@dataclass(frozen=True, slots=True)
class Examinee:
    """Who is asked: a generator, with passages or without (None), thinking first or not."""

    generator: Generator
    passages: Passages | None
    chain_of_thought: bool = False

    def answer(self, question: ChoiceQuestion) -> Prediction:
        """The prediction for one question, also where it gets no reply; GeneratorError where nobody can be asked."""
        began = perf_counter()
        ranked = self.passages.of(question) if self.passages else []
        texts = self.passages.texts(ranked) if self.passages else []
        searched = perf_counter()
        messages, schema = choice_prompt(question, texts, chain_of_thought=self.chain_of_thought)
        reply, failure = self._reply(messages, schema)
        return Prediction(
            task=question.task,
            question_id=question.question_id,
            choice=parse_choice(reply, question.options),
            reply=reply,
            doc_ids=tuple(candidate.passage.doc_id for candidate in ranked[: len(texts)]),
            search_seconds=round(searched - began, 4),
            reply_seconds=round(perf_counter() - searched, 4),
            prompt_characters=sum(len(message["content"]) for message in messages),
            model=str(getattr(self.generator, "replied_by", "")),
            failure=failure,
        )

    def _reply(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> tuple[str, str]:
        """The reply and "", or "" and why there is none."""
        try:
            return self.generator.complete(messages, schema=schema), ""
        except ReplyError as error:
            return "", str(error)


@dataclass(frozen=True, slots=True)
class Passages:
    """Where the passages of a prompt come from: k of them, within a budget of tokens.

    without_gold takes out those of the records that a question was written from, as if the index lacked them: of all
    passages that stage 1 hands on, the k best of the others are left.
    """

    searcher: Searcher
    k: int
    budget: int
    count_tokens: CountTokens
    without_gold: bool = False

    def of(self, question: ChoiceQuestion) -> list[RankedPassage]:
        """The passages for a question, found by its text alone: the options are not shown to a search."""
        if not (self.without_gold and question.pmids):
            return list(self.searcher.search(question.text, k=self.k).ranked)
        # More than k are asked for, so that k are left without those of the records.
        ranked = self.searcher.search(question.text, k=max(self.k, self.searcher.settings.num_candidates)).ranked
        index = self.searcher.index
        without = (candidate for candidate in ranked if pmid_of(candidate.passage, index) not in question.pmids)
        return list(islice(without, self.k))

    def texts(self, ranked: Sequence[RankedPassage]) -> list[str]:
        """What of each passage goes into the prompt: its title and the sentences that there is room for."""
        if not ranked:
            return []
        texts = within_budget(ranked, self.budget, count_tokens=self.count_tokens)
        return [
            f"{candidate.passage.title}. {text}" if candidate.passage.title else text
            for candidate, text in zip(ranked, texts, strict=False)
        ]


def pmid_of(passage: Passage, index: PassageIndex) -> str:
    """The PubMed id of the document that a passage is of, by its id, metadata or identifiers; "" where none tells."""
    if told := pubmed_id(passage.doc_id, passage.metadata.get("pmid")):
        return told
    document = index.snapshot().document(passage.doc_id)
    return pubmed_id(passage.doc_id, document.identifiers.get("pmid")) if document else ""


_LINES: Final = "predictions.jsonl"
_SETTINGS: Final = "settings.json"

# The version of osler that began a run; another one may go on with it.
_VERSION: Final = "osler"


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
        self.done = {(prediction.task, prediction.question_id): prediction for prediction in read_predictions(folder)}

    def add(self, prediction: Prediction) -> None:
        """Keep this one, on disk before the call returns."""
        line = json.dumps(asdict(prediction), ensure_ascii=False) + "\n"
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line)
        self.done[prediction.task, prediction.question_id] = prediction


def _claim(path: Path, settings: Mapping[str, Any]) -> None:
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    try:
        stored = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path}: holds no settings ({error}), so nothing tells how the predictions beside it were made; name "
            "another --out, or delete the folder."
        ) from error
    names = sorted((stored.keys() | settings.keys()) - {_VERSION})
    changed = [name for name in names if stored.get(name) != settings.get(name)]
    if changed:
        raise UsageError(
            f"{path.parent}: holds predictions made with another {', '.join(changed)}; name another --out."
        )


def _drop_half_line(path: Path) -> None:
    """Cut off what a kill left behind the last whole line: what follows must not be glued to it."""
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if whole != written:
        path.write_bytes(whole)


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


def _prediction(line: str, where: str) -> Prediction:
    try:
        values = json.loads(line)
        return Prediction(**{**values, "doc_ids": tuple(values["doc_ids"])})
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{where}: no prediction ({error}); delete that line, and its question is asked again."
        ) from error


@dataclass(frozen=True, slots=True)
class PredictionFolder:
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


def _name(name: str) -> str:
    """The name as one part of a path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "none"


def write_mirage(
    folder: Path, questions: Iterable[ChoiceQuestion], done: Mapping[Any, Prediction], location: PredictionFolder
) -> None:
    """Write each prediction as the file that MIRAGE's evaluate.py reads: a JSON list of one string, the reply.

    A reply that we could read is written with its letter in the field that MIRAGE looks for; one that we could not is
    written as it is.
    """
    for question in questions:
        prediction = done.get((question.task, question.question_id))
        if prediction is None:
            continue
        target = folder / "prediction" / location.folder(question.task)
        target.mkdir(parents=True, exist_ok=True)
        text = prediction.reply if prediction.choice is None else json.dumps({ANSWER: prediction.choice})
        file = target / f"{SPLITS[question.task]}_{question.question_id}.json"
        file.write_text(json.dumps([text]), encoding="utf-8")
