"""Stand-ins for tests of the index: documents, a splitter and two encoders whose results are hashes of the text.

They obey the contracts of the real ones; `DIM` and `TOKEN_DIM` are the dimensions of their vectors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from osler.indexing import EncodedPassages
from osler.late_interaction.ragged import divide
from osler.late_interaction.token_vectors import quantise
from osler.protocols import PassageIndex
from osler.records import Document, EncodedDocument, Passage, Section, TokenSpans, TokenVectors, Vector

DIM, TOKEN_DIM = 8, 4


def hashed(text: str, dim: int) -> Vector:
    """A vector of unit length that depends on the text alone."""
    digest = hashlib.shake_128(text.encode()).digest(dim)
    vector = np.frombuffer(digest, dtype=np.uint8).astype(np.float32) - 127.5
    return vector / np.linalg.norm(vector)


def split(document: Document, *, words: int = 3) -> tuple[Passage, ...]:
    """Passages of about three words; only whitespace lies between them."""
    text = document.text
    inside = [match.span() for match in re.finditer(r"\s+", text) if match.start() > 0 and match.end() < len(text)]
    cuts = inside[words - 1 :: words]
    spans = zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)], strict=True)
    return tuple(
        Passage(
            f"{document.doc_id}#{number}",
            document.doc_id,
            document.title,
            text[start:end],
            start,
            end,
            "",
            document.metadata,
        )
        for number, (start, end) in enumerate(spans)
    )


def encode(passages: Sequence[Passage]) -> EncodedPassages:
    """A vector a passage and one a word, all of them hashes, and where the words are."""
    spans = tuple(word_spans(passage.text) for passage in passages)
    words = [
        passage.text[start:end] for passage, of_words in zip(passages, spans, strict=True) for start, end in of_words
    ]
    rows = np.array([hashed(word, TOKEN_DIM) for word in words], dtype=np.float32).reshape(-1, TOKEN_DIM)
    vectors = np.array([hashed(passage.text, DIM) for passage in passages])
    token_vectors = quantise(rows, list(map(len, spans)))
    return EncodedPassages(vectors, divide(token_vectors), spans)


def word_spans(text: str) -> TokenSpans:
    return np.array([match.span() for match in re.finditer(r"\S+", text)], dtype=np.int64).reshape(-1, 2)


def encoded(document: Document) -> EncodedDocument:
    passages = split(document)
    made = encode(passages)
    return EncodedDocument(document, passages, made.vectors, tuple(made.token_vectors), made.token_spans)


def document(doc_id: str, text: str, *, title: str = "", **metadata: object) -> Document:
    return Document(doc_id, title, (Section("", text),), metadata=metadata)


def passages_of(index: PassageIndex, passage_ids: Sequence[str]) -> list[Passage]:
    return list(index.snapshot().read(passage_ids).passages)


def vectors_of(index: PassageIndex, passage_ids: Sequence[str]) -> dict[str, Vector]:
    stored = index.snapshot().read(passage_ids)
    return dict(zip(stored.passage_ids, stored.vectors, strict=True))


def token_vectors_of(index: PassageIndex, passage_ids: Sequence[str]) -> dict[str, TokenVectors]:
    stored = index.snapshot().read(passage_ids)
    parts = divide(stored.token_vectors)
    return dict(zip(stored.passage_ids, parts, strict=True))
