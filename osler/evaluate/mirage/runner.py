"""Asks the questions, a bounded number at once, and keeps every prediction. Knows a search and a generator as seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any

from osler.answer.prompt import within_budget
from osler.datasets.mirage import ChoiceQuestion
from osler.errors import ReplyError
from osler.evaluate.failures import require_replies
from osler.evaluate.mirage.predictions import Prediction, Predictions
from osler.evaluate.mirage.prompts import choice_prompt
from osler.evaluate.mirage.replies import parse_choice
from osler.protocols import CountTokens, Generator, Message, PassageIndex
from osler.records import Passage, RankedPassage
from osler.search.searcher import Searcher
from osler.text.pubmed_id import pubmed_id

OnPrediction = Callable[[int, int], None]
"""Told how many questions are answered, and of how many."""


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
        ranked = self.searcher.search(question.text, k=max(self.k, self.searcher.settings.num_candidates)).ranked
        others = (one for one in ranked if pmid_of(one.passage, self.searcher.index) not in question.pmids)
        return list(islice(others, self.k))

    def texts(self, ranked: Sequence[RankedPassage]) -> list[str]:
        """What of each passage goes into the prompt: its title and the sentences that there is room for."""
        if not ranked:
            return []
        texts = within_budget(ranked, self.budget, count_tokens=self.count_tokens)
        return [
            f"{one.passage.title}. {text}" if one.passage.title else text
            for one, text in zip(ranked, texts, strict=False)
        ]


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
            doc_ids=tuple(one.passage.doc_id for one in ranked[: len(texts)]),
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
    waiting = (one for one in questions if (one.task, one.question_id) not in predictions.done)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for prediction in _answered(waiting, examinee, pool, at_once):
            predictions.add(prediction)
            require_replies([one.failure for one in predictions.done.values()], remedy)
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
            running |= {pool.submit(examinee.answer, one) for one in islice(waiting, at_once - len(running))}
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


def pmid_of(passage: Passage, index: PassageIndex) -> str:
    """The PubMed id of the document that a passage is of, by its id, metadata or identifiers; "" where none tells."""
    if told := pubmed_id(passage.doc_id, passage.metadata.get("pmid")):
        return told
    document = index.document(passage.doc_id)
    return pubmed_id(passage.doc_id, document.identifiers.get("pmid")) if document else ""
