"""What a model is trained on: queries with the texts that it should prefer and those it should not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from osler.datasets import Dataset
from osler.models.bi_encoder import passage_input
from osler.records import Passage

Relevant = Mapping[tuple[str, str], Set[str]]
"""The doc_ids that are relevant to each (data set, query_id)."""


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage as the models read it (title, heading, text), with what the mining retriever gave it.

    score and rank are those of the retriever that found it: 0.0 and 0 where none did.
    """

    passage_id: str
    text: str
    score: float = 0.0
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A query of a data set with one positive, and with negatives where some were mined.

    group: examples of one group come into one batch, as far as they fit; empty: none.
    """

    dataset: str
    query_id: str
    query: str
    positive: TrainingPassage
    negatives: tuple[TrainingPassage, ...] = ()
    group: str = ""

    @property
    def texts(self) -> list[str]:
        """Its passages, the positive first."""
        return [self.positive.text, *(negative.text for negative in self.negatives)]


def training_passage(passage: Passage) -> TrainingPassage:
    """The passage as the models read it.

    >>> training_passage(Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18)).text
    'Anaemia\\nToo few red cells.'
    """
    return TrainingPassage(passage.passage_id, passage_input(passage))


def pairs(
    dataset: Dataset,
    passages: Mapping[str, Sequence[Passage]],
    *,
    positives: int,
    limit: int | None = None,
    seed: int,
) -> list[Example]:
    """An example for every query and each of up to `positives` of its relevant documents, at most `limit` in all.

    passages: those of every document, by doc_id; a document speaks through its first one. Where not all fit, every
    query gets its first positive before any gets a second one.
    """
    rounds: list[list[Example]] = [[] for _ in range(positives)]
    for query_id in sorted(dataset.queries):
        relevant = sorted(dataset.qrels[query_id])
        # seeded by the query, so that another query more or less changes nothing here
        chosen = random.Random(f"{seed}:{query_id}").sample(relevant, min(positives, len(relevant)))
        for number, doc_id in enumerate(chosen):
            positive = training_passage(passages[doc_id][0])
            rounds[number].append(Example(dataset.name, query_id, dataset.queries[query_id].text, positive))
    for examples in rounds:
        random.Random(seed).shuffle(examples)
    return [example for examples in rounds for example in examples][:limit]


def examples_of(dataset: str, examples: Sequence[Example]) -> list[Example]:
    """Those of the data set of this name, in their order."""
    return [example for example in examples if example.dataset == dataset]


def with_siblings(examples: Sequence[Example], dataset: Dataset) -> list[Example]:
    """The examples in groups by the title of their positive's document: one disease, several questions about it.

    >>> from osler.records import Document
    >>> gout = Dataset("tiny", "train", {"a": Document("a", "Gout", ())}, {}, {}, "")
    >>> with_siblings([Example("tiny", "q", "What is gout?", TrainingPassage("a#0", "Gout"))], gout)[0].group
    'gout'
    """
    titles = {doc_id: " ".join(document.title.casefold().split()) for doc_id, document in dataset.documents.items()}
    return [replace(one, group=titles[one.positive.passage_id.rpartition("#")[0]]) for one in examples]


def titles_as_queries(
    dataset: Dataset, passages: Mapping[str, Sequence[Passage]], *, count: int, seed: int
) -> list[Example]:
    """An example for each of `count` documents with a title: the title as the query, the text as its positive.

    The positive is without its title, which would give it away.
    """
    titled = sorted(doc_id for doc_id, document in dataset.documents.items() if document.title and document.text)
    chosen = random.Random(seed).sample(titled, min(count, len(titled)))
    firsts = [passages[doc_id][0] for doc_id in chosen]
    return [
        Example(
            dataset.name,
            f"title {passage.doc_id}",
            passage.title,
            TrainingPassage(passage.passage_id, passage_input(replace(passage, title=""))),
        )
        for passage in firsts
    ]
