"""What a model is trained on: examples, the lines they are written as, and the data sets that they come from.

The queries of a data set are split into three: train gives gradients; with valid, checkpoints and weights are chosen;
dev is reported once, at the end. No document has queries in two of them.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from osler.datasets import Dataset, disjoint_from, load_dataset, sample_queries, split_names, split_queries
from osler.datasets.splits import sample_ids
from osler.errors import CorpusError, UsageError
from osler.models.bi_encoder import passage_input
from osler.records import Passage
from osler.train.settings import ChoiceSettings, DataSettings, RecipeSettings

Relevant = Mapping[tuple[str, str], Set[str]]
"""The doc_ids that are relevant to each (data set, query_id)."""

# Of the training queries, where the recipe says nothing and there is no dev split.
_DEV_SHARE: Final = 0.1

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # some editors put it there
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage as the models read it (title, heading, text), with what the mining retriever gave it.

    score and rank are those of the retriever that found it: 0.0 and 0 where none did.
    """

    passage_id: str
    text: str
    score: float = 0.0
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A query of a data set with one positive, and with negatives where some were mined.

    group: examples of one group come into one batch, as far as they fit; empty: none.
    """

    dataset: str
    query_id: str
    query: str
    positive: TrainingPassage
    negatives: tuple[TrainingPassage, ...] = ()
    group: str = ""

    @property
    def texts(self) -> list[str]:
        """Its passages, the positive first."""
        return [self.positive.text, *(negative.text for negative in self.negatives)]


def training_passage(passage: Passage) -> TrainingPassage:
    """The passage as the models read it.

    >>> training_passage(Passage("a#0", "a", "Anaemia", "Too few red cells.", 0, 18)).text
    'Anaemia\\nToo few red cells.'
    """
    return TrainingPassage(passage.passage_id, passage_input(passage))


def pairs(
    dataset: Dataset,
    passages: Mapping[str, Sequence[Passage]],
    *,
    positives: int,
    limit: int | None = None,
    seed: int,
) -> list[Example]:
    """An example for every query and each of up to `positives` of its relevant documents, at most `limit` in all.

    passages: those of every document, by doc_id; a document speaks through its first one. Where not all fit, every
    query gets its first positive before any gets a second one.
    """
    rounds: list[list[Example]] = [[] for _ in range(positives)]
    for query_id in sorted(dataset.queries):
        relevant = sorted(dataset.qrels[query_id])
        # seeded by the query, so that another query more or less changes nothing here
        chosen = random.Random(f"{seed}:{query_id}").sample(relevant, min(positives, len(relevant)))
        for number, doc_id in enumerate(chosen):
            positive = training_passage(passages[doc_id][0])
            rounds[number].append(Example(dataset.name, query_id, dataset.queries[query_id].text, positive))
    for examples in rounds:
        random.Random(seed).shuffle(examples)
    return [example for examples in rounds for example in examples][:limit]


def examples_of(dataset: str, examples: Sequence[Example]) -> list[Example]:
    """Those of the data set of this name, in their order."""
    return [example for example in examples if example.dataset == dataset]


def with_siblings(examples: Sequence[Example], dataset: Dataset) -> list[Example]:
    """The examples in groups by the title of their positive's document: one disease, several questions about it.

    >>> from osler.records import Document
    >>> gout = Dataset("tiny", "train", {"a": Document("a", "Gout", ())}, {}, {}, "")
    >>> with_siblings([Example("tiny", "q", "What is gout?", TrainingPassage("a#0", "Gout"))], gout)[0].group
    'gout'
    """
    titles = {doc_id: " ".join(document.title.casefold().split()) for doc_id, document in dataset.documents.items()}
    return [replace(example, group=titles[example.positive.passage_id.rpartition("#")[0]]) for example in examples]


def titles_as_queries(
    dataset: Dataset, passages: Mapping[str, Sequence[Passage]], *, count: int, seed: int
) -> list[Example]:
    """An example for each of `count` documents with a title: the title as the query, the text as its positive.

    The positive is without its title, which would give it away.
    """
    titled = sorted(doc_id for doc_id, document in dataset.documents.items() if document.title and document.text)
    chosen = random.Random(seed).sample(titled, min(count, len(titled)))
    return [
        Example(
            dataset.name,
            f"title {passage.doc_id}",
            passage.title,
            TrainingPassage(passage.passage_id, passage_input(replace(passage, title=""))),
        )
        for passage in (passages[doc_id][0] for doc_id in chosen)
    ]


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write the examples, one a line; the file is there whole or not at all."""
    write_records(path, examples, Example)


def read_examples(path: Path) -> list[Example]:
    """The examples of the file; CorpusError that names the line where one is damaged."""
    return list(read_records(path, Example))


def write_records(path: Path, records: Iterable[_T], kind: type[_T]) -> None:
    """Write the records, all of this kind, one a line; the file is there whole or not at all."""
    adapter = TypeAdapter(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(adapter.dump_json(record) + b"\n" for record in records)
        unfinished.chmod(0o644)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_records(path: Path, kind: type[_T]) -> Iterator[_T]:
    """The records of the file in their order, blank lines passed over.

    CorpusError where the file is not there, or names the line that holds no such record.
    """
    adapter = TypeAdapter(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line := line.removeprefix(_BYTE_ORDER_MARK).strip():
                    try:
                        yield adapter.validate_json(line)
                    except ValidationError as error:
                        raise CorpusError(
                            f"{path}, line {number}: {_problem(error)}; mend the line, or make the file again."
                        ) from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); name a file of JSON lines.") from error


def _problem(error: ValidationError) -> str:
    problem: Any = error.errors()[0]
    if problem["type"] == "json_invalid":
        return "not JSON"
    name = ".".join(map(str, problem["loc"])) or "the line"
    value = "" if problem["type"] == "missing" else f" ({problem['input']!r:.60})"
    return f"{name}{value}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


@dataclass(frozen=True, slots=True)
class DatasetSplits:
    """One data set in its three splits, which share one corpus; dev is None where the recipe names none."""

    train: Dataset
    valid: Dataset
    dev: Dataset | None

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.train.name


def load_splits(recipe: RecipeSettings) -> list[DatasetSplits]:
    """The data sets of the recipe, each split; all of them are read and checked before any training starts."""
    if not recipe.data:
        raise UsageError("The recipe names no data: add --data DIR, or a [[data]] table with its folder.")
    datasets = [_splits_of(data, recipe.choice, recipe.seed) for data in recipe.data]
    names = [dataset.name for dataset in datasets]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"Two data sets are called {twice.pop()!r}: rename a folder, or name it once.")
    return datasets


def relevant_documents(datasets: Iterable[Dataset]) -> Mapping[tuple[str, str], set[str]]:
    """The relevant doc_ids of each (data set, query_id)."""
    return {(dataset.name, query_id): set(docs) for dataset in datasets for query_id, docs in dataset.qrels.items()}


def _splits_of(data: DataSettings, choice: ChoiceSettings, seed: int) -> DatasetSplits:
    # Dev goes first, so that it stays the same whatever valid takes.
    learned, dev = _without_dev(data, seed)
    train, valid = split_queries(learned, choice.valid_share, seed=seed, name="valid")
    if data.queries is not None and data.queries < len(train.queries):
        # Those about one document or title stay together, since they make hard negatives.
        _, train = split_queries(train, data.queries / len(train.queries), seed=seed, name=train.split)
    valid = sample_queries(valid, choice.valid_queries, seed=seed)
    dev = sample_queries(dev, choice.dev_queries, seed=seed) if dev else None
    splits = [split for split in (train, valid, dev) if split]
    for split in splits:
        if len(split.queries) < 2:
            raise UsageError(
                f"{split.name}: {len(split.queries)} queries are left for {split.split}, two are needed: "
                "change choice.valid_share or dev_share, or use a larger data set."
            )
    if data.distractors is None:
        return DatasetSplits(train, valid, dev)
    doc_ids = _smaller_corpus(splits, data.distractors, seed)
    documents = {doc_id: document for doc_id, document in train.documents.items() if doc_id in doc_ids}
    train, valid = replace(train, documents=documents), replace(valid, documents=documents)
    return DatasetSplits(train, valid, replace(dev, documents=documents) if dev else None)


def _without_dev(data: DataSettings, seed: int) -> tuple[Dataset, Dataset | None]:
    """The training split without what is reported on, and that."""
    if data.dev and data.dev_share:
        raise UsageError(f"{data.folder}: dev = {data.dev!r} and dev_share = {data.dev_share}: set one of them.")
    if data.dev and data.dev == data.split:
        raise UsageError(
            f"{data.folder}: dev = {data.dev!r} is what is trained on: name another split, or a dev_share."
        )
    whole, name = load_dataset(data.folder, data.split), data.dev
    if not name and data.dev_share is None and data.split != "dev" and "dev" in split_names(data.folder):
        name = "dev"
    if name:
        dev = load_dataset(data.folder, name)
        return disjoint_from(whole, dev), dev
    share = _DEV_SHARE if data.dev_share is None else data.dev_share
    return split_queries(whole, share, seed=seed, name="dev") if share else (whole, None)


def _smaller_corpus(splits: Sequence[Dataset], distractors: int, seed: int) -> set[str]:
    """The documents that stay: the relevant ones with those of the same titles, and a sample of the others.

    The answers about one disease are what is hard to tell apart: without them the small corpus would be an easy one.
    """
    documents = splits[0].documents
    relevant = {doc_id for split in splits for doc_id in split.relevant_ids}
    titles = {documents[doc_id].title for doc_id in relevant} - {""}
    doc_ids = relevant | {doc_id for doc_id, document in documents.items() if document.title in titles}
    return doc_ids | set(sample_ids((doc_id for doc_id in documents if doc_id not in doc_ids), distractors, seed))
