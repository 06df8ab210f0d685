"""What a training set and an evaluation set have in common: queries, passages, titles, PubMed records. Knows texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from osler.datasets import BUILTIN, Dataset, find_source, load_dataset, parse_name
from osler.datasets.mirage import Benchmark, holds_mirage, load_mirage
from osler.text.identifiers import pubmed_id
from osler.text.matching import Shingles, containment, content_words, equal, jaccard, shingles

NEAR: Final = 0.8
"""Jaccard similarity, or containment, of 5-word shingles from which two texts are nearly equal."""

NEAR_QUERY: Final = 5 / 6
"""Jaccard similarity of content words from which two queries are nearly equal: one may have a word more than five.

A word in the place of another one, as in templated questions of two diseases, is forgiven from eleven words on only.
"""

FEWEST_SHINGLES: Final = 10
"""Fewer in the smaller text and containment says nothing: any text may hold a phrase of a dozen words."""

_NO_WORDS: Final = shingles("")

Kind = Literal["query", "passage", "title", "record"]
_Owners = Mapping[str, tuple[str, ...]]  # the training queries of each training text
_Sides = tuple[Mapping[str, str], Mapping[str, str], _Owners]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A training query, or the text, the title or the PubMed record of a positive, that occurs in the evaluation set.

    similarity: what both texts share as a share of all, 1.0 where the words are the same; containment: as a share of
    the smaller text; None where it says nothing. query_ids: the training queries that it is of, or that are answered
    by it.
    """

    kind: Kind
    train_id: str
    test_id: str
    similarity: float | None
    containment: float | None
    query_ids: tuple[str, ...]

    @property
    def share(self) -> float:
        """The larger of both: what a threshold is held against."""
        return max(self.similarity or 0.0, self.containment or 0.0)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is compared of a data set, by id: its queries, and its relevant documents with titles and PMIDs.

    Documents that are relevant to no query are neither learned from nor looked for.
    """

    queries: Mapping[str, str]
    passages: Mapping[str, str]
    titles: Mapping[str, str]
    pmids: Mapping[str, frozenset[str]]

    @classmethod
    def named(cls, name: str) -> Texts:
        """Those of the data set of this name, or of MIRAGE's benchmark.json."""
        folder, split = parse_name(name)
        if not folder.startswith(BUILTIN):
            source = find_source(folder)
            if holds_mirage(source):
                return cls.of_benchmark(load_mirage(source))
        return cls.of(load_dataset(folder, split))

    @classmethod
    def of(cls, dataset: Dataset) -> Texts:
        """Those of a data set."""
        documents = [dataset.documents[doc_id] for doc_id in dataset.relevant_ids]
        pmids = {
            document.doc_id: pubmed_id(document.doc_id, document.identifiers.get("pmid")) for document in documents
        }
        return cls(
            {query_id: query.text for query_id, query in dataset.queries.items()},
            {document.doc_id: f"{document.title}\n{document.text}" for document in documents},
            {document.doc_id: document.title for document in documents if document.title},
            {doc_id: frozenset({pmid}) for doc_id, pmid in pmids.items() if pmid},
        )

    @classmethod
    def of_benchmark(cls, benchmark: Benchmark) -> Texts:
        """The questions of MIRAGE, and the PMIDs that they rest on, by task/id; it has no passages."""
        questions = {f"{question.task}/{question.question_id}": question for question in benchmark.questions}
        pmids = {name: question.pmids for name, question in questions.items() if question.pmids}
        return cls({name: question.text for name, question in questions.items()}, {}, {}, pmids)


def find_overlaps(train: Dataset, test: Texts) -> dict[Kind, list[Overlap]]:
    """What of a training set occurs in an evaluation set, by kind; a kind that one of both has nothing of is left out.

    Queries are compared with queries, positives with relevant documents, titles of positives with queries, and PMIDs
    of positives with those of the evaluation set. Nearly equal texts are found too, and passages and titles that the
    other text contains. Each training text is listed once, with what resembles it most; one without words resembles
    nothing.
    """
    ours = Texts.of(train)
    queries_of: dict[str, list[str]] = {}
    for query_id, docs in train.qrels.items():
        for doc_id in docs:
            queries_of.setdefault(doc_id, []).append(query_id)
    answered = {doc_id: tuple(query_ids) for doc_id, query_ids in queries_of.items()}
    themselves = {query_id: (query_id,) for query_id in train.queries}
    sides: dict[Kind, _Sides] = {
        "query": (ours.queries, test.queries, themselves),
        "passage": (ours.passages, test.passages, answered),
        "title": (ours.titles, test.queries, answered),
    }
    overlaps = {kind: list(_alike(kind, *side)) for kind, side in sides.items() if side[0] and side[1]}
    if ours.pmids and test.pmids:
        holders = {pmid: test_id for test_id, pmids in test.pmids.items() for pmid in pmids}
        overlaps["record"] = [
            Overlap("record", doc_id, holders[pmid], None, None, answered[doc_id])
            for doc_id, pmids in ours.pmids.items()
            for pmid in pmids & holders.keys()
        ]
    return overlaps


def clean_qrels(train: Dataset, overlaps: Iterable[Overlap]) -> dict[str, dict[str, int]]:
    """The qrels of the training set without the queries that any overlap touches."""
    touched = {query_id for overlap in overlaps for query_id in overlap.query_ids}
    return {query_id: dict(docs) for query_id, docs in train.qrels.items() if query_id not in touched}


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write qrels as BEIR's files hold them."""
    rows = [f"{query_id}\t{doc_id}\t{score}\n" for query_id, docs in qrels.items() for doc_id, score in docs.items()]
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")


def _alike(kind: Kind, train: Mapping[str, str], test: Mapping[str, str], owners: _Owners) -> Iterator[Overlap]:
    """The overlap of each training text that is nearly equal to one of the evaluation set."""
    view, near = (content_words, NEAR_QUERY) if kind == "query" else (shingles, NEAR)
    tested = dict(_compared(test, view))
    holders: dict[int, list[str]] = {}
    for test_id, text in tested.items():
        for part in text.parts:
            holders.setdefault(part, []).append(test_id)
    for train_id, own in _compared(train, view):
        overlaps = []
        for test_id in {test_id for part in own.parts for test_id in holders.get(part, ())}:
            text = tested[test_id]
            # A share of the smaller text says nothing of queries, nor of texts of a dozen words.
            enough = kind != "query" and min(len(own.parts), len(text.parts)) >= FEWEST_SHINGLES
            contained = containment(own, text) if enough else None
            overlaps.append(Overlap(kind, train_id, test_id, jaccard(own, text), contained, owners[train_id]))
        best = max(
            overlaps, key=lambda overlap: (overlap.share, overlap.similarity or 0.0, overlap.test_id), default=None
        )
        if best and best.share >= near:
            yield best


def _compared(texts: Mapping[str, str], view: Callable[[str], Shingles]) -> Iterator[tuple[str, Shingles]]:
    viewed = ((text_id, view(text)) for text_id, text in texts.items())
    return ((text_id, parts) for text_id, parts in viewed if not equal(parts, _NO_WORDS))
