from __future__ import annotations

from math import log2

import pytest

from osler.evaluate.measures import MEASURES, document_scores, per_query

QRELS = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}}
RUN = {"q1": {"x": 0.9, "a": 0.8, "b": 0.1}, "q2": {"c": 0.5}}


def value(measure: str, qrels: dict[str, dict[str, int]] = QRELS, run: dict[str, dict[str, float]] = RUN) -> float:
    return per_query(qrels, run, [measure])[measure]["q1"]


def test_every_measure_has_a_value_for_every_judged_query():
    values = per_query(QRELS, RUN)
    assert tuple(values) == MEASURES
    assert all(list(of_queries) == ["q1", "q2"] for of_queries in values.values())
    assert all(of_queries["q2"] == 1.0 for of_queries in values.values())


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("nDCG@10", (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3))),
        ("RR@10", 1 / 2),
        ("AP", (1 / 2 + 2 / 3) / 2),
        ("Recall@1", 0),
        ("Recall@3", 2 / 2),
    ],
)
def test_a_measure_is_what_its_definition_says(measure, expected):
    assert value(measure) == pytest.approx(expected)


def test_a_judged_query_that_the_run_lacks_scores_zero():
    values = per_query(QRELS, {"q2": {"c": 0.5}})
    assert {of_queries["q1"] for of_queries in values.values()} == {0.0}


@pytest.mark.parametrize("run", [{}, {"q1": {}, "q2": {}}])
def test_an_empty_run_scores_zero(run):
    assert all(set(of_queries.values()) == {0.0} for of_queries in per_query(QRELS, run).values())


def test_a_query_that_is_not_judged_does_not_count():
    assert per_query(QRELS, {**RUN, "q3": {"a": 1.0}}) == per_query(QRELS, RUN)


def test_a_relevant_document_below_the_cut_is_not_counted():
    run = {"q1": {f"x{number:02}": 1.0 - number / 100 for number in range(10)} | {"a": 0.5}}
    assert [value(measure, run=run) for measure in ("RR@10", "nDCG@10", "Recall@10", "Recall@20")] == [0, 0, 0, 0.5]


def test_the_order_of_the_queries_is_that_of_the_qrels_whatever_the_run():
    backwards = dict(reversed(RUN.items()))
    assert list(per_query(QRELS, backwards, ["AP"])["AP"]) == ["q1", "q2"]


@pytest.mark.parametrize("name", ["accuracy!", "nDGC@10", ""])
def test_an_unknown_measure_is_named_with_those_there_are(name):
    with pytest.raises(ValueError, match=r"is no measure: choose from nDCG@10"):
        per_query(QRELS, RUN, [name])


def test_a_document_scores_as_its_best_passage_also_below_zero():
    assert document_scores([("a", -0.5), ("a", -0.25), ("b", 0.1)]) == {"a": -0.25, "b": 0.1}
    assert document_scores([]) == {}
