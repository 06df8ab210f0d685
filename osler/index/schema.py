"""Documents become rows of the table, and rows become records again. Knows Arrow and the columns, no database.

One row a passage. What a search reads of the document is repeated on each of its rows, so that it needs no join. The
rest stands only on the row of position 0: its outline, the ids of its publication, those that it is a notice about, and
the metadata as they came where `metadata` hold more, by what other documents state. `gap` is the text between this
passage and the next (for the last one: up to the end), so that passages and gaps in order are the document's text, to
the character.

Lance keeps no checksums of its data files. A row therefore carries the CRC-32 of its values, so that bits that change
on a disk are noticed; `osler check` compares them. What may be written anew in a row that stays (metadata, and the
columns that filters read) is not among them: the fingerprint of the document speaks for its metadata.

A title or heading without characters is null: where all values of a column are one text, Lance finds a row slowly.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from osler.index.failures import DamageError
from osler.index.filters import filter_columns
from osler.index.manifest import Manifest
from osler.index.states import Described
from osler.index.token_columns import packed_spans, packed_vectors, unpacked_spans
from osler.records import Document, EncodedDocument, Passage, Section, TokenSpans, Vectors
from osler.text.matching import fold

MANIFEST_KEY = b"osler.manifest"

KEY_COLUMN = "row_key"
"""A number that is drawn at random whenever a row is written: what was copied under it is never out of date."""

_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
"""By which Lance sees that two merges write the same passage; without it, both would add a row of it."""

PASSAGE_COLUMNS = ("passage_id", "doc_id", "title", "heading", "text", "start", "end", "metadata")
DOCUMENT_COLUMNS = ("doc_id", "position", "title", "text", "gap", "outline", "identifiers", "metadata")
SPANS_COLUMN = "token_spans"

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
        "token_vectors": pa.large_binary(),  # as `packed_vectors` writes them
        "token_bytes": pa.int32(),  # how long this value is
        SPANS_COLUMN: pa.binary(),  # as `packed_spans` writes them
        SUM_COLUMN: pa.int64(),
        KEY_COLUMN: pa.int64(),
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
    return with_new_keys(with_sums(pa.Table.from_pylist(rows, schema=schema)))


def with_new_keys(rows: pa.Table) -> pa.Table:
    """The rows as they are to be written now, each with a key that no row has had."""
    bound = np.iinfo(np.int64)
    keys = np.random.default_rng().integers(bound.min, bound.max, len(rows), endpoint=True)
    return rows.set_column(rows.schema.get_field_index(KEY_COLUMN), rows.schema.field(KEY_COLUMN), pa.array(keys))


def to_document(rows: Sequence[Row]) -> Document:
    """The document whose rows these are, in any order; `DOCUMENT_COLUMNS` suffice. DamageError where one is missing."""
    by_position = {row["position"]: row for row in rows}
    if by_position.keys() != set(range(len(rows))):
        raise DamageError(f"{rows[0]['doc_id']}: passages are missing or there twice")
    first = by_position[0]
    text = "".join(by_position[position]["text"] + by_position[position]["gap"] for position in range(len(rows)))
    return Document(
        first["doc_id"],
        first["title"] or "",
        tuple(Section(heading, text[start:end]) for heading, start, end in loaded(first, "outline")),
        loaded(first, "identifiers"),
        loaded(first, "metadata"),
    )


def dumped(values: Mapping[str, Any]) -> str:
    """The values as JSON, as the columns hold them."""
    return json.dumps(dict(values), ensure_ascii=False)


def loaded(row: Row, column: str) -> Any:
    """What the JSON in this column of the row holds; DamageError where that is none."""
    try:
        return json.loads(row[column])
    except (TypeError, ValueError) as error:
        raise DamageError(f"{row['doc_id']}: its {column} cannot be read ({error})") from error


def to_passage(row: Row) -> Passage:
    """The passage of this row; `PASSAGE_COLUMNS` suffice."""
    texts = {name: row[name] or "" for name in ("title", "heading")}
    values = {name: row[name] for name in PASSAGE_COLUMNS}
    return Passage(**{**values, **texts, "metadata": loaded(row, "metadata")})


def to_spans(row: Row) -> TokenSpans | None:
    """The token spans of this row, None where it has none."""
    value = row[SPANS_COLUMN]
    return None if value is None else unpacked_spans(value)


def to_vectors(column: pa.ChunkedArray) -> Vectors:
    """[rows, d], the values of the column `vector`."""
    values: Vectors = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)


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
    nothing = [None] * len(encoded.passages)
    values = nothing if encoded.token_vectors is None else map(packed_vectors, encoded.token_vectors)
    spans = nothing if encoded.token_spans is None else map(packed_spans, encoded.token_spans)
    return [
        {"token_vectors": value, "token_bytes": value and len(value), SPANS_COLUMN: of_passage}
        for value, of_passage in zip(values, spans, strict=True)
    ]


SUM_COLUMN: Final = "checksum"

_TEXTS: Final = (
    "passage_id",
    "doc_id",
    "position",
    "title",
    "heading",
    "text",
    "start",
    "end",
    "gap",
    "outline",
    "identifiers",
    "version",
    "fingerprint",
    "lexical",
)
_BYTES: Final = ("token_vectors", "token_spans")


def row_sums(rows: pa.Table) -> list[int]:
    """The checksum of each of these rows, which have all columns that are summed."""
    rows = rows.combine_chunks()
    texts = rows.select(_TEXTS).to_pylist()
    vectors = np.asarray(rows["vector"].combine_chunks().flatten()).reshape(len(rows), -1)
    values = [rows[name].to_pylist() for name in _BYTES]
    return [
        _sum([json.dumps(list(text.values()), ensure_ascii=False).encode(), vector.tobytes(), *parts])
        for text, vector, *parts in zip(texts, vectors, *values, strict=True)
    ]


def with_sums(rows: pa.Table) -> pa.Table:
    """The rows with their checksums in place of what is in that column."""
    place = rows.schema.get_field_index(SUM_COLUMN)
    return rows.set_column(place, rows.schema.field(place), pa.array(row_sums(rows), pa.int64()))


def _sum(parts: Iterable[bytes | None]) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part or b"", checksum)
    return checksum
