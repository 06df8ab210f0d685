"""The building stage: entries are read, split, encoded and written, a commit at a time. Knows no torch, no database.

It streams: what waits in memory is one look-ahead of documents and one commit of passages. Every commit is whole, so a
run that is stopped at any point is resumed by the same call: documents stored with equal content are passed over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from osler.protocols import PassageIndex
from osler.records import (
    Damage,
    Deletion,
    Document,
    DocumentVersion,
    EncodedDocument,
    Entry,
    Passage,
    TokenSpans,
    TokenVectors,
    Vectors,
)
from osler.storable import checked, damage

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class EncodedPassages:
    """What the models make of P passages.

    vectors [P, d]; token_vectors and token_spans: those of each passage, None where the index keeps none.
    """

    vectors: Vectors
    token_vectors: Sequence[TokenVectors] | None = None
    token_spans: Sequence[TokenSpans] | None = None


Split = Callable[[Document], Sequence[Passage]]
Encode = Callable[[Sequence[Passage]], EncodedPassages]

_LOOK_AHEAD = 512
"""Entries read at once, so that one look-up in the index serves many documents."""

_SLICE = 256
"""Passages encoded at once: some seconds on a CPU, so that progress moves, and enough to calibrate a network on."""

_MOST_DAMAGES = 100

_LONG = 1_000_000
"""Characters of a document from which on those before it are committed first: it needs much memory, and may fail."""


@dataclass(frozen=True, slots=True)
class IndexingReport:
    """What a run did, or has done so far.

    documents: new or changed ones;
    passages: theirs that are encoded (and, once the run has ended, written);
    waiting: theirs that are not encoded yet (0 once the run has ended);
    unchanged: documents stored with equal content;
    replaced: those of `documents` that took the place of one with the same id, stored before or read earlier;
    outdated: of a lower version than another with the same id, or followed in the source by what is stored;
    deleted: taken back by their publisher;
    skipped: damaged or empty, the first 100 of them with the reason in `damages`.

    >>> report = IndexingReport(documents=3, passages=5, replaced=1, seconds=2.0)
    >>> report.added, report.passages_per_second
    (2, 2.5)
    """

    documents: int = 0
    passages: int = 0
    waiting: int = 0
    unchanged: int = 0
    replaced: int = 0
    outdated: int = 0
    deleted: int = 0
    skipped: int = 0
    damages: tuple[Damage, ...] = ()
    seconds: float = 0.0

    @property
    def added(self) -> int:
        """Documents whose id was not there before."""
        return self.documents - self.replaced

    @property
    def passages_per_second(self) -> float:
        """Passages encoded a second of the whole run."""
        return self.passages / self.seconds if self.seconds > 0 else 0.0


def index_documents(
    entries: Iterable[Entry],
    index: PassageIndex,
    *,
    split: Split,
    encode: Encode,
    commit_passages: int,
    on_progress: Callable[[IndexingReport], None] | None = None,
) -> IndexingReport:
    """What became of the entries, once every document among them is stored in the index.

    Of documents with one id the highest version wins, of equal versions the last. Deletions take effect in the order
    of the entries. A commit is made when `commit_passages` passages wait; a document is never divided over two.
    `on_progress` is called every few seconds. Call `index.optimise()` afterwards.
    """
    run = _Run(index, split, encode, commit_passages, on_progress or (lambda report: None))
    stream = iter(entries)
    while ahead := list(islice(stream, _LOOK_AHEAD)):
        run.take_in([checked(entry) for entry in ahead])
    run.commit()
    return run.report()


@dataclass(slots=True)
class _Run:
    """The state of one run: the counts so far, and what waits for the next commit.

    Of the documents at hand, `stored` holds the versions that are in the index, `upcoming` those that will be there
    after the next commit.
    """

    index: PassageIndex
    split: Split
    encode: Encode
    commit_passages: int
    on_progress: Callable[[IndexingReport], None]
    counts: Counter[str] = field(default_factory=Counter)
    damages: list[Damage] = field(default_factory=list)
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    waiting_passages: int = 0
    deletions: set[str] = field(default_factory=set)
    stored: dict[str, DocumentVersion] = field(default_factory=dict)
    upcoming: dict[str, DocumentVersion] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def report(self) -> IndexingReport:
        seconds = time.perf_counter() - self.started
        waiting = self.waiting_passages
        return IndexingReport(**self.counts, waiting=waiting, damages=tuple(self.damages), seconds=seconds)

    def take_in(self, entries: Sequence[Entry]) -> None:
        doc_ids = {entry.doc_id for entry in entries if isinstance(entry, Document)}
        self.stored = self.index.fingerprints(sorted(doc_ids))
        self.upcoming = self.stored | {doc_id: _version_of(last.document) for doc_id, last in self.waiting.items()}
        for entry in entries:
            if isinstance(entry, Document):
                self._take_document(entry)
            elif isinstance(entry, Deletion):
                self._take_deletion(entry.doc_id)
            else:
                self._skip(entry)
        self.on_progress(self.report())

    def commit(self) -> None:
        """Write what waits; nothing waits afterwards."""
        if self.deletions:
            self.counts["deleted"] += self.index.delete(sorted(self.deletions))
            for doc_id in self.deletions:
                self.upcoming.pop(doc_id, None)
            self.deletions.clear()
        if self.waiting:
            self.index.upsert(_encoded(list(self.waiting.values()), self._encode_and_count))
            self.waiting.clear()
            self.waiting_passages = 0
        self.stored = dict(self.upcoming)

    def _take_document(self, document: Document) -> None:
        if document.doc_id in self.deletions:  # taken back, then published again: in this order
            self.commit()
        new, upcoming = _version_of(document), self.upcoming.get(document.doc_id)
        if upcoming and new.fingerprint == upcoming.fingerprint:
            self.counts["unchanged"] += 1
        elif upcoming and new.version < upcoming.version:
            self.counts["outdated"] += 1
        elif self.stored.get(document.doc_id) == new:
            self._dequeue(document.doc_id)
        else:
            if len(document.text) > _LONG:
                self.commit()
            self._enqueue(document, tuple(self.split(document)))

    def _dequeue(self, doc_id: str) -> None:
        """Write nothing under this id: what is stored came after what waits, as in a source that is indexed again."""
        gone = self.waiting.pop(doc_id)
        self.waiting_passages -= len(gone.passages)
        self.upcoming[doc_id] = self.stored[doc_id]
        self.counts.update(documents=-gone.documents, replaced=-gone.documents, outdated=gone.documents, unchanged=1)

    def _enqueue(self, document: Document, passages: tuple[Passage, ...]) -> None:
        if not passages:
            self._skip(damage(document, "the splitter found no passage in it"))
            return
        doc_id = document.doc_id
        self.counts.update(documents=1, replaced=int(doc_id in self.upcoming))
        self.upcoming[doc_id] = _version_of(document)
        before = self.waiting.pop(doc_id, _Waiting(document, (), 0))
        self.waiting[doc_id] = _Waiting(document, passages, before.documents + 1)
        self.waiting_passages += len(passages) - len(before.passages)
        if self.waiting_passages >= self.commit_passages:
            self.commit()

    def _take_deletion(self, doc_id: str) -> None:
        if self.waiting or len(self.deletions) >= self.commit_passages:
            self.commit()
        self.deletions.add(doc_id)

    def _skip(self, damage: Damage) -> None:
        self.counts["skipped"] += 1
        if len(self.damages) < _MOST_DAMAGES:
            self.damages.append(damage)

    def _encode_and_count(self, passages: Sequence[Passage]) -> EncodedPassages:
        encoded = self.encode(passages)
        self.counts["passages"] += len(passages)
        self.waiting_passages -= len(passages)
        self.on_progress(self.report())
        return encoded


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The last of the `documents` that came under one id since the last commit, with its passages."""

    document: Document
    passages: tuple[Passage, ...]
    documents: int


def _version_of(document: Document) -> DocumentVersion:
    return DocumentVersion(document.fingerprint, document.version)


def _encoded(waiting: Sequence[_Waiting], encode: Encode) -> list[EncodedDocument]:
    """The documents that wait, with the vectors of their passages, which are encoded in slices of about equal length.

    A batch is as slow as its longest passage, so those of about equal length are encoded together.
    """
    passages = [passage for document in waiting for passage in document.passages]
    order = _encoding_order([len(passage.title) + len(passage.heading) + len(passage.text) for passage in passages])
    slices = [order[start : start + _SLICE] for start in range(0, len(order), _SLICE)]
    parts = [encode([passages[number] for number in numbers]) for numbers in slices]
    back = np.argsort(order)
    vectors = np.concatenate([part.vectors for part in parts])[back]
    token_vectors = _in_order([part.token_vectors for part in parts], back)
    token_spans = _in_order([part.token_spans for part in parts], back)
    documents, start = [], 0
    for last in waiting:
        own = slice(start, start + len(last.passages))
        tokens = tuple(token_vectors[own]) if token_vectors else None
        spans = tuple(token_spans[own]) if token_spans else None
        documents.append(EncodedDocument(last.document, last.passages, vectors[own], tokens, spans))
        start = own.stop
    return documents


def _encoding_order(lengths: Sequence[int]) -> list[int]:
    """The numbers of the passages as they are encoded: a slice from all of them first, then the others, longest first.

    >>> _encoding_order([5, 9, 7])
    [1, 2, 0]
    """
    by_length = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    sample = by_length[:: max(1, -(-len(lengths) // _SLICE))]
    sampled = set(sample)
    return [*sample, *(number for number in by_length if number not in sampled)]


def _in_order(parts: Sequence[Sequence[_Value] | None], order: NDArray[np.int64]) -> list[_Value]:
    """The values of all parts in this order; none where the parts have none."""
    values = [value for part in parts for value in part or ()]
    return [values[number] for number in order] if values else []
