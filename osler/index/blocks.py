"""Blocks of rows as a search reads them: in memory, or mapped from files beside the table. Knows Arrow, no table.

A block is an Arrow record batch. Its columns are those of the table that a search reads, the codes of the vectors, and
two numbers: the row's key, drawn at random when the row was written, and a hash of its passage_id. The key says which
row of the table this is, whatever became of the table since; so a file is never out of date, only its rows may be gone.

A file holds blocks one after another (Arrow IPC). It is written whole, renamed into place and never changed; the
system's page cache keeps of it what is read often, once for all processes. Whoever deletes it loses time, no data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from osler.index.filters import FILTER_COLUMNS
from osler.index.manifest import Manifest
from osler.index.nearest import CodedVectors
from osler.index.schema import KEY_COLUMN, PASSAGE_COLUMNS, SPANS_COLUMN, to_vectors
from osler.index.token_columns import bytes_of

TABLE_COLUMNS: Final = (
    KEY_COLUMN, *PASSAGE_COLUMNS, SPANS_COLUMN, "token_vectors", "vector", *FILTER_COLUMNS
)  # fmt: skip
"""The columns of the table that a block has."""

BLOCK_ROWS: Final = 16_384
"""Rows of a block: some 100 MB, so that writing them takes no more memory, and a core compares them in 0.2 ms."""

_LAYOUT: Final = b"1"
"""Raised when the columns change: files of another layout are passed over."""

_SUFFIX: Final = ".arrow"


@dataclass(frozen=True, eq=False)
class Block:
    """Rows [P] as one record batch; file: the one that they are mapped from, None where they are held in memory."""

    rows: pa.RecordBatch
    file: Path | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """[P], the key of each row."""
        return self._numbers(KEY_COLUMN)

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """[P], the hash of each passage_id."""
        return self._numbers("passage_hash")

    @cached_property
    def vectors(self) -> CodedVectors:
        """The vectors with their codes."""
        vectors, codes, signs = (_matrix(self.rows[name]) for name in ("vector", "codes", "signs"))
        scales, norms, errors = (self._numbers(name) for name in ("scale", "norm", "error"))
        return CodedVectors(vectors, codes, scales, norms, errors, signs)

    @cached_property
    def passage_ids(self) -> pa.StringArray:
        """[P]"""
        return self.rows["passage_id"]

    @cached_property
    def token_values(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The stored values of all token vectors, one after another, and where each begins and the last one ends."""
        return bytes_of(self.rows["token_vectors"])

    def _numbers(self, name: str) -> NDArray[Any]:
        numbers: NDArray[Any] = self.rows[name].to_numpy(zero_copy_only=True)
        return numbers


def blocks_of(rows: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Rows of the table, with `TABLE_COLUMNS`, as blocks of `BLOCK_ROWS`, the last one shorter."""
    waiting: list[pa.Table] = []
    for part in rows:
        waiting.append(part.select(TABLE_COLUMNS))
        while sum(map(len, waiting)) >= BLOCK_ROWS:
            joined = pa.concat_tables(waiting)
            yield _block(joined.slice(0, BLOCK_ROWS))
            waiting = [joined.slice(BLOCK_ROWS)]
    if sum(map(len, waiting)):
        yield _block(pa.concat_tables(waiting))


def passage_hash(passage_id: str) -> int:
    """The number by which a passage is looked up: two ids have one once in 10^19 times."""
    return int.from_bytes(blake2b(passage_id.encode(), digest_size=8).digest(), "little")


def _block(rows: pa.Table) -> pa.RecordBatch:
    (batch,) = rows.combine_chunks().to_batches()
    coded = CodedVectors.of(to_vectors(rows["vector"]))
    hashes = np.fromiter(map(passage_hash, rows["passage_id"].to_pylist()), np.uint64, len(rows))
    made = {
        "passage_hash": pa.array(hashes),
        "codes": _column(coded.codes),
        "signs": _column(coded.signs),
        "scale": pa.array(coded.scales),
        "norm": pa.array(coded.norms),
        "error": pa.array(coded.errors),
    }
    return pa.RecordBatch.from_pydict({**{name: batch[name] for name in TABLE_COLUMNS}, **made})


def _column(matrix: NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _matrix(column: pa.FixedSizeListArray) -> NDArray[Any]:
    values: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=True)
    return values.reshape(len(column), column.type.list_size)


class BlockFiles:
    """The files of one index in a folder; none where the folder is None. Readers and writers may use it at once."""

    def __init__(self, folder: Path | None, manifest: Manifest) -> None:
        self._folder = folder
        self._metadata = {b"osler.index": manifest.id.encode(), b"osler.layout": _LAYOUT}
        self._mapped: dict[Path, list[Block]] = {}

    def blocks(self) -> list[Block]:
        """The blocks of all files that can be read, mapped; a damaged file counts as absent."""
        self._mapped = {path: self._mapped.get(path) or self._map(path) for path in self.paths()}
        return [block for blocks in self._mapped.values() for block in blocks]

    def paths(self) -> list[Path]:
        """The files that there are."""
        return sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder else []

    def can_write(self) -> bool:
        """Whether this process may put files there."""
        folder = self._folder
        return folder is not None and os.access(folder if folder.exists() else folder.parent, os.W_OK)

    def write(self, blocks: Iterable[pa.RecordBatch]) -> None:
        """A new file of these blocks, if there are any; it is there whole or not at all. OSError where it cannot be."""
        blocks = iter(blocks)
        first = next(blocks, None)
        if self._folder is None or first is None:
            return
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{uuid4().hex}{_SUFFIX}"
        begun = path.with_suffix(".begun")
        try:
            schema = first.schema.with_metadata(self._metadata)
            with pa.OSFile(str(begun), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for block in chain([first], blocks):
                    writer.write_batch(block.cast(schema))
            begun.rename(path)
        finally:
            begun.unlink(missing_ok=True)

    def remove(self, paths: Iterable[Path]) -> None:
        """Delete these files, and what a killed run began; whoever has them mapped goes on reading them."""
        begun = self._folder.glob("*.begun") if self._folder else []
        for path in [*paths, *begun]:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def bytes(self) -> int:
        """What the files take on disk."""
        return sum(path.stat().st_size for path in self.paths())

    def _map(self, path: Path) -> list[Block]:
        with suppress(OSError, pa.ArrowInvalid):
            file = pa.ipc.open_file(pa.memory_map(str(path)))
            if (file.schema.metadata or {}) == self._metadata:
                return [Block(file.get_batch(number), path) for number in range(file.num_record_batches)]
        return []


def snapshot_folder(uri: str) -> Path | None:
    """Where the files of a table lie; None on object storage.

    >>> snapshot_folder("library/passages.lance")
    PosixPath('library/passages.snapshot')
    """
    local = uri.removeprefix("file://")
    return None if "://" in local else Path(local).with_suffix(".snapshot")
