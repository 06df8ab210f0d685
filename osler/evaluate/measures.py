"""Measures of a run against qrels, by ir_measures. Knows ids and scores, nothing of texts or models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from osler.errors import require

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
