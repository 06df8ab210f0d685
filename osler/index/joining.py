"""Rows that are read part by part become rows in one piece. Knows arrays of rows, no table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from osler.index.exact import CodedVectors
from osler.index.resident import ResidentRows
from osler.records import PooledTokens, TokenVectors

Arrays = dict[str, NDArray[Any]]


def join(parts: Iterable[ResidentRows]) -> ResidentRows:
    """The rows of all parts, in order; of what one of them does not hold, none. ValueError where there is no part.

    Each part is copied before the next is asked for: an iterator never needs memory for all of them twice.
    """
    joined: Arrays = {}
    names: list[pa.StringArray] = []
    passages: list[pa.Table | None] = []
    part = None
    for part in parts:
        held = _arrays(part)
        joined = {name: _longer(joined.get(name), held[name]) for name in held if name in joined or not names}
        names.append(part.passage_ids)
        passages.append(part.passages)
    if part is None:
        raise ValueError("No rows to join: give one part at least.")
    return ResidentRows(
        joined["row_ids"],
        pa.concat_arrays(names),
        _coded_vectors(joined),
        _token_vectors(joined, like=part.token_vectors),
        # In one piece: a row of many pieces is found slowly.
        None if None in passages else pa.concat_tables(passages).combine_chunks(),
    )


def _arrays(rows: ResidentRows) -> Arrays:
    """What is held of these rows, by name."""
    arrays: Arrays = {"row_ids": rows.row_ids}
    if rows.vectors is not None:
        arrays |= {f"coded {field.name}": getattr(rows.vectors, field.name) for field in fields(CodedVectors)}
    if (tokens := rows.token_vectors) is not None:
        arrays |= {"codes": tokens.codes, "scales": tokens.scales, "lengths": tokens.lengths}
        if tokens.pooled is not None:
            arrays |= {"places": tokens.pooled.places, "counts": tokens.pooled.counts}
    return arrays


def _coded_vectors(arrays: Arrays) -> CodedVectors | None:
    names = [f"coded {field.name}" for field in fields(CodedVectors)]
    return CodedVectors(*(arrays[name] for name in names)) if names[0] in arrays else None


def _token_vectors(arrays: Arrays, *, like: TokenVectors | None) -> TokenVectors | None:
    if like is None or "codes" not in arrays:
        return None
    pooled = PooledTokens(arrays["places"], arrays["counts"]) if "places" in arrays else None
    return replace(like, codes=arrays["codes"], scales=arrays["scales"], lengths=arrays["lengths"], pooled=pooled)


def _longer(array: NDArray[Any] | None, rows: NDArray[Any]) -> NDArray[Any]:
    """The array with these rows behind its own; it is made longer where it lies."""
    if array is None:
        return rows.copy()
    there = len(array)
    array.resize((there + len(rows), *array.shape[1:]), refcheck=False)  # nothing else knows of the array
    array[there:] = rows
    return array
