from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest

from osler.index.exact import CodedVectors
from osler.index.joining import join
from osler.index.resident import ResidentRows
from osler.index.rows import PASSAGE_COLUMNS
from osler.late_interaction.token_vectors import Compression, compress

PASSAGES = 7
LENGTHS = np.array([3, 1, 4, 1, 5, 9, 2])


@pytest.fixture(params=[Compression(8, 1), Compression(2, 2)], ids=["8 bits", "2 bits, pooled"])
def rows(request) -> ResidentRows:
    random = np.random.default_rng(0)
    ids = [f"d{number}#0" for number in range(PASSAGES)]
    vectors = random.standard_normal((LENGTHS.sum(), 16)).astype(np.float32)
    return ResidentRows(
        np.arange(PASSAGES, dtype=np.uint64),
        pa.array(ids),
        CodedVectors.of(random.standard_normal((PASSAGES, 4)).astype(np.float32)),
        compress(vectors, LENGTHS, request.param),
        pa.table(dict.fromkeys(PASSAGE_COLUMNS, ids)),
    )


def divided(rows: ResidentRows, *ends: int) -> list[ResidentRows]:
    return [rows.at(places) for places in np.split(np.arange(PASSAGES), ends)]


def equal(ours: CodedVectors, theirs: CodedVectors) -> bool:
    return all(np.array_equal(getattr(ours, one.name), getattr(theirs, one.name)) for one in fields(CodedVectors))


@pytest.mark.parametrize("ends", [(), (3,), (0, 1, 5), (1, 2, 3, 4, 5, 6)])
def test_parts_that_are_joined_are_the_whole(rows, ends):
    joined = join(iter(divided(rows, *ends)))
    assert joined.row_ids.tolist() == rows.row_ids.tolist()
    assert joined.passage_ids.equals(rows.passage_ids)
    assert equal(joined.vectors, rows.vectors)
    assert joined.passages.equals(rows.passages)
    for name in ("codes", "scales", "lengths", "bits"):
        assert np.array_equal(getattr(joined.token_vectors, name), getattr(rows.token_vectors, name))
    if rows.token_vectors.pooled is None:
        assert joined.token_vectors.pooled is None
    else:
        assert np.array_equal(joined.token_vectors.pooled.places, rows.token_vectors.pooled.places)
        assert np.array_equal(joined.token_vectors.pooled.counts, rows.token_vectors.pooled.counts)


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_what_one_part_does_not_hold_is_not_held(rows, lacking):
    parts = divided(rows, 2, 4)
    parts[lacking] = replace(parts[lacking], token_vectors=None, passages=None)
    joined = join(parts)
    assert joined.token_vectors is None
    assert joined.passages is None
    assert equal(joined.vectors, rows.vectors)


def test_rows_without_vectors_are_joined_too(rows):
    joined = join(replace(part, vectors=None, token_vectors=None, passages=None) for part in divided(rows, 3))
    assert joined.vectors is None
    assert joined.passage_ids.equals(rows.passage_ids)


def test_joining_leaves_the_parts_as_they_are(rows):
    first, second = divided(rows, 3)
    joined = join([first, second])
    for one in fields(CodedVectors):
        getattr(joined.vectors, one.name)[:] = 0
    assert equal(first.vectors, rows.at(np.arange(3)).vectors)


def test_no_part_is_refused():
    with pytest.raises(ValueError, match="one part at least"):
        join([])
