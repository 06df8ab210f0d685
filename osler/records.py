"""Every record that passes between the stages, frozen. Knows nothing of files, models, indexes or printing.

Read downwards they are the data flow: documents, passages, vectors, candidates, ranked passages, answers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # arrays pass through here, none is made: the records load without numpy
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"
"""[d], of unit length: one text."""
Vectors: TypeAlias = "NDArray[np.float32]"
"""Rows of unit length: one a text [P, d], or one a token [q, d]."""
TokenSpans: TypeAlias = "NDArray[np.int64]"
"""[p, 2], start and end in `Passage.text` of each scored token of a passage, in order; (-1, -1) outside it."""
Metadata = Mapping[str, Any]
"""JSON values by name. A `Filter` reads: year, language, publication_types, mesh, journal, authors, retracted."""
_SECTION_SEPARATOR = "\n\n"
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0", "retracted"})
_RETRACTED_TYPE = re.compile(r"(?:retracted|withdrawn|removed)(?:[\s_-]+(?:publication|article|paper|preprint))?")


def is_true(value: Any) -> bool:
    """Whether a mark in metadata says yes, however it is written."""
    return str(value).strip().casefold() in _TRUE


def is_retracted(metadata: Metadata) -> bool:
    """Whether these metadata say that a document was retracted, however they write it.

    >>> is_retracted({"retracted": "no"}), is_retracted({"publication_types": ["Retracted Publication"]})
    (False, True)
    """
    types, notices = metadata.get("publication_types"), metadata.get("notices")
    names = [str(name).strip().casefold() for name in (types if isinstance(types, list | tuple) else [types])]
    marked = is_true(metadata.get("retracted", metadata.get("is_retracted")))  # the second is OpenAlex's
    listed = isinstance(notices, Mapping) and bool(notices.get("retraction"))
    return marked or listed or any(map(_RETRACTED_TYPE.fullmatch, names))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document: its heading ("" where it has none) and its text."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One article, ontology term or disease, as a corpus reader yields it.

    >>> sections = (Section("METHODS", "We counted."), Section("RESULTS", "Four."))
    >>> document = Document("PMID:1", "Counting", sections)
    >>> document.text, document.section_spans
    ('We counted.\\n\\nFour.', ((0, 11), (13, 18)))
    """

    doc_id: str
    title: str
    sections: tuple[Section, ...]
    identifiers: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sections joined by one blank line, without the title: what every offset counts in."""
        return _SECTION_SEPARATOR.join(section.text for section in self.sections)

    @property
    def section_spans(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each section in `text`."""
        spans, start = [], 0
        for section in self.sections:
            spans.append((start, start + len(section.text)))
            start = spans[-1][1] + len(_SECTION_SEPARATOR)
        return tuple(spans)

    @property
    def version(self) -> int:
        """The publisher's version of this document, 1 where none is told; of two with one id, the higher wins."""
        version = str(self.metadata.get("version", 1))
        return int(version) if version.isdecimal() and len(version) < 10 else 1  # longer ones fit no integer column

    @property
    def fingerprint(self) -> str:
        """Equal for equal content (title, sections, identifiers, metadata), different otherwise."""
        sections = [(section.heading, section.text) for section in self.sections]
        content = [self.title, sections, dict(self.identifiers), dict(self.metadata)]
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """What tells a change of a document: the fingerprint of its content, and its publisher's version."""

    fingerprint: str
    version: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """A document that its publisher took back (PubMed's `DeleteCitation`)."""

    doc_id: str


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a file that could not be read: where, and why."""

    source: str
    position: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}, {self.position}: {self.reason}"


Entry = Document | Deletion | Damage  # what a corpus reader yields, in the order of the file


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrievable, citable piece of a document: `text` is `Document.text[start:end]`.

    `heading` is that of the section the passage begins in; title and heading go to the encoder, not into offsets.
    """

    passage_id: str
    doc_id: str
    title: str
    text: str
    start: int
    end: int
    heading: str = ""
    metadata: Metadata = field(default_factory=dict)

    @property
    def position(self) -> int:
        """The number of this passage within its document, from 0."""
        return int(self.passage_id.rpartition("#")[2])


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for."""

    query_id: str
    text: str


@dataclass(frozen=True, slots=True)
class PooledTokens:
    """The vector of every token of P passages, one after another.

    places [T] uint8: the place of a token's vector among those of its passage; counts [P] int64 with sum T.
    """

    places: NDArray[np.uint8]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The quantised token vectors of P passages, one after another.

    codes [V, d * bits / 8] uint8, scales [V] float32, lengths [P] int64 with sum V; what they stand for is in
    `late_interaction.token_vectors`. pooled: where tokens share vectors; None where every token has its own.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    lengths: NDArray[np.int64]
    bits: int = 8
    pooled: PooledTokens | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self.codes.shape[1]) * 8 // self.bits

    @property
    def num_tokens(self) -> int:
        """How many tokens all passages have together: as many as vectors, unless tokens share them."""
        return len(self.codes) if self.pooled is None else len(self.pooled.places)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document with its passages and their vectors: what an index stores, whole or not at all.

    vectors [P, d]; token_vectors and token_spans of each of the P passages, or None where the index keeps none.
    """

    document: Document
    passages: tuple[Passage, ...]
    vectors: Vectors
    token_vectors: tuple[TokenVectors, ...] | None
    token_spans: tuple[TokenSpans, ...] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which passages a search may return: all named conditions hold, any of the values of one condition suffices."""

    year_from: int | None = None
    year_to: int | None = None
    publication_types: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    journals: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    include_retracted: bool = False


NOT_RETRACTED = Filter()
"""Every passage that is not retracted: what a search returns unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that stage 1 hands on: its rank from 1 and its score, higher is better."""

    passage_id: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class EvidenceSpan:
    """The characters of `Document.text` that support best: score as in MaxSim, words as (start, end, weight)."""

    start: int
    end: int
    text: str
    score: float
    words: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage with the ranks, from 1, and scores of both stages; `maxsim` is None where nothing was re-ranked."""

    passage: Passage
    rank: int
    score: float
    candidate_rank: int
    candidate_score: float
    evidence: EvidenceSpan | None = None
    maxsim: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a search returns: the ranked passages, best first, the seconds of each stage, and what to warn of."""

    query: str
    ranked: tuple[RankedPassage, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker of an answer, the passage behind it, the evidence there, and whether it supports the sentence."""

    marker: str
    passage_id: str
    doc_id: str
    evidence: EvidenceSpan
    supported: bool
    sentence: str  # without its markers; of a quotation, the words quoted


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its citations, or, abstained, the reason for giving none."""

    question: str
    text: str
    abstained: bool
    citations: tuple[Citation, ...]
    warnings: tuple[str, ...]
    ranking: Ranking
    given: tuple[RankedPassage, ...] = ()  # the first of the ranking, those that the prompt had room for
