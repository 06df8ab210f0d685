"""Checksums of what is written once, so that bits that change on a disk are noticed. Knows values, no table.

Lance keeps none of its data files. A row therefore carries the CRC-32 of its values; `osler check` compares them. What
may be written anew in a row that stays (metadata, and the columns that filters read) is not among them: the fingerprint
of the document speaks for its metadata.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

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
    """The checksum of each of these rows, which have all columns that are summed; one that a table lacks is null."""
    rows = rows.combine_chunks()
    texts = rows.select(_TEXTS).to_pylist()
    vectors = np.asarray(rows["vector"].combine_chunks().flatten()).reshape(len(rows), -1)
    values = [rows[name].to_pylist() if name in rows.column_names else [None] * len(rows) for name in _BYTES]
    return [
        _sum([json.dumps(list(text.values()), ensure_ascii=False).encode(), vector.tobytes(), *parts])
        for text, vector, *parts in zip(texts, vectors, *values, strict=True)
    ]


def with_sums(rows: pa.Table) -> pa.Table:
    """The rows with their checksums in place of what is in that column."""
    place = rows.schema.get_field_index(SUM_COLUMN)
    return rows.set_column(place, rows.schema.field(place), pa.array(row_sums(rows), pa.int64()))


def value_sums(values: Sequence[Any]) -> bytes:
    """The checksum of each value, four bytes a value.

    >>> value_sums(["a", b"a", None]) == value_sums([b"a", "a", ""])
    True
    """
    return b"".join(zlib.crc32(_encoded(value)).to_bytes(4, "little") for value in values)


def _sum(parts: Iterable[bytes | None]) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part or b"", checksum)
    return checksum


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()
