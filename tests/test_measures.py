from __future__ import annotations

from math import log2

import pytest

from osler.errors import CorpusError, UsageError
from osler.evaluate.measures import MEASURES, document_scores, lacking, per_query, read_run, write_run

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
    assert document_scores([("a", 0.9), ("b", 0.5), ("a", 0.2)]) == {"a": 0.9, "b": 0.5}
    assert document_scores([]) == {}


def test_a_run_is_read_as_it_was_written_to_the_last_digit(tmp_path):
    run = {"q1": {"PMID:1": 0.1 + 0.2, "PMID:2": 1 / 3}, "q2": {"PMID:1": -1.5}}
    write_run(tmp_path / "run", run)
    assert read_run(tmp_path / "run") == run


def test_the_best_document_comes_first_and_equal_ones_by_their_id(tmp_path):
    write_run(tmp_path / "run", {"q": {"b": 1.0, "a": 1.0, "c": 2.0}}, tag="mine")
    assert (tmp_path / "run").read_text() == "q Q0 c 1 2.0 mine\nq Q0 a 2 1.0 mine\nq Q0 b 3 1.0 mine\n"


def test_tabs_and_blank_lines_do_no_harm(tmp_path):
    (tmp_path / "run").write_text("q\tQ0\ta\t1\t2.5\tx\n\n")
    assert read_run(tmp_path / "run") == {"q": {"a": 2.5}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q a 1", "line 1: 3 columns"),
        ("q Q0 a 1 best x", "line 1: the score 'best' is no number"),
        ("q Q0 a 1 nan x", "line 1: the score 'nan' puts no document before another"),
        ("q Q0 a 1 inf x", "line 1: the score 'inf' puts no document before another"),
    ],
)
def test_a_line_that_is_no_runs_line_is_named(tmp_path, line, said):
    (tmp_path / "run").write_text(line)
    with pytest.raises(CorpusError, match=said):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("run", [{"q 1": {"a": 1.0}}, {"q": {"a b": 1.0}}, {"q": {"": 1.0}}, {"q": {"a\n": 1.0}}])
def test_an_id_that_a_run_cannot_hold_is_refused_before_anything_is_written(tmp_path, run):
    with pytest.raises(CorpusError, match="cannot stand in a TREC run"):
        write_run(tmp_path / "run", run)
    assert not (tmp_path / "run").exists()


def test_a_document_that_a_query_has_twice_is_refused(tmp_path):
    (tmp_path / "run").write_text("q Q0 a 1 2.0 x\nq Q0 a 2 1.0 x\n")
    with pytest.raises(CorpusError, match="line 2: 'q' has 'a' twice"):
        read_run(tmp_path / "run")


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorpusError, match="nowhere: cannot be read as a run"):
        read_run(tmp_path / "nowhere")


def test_a_run_of_other_queries_is_refused_with_an_id_of_each():
    with pytest.raises(UsageError, match="bm25: none of its 1 query ids is judged \\('7' … there, 'q1' … in the qrels"):
        lacking({"7": {"a": 1.0}}, ["q1", "q2"], "bm25")
    with pytest.raises(UsageError, match="none of its 0 query ids"):
        lacking({}, ["q1"], "bm25")
    assert lacking({"q1": {}, "7": {}}, ["q1", "q2"], "bm25") == 1
