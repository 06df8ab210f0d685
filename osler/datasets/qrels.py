"""Qrels in BEIR's form: a query's id, a document's id and the relevance, between tabs. Knows neither of the two."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from osler.corpus.sources import open_source
from osler.corpus.streams import BrokenStreamError, Line, read_lines
from osler.datasets.files import refuse_damages
from osler.records import Damage

_RELEVANCE_HEADS = frozenset({"score", "relevance", "rel", "label"})

Qrels = dict[str, dict[str, int]]
"""query_id -> doc_id -> relevance."""


def read_qrels(file: Path) -> Qrels:
    """The relevance of each judged pair that has one above 0; the file may begin with a line of column names.

    Raises CorpusError for a line that is no judgement, and for a pair that is judged in two ways.
    """
    judged: Qrels = {}
    damages: list[Damage] = []
    for line in _lines(file):
        reason = line.reason if isinstance(line, Damage) else _judge(line, judged)
        if reason:
            damages.append(line if isinstance(line, Damage) else Damage(str(file), f"line {line.number}", reason))
    refuse_damages(damages)
    relevant = {query_id: {doc_id: n for doc_id, n in docs.items() if n > 0} for query_id, docs in judged.items()}
    return {query_id: docs for query_id, docs in relevant.items() if docs}


def _lines(file: Path) -> Iterator[Line | Damage]:
    """The lines that say something, column names left out."""
    try:
        with open_source(file) as stream:
            for line in read_lines(io.BufferedReader(stream), str(file)):
                if isinstance(line, Damage) or not (_is_head(line) or not line.text.strip()):
                    yield line
    except BrokenStreamError as error:
        yield Damage(str(file), error.position, error.reason)


def _is_head(line: Line) -> bool:
    return line.number == 1 and line.text.rpartition("\t")[2].strip().casefold() in _RELEVANCE_HEADS


def _judge(line: Line, judged: Qrels) -> str:
    """Enter the line's judgement; why that cannot be done, or "" where it was."""
    columns = line.text.split("\t")
    if len(columns) != 3:
        return f"{len(columns)} columns between tabs, but a judgement has query-id, corpus-id and score"
    query_id, doc_id, score = columns
    try:
        relevance = int(score)
    except ValueError:
        return f"the relevance {score!r} is no whole number"
    before = judged.setdefault(query_id, {}).setdefault(doc_id, relevance)
    return "" if before == relevance else f"{query_id}, {doc_id} is judged {relevance}, but {before} in a line before"
