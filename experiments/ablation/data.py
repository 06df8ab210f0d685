"""What the variants of an ablation share: data sets in splits, cut corpora, passages, training pairs. Knows no model.

Corpora and dev queries are the same under every seed; a seed draws other training pairs, of which a smaller number is
part of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from experiments.ablation.variants import Size
from osler.datasets import Dataset, sample_queries
from osler.datasets.splits import sample_ids
from osler.errors import UsageError
from osler.records import Document, Passage
from osler.train.data import DatasetSplits, Example, load_splits, pairs, relevant_documents
from osler.train.settings import RecipeSettings

SAMPLE_SEED: Final = 0
"""Of the distractors, whatever the seed of a training: every variant searches the same corpora."""

Split = Callable[[Document], list[Passage]]

_DATA: Final[Mapping[str, Any]] = {"weight": 1.0, "queries": None, "pairs": None, "distractors": None}
_RETRIEVER: Final[Mapping[str, Any]] = {
    "siblings": False,  # they would put hard negatives into the batch
    "token_weight": 0.0,
    "warm_up_pairs": 0,
    "scale": None,  # each similarity has its own
}
_RERANKER: Final[Mapping[str, Any]] = {
    "start": "backbone",
    "tuning": None,
    "final_dim": None,
}


@dataclass(frozen=True, slots=True)
class CutCorpus:
    """A data set whose corpus is cut so that every variant can search it exactly.

    relevant: documents that its queries need; distractors: a sample of the others.
    """

    dataset: Dataset
    relevant: int
    distractors: int

    @property
    def digest(self) -> str:
        """Equal for equal documents, by their ids."""
        return hashlib.sha256("\n".join(sorted(self.dataset.documents)).encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Name its documents in `NAME.txt`, an id a line."""
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join(sorted(self.dataset.documents)) + "\n"
        (folder / f"{self.dataset.name}.txt").write_text(text, encoding="utf-8")


def cut_corpus(dataset: Dataset, distractors: int | None) -> CutCorpus:
    """The data set with the relevant documents of its queries and `distractors` others, sampled; None: all others.

    >>> from osler.records import Document, Query
    >>> documents = {doc_id: Document(doc_id, "", ()) for doc_id in "abcd"}
    >>> cut = cut_corpus(Dataset("tiny", "dev", documents, {"q": Query("q", "?")}, {"q": {"b": 1}}, ""), 2)
    >>> len(cut.dataset.documents), cut.relevant, "b" in cut.dataset.documents
    (3, 1, True)
    """
    relevant = set(dataset.relevant_ids)
    others = [doc_id for doc_id in dataset.documents if doc_id not in relevant]
    sampled = others if distractors is None else sample_ids(others, distractors, SAMPLE_SEED)
    doc_ids = relevant.union(sampled)
    documents = {doc_id: document for doc_id, document in dataset.documents.items() if doc_id in doc_ids}
    return CutCorpus(replace(dataset, documents=documents), len(relevant), len(sampled))


def prepared(recipe: RecipeSettings, size: Size) -> RecipeSettings:
    """The recipe with the settings of the size, and without what would hide the effect of a variant.

    Both models start from the backbone and are tuned in the same way, all of what they learn is kept, every data set
    comes as often as its pairs, a batch is drawn at random, and there is neither a warm-up nor a second loss.
    """
    choice = {"valid_queries": size.valid_queries, "dev_queries": size.queries}
    reranker = recipe.reranker.model_copy(update={**_RERANKER, **size.reranker})
    mining = {**size.mining, "negatives": reranker.negatives}
    return recipe.model_copy(
        update={
            "encoder": "",
            "data": tuple(data.model_copy(update=_DATA) for data in recipe.data),
            "choice": recipe.choice.model_copy(update=choice),
            "retriever": recipe.retriever.model_copy(update={**_RETRIEVER, **size.retriever}),
            "mining": recipe.mining.model_copy(update=mining),
            "tuning": recipe.tuning.model_copy(update={"keep": 1.0}),
            "reranker": reranker,
        }
    )


class AblationData:
    """The data sets of a prepared recipe.

    split: from a document to its passages, asked once for each document that is needed.
    """

    def __init__(self, recipe: RecipeSettings, size: Size, split: Split) -> None:
        self.datasets: list[DatasetSplits] = load_splits(recipe)
        self.relevant = relevant_documents(
            [split for dataset in self.datasets for split in (dataset.train, dataset.valid)]
        )
        self.corpora = {
            dataset.name: cut_corpus(dataset.dev or dataset.valid, size.distractors) for dataset in self.datasets
        }
        self._passages = {dataset.name: _Passages(dataset.train.documents, split) for dataset in self.datasets}
        if not self.evaluated:
            raise UsageError("No data set of the recipe has a dev part to measure on: set its dev, or dev_share.")

    @property
    def evaluated(self) -> list[CutCorpus]:
        """The corpora of the data sets that have dev queries."""
        return [self.corpora[dataset.name] for dataset in self.datasets if dataset.dev]

    def passages(self, name: str) -> list[Passage]:
        """The passages of the cut corpus of this data set, those of a document in a row."""
        passages = self._passages[name]
        return [passage for doc_id in self.corpora[name].dataset.documents for passage in passages[doc_id]]

    def positives(self, name: str, examples: Sequence[Example]) -> list[Passage]:
        """The passages of the positives' documents that its cut corpus lacks."""
        documents = self.corpora[name].dataset.documents
        doc_ids = sorted({one.positive.passage_id.rpartition("#")[0] for one in examples if one.dataset == name})
        return [passage for doc_id in doc_ids if doc_id not in documents for passage in self._passages[name][doc_id]]

    def pairs(self, count: int, *, seed: int) -> list[Example]:
        """A pair a query for `count` queries, evenly from the data sets as far as they have them.

        A smaller number gives some of the pairs that a larger one gives.
        """
        shares = even_shares(count, [len(dataset.train.queries) for dataset in self.datasets])
        sampled = (
            sample_queries(dataset.train, share, seed=seed)
            for dataset, share in zip(self.datasets, shares, strict=True)
        )
        return [example for dataset in sampled for example in self._pairs(dataset, seed)]

    def valid(self) -> list[Example]:
        """A pair a query of all data sets to choose checkpoints with: the same ones under every seed."""
        return [example for dataset in self.datasets for example in self._pairs(dataset.valid, 0)]

    def _pairs(self, dataset: Dataset, seed: int) -> list[Example]:
        return pairs(dataset, self._passages[dataset.name], positives=1, seed=seed) if dataset.queries else []


def even_shares(total: int, sizes: Sequence[int]) -> list[int]:
    """How many of `total` each gets, none more than its size: equal ones, and what one lacks goes to the others.

    >>> even_shares(10, [2, 100, 5])
    [2, 4, 4]
    """
    shares = [0] * len(sizes)
    left = total
    for number, smallest in enumerate(sorted(range(len(sizes)), key=lambda index: sizes[index])):
        shares[smallest] = min(sizes[smallest], left // (len(sizes) - number))
        left -= shares[smallest]
    return shares


class _Passages(Mapping[str, list[Passage]]):
    """The passages of each document, split when they are first asked for."""

    def __init__(self, documents: Mapping[str, Document], split: Split) -> None:
        self._documents = documents
        self._split = split
        self._passages: dict[str, list[Passage]] = {}

    def __getitem__(self, doc_id: str) -> list[Passage]:
        if doc_id not in self._passages:
            self._passages[doc_id] = self._split(self._documents[doc_id])
        return self._passages[doc_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)
