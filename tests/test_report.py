import pytest

from osler.evaluate.report import RunComparison, RunReport
from osler.evaluate.significance import Comparison, mcnemar

QRELS = {f"q{number}": {"a": 1} for number in range(20)}


def report(name, found):
    """A run that finds `a` first for so many queries, and nothing for the rest."""
    return RunReport.of(name, QRELS, {query_id: {"a": 1.0} for query_id in list(QRELS)[:found]})


def test_a_query_without_results_counts_as_zero():
    assert report("half", 10).metrics["nDCG@10"] == 0.5
    assert report("half", 10).queries == 20


def test_the_interval_holds_the_mean():
    low, high = report("half", 10).intervals["nDCG@10"]
    assert 0 < low < 0.5 < high < 1


def test_a_run_compared_with_itself_is_no_difference():
    compared = report("half", 10).compared(report("half", 10))
    assert compared.difference.difference == 0
    assert compared.difference.p == compared.hits_p == 1
    assert compared.verdict == "no difference that can be told from noise"


def test_of_a_few_queries_nothing_is_said():
    few = {query_id: QRELS[query_id] for query_id in list(QRELS)[:19]}
    ours, theirs = RunReport.of("ours", few, {query_id: {"a": 1.0} for query_id in few}), RunReport.of("none", few, {})
    assert ours.compared(theirs).difference.p < 0.05
    assert ours.compared(theirs).verdict == "too few queries to tell"


def test_better_and_worse_are_named():
    assert report("all", 20).compared(report("few", 5)).verdict == "better"
    assert report("few", 5).compared(report("all", 20)).verdict == "worse"


@pytest.mark.parametrize(("p", "bootstrap_p"), [(0.06, 0.04), (0.04, 0.06)])
def test_a_difference_that_one_of_the_tests_doubts_is_none(p, bootstrap_p):
    compared = RunComparison("other", "nDCG@10", 20, Comparison(0.1, 0.01, 0.2, p, bootstrap_p), 20, 10, 0.01)
    assert compared.verdict == "no difference that can be told from noise"
    assert {"p": p, "bootstrap_p": bootstrap_p}.items() <= compared.json().items()


def test_hits_are_counted_for_both():
    compared = report("all", 20).compared(report("few", 5))
    assert (compared.hits, compared.hits_other) == (20, 5)
    assert compared.hits_p == 2 * 0.5**15


def test_mcnemar_is_the_binomial_of_the_pairs_that_differ():
    assert mcnemar([True] * 5, [True] * 5) == 1
    assert mcnemar([True, False], [False, True]) == 1
    assert mcnemar([True] * 6 + [False], [False] * 7) == 2 * 0.5**6
    assert mcnemar([True, False] * 1000, [False, True] * 1000) == 1  # 0.5**2000 is no float
    with pytest.raises(ValueError, match="1 and 2 values make no pairs"):
        mcnemar([True], [True, False])
