"""The queries of a recipe's data sets, divided into what is trained on, chosen with, and reported. Knows no model.

train: gradients; valid: checkpoints and weights are chosen with it; dev: reported once, at the end. No document has
queries in two of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from osler.datasets import Dataset, disjoint_from, divide_queries, load_dataset
from osler.errors import UsageError
from osler.train.settings import ChoiceSettings, DataSettings, RecipeSettings


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
    whole = load_dataset(data.folder, data.split)
    rest, dev = whole, None
    if data.dev_share:
        rest, dev = divide_queries(whole, data.dev_share, seed=seed, name="dev")
    elif data.dev:
        dev = _dev_split(data)
        rest = disjoint_from(rest, dev)
    train, valid = divide_queries(rest, choice.valid_share, seed=seed, name="valid")
    train = _fewer_queries(train, data.queries, seed)
    valid = sample_queries(valid, choice.valid_queries, seed=seed)
    dev = sample_queries(dev, choice.dev_queries, seed=seed) if dev else None
    _require_queries(train, valid, dev)
    kept = _kept_documents([part for part in (train, valid, dev) if part], data.distractors, seed)
    return Parts(_with(train, kept), _with(valid, kept), _with(dev, kept) if dev else None)


def _dev_split(data: DataSettings) -> Dataset:
    if data.dev == data.split:
        raise UsageError(
            f"{data.folder}: dev = {data.dev!r} is what is trained on: name another split, or a dev_share."
        )
    return load_dataset(data.folder, data.dev)


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


def sample_queries(dataset: Dataset, count: int | None, *, seed: int) -> Dataset:
    """The data set with `count` of its queries, chosen by a hash of their ids: the same ones whatever their order."""
    if count is None or count >= len(dataset.queries):
        return dataset
    chosen = set(_sample(dataset.queries, count, seed))
    return replace(
        dataset,
        queries={query_id: query for query_id, query in dataset.queries.items() if query_id in chosen},
        qrels={query_id: relevant for query_id, relevant in dataset.qrels.items() if query_id in chosen},
    )


def _kept_documents(parts: Iterable[Dataset], distractors: int | None, seed: int) -> set[str] | None:
    """The documents that stay: all (None), or the relevant ones with those of the same titles, and a sample of others.

    The answers about one disease are what is hard to tell apart: without them the small corpus would be an easy one.
    """
    if distractors is None:
        return None
    parts = list(parts)
    documents = parts[0].documents
    relevant = {doc_id for part in parts for docs in part.qrels.values() for doc_id in docs}
    titles = {documents[doc_id].title for doc_id in relevant} - {""}
    kept = relevant | {doc_id for doc_id, document in documents.items() if document.title in titles}
    return kept | set(_sample((doc_id for doc_id in documents if doc_id not in kept), distractors, seed))


def _with(dataset: Dataset, kept: set[str] | None) -> Dataset:
    if kept is None:
        return dataset
    documents = {doc_id: document for doc_id, document in dataset.documents.items() if doc_id in kept}
    return replace(dataset, documents=documents)


def _sample(ids: Iterable[str], count: int, seed: int) -> list[str]:
    return sorted(ids, key=lambda one: hashlib.sha256(f"{seed}:{one}".encode()).digest())[:count]


def relevant_documents(parts: Iterable[Dataset]) -> Mapping[tuple[str, str], set[str]]:
    """The relevant doc_ids of each (data set, query_id)."""
    return {(part.name, query_id): set(docs) for part in parts for query_id, docs in part.qrels.items()}
