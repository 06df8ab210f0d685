"""Mining against sentence-transformers' own, where no exclusion applies that only ours knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from datasets import Dataset
from fakes import FakeIndex
from sentence_transformers.util import mine_hard_negatives as reference

from osler.records import Document, EncodedDocument, Passage, Section, Vectors
from osler.train.data import Example, training_passage
from osler.train.mining.hard_negatives import mine_hard_negatives
from osler.train.mining.sources import RetrieverSource
from osler.train.settings import MiningSettings

pytestmark = pytest.mark.parity

QUERIES, PASSAGES, NEGATIVES = 30, 60, 5


class KnownVectors:
    """One model for both: every text has a random vector of unit length, so some positives score below 0."""

    device = "cpu"
    fingerprint = "known"

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        vectors = np.random.default_rng(seed).normal(size=(len(texts), 6)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vector_of = dict(zip(texts, vectors, strict=True))

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        return np.array([self._vector_of[query] for query in queries])

    def encode_passages(self, passages: Sequence[Passage]) -> Vectors:
        return self.encode_queries([passage.text for passage in passages])

    def encode_query(self, queries: Sequence[str], **options: object) -> Vectors:
        return self.encode_queries(queries)

    encode_document = encode_query

    def similarity(self, a: Vectors, b: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(a) @ b.T

    def similarity_pairwise(self, a: Vectors, b: torch.Tensor) -> torch.Tensor:
        return (torch.as_tensor(a) * b).sum(dim=1)


def passages() -> dict[str, Passage]:
    texts = [f"passage {number}" for number in range(PASSAGES)]
    return {f"{text[8:]}#0": Passage(f"{text[8:]}#0", text[8:], "", text, 0, len(text)) for text in texts}


def examples(positives: int) -> list[Example]:
    """Query n with the positives n, n + 1, … ."""
    table = passages()
    return [
        Example("set", str(number), f"query {number}", training_passage(table[f"{number + more}#0"]))
        for number in range(QUERIES)
        for more in range(positives)
    ]


def model(seed: int) -> KnownVectors:
    return KnownVectors(
        [f"query {number}" for number in range(QUERIES)] + [one.text for one in passages().values()], seed
    )


def mined_by_us(given: Sequence[Example], encoder: KnownVectors, margin: float) -> dict[tuple[str, str], list]:
    table = passages()
    index = FakeIndex()
    for passage in table.values():
        document = Document(passage.doc_id, "", (Section("", passage.text),))
        index.upsert([EncodedDocument(document, (passage,), encoder.encode_passages([passage]), None)])
    relevant: dict[tuple[str, str], set[str]] = {}
    for one in given:
        relevant.setdefault(("set", one.query_id), set()).add(one.positive.passage_id.partition("#")[0])
    settings = MiningSettings(num_candidates=PASSAGES, negatives=NEGATIVES, relative_margin=margin)
    mined = mine_hard_negatives(given, RetrieverSource(index, encoder, table), relevant, settings)
    return {
        (one.query, one.positive.text): [
            (passage.text, pytest.approx(passage.score, abs=1e-6)) for passage in (one.positive, *one.negatives)
        ]
        for one in mined.examples
    }


def mined_by_the_reference(
    given: Sequence[Example], encoder: KnownVectors, margin: float
) -> dict[tuple[str, str], list]:
    pairs = Dataset.from_dict({"query": [one.query for one in given], "positive": [one.positive.text for one in given]})
    rows = reference(
        pairs,
        encoder,
        corpus=[passage.text for passage in passages().values()],
        range_max=PASSAGES,
        relative_margin=margin,
        num_negatives=NEGATIVES,
        output_format="labeled-list",
        output_scores=True,
        verbose=False,
    )
    return {(row["query"], row["positive"][0]): list(zip(row["positive"], row["scores"], strict=True)) for row in rows}


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_negatives_with_the_same_scores_come_in_the_same_order(seed, margin):
    given, encoder = examples(positives=1), model(seed)
    theirs = mined_by_the_reference(given, encoder, margin)
    assert mined_by_us(given, encoder, margin) == theirs
    assert 0 < len(theirs) <= QUERIES
    assert min(row[0][1] for row in theirs.values()) < 0  # positives below 0 are among them


def test_of_several_positives_the_reference_mines_for_the_weakest_and_ours_for_each():
    given, encoder = examples(positives=2), model(1)
    ours, theirs = mined_by_us(given, encoder, 0.05), mined_by_the_reference(given, encoder, 0.05)
    assert len(ours) > len(theirs)
    for query in {query for query, _ in theirs}:
        weakest = min((row for row in theirs if row[0] == query), key=lambda row: theirs[row][0][1])
        assert ours[weakest] == theirs[weakest]
