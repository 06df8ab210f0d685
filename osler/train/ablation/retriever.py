"""A cell's retriever with the vectors of every cut corpus, to be searched exactly and mined with. Knows no grid."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from osler.evaluate.ablation.corpus import CutCorpus
from osler.evaluate.ablation.ranking import ExactSearch, dense_run, encode_passages, measured
from osler.models.bi_encoder import BiEncoder
from osler.models.openvino import converted_folder
from osler.records import Passage, Vectors
from osler.train.ablation.material import Material
from osler.train.examples.example import Example, TrainingPassage
from osler.train.mining.candidates import PassageTable

Measured = dict[str, dict[str, float]]
"""measure -> query_id -> value."""

OnCorpusPassages = Callable[[str, int, int], None]
"""Told the name of a data set, how many of its passages are encoded, and of how many."""


@dataclass(frozen=True, slots=True)
class CellRetriever:
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
        found = (search.best_passages(vector, k=k) for vector in self._queries(corpus))
        return {
            query_id: [passage for passage, _ in best]
            for query_id, best in zip(corpus.dataset.queries, found, strict=True)
        }

    def _queries(self, corpus: CutCorpus) -> Vectors:
        return self.encoder.encode_queries([query.text for query in corpus.dataset.queries.values()])


class VectorSource:
    """The errors of a retriever over a data set's passages, each query compared with every vector."""

    def __init__(self, retriever: CellRetriever, name: str, more: Sequence[Passage]) -> None:
        """more: passages beside those of the cut corpus."""
        known = retriever.searches[name]
        vectors = [known.vectors, *([retriever.encoder.encode_passages(more)] if more else [])]
        self._encoder = retriever.encoder
        self._search = ExactSearch([*known.passages, *more], np.concatenate(vectors))
        self.passages = PassageTable({passage.passage_id: passage for passage in self._search.passages})

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        """For the query of each example the k nearest passages, best first, rank from 1."""
        vectors = self._encoder.encode_queries([example.query for example in examples])
        found = (self._search.best_passages(vector, k=k) for vector in vectors)
        return [
            [
                self.passages.candidate(one.passage_id, score=score, rank=rank)
                for rank, (one, score) in enumerate(best, 1)
            ]
            for best in found
        ]

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        """For each example the score of the document of its positive."""
        vectors = self._encoder.encode_queries([example.query for example in examples])
        doc_ids = [self.passages.of_positive(example)[0].doc_id for example in examples]
        return [self._search.score(vector, doc_id) for vector, doc_id in zip(vectors, doc_ids, strict=True)]


def load_cell_retriever(
    encoder: BiEncoder, material: Material, folder: Path, *, on_passages: OnCorpusPassages
) -> CellRetriever:
    """The encoder with every cut corpus, whose vectors are kept below `folder`."""
    searches = {}
    for name in material.corpora:
        passages = material.passages(name)
        encode = partial(encode_passages, passages, encoder, on_passages=partial(on_passages, name))
        searches[name] = ExactSearch(passages, _kept(folder / f"vectors-{name}.npy", encode))
    return CellRetriever(encoder, searches)


def forget_converted(fingerprint: str) -> None:
    """Delete the networks that were converted for a model with this fingerprint, which is not asked again."""
    pattern = converted_folder(f"*-{fingerprint}")
    for folder in pattern.parent.glob(pattern.name):
        shutil.rmtree(folder)


def _kept(path: Path, encode: Callable[[], Vectors]) -> Vectors:
    """The vectors of the file, made and written whole where it is not there."""
    if not path.is_file():
        vectors = encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, vectors)
        unfinished.replace(path)
    kept: Vectors = np.load(path)
    return kept
