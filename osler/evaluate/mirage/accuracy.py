"""What the predictions are worth: accuracy with its standard error, parse failures, what guessing would reach, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from statistics import fmean
from typing import Any

from osler.datasets.mirage import ChoiceQuestion
from osler.errors import UsageError
from osler.evaluate.mirage.run import Prediction
from osler.evaluate.report import SIGNIFICANT
from osler.evaluate.significance import Z, mcnemar, wilson

Done = Mapping[tuple[str, str], Prediction]


@dataclass(frozen=True, slots=True)
class TaskAccuracy:
    """Accuracy of one task; a reply that could not be parsed counts as wrong and is counted for itself.

    choices: how often each letter was the reply; a model that says the same whatever it is asked is seen by them.

    >>> none_right = TaskAccuracy(10, 0.0, 0)
    >>> none_right.interval[0], round(none_right.interval[1], 3), round(none_right.standard_error, 3)
    (0.0, 0.278, 0.071)
    """

    questions: int
    accuracy: float
    parse_failures: int
    choices: Mapping[str, int] = field(default_factory=dict)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy (Wilson)."""
        return wilson(self.accuracy, self.questions)

    @property
    def standard_error(self) -> float:
        """Of the accuracy: sqrt(p (1 - p) / n); where none or all are right, what its interval has in place of 0."""
        if 0 < self.accuracy < 1:
            return sqrt(self.accuracy * (1 - self.accuracy) / self.questions)
        # The formula gives 0 there, as if ten right answers of ten were certain.
        low, high = self.interval
        return (high - low) / (2 * Z)

    def json(self) -> dict[str, Any]:
        """The task as `osler evaluate mirage --json` gives it."""
        return {
            "questions": self.questions,
            "accuracy": self.accuracy,
            "se": self.standard_error,
            "interval": list(self.interval),
            "parse_failures": self.parse_failures,
            "choices": dict(self.choices),
        }

    @property
    def most_frequent(self) -> str:
        """The letter that was replied most often, and to which share of the questions; "" where none was."""
        letter, count = max(self.choices.items(), key=lambda choice: choice[1], default=("", 0))
        return f"{letter} {count / self.questions:.0%}" if letter else ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What all questions took together; seconds of searches and of replies, whatever was asked at the same time."""

    prompt_characters: int
    reply_characters: int
    search_seconds: float
    reply_seconds: float


@dataclass(frozen=True, slots=True)
class MirageReport:
    """The accuracy of every task, their means, what guessing reaches on the same questions, and what it took."""

    tasks: Mapping[str, TaskAccuracy]
    baselines: Mapping[str, Mapping[str, float]]
    cost: Cost

    @property
    def questions(self) -> int:
        """All questions of all tasks."""
        return self.all_tasks.questions

    @property
    def all_tasks(self) -> TaskAccuracy:
        """All questions as if of one task; its accuracy is the micro average."""
        questions = sum(task.questions for task in self.tasks.values())
        right = sum(task.accuracy * task.questions for task in self.tasks.values())
        return TaskAccuracy(questions, right / questions, sum(task.parse_failures for task in self.tasks.values()))

    @property
    def macro(self) -> float:
        """The mean over tasks."""
        return fmean(task.accuracy for task in self.tasks.values())

    @property
    def macro_se(self) -> float:
        """Its standard error: tasks are independent samples."""
        return sqrt(sum(task.standard_error**2 for task in self.tasks.values())) / len(self.tasks)

    @property
    def macro_interval(self) -> tuple[float, float]:
        """Its 95% interval, from the distances to the ends of those of the tasks (Zou & Donner, 2008)."""
        tasks = self.tasks.values()
        below, above = (sqrt(sum((task.accuracy - task.interval[end]) ** 2 for task in tasks)) for end in (0, 1))
        return self.macro - below / len(tasks), self.macro + above / len(tasks)

    @property
    def parse_failure_rate(self) -> float:
        """The share of replies that no option could be read from."""
        return self.all_tasks.parse_failures / self.questions

    def json(self) -> dict[str, Any]:
        """The last line of `osler evaluate mirage --json`."""
        micro = self.all_tasks
        return {
            "tasks": {name: task.json() for name, task in self.tasks.items()},
            "macro": self.macro,
            "macro_se": self.macro_se,
            "macro_interval": list(self.macro_interval),
            "micro": micro.accuracy,
            "micro_se": micro.standard_error,
            "micro_interval": list(micro.interval),
            "parse_failure_rate": self.parse_failure_rate,
            "baselines": dict(self.baselines),
            "cost": asdict(self.cost),
        }


@dataclass(frozen=True, slots=True)
class MirageComparison:
    """The right answers of two runs on the questions that both answered, and McNemar's p-value."""

    questions: int
    right: int
    right_there: int
    p: float

    @property
    def verdict(self) -> str:
        """What may be said of it: better, worse, or no difference that can be told from noise."""
        if self.p >= SIGNIFICANT:
            return "no difference that can be told from noise"
        return "better" if self.right > self.right_there else "worse"

    def json(self) -> dict[str, Any]:
        """The comparison as `osler evaluate mirage --json` gives it."""
        return {**asdict(self), "verdict": self.verdict}


def mirage_report(questions: Sequence[ChoiceQuestion], done: Done) -> MirageReport:
    """The report over those questions that have a prediction; ValueError where none has one."""
    answered = [question for question in questions if (question.task, question.question_id) in done]
    if not answered:
        raise ValueError("There is no prediction to report: ask at least one question.")
    by_task: dict[str, list[ChoiceQuestion]] = {}
    for question in answered:
        by_task.setdefault(question.task, []).append(question)
    choices = {
        task: Counter(filter(None, (done[question.task, question.question_id].choice for question in of_task)))
        for task, of_task in by_task.items()
    }
    tasks = {
        task: TaskAccuracy(
            questions=len(of_task),
            accuracy=fmean(is_right(question, done) for question in of_task),
            parse_failures=sum(done[question.task, question.question_id].choice is None for question in of_task),
            choices=dict(sorted(choices[task].items())),
        )
        for task, of_task in by_task.items()
    }
    predictions = [done[question.task, question.question_id] for question in answered]
    cost = Cost(
        prompt_characters=sum(prediction.prompt_characters for prediction in predictions),
        reply_characters=sum(len(prediction.reply) for prediction in predictions),
        search_seconds=round(sum(prediction.search_seconds for prediction in predictions), 1),
        reply_seconds=round(sum(prediction.reply_seconds for prediction in predictions), 1),
    )
    return MirageReport(tasks, _baselines(by_task), cost)


def compare_runs(questions: Sequence[ChoiceQuestion], ours: Done, theirs: Done) -> MirageComparison:
    """Both runs on the questions that both answered; UsageError where there is none."""
    keys = ours.keys() & theirs.keys()
    both = [question for question in questions if (question.task, question.question_id) in keys]
    if not both:
        raise UsageError("The two runs have no question in common: compare runs of the same benchmark file.")
    right = [[is_right(question, done) for question in both] for done in (ours, theirs)]
    return MirageComparison(len(both), sum(right[0]), sum(right[1]), mcnemar(*right))


def is_right(question: ChoiceQuestion, done: Done) -> bool:
    """Whether the prediction for this question is its answer."""
    return done[question.task, question.question_id].choice == question.answer


def _baselines(by_task: Mapping[str, Sequence[ChoiceQuestion]]) -> dict[str, dict[str, float]]:
    """What guessing reaches, by task and in the macro average: a uniform guess, always "A", the best constant."""
    rows = {
        "uniform guess": {task: fmean(1 / len(question.options) for question in of) for task, of in by_task.items()},
        'always "A"': {task: fmean(question.answer == "A" for question in of) for task, of in by_task.items()},
        "best constant": {
            task: max(Counter(question.answer for question in of).values()) / len(of) for task, of in by_task.items()
        },
    }
    return {name: {**of_task, "macro": fmean(of_task.values())} for name, of_task in rows.items()}
