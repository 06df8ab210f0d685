"""Runs and their measures: TREC's files, and the values of ir_measures. Knows ids and scores, nothing of texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, Final

from osler.errors import CorpusError, UsageError, require

Qrels = Mapping[str, Mapping[str, int]]
"""query_id -> doc_id -> relevance."""

Run = Mapping[str, Mapping[str, float]]
"""query_id -> doc_id -> score, higher is better."""

Scores = dict[str, dict[str, float]]
"""A run that is being made."""

MEASURES: Final = (
    "nDCG@10",
    "RR@10",
    "AP",
    "Recall@1",
    "Recall@3",
    "Recall@5",
    "Recall@10",
    "Recall@20",
    "Recall@100",
)


def per_query(qrels: Qrels, run: Run, measures: Sequence[str] = MEASURES) -> dict[str, dict[str, float]]:
    """The value of each measure for each judged query, by measure and query_id; 0 for one that the run lacks.

    Queries come in the order of the qrels, so the values of two runs can be paired. A query that is not judged does
    not count. ValueError for an unknown measure.

    >>> values = per_query({"q1": {"a": 1}, "q2": {"b": 1}}, {"q1": {"x": 2.0, "a": 1.0}}, ["RR@10"])
    >>> values["RR@10"]
    {'q1': 0.5, 'q2': 0.0}
    """
    ir_measures: Any = require("ir_measures", extra="evaluate")
    names = {}
    for name in measures:
        try:
            names[ir_measures.parse_measure(name)] = name
        except (NameError, ValueError) as error:
            raise ValueError(f"{name!r} is no measure: choose from {', '.join(MEASURES)}.") from error
    # A query without a result would not be reported at all, so each starts at zero.
    values = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    judged = {query_id: dict(docs) for query_id, docs in qrels.items()}
    results = {query_id: dict(docs) for query_id, docs in run.items() if docs and query_id in judged}
    for metric in ir_measures.iter_calc(list(names), judged, results):
        values[names[metric.measure]][metric.query_id] = float(metric.value)
    return values


def document_scores(passages: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The score of each document: that of its best passage, given as (doc_id, score).

    >>> document_scores([("a", 0.2), ("b", 0.5), ("a", 0.9)])
    {'a': 0.9, 'b': 0.5}
    """
    best: dict[str, float] = {}
    for doc_id, score in passages:
        best[doc_id] = max(score, best.get(doc_id, score))
    return best


def write_run(path: Path, run: Run, *, tag: str = "osler") -> None:
    """Write the run, a document a line, best first, equal scores by doc_id; scores keep all their digits.

    CorpusError for an id that such a file cannot hold.

    >>> write_run(Path("bm25.run"), {"q1": {"a": 1.5, "b": 2.0}})
    >>> print(Path("bm25.run").read_text(), end="")
    q1 Q0 b 1 2.0 osler
    q1 Q0 a 2 1.5 osler
    """
    check_ids(chain(run, *run.values()))
    with path.open("w", encoding="utf-8") as file:
        for query_id, scores in run.items():
            for rank, doc_id in enumerate(ranking(scores), start=1):
                file.write(f"{query_id} Q0 {doc_id} {rank} {float(scores[doc_id])!r} {tag}\n")


def check_ids(ids: Iterable[str]) -> None:
    """Return where a run can hold these ids; CorpusError for an empty one, and for one with white space."""
    for entry_id in ids:
        if entry_id.split() != [entry_id]:
            raise CorpusError(
                f"The id {entry_id!r} cannot stand in a TREC run, whose columns are divided by white space."
            )


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """query_id -> doc_id -> score; CorpusError for a file that is not there, and for a line that is not a run's.

    CorpusError too for a document that a query has twice: which of its scores is meant, nobody can say.

    >>> write_run(Path("bm25.run"), {"q1": {"a": 1.5}})
    >>> read_run(Path("bm25.run"))
    {'q1': {'a': 1.5}}
    """
    run: dict[str, dict[str, float]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read as a run ({error}); name a TREC run file.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            query_id, doc_id, score = _columns(line, f"{path}: line {number}")
            scores = run.setdefault(query_id, {})
            if doc_id in scores:
                raise CorpusError(f"{path}: line {number}: {query_id!r} has {doc_id!r} twice; write the run again.")
            scores[doc_id] = score
    return run


_COLUMNS = 6


def _columns(line: str, where: str) -> tuple[str, str, float]:
    columns = line.split()
    if len(columns) != _COLUMNS:
        raise CorpusError(
            f"{where}: {len(columns)} columns, but a run has {_COLUMNS}: query Q0 document rank score tag."
        )
    try:
        score = float(columns[4])
    except ValueError as error:
        raise CorpusError(f"{where}: the score {columns[4]!r} is no number; write the run again.") from error
    if not isfinite(score):
        raise CorpusError(f"{where}: the score {columns[4]!r} puts no document before another; write the run again.")
    return columns[0], columns[2], score


def lacking(run: Run, query_ids: Collection[str], name: str) -> int:
    """How many of these queries the run lacks; UsageError where it has none of them, so is one of something else.

    >>> lacking({"q1": {"a": 1.5}}, ["q1", "q2"], "bm25.run")
    1
    """
    missing = len(query_ids) - len(run.keys() & set(query_ids))
    if missing == len(query_ids):
        raise UsageError(
            f"{name}: none of its {len(run):,} query ids is judged ({_shown(run)} there, {_shown(query_ids)} in the "
            "qrels); name a run of this split."
        )
    return missing


def _shown(query_ids: Collection[str]) -> str:
    return f"{next(iter(query_ids))!r} …" if query_ids else "none"


def ranking(scores: Mapping[str, float]) -> list[str]:
    """The doc_ids, best first, equal scores by doc_id."""
    return sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))
