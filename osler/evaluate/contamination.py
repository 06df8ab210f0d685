"""What a training set and an evaluation set have in common: queries and passages, equal or nearly so. Knows texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from osler.datasets import Dataset
from osler.datasets.mirage import Benchmark
from osler.text.near_equal import Shingles, containment, equal, jaccard, shingles

NEAR: Final = 0.8
"""Jaccard similarity, or containment, of 5-word shingles from which two texts are nearly equal."""

FEWEST_SHINGLES: Final = 10
"""Fewer in the smaller text and containment says nothing: any text may hold a phrase of a dozen words."""

_NO_WORDS: Final = shingles("")

Kind = Literal["query", "passage"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A training text that occurs in the evaluation set.

    similarity: the shared shingles as a share of all, 1.0 where the words are the same; containment: as a share of
    those of the smaller text. query_ids: the training queries that it is of, or that are answered by it.
    """

    kind: Kind
    train_id: str
    test_id: str
    similarity: float
    containment: float
    query_ids: tuple[str, ...]

    @property
    def share(self) -> float:
        """The larger of both: what a threshold is held against."""
        return max(self.similarity, self.containment)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is compared of a data set: its queries, and its relevant documents with their titles, by id.

    Documents that are relevant to no query are neither learned from nor looked for.
    """

    queries: Mapping[str, str]
    passages: Mapping[str, str]

    @classmethod
    def of(cls, dataset: Dataset) -> Texts:
        """Those of a data set."""
        documents = [dataset.documents[doc_id] for doc_id in dataset.relevant_ids]
        return cls(
            {query_id: query.text for query_id, query in dataset.queries.items()},
            {document.doc_id: f"{document.title}\n{document.text}" for document in documents},
        )

    @classmethod
    def of_benchmark(cls, benchmark: Benchmark) -> Texts:
        """The questions of MIRAGE, by task/id; it has no passages."""
        return cls({f"{one.task}/{one.question_id}": one.text for one in benchmark.questions}, {})


def find_overlaps(train: Dataset, test: Texts, *, threshold: float = NEAR) -> list[Overlap]:
    """The training queries that equal an evaluation query, and training positives that equal a relevant document.

    Nearly equal is enough, and so is a text that the other one contains. Each training text is listed once, with what
    resembles it most; one without words resembles nothing.
    """
    learned = Texts.of(train)
    owners = {query_id: (query_id,) for query_id in train.queries}
    return [
        *_overlaps("query", learned.queries, test.queries, owners, threshold),
        *_overlaps("passage", learned.passages, test.passages, _answered_queries(train), threshold),
    ]


def clean_qrels(train: Dataset, overlaps: Iterable[Overlap]) -> dict[str, dict[str, int]]:
    """The qrels of the training set without the queries that any overlap touches."""
    touched = {query_id for overlap in overlaps for query_id in overlap.query_ids}
    return {query_id: dict(docs) for query_id, docs in train.qrels.items() if query_id not in touched}


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write qrels as BEIR's files hold them."""
    rows = [f"{query_id}\t{doc_id}\t{score}\n" for query_id, docs in qrels.items() for doc_id, score in docs.items()]
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")


def _answered_queries(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for query_id, docs in dataset.qrels.items():
        for doc_id in docs:
            found.setdefault(doc_id, []).append(query_id)
    return {doc_id: tuple(query_ids) for doc_id, query_ids in found.items()}


def _overlaps(
    kind: Kind,
    train: Mapping[str, str],
    test: Mapping[str, str],
    owners: Mapping[str, tuple[str, ...]],
    threshold: float,
) -> Iterator[Overlap]:
    """The overlap of each training text that resembles one of the evaluation set; owners: its training queries."""
    others = dict(_compared(test))
    holders = _by_shingle(others)
    for train_id, own in _compared(train):
        found = [
            Overlap(kind, train_id, other_id, *_shares(own, others[other_id]), owners[train_id])
            for other_id in _sharing(own, holders)
        ]
        best = max(found, key=lambda one: (one.share, one.similarity, one.test_id), default=None)
        if best and best.share >= threshold:
            yield best


def _compared(texts: Mapping[str, str]) -> Iterator[tuple[str, Shingles]]:
    made = ((text_id, shingles(text)) for text_id, text in texts.items())
    return ((text_id, one) for text_id, one in made if not equal(one, _NO_WORDS))


def _by_shingle(texts: Mapping[str, Shingles]) -> dict[int, list[str]]:
    holders: dict[int, list[str]] = {}
    for text_id, text in texts.items():
        for part in text.parts:
            holders.setdefault(part, []).append(text_id)
    return holders


def _sharing(own: Shingles, holders: Mapping[int, list[str]]) -> set[str]:
    """The ids of the texts that share a shingle with this one."""
    return {text_id for part in own.parts for text_id in holders.get(part, ())}


def _shares(own: Shingles, other: Shingles) -> tuple[float, float]:
    """Similarity and containment; 0 for a containment that would say nothing."""
    enough = min(len(own.parts), len(other.parts)) >= FEWEST_SHINGLES
    return jaccard(own, other), containment(own, other) if enough else 0.0
