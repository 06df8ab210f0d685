"""The corpora of a recipe: split into passages, indexed by a retriever, mined. Knows no loss and no order of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from osler.config import SplitSettings
from osler.corpus.split import split
from osler.datasets import Dataset
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, index_exists, open_index
from osler.indexing import EncodedPassages, IndexingReport, index_documents
from osler.models import ModelPair, load_models
from osler.protocols import CountTokens
from osler.records import Document, Passage
from osler.train.data import DatasetSplits, Example, Relevant, examples_of, pairs, relevant_documents
from osler.train.mining.audit import Mined, joined
from osler.train.mining.hard_negatives import mine_hard_negatives
from osler.train.mining.sources import CandidateSource, RetrieverSource
from osler.train.pipeline import OnProgress, Progress
from osler.train.settings import MiningSettings, RecipeSettings

_COMMIT_PASSAGES = 2048

Passages = Mapping[str, Sequence[Passage]]
"""The passages of every document of a corpus, by doc_id."""


class Corpora:
    """The data sets of a recipe with their passages, and the indexes of them; each is made when it is first needed."""

    def __init__(self, recipe: RecipeSettings, datasets: Sequence[DatasetSplits], on_progress: OnProgress) -> None:
        self.recipe = recipe
        self.datasets = datasets
        self.on_progress = on_progress
        self._indexes: dict[Path, LanceIndex] = {}

    @cached_property
    def passages(self) -> dict[str, Passages]:
        """The passages of every document of each data set, as `osler index` would split it."""
        backbone = load_models(self.recipe.backbone, self.recipe.backbone, device=self.recipe.device)
        cut = _splitter(backbone.encoder.model.count_tokens)
        return {
            dataset.name: {doc_id: cut(document) for doc_id, document in dataset.train.documents.items()}
            for dataset in self.datasets
        }

    @cached_property
    def by_id(self) -> dict[str, dict[str, Passage]]:
        """The same passages of each data set by their own id."""
        return {
            name: {passage.passage_id: passage for of_document in passages.values() for passage in of_document}
            for name, passages in self.passages.items()
        }

    @cached_property
    def relevant(self) -> Relevant:
        """Every known positive of every query that is trained on or chosen with."""
        return relevant_documents([split for dataset in self.datasets for split in (dataset.train, dataset.valid)])

    def pairs(self, name: Literal["train", "valid"]) -> list[Example]:
        """Queries with their positives, of all data sets; of valid one positive a query."""
        examples: list[Example] = []
        for dataset, data in zip(self.datasets, self.recipe.data, strict=True):
            examples += pairs(
                dataset.train if name == "train" else dataset.valid,
                self.passages[dataset.name],
                positives=data.positives if name == "train" else 1,
                limit=data.pairs if name == "train" else None,
                seed=self.recipe.seed,
            )
        return examples

    def indexed(self, dataset: DatasetSplits, folder: Path, models: ModelPair) -> LanceIndex:
        """The index of this data set's corpus below the folder."""
        path = folder / dataset.name
        if path not in self._indexes:
            self._indexes[path] = index_corpus(dataset.train, path, models, on_progress=self.on_progress)
        return self._indexes[path]

    def retriever_source(self, dataset: DatasetSplits, *, folder: Path, models: ModelPair) -> CandidateSource:
        """What the encoder finds in that index."""
        return RetrieverSource(self.indexed(dataset, folder, models), models.encoder, self.by_id[dataset.name])

    def mined(
        self, examples: Sequence[Example], source: Callable[[DatasetSplits], CandidateSource], settings: MiningSettings
    ) -> Mined:
        """The examples with their negatives, each data set mined in its own corpus."""

        def report(name: str, done: int, of: int) -> None:
            self.on_progress(Progress(f"mine {name}", done, of, None, 0.0, None))

        return joined(
            mine_hard_negatives(
                examples_of(dataset.name, examples),
                source(dataset),
                self.relevant,
                settings,
                on_queries=partial(report, dataset.name),
            )
            for dataset in self.datasets
        )


def index_corpus(dataset: Dataset, folder: Path, models: ModelPair, *, on_progress: OnProgress) -> LanceIndex:
    """The index of the data set's corpus with the vectors of the retriever; one that was interrupted is finished."""
    encoder, reranker = (
        ModelIdentity(name=model.name, fingerprint=model.fingerprint, dim=model.dim)
        for model in (models.encoder, models.reranker)
    )
    # Mining searches by vectors alone, so token vectors are not stored.
    manifest = Manifest(encoder=encoder, reranker=reranker, token_vectors=False)
    index = open_index(folder) if index_exists(folder) else create_index(folder, manifest)
    index.manifest.check(
        encoder_fingerprint=models.encoder.fingerprint, reranker_fingerprint=models.reranker.fingerprint
    )
    total = len(dataset.documents)

    def report(so_far: IndexingReport) -> None:
        done = min(total, so_far.documents + so_far.unchanged)
        on_progress(Progress(f"index {dataset.name}", done, total, None, so_far.passages_per_second, None))

    def encode(passages: Sequence[Passage]) -> EncodedPassages:
        return EncodedPassages(models.encoder.encode_passages(passages))

    index_documents(
        dataset.documents.values(),
        index,
        split=_splitter(models.encoder.model.count_tokens),
        encode=encode,
        commit_passages=_COMMIT_PASSAGES,
        on_progress=report,
    )
    index.optimise()
    return index


def _splitter(count_tokens: CountTokens) -> Callable[[Document], list[Passage]]:
    return partial(split, count_tokens=count_tokens, max_tokens=SplitSettings().max_tokens)
