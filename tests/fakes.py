"""Stand-ins for the four seams that a test can follow by hand. Every word has a vector of its own; see `VECTORS`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from osler.index.filters import filter_columns
from osler.index.names import author_query, journal_query
from osler.index.states import Described, effective_metadata
from osler.late_interaction.ragged import concatenate, divide
from osler.late_interaction.token_vectors import quantise
from osler.protocols import Encoder, Reranker
from osler.records import (
    Candidate,
    Document,
    DocumentVersion,
    EncodedDocument,
    Filter,
    Metadata,
    Passage,
    Section,
    TokenSpans,
    TokenVectors,
    Vector,
    Vectors,
    is_retracted,
)
from osler.text.identifiers import (
    Identifier,
    doc_id_spellings,
    identifiers_of,
    parse_identifier,
    without_position,
)
from osler.text.matching import fold

VECTORS = {
    "heart": (1, 0, 0, 0, 0, 0),
    "cardiac": (0.8, 0, 0, 0.6, 0, 0),  # 0.8 to heart
    "fluid": (0, 1, 0, 0, 0, 0),
    "effusion": (0, 0.8, 0, 0, 0.6, 0),  # 0.8 to fluid, 0 to cardiac
    "lung": (0, 0, 1, 0, 0, 0),
}
"""Unit vectors of the words that the fakes know."""

UNKNOWN = (0, 0, 0, 0, 0, 1)
"""The vector of every other word: equal to any other unknown word, 0 to those that are known."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of the text begin and end: the fakes' tokens. Punctuation is none."""
    return [match.span() for match in re.finditer(r"\w+", text)]


def word_vectors(text: str) -> Vectors:
    """[T, 6], one row a word."""
    words = [text[start:end].lower() for start, end in word_spans(text)]
    return np.array([VECTORS.get(word, UNKNOWN) for word in words], dtype=np.float32).reshape(-1, len(UNKNOWN))


class FakeEncoder:
    """The unit vector in the direction of the sum of the words' vectors; title and heading count as text."""

    fingerprint = "fake-encoder"

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        sums = np.array([word_vectors(query).sum(axis=0) for query in queries], dtype=np.float32)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.where(lengths > 0, sums / np.maximum(lengths, 1e-9), np.float32(UNKNOWN))

    def encode_passages(self, passages: Sequence[Passage]) -> Vectors:
        return self.encode_queries([f"{passage.title} {passage.heading} {passage.text}" for passage in passages])


class FakeReranker:
    """One vector a word, first those of title and heading.

    `encoded` and `tokenized` list the passages whose vectors and whose spans it was asked for.
    """

    fingerprint = "fake-reranker"

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.tokenized: list[str] = []

    def encode_queries(self, queries: Sequence[str]) -> list[Vectors]:
        return [word_vectors(query) for query in queries]

    def encode_passages(self, passages: Sequence[Passage]) -> TokenVectors:
        self.encoded += [passage.passage_id for passage in passages]
        vectors = [word_vectors(f"{_head(passage)} {passage.text}") for passage in passages]
        return quantise(np.concatenate(vectors), [len(rows) for rows in vectors])

    def token_spans(self, passages: Sequence[Passage]) -> list[np.ndarray]:
        self.tokenized += [passage.passage_id for passage in passages]
        heads = [[(-1, -1)] * len(word_spans(_head(passage))) for passage in passages]
        spans = [head + word_spans(passage.text) for head, passage in zip(heads, passages, strict=True)]
        return [np.array(rows, dtype=np.int64).reshape(-1, 2) for rows in spans]


class FakeIndex:
    """A `PassageIndex` in memory that looks at every passage; `asked` lists what its snapshots were asked for."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self._version = 0
        self._given: dict[str, EncodedDocument] = {}
        self._documents: dict[str, EncodedDocument] = {}  # with what they state of each other

    def fingerprints(self, doc_ids: Sequence[str]) -> dict[str, DocumentVersion]:
        known = {doc_id: self._given[doc_id].document for doc_id in doc_ids if doc_id in self._given}
        return {doc_id: DocumentVersion(document.fingerprint, document.version) for doc_id, document in known.items()}

    def upsert(self, documents: Sequence[EncodedDocument]) -> None:
        given: dict[str, EncodedDocument] = {}
        for encoded in documents:
            if given.setdefault(doc_id := encoded.document.doc_id, encoded) is not encoded:
                raise ValueError(f"Two documents of one call have the same id, {doc_id}: give one of them.")
        if not all(map(_is_whole, documents)):
            raise ValueError("The passages of a document do not make up its text.")
        with_tokens = {encoded.token_vectors is not None for encoded in (*self._given.values(), *documents)}
        if len(with_tokens) > 1:
            raise ValueError("Some documents have token vectors and others have none.")
        self._hold(self._given | given)

    def delete(self, doc_ids: Sequence[str]) -> int:
        ids = {doc_id: identifiers_of(doc_id, one.document.identifiers) for doc_id, one in self._given.items()}
        gone = {doc_id for doc_id in ids if {doc_id, f"PMID:{ids[doc_id].get('pmid')}"} & set(doc_ids)}
        self._hold({doc_id: encoded for doc_id, encoded in self._given.items() if doc_id not in gone})
        return len(gone)

    def snapshot(self) -> FakeSnapshot:
        return FakeSnapshot(self._version, self._documents, self.asked)

    def _hold(self, given: dict[str, EncodedDocument]) -> None:
        self._given = given
        holds = effective_metadata([Described.of(encoded.document) for encoded in given.values()])
        self._documents = {doc_id: _with_metadata(encoded, holds[doc_id]) for doc_id, encoded in given.items()}
        self._version += 1


@dataclass(frozen=True)
class FakeSnapshot:
    """The documents of a `FakeIndex` at one version."""

    version: int
    documents: Mapping[str, EncodedDocument]
    asked: list[object]

    def nearest(self, vector: Vector, *, k: int, where: Filter) -> list[Candidate]:
        scores = {
            passage.passage_id: float(row @ vector)
            for encoded in self.documents.values()
            for passage, row in zip(encoded.passages, encoded.vectors, strict=True)
            if matches(passage.metadata, where)
        }
        self.asked.append(("nearest", k))
        return _best(scores, k)

    def lexical(self, query: str, *, k: int, where: Filter) -> list[Candidate]:
        """The score is the number of the query's words that the passage has."""
        words = set(re.findall(r"\w+", fold(query).lower()))
        scores = {
            passage.passage_id: float(len(words & _words(passage)))
            for encoded in self.documents.values()
            for passage in encoded.passages
            if matches(passage.metadata, where)
        }
        self.asked.append(("lexical", k))
        return _best({passage_id: score for passage_id, score in scores.items() if score}, k)

    def read(self, passage_ids: Sequence[str]) -> FakePassages:
        stored = {row.passage.passage_id: row for encoded in self.documents.values() for row in _rows(encoded)}
        found = tuple(stored[passage_id] for passage_id in passage_ids if passage_id in stored)
        return FakePassages(found, self.asked)

    def document(self, doc_id: str) -> Document | None:
        encoded = self.documents.get(doc_id)
        return encoded.document if encoded else None

    def find_documents(self, names: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in names:
            exact = [one for one in doc_id_spellings(name) if one in self.documents][:1]
            wanted = parse_identifier(without_position(name))
            others = [doc_id for doc_id in sorted(self.documents) if wanted in self._ids(doc_id)]
            if exact or others:
                found[name] = list(dict.fromkeys(exact + others))
        return found

    def passage_ids(self, doc_ids: Sequence[str], *, where: Filter) -> list[str]:
        passages = [one for doc_id in doc_ids if doc_id in self.documents for one in self.documents[doc_id].passages]
        return [passage.passage_id for passage in passages if matches(passage.metadata, where)]

    def _ids(self, doc_id: str) -> set[Identifier]:
        return set(Described.of(self.documents[doc_id].document).ids)


class FakeRow(NamedTuple):
    """A stored passage."""

    passage: Passage
    vector: Vector
    token_vectors: TokenVectors | None
    token_spans: TokenSpans | None


@dataclass(frozen=True)
class FakePassages:
    """`StoredPassages`; asked is told of each part that is read, and of how many passages."""

    rows: tuple[FakeRow, ...]
    asked: list[object]

    @property
    def passage_ids(self) -> list[str]:
        return [row.passage.passage_id for row in self.rows]

    @property
    def has_token_vectors(self) -> bool:
        return any(row.token_vectors is not None for row in self.rows)

    @property
    def vectors(self) -> Vectors:
        self.asked.append(("vectors", len(self.rows)))
        return np.array([row.vector for row in self.rows], np.float32).reshape(len(self.rows), -1 if self.rows else 6)

    @property
    def token_vectors(self) -> TokenVectors:
        self.asked.append(("token_vectors", len(self.rows)))
        if not self.rows:
            return quantise(np.empty((0, 8), np.float32), [])
        return concatenate([row.token_vectors for row in self.rows])

    @property
    def token_spans(self) -> list[TokenSpans] | None:
        spans = [row.token_spans for row in self.rows]
        return None if any(one is None for one in spans) else spans

    @property
    def passages(self) -> list[Passage]:
        self.asked.append(("passages", len(self.rows)))
        return [row.passage for row in self.rows]

    def take(self, numbers: Sequence[int]) -> FakePassages:
        return FakePassages(tuple(self.rows[number] for number in numbers), self.asked)


def encoded_document(document: Document, encoder: Encoder, reranker: Reranker | None) -> EncodedDocument:
    """The document as an index takes it, one passage a section."""
    passages = [
        Passage(
            passage_id=f"{document.doc_id}#{position}",
            doc_id=document.doc_id,
            title=document.title,
            text=section.text,
            start=start,
            end=end,
            heading=section.heading,
            metadata=document.metadata,
        )
        for position, (section, (start, end)) in enumerate(zip(document.sections, document.section_spans, strict=True))
    ]
    token_vectors = tuple(divide(reranker.encode_passages(passages))) if reranker else None
    spans = tuple(reranker.token_spans(passages)) if reranker else None
    return EncodedDocument(document, tuple(passages), encoder.encode_passages(passages), token_vectors, spans)


def fake_index(texts: Mapping[str, str], *, token_vectors: bool = True) -> FakeIndex:
    """An index of documents without title that have this text, one passage each: "a" becomes passage "a#0"."""
    index = FakeIndex()
    reranker = FakeReranker() if token_vectors else None
    documents = [Document(doc_id, "", (Section("", text),)) for doc_id, text in texts.items()]
    index.upsert([encoded_document(document, FakeEncoder(), reranker) for document in documents])
    return index


def matches(metadata: Mapping[str, object], where: Filter) -> bool:
    """Whether a passage with this metadata passes the filter."""
    found = re.search(r"\d{4}", str(metadata.get("year")))
    year = int(found[0]) if found else None
    return (
        (where.include_retracted or not is_retracted(metadata))
        and (where.year_from is None or (year is not None and year >= where.year_from))
        and (where.year_to is None or (year is not None and year <= where.year_to))
        and _any_of(metadata.get("publication_types"), where.publication_types)
        and _any_of(metadata.get("language"), where.languages)
        and _any_of(metadata.get("mesh"), where.mesh)
        and _is_journal(metadata, where.journals)
        and _has_author(metadata, where.authors)
    )


def _any_of(given: object, wanted: Sequence[str]) -> bool:
    """Whether one of the given values is wanted, whatever its case and the space around it."""
    values = given if isinstance(given, (list, tuple)) else [given]
    texts = {str(value).strip().casefold() for value in values if value is not None} - {""}
    return not wanted or not texts.isdisjoint(value.strip().casefold() for value in wanted)


def _words(passage: Passage) -> set[str]:
    return set(re.findall(r"\w+", fold(f"{_head(passage)} {passage.text}").lower()))


def _is_journal(metadata: Mapping[str, object], wanted: Sequence[str]) -> bool:
    names = filter_columns(metadata)["journal"]
    return not wanted or any(key in names for name in wanted for key in journal_query(name))


def _has_author(metadata: Mapping[str, object], wanted: Sequence[str]) -> bool:
    names = filter_columns(metadata)["authors"] or ""
    return not wanted or any(part in names for name in wanted for part in author_query(name))


def _head(passage: Passage) -> str:
    return f"{passage.title} {passage.heading}".strip()


def _with_metadata(encoded: EncodedDocument, metadata: Metadata) -> EncodedDocument:
    if metadata == encoded.document.metadata:
        return encoded
    passages = tuple(replace(passage, metadata=metadata) for passage in encoded.passages)
    return replace(encoded, document=replace(encoded.document, metadata=metadata), passages=passages)


def _is_whole(encoded: EncodedDocument) -> bool:
    """Whether the passages, with the space between them, are the document's text."""
    text, passages = encoded.document.text, encoded.passages
    ends = [0, *(passage.end for passage in passages)]
    between = [text[end:start] for end, start in zip(ends, [*(one.start for one in passages), len(text)], strict=True)]
    return not "".join(between).strip() and all(one.text == text[one.start : one.end] for one in passages)


def _rows(encoded: EncodedDocument) -> list[FakeRow]:
    nothing = [None] * len(encoded.passages)
    tokens, spans = encoded.token_vectors or nothing, encoded.token_spans or nothing
    return [FakeRow(*row) for row in zip(encoded.passages, encoded.vectors, tokens, spans, strict=True)]


def _best(scores: Mapping[str, float], k: int) -> list[Candidate]:
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [Candidate(passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, start=1)]
