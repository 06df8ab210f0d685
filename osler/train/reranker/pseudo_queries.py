"""Queries for unlabelled passages: their titles and single sentences. Knows passages and candidates, no loss.

What they teach is the backbone's own order of passages, which a head must keep on texts that nobody has asked about.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from osler.models.bi_encoder import passage_input
from osler.records import Passage
from osler.text.sentences import claim_spans
from osler.train.examples.example import Example, TrainingPassage
from osler.train.mining.candidates import CandidateSource

UNLABELLED: Final = "unlabelled"
"""The data set of such examples. They are for distillation only: no one said that the other passages are irrelevant."""

_FEWEST_WORDS: Final = 5  # that must be left of a passage without its query
_OWN: Final = 20  # candidates more than wanted: a title is that of many a passage


def pseudo_queries(passages: Sequence[Passage], *, count: int, seed: int) -> list[Example]:
    """At most `count` examples: a title or a sentence of a passage as the query, the rest of it as the positive.

    The query's text is nowhere in its positive, or finding it would teach nothing. Titles and sentences take turns;
    every passage gives one query before any gives a second one. No negatives yet: `with_candidates` adds passages.
    """
    order = list(passages)
    random.Random(seed).shuffle(order)
    examples: list[Example] = []
    for turn in range(2):
        for number, passage in enumerate(order):
            if len(examples) == count:
                return examples
            kind = "title" if (number + turn) % 2 == 0 else "sentence"
            example = _from_title(passage) if kind == "title" else _from_sentence(passage, seed)
            if example:
                examples.append(example)
    return examples


def with_candidates(examples: Sequence[Example], source: CandidateSource, *, count: int) -> list[Example]:
    """The examples with the first `count` candidates of each query as negatives, as the source scored them.

    Passages that hold the query's own text, such as the one that it was taken from, are left out.
    """
    found = source.candidates(examples, k=count + _OWN)
    return [
        replace(example, negatives=tuple(one for one in candidates if not _holds(one, example))[:count])
        for example, candidates in zip(examples, found, strict=True)
    ]


def _holds(candidate: TrainingPassage, example: Example) -> bool:
    return candidate.passage_id == example.positive.passage_id or example.query in candidate.text


def _from_title(passage: Passage) -> Example | None:
    return _example(passage, passage.title, kind="title") if passage.title else None


def _from_sentence(passage: Passage, seed: int) -> Example | None:
    spans = claim_spans(passage.text)
    if len(spans) < 2:
        return None
    start, end = random.Random(f"{seed}:{passage.passage_id}").choice(spans)
    return _example(passage, passage.text[start:end], kind="sentence")


def _example(passage: Passage, query: str, *, kind: str) -> Example | None:
    rest = passage_input(
        replace(
            passage,
            title=_without(passage.title, query),
            heading=_without(passage.heading, query),
            text=_without(passage.text, query),
        )
    )
    if query in rest or len(rest.split()) < _FEWEST_WORDS:
        return None
    return Example(UNLABELLED, f"{passage.passage_id}:{kind}", query, TrainingPassage(passage.passage_id, rest))


def _without(text: str, query: str) -> str:
    return text.replace(query, " ").strip()
