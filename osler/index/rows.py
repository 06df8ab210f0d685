"""Documents become rows of the table, and rows become records again. Knows Arrow and the columns, no database.

One row a passage. What a search reads of the document is repeated on each of its rows, so that it needs no join. The
rest stands only on the row of position 0: its outline, the ids of its publication, those that it is a notice about, and
the metadata as they came where `metadata` hold more, by what other documents state. `gap` is the text between this
passage and the next (for the last one: up to the end), so that passages and gaps in order are the document's text, to
the character.

A title or heading without characters is null: where all values of a column are one text, Lance finds a row slowly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from osler.index import token_spans, token_values
from osler.index.filter_columns import filter_columns
from osler.index.manifest import Manifest
from osler.index.states import Described
from osler.index.sums import SUM_COLUMN, with_sums
from osler.late_interaction.ragged import divide
from osler.records import Document, EncodedDocument, Passage, Section, TokenSpans, Vector, Vectors
from osler.text.matching import fold

MANIFEST_KEY = b"osler.manifest"

_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
"""By which Lance sees that two merges write the same passage; without it, both would add a row of it."""

PASSAGE_COLUMNS = ("passage_id", "doc_id", "title", "heading", "text", "start", "end", "metadata")
DOCUMENT_COLUMNS = ("doc_id", "position", "title", "text", "gap", "outline", "identifiers", "metadata")
SPANS_COLUMN = "token_spans"
"""Not there where the table was made before spans were stored."""

_LENGTH_OFF = 0.01
"""By so much a vector that was normalised in bfloat16 may miss unit length."""

Row = Mapping[str, Any]


def table_schema(manifest: Manifest) -> pa.Schema:
    """The columns of an index that this manifest describes; the manifest itself is the schema's metadata."""
    text, texts = pa.string(), pa.list_(pa.string())
    columns = {
        "passage_id": text,
        "doc_id": text,
        "position": pa.int32(),
        "title": text,
        "heading": text,
        "text": text,
        "start": pa.int64(),
        "end": pa.int64(),
        "gap": text,
        "outline": text,
        "identifiers": text,
        "pmid": text,
        "doi": text,
        "pmcid": text,
        "notice_of": texts,
        "metadata": text,
        "own_metadata": text,
        "year": pa.int32(),
        "language": texts,
        "publication_types": texts,
        "mesh": texts,
        "journal": texts,
        "authors": text,
        "retracted": pa.bool_(),
        "version": pa.int64(),
        "fingerprint": text,
        # What the full-text index reads: one column ranks better than one index each for title and text.
        "lexical": text,
        "vector": pa.list_(pa.float32(), manifest.encoder.dim),
        "token_vectors": pa.large_binary(),  # as `token_values` writes them
        "token_bytes": pa.int32(),  # how long this value is
        SPANS_COLUMN: pa.binary(),  # as `token_spans` writes them
        SUM_COLUMN: pa.int64(),  # as `sums` makes them
    }
    schema = pa.schema(columns, metadata={MANIFEST_KEY: manifest.to_json()})
    return schema.set(0, pa.field("passage_id", text, nullable=False, metadata=_KEY))


def to_table(documents: Sequence[EncodedDocument], schema: pa.Schema) -> pa.Table:
    """The rows of these documents.

    ValueError where the passages of one do not make up its text, or where a vector is not of unit length.
    """
    for document in documents:
        _check_vectors(document)
    rows = [row for document in documents for row in _document_rows(document)]
    return with_sums(pa.Table.from_pylist(rows, schema=schema))


def to_document(rows: Sequence[Row]) -> Document:
    """The document whose rows these are, in any order; `DOCUMENT_COLUMNS` suffice. ValueError where one is missing."""
    rows = sorted(rows, key=lambda row: int(row["position"]))
    first = rows[0]
    if [row["position"] for row in rows] != list(range(len(rows))):
        raise ValueError(f"{first['doc_id']}: passages are missing or there twice")
    text = "".join(row["text"] + row["gap"] for row in rows)
    sections = (Section(heading, text[start:end]) for heading, start, end in json.loads(first["outline"]))
    return Document(
        first["doc_id"],
        first["title"] or "",
        tuple(sections),
        json.loads(first["identifiers"]),
        json.loads(first["metadata"]),
    )


def dumped(values: Mapping[str, Any]) -> str:
    """The values as JSON, as the columns hold them."""
    return json.dumps(dict(values), ensure_ascii=False)


def passage_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of a table that a passage is read from, its token spans included where the table has them."""
    return tuple(column for column in (*PASSAGE_COLUMNS, SPANS_COLUMN) if column in schema.names)


def to_passage(row: Row) -> Passage:
    """The passage of this row; `PASSAGE_COLUMNS` suffice."""
    texts = {name: row[name] or "" for name in ("title", "heading")}
    values = {name: row[name] for name in PASSAGE_COLUMNS}
    return Passage(**{**values, **texts, "metadata": json.loads(row["metadata"])})


def to_spans(row: Row) -> TokenSpans | None:
    """The token spans of this row, None where it has none."""
    value = row.get(SPANS_COLUMN)
    return None if value is None else token_spans.to_spans(value)


def to_vectors(column: pa.ChunkedArray) -> Vectors:
    """[rows, d], the values of the column `vector`."""
    values: Vectors = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)


def vectors_by_id(rows: pa.Table) -> dict[str, Vector]:
    """The vector [d] of each of these rows by passage_id."""
    return dict(zip(rows["passage_id"].to_pylist(), to_vectors(rows["vector"]), strict=True))


def _check_vectors(encoded: EncodedDocument) -> None:
    for length in np.linalg.norm(encoded.vectors, axis=1).tolist():
        if not abs(length - 1) <= _LENGTH_OFF:  # nor is it where the vector is not finite
            doc_id = encoded.document.doc_id
            raise ValueError(f"{doc_id}: a vector has length {length:.4g}, not 1: normalise it, or mend its model.")


def _document_rows(encoded: EncodedDocument) -> Iterator[dict[str, Any]]:
    shared = _shared_columns(encoded.document)
    first = _columns_of_the_first(encoded.document)
    gaps = _gaps(encoded)
    tokens = _token_columns(encoded)
    for number, passage in enumerate(encoded.passages):
        yield {
            **shared,
            **tokens[number],
            **(first if number == 0 else {}),
            "passage_id": passage.passage_id,
            "position": passage.position,
            "heading": passage.heading or None,
            "text": passage.text,
            "start": passage.start,
            "end": passage.end,
            "gap": gaps[number],
            "lexical": fold("\n".join(part for part in (passage.title, passage.heading, passage.text) if part)),
            "vector": encoded.vectors[number],
        }


def _shared_columns(document: Document) -> dict[str, Any]:
    return {
        "doc_id": document.doc_id,
        "title": document.title or None,
        "identifiers": dumped(document.identifiers),
        "metadata": dumped(document.metadata),
        "version": document.version,
        "fingerprint": document.fingerprint,
        **filter_columns(document.metadata),
    }


def _columns_of_the_first(document: Document) -> dict[str, Any]:
    described = Described.of(document)
    return {
        "outline": _outline(document),
        **{identifier.kind: identifier.value for identifier in described.ids},
        "notice_of": sorted(map(str, described.notice_of)) or None,
    }


def _gaps(encoded: EncodedDocument) -> list[str]:
    text, passages = encoded.document.text, encoded.passages
    ends = [(before.end, after.start) for before, after in pairwise(passages)]
    gaps = [text[end:start] for end, start in ends] + [text[passages[-1].end :]]
    if "".join(passage.text + gap for passage, gap in zip(passages, gaps, strict=True)) != text:
        raise ValueError(f"The passages of {encoded.document.doc_id} do not make up its text.")
    return gaps


def _outline(document: Document) -> str:
    """[heading, start, end] of each section, as JSON."""
    spans = zip(document.sections, document.section_spans, strict=True)
    return json.dumps([(section.heading, *span) for section, span in spans], ensure_ascii=False)


def _token_columns(encoded: EncodedDocument) -> list[dict[str, Any]]:
    count, vectors = len(encoded.passages), encoded.token_vectors
    values = [None] * count if vectors is None else map(token_values.to_value, divide(vectors, [1] * count))
    spans = [None] * count if encoded.token_spans is None else map(token_spans.to_value, encoded.token_spans)
    return [
        {"token_vectors": value, "token_bytes": value and len(value), SPANS_COLUMN: of_passage}
        for value, of_passage in zip(values, spans, strict=True)
    ]
