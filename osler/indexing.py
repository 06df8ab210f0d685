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

import numpy as np

from osler.encoding import Encode, EncodedPassages, encode_in_slices
from osler.late_interaction.ragged import divide
from osler.protocols import PassageIndex
from osler.records import (
    Damage,
    Deletion,
    Document,
    DocumentVersion,
    EncodedDocument,
    Entry,
    Passage,
)
from osler.storable import checked, damage

Split = Callable[[Document], Sequence[Passage]]

_LOOK_AHEAD = 512
"""Entries read at once, so that one look-up in the index serves many documents."""

_DAMAGES_KEPT = 100

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
    run = _Run(index, split, encode, commit_passages, on_progress or _ignore)
    stream = iter(entries)
    while ahead := list(islice(stream, _LOOK_AHEAD)):
        run.take_in([checked(entry) for entry in ahead])
    run.commit()
    return run.report()


def _ignore(report: IndexingReport) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class _Run:
    """The state of one run: the counts so far, and what waits for the next commit.

    Of the documents at hand, `stored` holds the versions that are in the index, `known` those that will be there after
    the next commit.
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
    known: dict[str, DocumentVersion] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def report(self) -> IndexingReport:
        seconds = time.perf_counter() - self.started
        waiting = self.waiting_passages
        return IndexingReport(**self.counts, waiting=waiting, damages=tuple(self.damages), seconds=seconds)

    def take_in(self, entries: Sequence[Entry]) -> None:
        doc_ids = {entry.doc_id for entry in entries if isinstance(entry, Document)}
        self.stored = self.index.fingerprints(sorted(doc_ids))
        self.known = self.stored | {doc_id: _version_of(one.document) for doc_id, one in self.waiting.items()}
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
                self.known.pop(doc_id, None)
            self.deletions.clear()
        if self.waiting:
            self.index.upsert(_encoded(list(self.waiting.values()), self._encode_and_count))
            self.waiting.clear()
            self.waiting_passages = 0
        self.stored = dict(self.known)

    def _take_document(self, document: Document) -> None:
        if document.doc_id in self.deletions:  # taken back, then published again: in this order
            self.commit()
        new, known = _version_of(document), self.known.get(document.doc_id)
        if known and new.fingerprint == known.fingerprint:
            self.counts["unchanged"] += 1
        elif known and new.version < known.version:
            self.counts["outdated"] += 1
        elif self.stored.get(document.doc_id) == new:
            self._withdraw(document.doc_id)
        else:
            if len(document.text) > _LONG:
                self.commit()
            self._put_in_line(document, tuple(self.split(document)))

    def _withdraw(self, doc_id: str) -> None:
        """Write nothing under this id: what is stored came after what waits, as in a source that is indexed again."""
        gone = self.waiting.pop(doc_id)
        self.waiting_passages -= len(gone.passages)
        self.known[doc_id] = self.stored[doc_id]
        self.counts.update(documents=-gone.documents, replaced=-gone.documents, outdated=gone.documents, unchanged=1)

    def _put_in_line(self, document: Document, passages: tuple[Passage, ...]) -> None:
        if not passages:
            self._skip(damage(document, "the splitter found no passage in it"))
            return
        doc_id = document.doc_id
        self.counts.update(documents=1, replaced=int(doc_id in self.known))
        self.known[doc_id] = _version_of(document)
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
        if len(self.damages) < _DAMAGES_KEPT:
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
    passages = [passage for one in waiting for passage in one.passages]
    encoded = encode_in_slices(passages, encode)
    counts = [len(one.passages) for one in waiting]
    nothing, spans = [None] * len(waiting), iter(encoded.token_spans or ())
    vectors_of = np.split(encoded.vectors, np.cumsum(counts)[:-1])
    tokens_of = nothing if encoded.token_vectors is None else divide(encoded.token_vectors, counts)
    spans_of = nothing if encoded.token_spans is None else [tuple(islice(spans, count)) for count in counts]
    return [
        EncodedDocument(one.document, one.passages, *arrays)
        for one, arrays in zip(waiting, zip(vectors_of, tokens_of, spans_of, strict=True), strict=True)
    ]
