"""Retrievers of the ablation, searched exactly: what they reach, and the negatives that they and other sources give.

An index compares by cosine; here dot products of vectors of any length are compared, so that retrievers trained with
either similarity are measured alike.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.ablation.data import AblationData, CutCorpus
from osler.datasets import Dataset
from osler.evaluate.baselines import best_rows
from osler.evaluate.measures import Scores, document_scores, per_query
from osler.evaluate.report import HIT, MAIN
from osler.models.bi_encoder import BiEncoder
from osler.models.openvino import converted_folder
from osler.protocols import Encoder, Reranker
from osler.records import Passage, Vector, Vectors
from osler.search.rerank import encode_by_id, maxsim_scores
from osler.train.data import Example, TrainingPassage, examples_of
from osler.train.mining.hard_negatives import mine_hard_negatives
from osler.train.mining.sources import BM25Source, CandidateSource, PassageTable, RandomSource
from osler.train.settings import MiningSettings

MEASURES: Final = (MAIN, HIT)

Measured = dict[str, dict[str, float]]
"""measure -> query_id -> value."""

OnPassages = Callable[[int, int], None]
"""Told how many passages are encoded, and of how many."""

OnCorpusPassages = Callable[[str, int, int], None]
"""Told the name of a data set, how many of its passages are encoded, and of how many."""

MakeSource = Callable[[str, Sequence[Passage]], CandidateSource]
"""From a data set's name and passages beside those of its cut corpus to what finds candidates in both."""

# Documents of a run: ten are measured.
_RANKED: Final = 100

# Passages encoded between two reports.
_SLICE: Final = 256


class ExactSearch:
    """Passages with one vector each [P, d]; those of one document follow each other."""

    def __init__(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        self.passages = passages
        self.vectors = vectors
        starts: dict[str, int] = {}
        for row, passage in enumerate(passages):
            starts.setdefault(passage.doc_id, row)
        self._starts = np.fromiter(starts.values(), dtype=np.int64)
        self._numbers = {doc_id: number for number, doc_id in enumerate(starts)}

    def best_passages(self, query: Vector, *, k: int) -> list[tuple[Passage, float]]:
        """The k passages of the highest dot product with the query, best first, equal ones in their order."""
        scores = self.vectors @ query
        return [(self.passages[row], float(scores[row])) for row in best_rows(scores, k)]

    def best_documents(self, query: Vector, *, k: int = _RANKED) -> dict[str, float]:
        """The scores of the k best documents, each that of its best passage."""
        scores, doc_ids = self._documents(query), list(self._numbers)
        return {doc_ids[number]: float(scores[number]) for number in best_rows(scores, k)}

    def score(self, query: Vector, doc_id: str) -> float:
        """The score of this document."""
        return float(self._documents(query)[self._numbers[doc_id]])

    def _documents(self, query: Vector) -> NDArray[np.float32]:
        best: NDArray[np.float32] = np.maximum.reduceat(self.vectors @ query, self._starts)
        return best


def encode_passages(passages: Sequence[Passage], encoder: Encoder, *, on_passages: OnPassages) -> Vectors:
    """[P, d], one row a passage."""
    blocks = []
    for start in range(0, len(passages), _SLICE):
        blocks.append(encoder.encode_passages(passages[start : start + _SLICE]))
        on_passages(min(start + _SLICE, len(passages)), len(passages))
    return np.concatenate(blocks)


def dense_run(dataset: Dataset, search: ExactSearch, queries: Vectors) -> Scores:
    """query_id -> doc_id -> score, by the vectors [Q, d] of the queries in their order."""
    return {query_id: search.best_documents(vector) for query_id, vector in zip(dataset.queries, queries, strict=True)}


def maxsim_run(
    dataset: Dataset,
    candidates: Mapping[str, Sequence[Passage]],
    reranker: Reranker,
    *,
    on_passages: OnPassages,
) -> Scores:
    """query_id -> doc_id -> MaxSim of its best passage among the candidates of the query; stage 1's score has no say.

    Each candidate is encoded once, however many queries it is a candidate of.
    """
    passages = (passage for of_query in candidates.values() for passage in of_query)
    encoded = encode_by_id(passages, reranker, on_passages=on_passages)
    query_vectors = reranker.encode_queries([query.text for query in dataset.queries.values()])
    run: Scores = {}
    for query_id, vectors in zip(dataset.queries, query_vectors, strict=True):
        of_query = candidates[query_id]
        scores = maxsim_scores(vectors, [passage.passage_id for passage in of_query], encoded)
        run[query_id] = document_scores(zip((passage.doc_id for passage in of_query), scores, strict=True))
    return run


def measured(dataset: Dataset, run: Scores) -> Measured:
    """What this run reaches."""
    return per_query(dataset.qrels, run, MEASURES)


@dataclass(frozen=True, slots=True)
class VariantRetriever:
    """A bi-encoder and, by data set, the exact search of its cut corpus."""

    encoder: BiEncoder
    searches: Mapping[str, ExactSearch]

    def measured(self, corpus: CutCorpus) -> Measured:
        """What its search of this corpus reaches."""
        dataset = corpus.dataset
        return measured(dataset, dense_run(dataset, self.searches[dataset.name], self._queries(corpus)))

    def candidates(self, corpus: CutCorpus, *, k: int) -> dict[str, list[Passage]]:
        """The k nearest passages of each query of this corpus, by query_id."""
        search = self.searches[corpus.dataset.name]
        rankings = (search.best_passages(vector, k=k) for vector in self._queries(corpus))
        return {
            query_id: [passage for passage, _ in best]
            for query_id, best in zip(corpus.dataset.queries, rankings, strict=True)
        }

    def _queries(self, corpus: CutCorpus) -> Vectors:
        return self.encoder.encode_queries([query.text for query in corpus.dataset.queries.values()])


class VectorSource:
    """The errors of a retriever over a data set's passages, each query compared with every vector."""

    def __init__(self, retriever: VariantRetriever, name: str, more: Sequence[Passage]) -> None:
        """more: passages beside those of the cut corpus."""
        search = retriever.searches[name]
        vectors = [search.vectors, *([retriever.encoder.encode_passages(more)] if more else [])]
        self._encoder = retriever.encoder
        self._search = ExactSearch([*search.passages, *more], np.concatenate(vectors))
        self.passages = PassageTable({passage.passage_id: passage for passage in self._search.passages})

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example the k nearest passages, best first, rank from 1."""
        vectors = self._encoder.encode_queries([example.query for example in examples])
        rankings = (self._search.best_passages(vector, k=k) for vector in vectors)
        return [
            [
                self.passages.candidate(passage.passage_id, score=score, rank=rank)
                for rank, (passage, score) in enumerate(best, 1)
            ]
            for best in rankings
        ]

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """For each example the score of the document of its positive."""
        vectors = self._encoder.encode_queries([example.query for example in examples])
        doc_ids = [self.passages.of_positive(example)[0].doc_id for example in examples]
        return [self._search.score(vector, doc_id) for vector, doc_id in zip(vectors, doc_ids, strict=True)]


def load_variant_retriever(
    encoder: BiEncoder, data: AblationData, folder: Path, *, on_passages: OnCorpusPassages
) -> VariantRetriever:
    """The encoder with every cut corpus, whose vectors are files below `folder`, each written whole or not at all."""
    searches = {}
    for name in data.corpora:
        passages, path = data.passages(name), folder / f"vectors-{name}.npy"
        if not path.is_file():
            vectors = encode_passages(passages, encoder, on_passages=partial(on_passages, name))
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".dataset.npy")
            np.save(unfinished, vectors)
            unfinished.replace(path)
        searches[name] = ExactSearch(passages, np.load(path))
    return VariantRetriever(encoder, searches)


def forget_converted(fingerprint: str) -> None:
    """Delete the networks that were converted for a model with this fingerprint, which is not asked again."""
    pattern = converted_folder(f"*-{fingerprint}")
    for folder in pattern.parent.glob(pattern.name):
        shutil.rmtree(folder)


def bm25_source(data: AblationData) -> MakeSource:
    """What finds candidates by words."""
    return lambda name, more: BM25Source(_by_id(data, name, more))


def random_source(data: AblationData, seed: int) -> MakeSource:
    """What draws candidates by chance."""
    return lambda name, more: RandomSource(_by_id(data, name, more), seed)


def retriever_source(retriever: VariantRetriever) -> MakeSource:
    """What this retriever takes for relevant."""
    return partial(VectorSource, retriever)


def with_negatives(
    train: Sequence[Example], valid: Sequence[Example], data: AblationData, settings: MiningSettings, make: MakeSource
) -> tuple[list[Example], list[Example]]:
    """Both with their negatives from the cut corpora and their own positives; examples without any are left out."""
    mined: tuple[list[Example], list[Example]] = ([], [])
    for dataset in data.datasets:
        of_part = [examples_of(dataset.name, examples) for examples in (train, valid)]
        source = make(dataset.name, data.positives(dataset.name, [*of_part[0], *of_part[1]]))
        for examples, with_negatives in zip(of_part, mined, strict=True):
            with_negatives += mine_hard_negatives(examples, source, data.relevant, settings).examples
    return mined


def _by_id(data: AblationData, name: str, more: Sequence[Passage]) -> Mapping[str, Passage]:
    return {passage.passage_id: passage for passage in [*data.passages(name), *more]}
