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
from osler.train.examples.example import Example, Relevant, examples_of, pairs
from osler.train.examples.parts import Parts, relevant_documents
from osler.train.mining.candidates import CandidateSource, RetrieverSource
from osler.train.mining.hard_negatives import mine_hard_negatives
from osler.train.mining.mined import Mined, joined
from osler.train.progress import OnProgress, Progress
from osler.train.settings import MiningSettings, RecipeSettings

_COMMIT_PASSAGES = 2048

Passages = Mapping[str, Sequence[Passage]]
"""The passages of every document of a corpus, by doc_id."""


class Corpora:
    """The data sets of a recipe with their passages, and the indexes of them; each is made when it is first needed."""

    def __init__(self, recipe: RecipeSettings, parts: Sequence[Parts], on_progress: OnProgress) -> None:
        self.recipe = recipe
        self.parts = parts
        self.on_progress = on_progress
        self._indexes: dict[Path, LanceIndex] = {}

    @cached_property
    def passages(self) -> dict[str, Passages]:
        """The passages of every document of each data set, as `osler index` would split it."""
        backbone = load_models(self.recipe.backbone, self.recipe.backbone, device=self.recipe.device)
        cut = _splitter(backbone.encoder.model.count_tokens)
        return {
            part.name: {doc_id: cut(document) for doc_id, document in part.train.documents.items()}
            for part in self.parts
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
        return relevant_documents([one for part in self.parts for one in (part.train, part.valid)])

    def pairs(self, name: Literal["train", "valid"]) -> list[Example]:
        """Queries with their positives, of all data sets; of valid one positive a query."""
        found: list[Example] = []
        for part, data in zip(self.parts, self.recipe.data, strict=True):
            found += pairs(
                part.train if name == "train" else part.valid,
                self.passages[part.name],
                positives=data.positives if name == "train" else 1,
                limit=data.pairs if name == "train" else None,
                seed=self.recipe.seed,
            )
        return found

    def indexed(self, part: Parts, folder: Path, models: ModelPair) -> LanceIndex:
        """The index of this data set's corpus below the folder."""
        place = folder / part.name
        if place not in self._indexes:
            self._indexes[place] = index_corpus(part.train, place, models, on_progress=self.on_progress)
        return self._indexes[place]

    def retriever_source(self, part: Parts, *, folder: Path, models: ModelPair) -> CandidateSource:
        """What the encoder finds in that index."""
        return RetrieverSource(self.indexed(part, folder, models), models.encoder, self.by_id[part.name])

    def mined(
        self, examples: Sequence[Example], source: Callable[[Parts], CandidateSource], settings: MiningSettings
    ) -> Mined:
        """The examples with their negatives, each data set mined in its own corpus."""
        return joined(
            mine_hard_negatives(
                examples_of(part.name, examples),
                source(part),
                self.relevant,
                settings,
                on_queries=partial(self._report, part.name),
            )
            for part in self.parts
        )

    def _report(self, name: str, done: int, of: int) -> None:
        self.on_progress(Progress(f"mine {name}", done, of, None, 0.0, None))


def index_corpus(dataset: Dataset, folder: Path, models: ModelPair, *, on_progress: OnProgress) -> LanceIndex:
    """The index of the data set's corpus with the vectors of the retriever; one that was interrupted is finished."""
    index = open_index(folder) if index_exists(folder) else create_index(folder, _manifest(models))
    index.manifest.check(
        encoder_fingerprint=models.encoder.fingerprint, reranker_fingerprint=models.reranker.fingerprint
    )
    total = len(dataset.documents)

    def report(so_far: IndexingReport) -> None:
        on_progress(_progress(dataset.name, so_far, total))

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


def _manifest(models: ModelPair) -> Manifest:
    encoder, reranker = (
        ModelIdentity(name=model.name, fingerprint=model.fingerprint, dim=model.dim)
        for model in (models.encoder, models.reranker)
    )
    return Manifest(encoder=encoder, reranker=reranker, token_vectors=False)


def _progress(name: str, report: IndexingReport, total: int) -> Progress:
    done = min(total, report.documents + report.unchanged)
    speed = report.passages_per_second
    return Progress(f"index {name}", done, total, None, speed, None)
