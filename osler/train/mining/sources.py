"""Where candidates for negatives come from: the retriever's own index, BM25, or chance. Knows no filter.

What a source returns is higher is better, best first, rank from 1. A document scores as its best passage.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from osler.errors import StoreError
from osler.models.bi_encoder import passage_input
from osler.protocols import Encoder, PassageIndex
from osler.records import NOT_RETRACTED, Passage
from osler.text.bm25 import BM25
from osler.train.data import Example, TrainingPassage, training_passage


class CandidateSource(Protocol):
    """Finds the passages that a model may take for relevant, and scores the relevant ones alike."""

    @property
    def passages(self) -> PassageTable:
        """Every passage that can be a candidate or a positive."""
        ...

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example up to k passages, best first, rank from 1; positives are among them."""
        ...

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """For each example the score of the document of its positive, on the scale of the candidates' scores."""
        ...


class PassageTable:
    """The passages of a corpus, by their id and by their document.

    passages: by passage_id, those of a document in their order.
    """

    def __init__(self, passages: Mapping[str, Passage]) -> None:
        self._passages = passages
        self._of_document: dict[str, list[Passage]] = {}
        for passage in passages.values():
            self._of_document.setdefault(passage.doc_id, []).append(passage)
        self._training: dict[str, TrainingPassage] = {}

    def __contains__(self, passage_id: str) -> bool:
        return passage_id in self._passages

    def __getitem__(self, passage_id: str) -> Passage:
        return self._passages[passage_id]

    @property
    def ids(self) -> list[str]:
        """Every passage_id, sorted."""
        return sorted(self._passages)

    def of_document(self, doc_id: str) -> Sequence[Passage]:
        """The passages of this document; none where it is unknown."""
        return self._of_document.get(doc_id, ())

    def of_positive(self, example: Example) -> Sequence[Passage]:
        """The passages of the document that the positive belongs to; ValueError where it is unknown."""
        positive_id = example.positive.passage_id
        if positive_id not in self._passages:
            raise ValueError(f"The positive {positive_id} of query {example.query_id} is no passage of this source.")
        return self._of_document[self._passages[positive_id].doc_id]

    def candidate(self, passage_id: str, *, score: float, rank: int) -> TrainingPassage:
        """The passage as a candidate; all candidates of one passage share its text in memory."""
        if passage_id not in self._training:
            self._training[passage_id] = training_passage(self._passages[passage_id])
        return replace(self._training[passage_id], score=score, rank=rank)


class RetrieverSource:
    """The retriever's own errors: what its index returns, as a search would. The score is the cosine.

    index: built by `encoder` from `passages`, by passage_id; retracted passages are never candidates, as in a search.
    """

    def __init__(self, index: PassageIndex, encoder: Encoder, passages: Mapping[str, Passage]) -> None:
        self.passages = PassageTable(passages)
        self._index = index
        self._encoder = encoder

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example the k nearest passages; StoreError where the index holds other passages."""
        vectors = self._encoder.encode_queries([example.query for example in examples])
        snapshot = self._index.snapshot()
        rankings = (snapshot.nearest(vector, k=k, where=NOT_RETRACTED) for vector in vectors)
        return [
            [self._candidate(candidate.passage_id, candidate.score, candidate.rank) for candidate in ranking]
            for ranking in rankings
        ]

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """For each example the highest cosine of its query to a passage of the positive's document."""
        of_example = [self.passages.of_positive(example) for example in examples]
        # Passages of a document that many queries share are encoded once.
        unique = {passage.passage_id: passage for passages in of_example for passage in passages}
        row_of = {passage_id: row for row, passage_id in enumerate(unique)}
        vectors = self._encoder.encode_passages(list(unique.values()))
        queries = self._encoder.encode_queries([example.query for example in examples])
        rows_of = [[row_of[passage.passage_id] for passage in passages] for passages in of_example]
        return [float((vectors[rows] @ query).max()) for rows, query in zip(rows_of, queries, strict=True)]

    def _candidate(self, passage_id: str, score: float, rank: int) -> TrainingPassage:
        if passage_id not in self.passages:
            raise StoreError(
                f"The index holds {passage_id}, which is no passage of the data: index the training corpus again."
            )
        return self.passages.candidate(passage_id, score=score, rank=rank)


class BM25Source:
    """The errors of a search by words: BM25 over what the encoders read.

    A passage that shares no word with the query is no candidate.
    """

    def __init__(self, passages: Mapping[str, Passage]) -> None:
        self.passages = PassageTable(passages)
        self._ids = self.passages.ids
        self._row_of = {passage_id: row for row, passage_id in enumerate(self._ids)}
        self._bm25 = BM25([passage_input(passages[passage_id]) for passage_id in self._ids], extra="train")

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example up to k passages of the highest BM25 score, equal scores by passage_id."""
        return [self._best(self._bm25.scores(example.query), k) for example in examples]

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """For each example the highest BM25 score of a passage of the positive's document."""
        rows_of = [
            [self._row_of[passage.passage_id] for passage in self.passages.of_positive(example)] for example in examples
        ]
        return [
            float(self._bm25.scores(example.query)[rows].max()) for example, rows in zip(examples, rows_of, strict=True)
        ]

    def _best(self, scores: NDArray[np.float32], k: int) -> list[TrainingPassage]:
        k = min(k, int(np.count_nonzero(scores > 0)))
        if not k:
            return []
        rows = np.flatnonzero(scores >= np.partition(scores, -k)[-k])  # with all that tie at the edge
        rows = rows[np.argsort(-scores[rows], kind="stable")][:k]
        return [
            self.passages.candidate(self._ids[row], score=float(scores[row]), rank=rank)
            for rank, row in enumerate(rows, start=1)
        ]


class RandomSource:
    """Passages by chance, the same ones for a query whatever the other queries are. Every score is 0.

    A candidate then scores as high as the positive, and 5% less than 0 is 0: no margin drops any.
    """

    def __init__(self, passages: Mapping[str, Passage], seed: int) -> None:
        self.passages = PassageTable(passages)
        self._ids = self.passages.ids
        self._seed = seed

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example k passages, drawn without replacement."""
        drawn = []
        for example in examples:
            # Seeded by the query: another query more or less changes nothing here.
            generator = random.Random(f"{self._seed}:{example.dataset}:{example.query_id}")
            passage_ids = generator.sample(self._ids, min(k, len(self._ids)))
            ranked = enumerate(passage_ids, start=1)
            drawn.append([self.passages.candidate(passage_id, score=0.0, rank=rank) for rank, passage_id in ranked])
        return drawn

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """0 for each example."""
        return [0.0] * len(examples)
