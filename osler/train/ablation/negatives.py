"""Negatives of an ablation's training pairs, by chance, by words or by a retriever. Knows no grid and no loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from osler.records import Passage
from osler.train.ablation.material import Material
from osler.train.ablation.retriever import CellRetriever, VectorSource
from osler.train.examples.example import Example, examples_of
from osler.train.mining.candidates import BM25Source, CandidateSource, RandomSource
from osler.train.mining.hard_negatives import mine_hard_negatives
from osler.train.settings import MiningSettings

MakeSource = Callable[[str, Sequence[Passage]], CandidateSource]
"""From a data set's name and passages beside those of its cut corpus to what finds candidates in both."""


def bm25_source(material: Material) -> MakeSource:
    """What finds candidates by words."""
    return lambda name, more: BM25Source(_by_id(material, name, more))


def random_source(material: Material, seed: int) -> MakeSource:
    """What draws candidates by chance."""
    return lambda name, more: RandomSource(_by_id(material, name, more), seed)


def retriever_source(retriever: CellRetriever) -> MakeSource:
    """What this retriever takes for relevant."""
    return partial(VectorSource, retriever)


def with_negatives(
    train: Sequence[Example], valid: Sequence[Example], material: Material, settings: MiningSettings, make: MakeSource
) -> tuple[list[Example], list[Example]]:
    """Both with their negatives from the cut corpora and their own positives; examples without any are left out."""
    mined: tuple[list[Example], list[Example]] = ([], [])
    for part in material.parts:
        given = [examples_of(part.name, examples) for examples in (train, valid)]
        source = make(part.name, material.positives(part.name, [*given[0], *given[1]]))
        for examples, found in zip(given, mined, strict=True):
            found += mine_hard_negatives(examples, source, material.relevant, settings).examples
    return mined


def _by_id(material: Material, name: str, more: Sequence[Passage]) -> Mapping[str, Passage]:
    return {passage.passage_id: passage for passage in [*material.passages(name), *more]}
