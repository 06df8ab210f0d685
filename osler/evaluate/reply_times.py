"""How long a language model takes to answer from k passages. Knows a generator and answers, no measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

from osler.protocols import Generator, Message
from osler.records import Answer


class TimedGenerator:
    """A language model whose replies are timed: `seconds` holds one number each, in order."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.seconds: list[float] = []

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The reply of the language model."""
        started = perf_counter()
        reply = self.generator.complete(messages, schema=schema)
        self.seconds.append(perf_counter() - started)
        return reply


def time_replies(
    questions: Sequence[str],
    answer: Callable[[str, int], Answer],
    generator: TimedGenerator,
    ks: Iterable[int],
) -> dict[int, list[float]]:
    """The seconds of the replies to these questions, by the number of passages found.

    answer: answers a question from k passages with this generator. A question that it abstains from has no reply, so
    there may be none at all. The first reply of a process loads the model, and is not counted.
    """
    found: dict[int, list[float]] = {}
    warm = False
    for k in ks:
        for question in questions:
            generator.seconds.clear()
            answer(question, k)
            if generator.seconds and not warm:
                generator.seconds.clear()
                answer(question, k)
                warm = True
            found.setdefault(k, []).extend(generator.seconds)
    return found
