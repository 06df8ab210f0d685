"""Queries divided so that what is learned from some cannot be looked up for the others. Knows no file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from osler.datasets.layouts import Dataset
from osler.records import Document
from osler.text.identifiers import pubmed_id

# What is connected: ("query", query_id), ("document", doc_id), or a title, the digest of a text, a pmid likewise.
_Node = tuple[str, str]

_LARGE = 1 / 4  # of the part: one component must not be most of what is measured


def split_queries(dataset: Dataset, share: float, *, seed: int, name: str) -> tuple[Dataset, Dataset]:
    """(the others, the part): the part holds about `share` of the queries, and its split is called `name`.

    Queries that share a relevant document, or have ones of the same title, text or PMID, stay together: these
    components are taken in the order of a hash of the seed and their smallest query_id, those above a quarter of the
    part last, and only while that brings the part closer to its share. Nothing depends on the order of the queries or
    on other data sets. Both keep the whole corpus.

    >>> from osler.records import Query
    >>> documents = {n: Document(n, title, ()) for n, title in [("1", "Gout"), ("2", "Gout"), ("3", "Mumps")]}
    >>> queries = {n: Query(n, f"query {n}") for n in documents}
    >>> dataset = Dataset("tiny", "train", documents, queries, {n: {n: 1} for n in queries}, "")
    >>> others, part = split_queries(dataset, 0.3, seed=1, name="valid")
    >>> list(others.queries), list(part.queries), part.split, len(part.documents)
    (['1', '2'], ['3'], 'valid', 3)
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, but must be above 0 and below 1")
    order = f"{seed}:{name}"
    chosen = _choose(_components(dataset), share * len(dataset.queries), order)
    left = [query_id for query_id in dataset.queries if query_id not in chosen]
    return _with_queries(dataset, left), replace(_with_queries(dataset, chosen), split=name)


def disjoint_from(dataset: Dataset, other: Dataset) -> Dataset:
    """The data set without the queries whose relevant documents are those of the other's, or siblings of them.

    Two splits of one data set may share articles or titles; what is learned from one could be looked up in the other.
    """
    theirs = {node for doc_id in other.relevant_ids for node in _nodes(other.documents[doc_id])}
    disjoint = [
        query_id
        for query_id in dataset.queries
        if theirs.isdisjoint(node for doc_id in dataset.qrels[query_id] for node in _nodes(dataset.documents[doc_id]))
    ]
    return _with_queries(dataset, disjoint)


def _with_queries(dataset: Dataset, query_ids: Collection[str]) -> Dataset:
    chosen = set(query_ids)
    return replace(
        dataset,
        queries={query_id: query for query_id, query in dataset.queries.items() if query_id in chosen},
        qrels={query_id: relevant for query_id, relevant in dataset.qrels.items() if query_id in chosen},
    )


def _components(dataset: Dataset) -> list[list[str]]:
    """The queries, those together that are connected through their relevant documents."""
    parents: dict[_Node, _Node] = {}
    for query_id in dataset.queries:
        for doc_id in dataset.qrels[query_id]:
            for node in _nodes(dataset.documents[doc_id]):
                parents[_root(parents, node)] = _root(parents, ("query", query_id))
    components: dict[_Node, list[str]] = defaultdict(list)
    for query_id in dataset.queries:
        components[_root(parents, ("query", query_id))].append(query_id)
    return list(components.values())


def _nodes(document: Document) -> Iterator[_Node]:
    """What a document shares with its siblings, and its own id."""
    yield "document", document.doc_id
    title = " ".join(document.title.casefold().split())
    if title:
        yield "title", title
    text = " ".join(document.text.casefold().split())
    if text:
        yield "text", hashlib.sha256(text.encode()).hexdigest()
    if pmid := pubmed_id(document.doc_id, document.identifiers.get("pmid")):
        yield "pmid", pmid


def _root(parents: dict[_Node, _Node], node: _Node) -> _Node:
    """The node that stands for all that `node` is connected with."""
    while parents.setdefault(node, node) != node:
        parents[node] = parents[parents[node]]  # halves the way for the next one
        node = parents[node]
    return node


def _choose(components: Sequence[Sequence[str]], count: float, order: str) -> set[str]:
    """The queries of the components that are taken, `count` of them where sizes allow."""
    large = max(1, count * _LARGE)
    chosen: set[str] = set()

    def position(component: Sequence[str]) -> tuple[bool, bytes]:
        return len(component) > large, hashlib.sha256(f"{order}:{min(component)}".encode()).digest()

    for component in sorted(components, key=position):
        if len(component) < 2 * (count - len(chosen)):
            chosen.update(component)
    return chosen


def sample_queries(dataset: Dataset, count: int | None, *, seed: int) -> Dataset:
    """The data set with `count` of its queries, chosen by a hash of their ids: the same ones whatever their order."""
    if count is None or count >= len(dataset.queries):
        return dataset
    return _with_queries(dataset, sample_ids(dataset.queries, count, seed))


def sample_ids(ids: Iterable[str], count: int, seed: int) -> list[str]:
    """`count` of the ids by a hash of each with the seed: the same ones whatever their order."""
    return sorted(ids, key=lambda entry_id: hashlib.sha256(f"{seed}:{entry_id}".encode()).digest())[:count]
