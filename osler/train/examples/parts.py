"""The queries of a recipe's data sets, divided into what is trained on, chosen with, and reported. Knows no model.

train: gradients; valid: checkpoints and weights are chosen with it; dev: reported once, at the end. No document has
queries in two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from osler.datasets import Dataset, disjoint_from, divide_queries, load_dataset, sample_queries, split_names
from osler.datasets.parts import sample_ids
from osler.errors import UsageError
from osler.train.settings import ChoiceSettings, DataSettings, RecipeSettings

_DEV_SHARE: Final = 0.1
"""Of the training queries, where the recipe says nothing and there is no dev split."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One data set in its three parts, which share one corpus; dev is None where the recipe names none."""

    train: Dataset
    valid: Dataset
    dev: Dataset | None

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.train.name


def divide(recipe: RecipeSettings) -> list[Parts]:
    """The data sets of the recipe, each divided; all of them are read and checked before any training starts."""
    if not recipe.data:
        raise UsageError("The recipe names no data: add --data DIR, or a [[data]] table with its folder.")
    parts = [_divide_one(data, recipe.choice, recipe.seed) for data in recipe.data]
    names = [part.name for part in parts]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"Two data sets are called {twice.pop()!r}: rename a folder, or name it once.")
    return parts


def _divide_one(data: DataSettings, choice: ChoiceSettings, seed: int) -> Parts:
    rest, dev = _without_dev(data, seed)
    train, valid = divide_queries(rest, choice.valid_share, seed=seed, name="valid")
    train = _fewer_queries(train, data.queries, seed)
    valid = sample_queries(valid, choice.valid_queries, seed=seed)
    dev = sample_queries(dev, choice.dev_queries, seed=seed) if dev else None
    _require_queries(train, valid, dev)
    kept = _kept_documents([part for part in (train, valid, dev) if part], data.distractors, seed)
    return Parts(_with(train, kept), _with(valid, kept), _with(dev, kept) if dev else None)


def _without_dev(data: DataSettings, seed: int) -> tuple[Dataset, Dataset | None]:
    """The training split without what is reported on, and that."""
    whole, split = load_dataset(data.folder, data.split), _dev_split(data)
    if split:
        dev = load_dataset(data.folder, split)
        return disjoint_from(whole, dev), dev
    share = _DEV_SHARE if data.dev_share is None else data.dev_share
    return divide_queries(whole, share, seed=seed, name="dev") if share else (whole, None)


def _dev_split(data: DataSettings) -> str:
    """The split of dev figures, by name; empty where they are of a share, or not wanted."""
    if data.dev and data.dev_share:
        raise UsageError(f"{data.folder}: dev = {data.dev!r} and dev_share = {data.dev_share}: set one of them.")
    if data.dev and data.dev == data.split:
        raise UsageError(
            f"{data.folder}: dev = {data.dev!r} is what is trained on: name another split, or a dev_share."
        )
    if data.dev or data.dev_share is not None:
        return data.dev
    return "dev" if data.split != "dev" and "dev" in split_names(data.folder) else ""


def _require_queries(*parts: Dataset | None) -> None:
    for part in parts:
        if part and len(part.queries) < 2:
            raise UsageError(
                f"{part.name}: {len(part.queries)} queries are left for {part.split}, two are needed: "
                "change choice.valid_share or dev_share, or use a larger data set."
            )


def _fewer_queries(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """About `count` of the queries; those about one document or title stay together, since they make hard negatives."""
    if count is None or count >= len(dataset.queries):
        return dataset
    return divide_queries(dataset, count / len(dataset.queries), seed=seed, name=dataset.split)[1]


def _kept_documents(parts: Iterable[Dataset], distractors: int | None, seed: int) -> set[str] | None:
    """The documents that stay: all (None), or the relevant ones with those of the same titles, and a sample of others.

    The answers about one disease are what is hard to tell apart: without them the small corpus would be an easy one.
    """
    if distractors is None:
        return None
    parts = list(parts)
    documents = parts[0].documents
    relevant = {doc_id for part in parts for doc_id in part.relevant_ids}
    titles = {documents[doc_id].title for doc_id in relevant} - {""}
    kept = relevant | {doc_id for doc_id, document in documents.items() if document.title in titles}
    return kept | set(sample_ids((doc_id for doc_id in documents if doc_id not in kept), distractors, seed))


def _with(dataset: Dataset, kept: set[str] | None) -> Dataset:
    if kept is None:
        return dataset
    documents = {doc_id: document for doc_id, document in dataset.documents.items() if doc_id in kept}
    return replace(dataset, documents=documents)


def relevant_documents(parts: Iterable[Dataset]) -> Mapping[tuple[str, str], set[str]]:
    """The relevant doc_ids of each (data set, query_id)."""
    return {(part.name, query_id): set(docs) for part in parts for query_id, docs in part.qrels.items()}
