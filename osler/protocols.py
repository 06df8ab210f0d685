"""The seams of osler, each a Protocol: what a stage needs of a part that can be exchanged. Knows only records.

Encoder, re-ranker, index with its snapshots, and language model. A model may also tell where it stops reading a query
(`CutsQueries`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from osler.records import (
    Candidate,
    Document,
    DocumentVersion,
    EncodedDocument,
    Filter,
    Passage,
    TokenSpans,
    TokenVectors,
    Vector,
    Vectors,
)

Message = Mapping[str, str]
"""One turn of a chat: {"role": "system" | "user" | "assistant", "content": text}."""

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""The number of tokens of each text, without the special tokens that an encoder adds."""


class Encoder(Protocol):
    """A bi-encoder: one vector of unit length per text, so that the dot product is the cosine."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal weights and settings, different otherwise."""
        ...

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """[Q, d], one row a query."""
        ...

    def encode_passages(self, passages: Sequence[Passage]) -> Vectors:
        """[P, d], one row a passage (title and heading included)."""
        ...


class Reranker(Protocol):
    """A ColBERT: one vector of unit length per token."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal weights and settings, different otherwise."""
        ...

    def encode_queries(self, queries: Sequence[str]) -> list[Vectors]:
        """One [q, d] array a query: the tokens that are scored."""
        ...

    def encode_passages(self, passages: Sequence[Passage]) -> TokenVectors:
        """The quantised vectors of the tokens that are scored (skipped ones left out)."""
        ...

    def token_spans(self, passages: Sequence[Passage]) -> list[TokenSpans]:
        """Those of each passage: where in its text the tokens stand that are scored."""
        ...


@runtime_checkable
class CutsQueries(Protocol):
    """An encoder or re-ranker that reads no more than the beginning of a long query."""

    def query_end(self, query: str) -> int | None:
        """How many characters of the query it reads, None where it reads them all."""
        ...


class StoredPassages(Protocol):
    """What an index stores of P passages, in one order; a part is read when it is asked for."""

    @property
    def passage_ids(self) -> Sequence[str]:
        """One a passage."""
        ...

    @property
    def has_token_vectors(self) -> bool:
        """Whether the index keeps token vectors."""
        ...

    @property
    def vectors(self) -> Vectors:
        """[P, d]"""
        ...

    @property
    def token_vectors(self) -> TokenVectors:
        """Those of all passages, one passage after another; ValueError where none are kept."""
        ...

    @property
    def token_spans(self) -> Sequence[TokenSpans] | None:
        """Those that were stored with the token vectors, None where none were."""
        ...

    @property
    def passages(self) -> Sequence[Passage]:
        """The passages themselves."""
        ...

    def take(self, numbers: Sequence[int]) -> StoredPassages:
        """The passages of these numbers, from 0, in this order."""
        ...


class Snapshot(Protocol):
    """One version of an index, immutable: all that a search reads. A search calls it from two threads."""

    @property
    def version(self) -> int:
        """Grows with every commit."""
        ...

    def nearest(self, vector: Vector, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest cosine to vector [d], best first, equal scores by passage_id."""
        ...

    def lexical(self, query: str, *, k: int, where: Filter) -> list[Candidate]:
        """The k passages of the highest BM25 score, best first, equal scores by passage_id."""
        ...

    def read(self, passage_ids: Sequence[str]) -> StoredPassages:
        """What is stored of these passages, in this order, unknown ids left out."""
        ...

    def document(self, doc_id: str) -> Document | None:
        """The whole document, its text to the character as it was indexed, or None."""
        ...

    def find_documents(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The documents that each of these names means, by name; none of those that mean none.

        A name is a doc_id, the id of a passage, or a PMID, DOI or PMCID in any spelling. The document of that very id
        comes first, whatever its case where no other has it, then those of this publication by doc_id.
        """
        ...

    def passage_ids(self, doc_ids: Sequence[str], *, where: Filter) -> list[str]:
        """The passages of these documents that the filter lets through, in their order."""
        ...


class PassageIndex(Protocol):
    """Passages with their vectors, on disk: what is written in one call is there whole or not at all."""

    def fingerprints(self, doc_ids: Sequence[str]) -> dict[str, DocumentVersion]:
        """The stored version of each of these documents, by doc_id; none of those that are not there."""
        ...

    def upsert(self, documents: Sequence[EncodedDocument]) -> None:
        """Store these documents in place of what was stored under their ids; ids differ within a call."""
        ...

    def delete(self, doc_ids: Sequence[str]) -> int:
        """How many documents went: those of these ids, and for `PMID:1` those whose identifier pmid is 1."""
        ...

    def snapshot(self) -> Snapshot:
        """The last version of the index."""
        ...


class Generator(Protocol):
    """A language model that answers a chat."""

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The model's reply: JSON that fits `schema` where the endpoint honours schemas, else free text."""
        ...
