from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from osler.evaluate.significance import clustered_interval, compare, interval, mcnemar, wilson

RANDOM = np.random.default_rng(7)


def test_identical_lists_have_a_p_of_one():
    values = {"all": [0.1, 0.5, 0.7, 0.3]}
    found = compare(values, values)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_that_no_resample_reaches_has_the_smallest_p():
    found = compare({"all": [0.75] * 20}, {"all": [0.25] * 20}, samples=999)
    assert (found.difference, found.low, found.high) == (0.5, 0.5, 0.5)
    assert found.p == 1 / 1000


def test_differences_that_cancel_out_prove_nothing():
    found = compare({"all": [1.0, 0.0] * 10}, {"all": [0.0, 1.0] * 10})
    assert found.difference == 0
    assert found.p == 1.0


def test_who_comes_first_turns_the_difference_and_leaves_p():
    ours, theirs = {"all": [0.9, 0.4, 0.8, 0.3]}, {"all": [0.5, 0.5, 0.6, 0.2]}
    there, back = compare(ours, theirs), compare(theirs, ours)
    assert there.difference == -back.difference == pytest.approx(0.15)
    assert there.p == back.p


def test_the_bootstrap_p_of_two_queries_is_what_counting_their_resamples_gives():
    """Differences 0 and 1: resampled means 0, 1/2, 1/2, 1; shifted by 1/2, half of them are 1/2 away from zero."""
    assert compare({"all": [0.0, 1.0]}, {"all": [0.0, 0.0]}).bootstrap_p == pytest.approx(0.5, abs=0.02)


def test_p_of_three_queries_is_what_counting_their_signs_gives():
    """Of the eight ways to turn differences of 1/2, 1/4 and 1/8 round, two lie as far from zero as 7/8."""
    assert compare({"all": [0.5, 0.25, 0.125]}, {"all": [0.0] * 3}).p == pytest.approx(2 / 8, abs=0.02)


def test_differences_are_turned_round_within_their_data_set():
    """Macro means of 1 and 3 with random signs: 2, 1, -1, -2, each as likely; half of them lie as far as 2."""
    ours = {"one": [1.0], "other": [3.0]}
    assert compare(ours, {"one": [0.0], "other": [0.0]}).p == pytest.approx(0.5, abs=0.02)


def test_both_ps_are_about_that_of_a_z_test_on_many_queries():
    differences = RANDOM.normal(0.02, 0.2, size=400)
    z = differences.mean() / (differences.std() / np.sqrt(400))
    within = np.abs(RANDOM.standard_normal(200_000)) >= abs(z)
    found = compare({"all": differences.tolist()}, {"all": [0.0] * 400})
    assert found.p == pytest.approx(within.mean(), abs=0.015)
    assert found.bootstrap_p == pytest.approx(within.mean(), abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("queries", [20, 200])
def test_runs_that_differ_by_chance_are_called_different_at_most_five_times_in_a_hundred(queries):
    """nDCG-like values of two runs from one distribution, 4,000 times: 200 expected, three standard errors are 41."""
    values = RANDOM.choice([0.0, 0.0, 0.39, 0.5, 0.63, 1.0], size=(4000, 2, queries))
    ps = [compare({"": ours}, {"": theirs}, samples=199, seed=number).p for number, (ours, theirs) in enumerate(values)]
    assert np.sum(np.array(ps) <= 0.05) <= 241


def test_the_interval_covers_the_true_mean_about_95_times_in_100():
    samples = RANDOM.normal(0.5, 0.2, size=(300, 60))
    limits = [interval({"all": row.tolist()}, samples=500) for row in samples]
    covered = np.mean([low <= 0.5 <= high for low, high in limits])
    assert 0.9 < covered < 0.985


CLUSTERS = 24


def clusters_of(number):
    """Ten values, 0, 1/2 or 1, of each cluster; what is likely differs by cluster, and is 1/2 for all of them."""
    generator = np.random.default_rng(number)
    return generator.binomial(2, generator.beta(2, 2, size=(CLUSTERS, 1)), size=(CLUSTERS, 10)) / 2


def by_name(rows):
    return {str(number): row.tolist() for number, row in enumerate(rows)}


def test_the_interval_over_clusters_covers_the_true_mean_where_that_over_their_values_does_not():
    samples = [clusters_of(number) for number in range(300)]
    limits = [clustered_interval(by_name(rows), samples=400) for rows in samples]
    naive = [interval({"": rows.ravel().tolist()}, samples=400) for rows in samples]
    covered, naively = (np.mean([low <= 0.5 <= high for low, high in found]) for found in (limits, naive))
    assert covered > 0.93
    assert naively < 0.8


@pytest.mark.slow
def test_clusters_that_differ_by_chance_are_called_different_at_most_five_times_in_a_hundred():
    """2,000 times: 100 expected, three standard errors are 29; values taken for independent are far too sure."""
    pairs = [(clusters_of(number), clusters_of(number + 2000)) for number in range(2000)]
    means = [compare(*({"": rows.mean(axis=1)} for rows in pair), samples=199).p for pair in pairs]
    naive = [compare(*({"": rows.ravel()} for rows in pair), samples=199).p for pair in pairs]
    assert np.sum(np.array(means) <= 0.05) <= 129
    assert np.sum(np.array(naive) <= 0.05) > 300


def test_of_one_value_a_cluster_the_interval_is_that_of_the_values():
    values = RANDOM.random(30).tolist()
    found = clustered_interval({str(number): [value] for number, value in enumerate(values)})
    assert found == pytest.approx(interval({"": values}), abs=0.005)


def test_clusters_are_drawn_as_well_as_their_values():
    """Means of two clusters drawn from one of ones and one of noughts: 0, 1/2, 1/2, 1."""
    assert clustered_interval({"one": [1.0] * 5, "other": [0.0] * 5}) == (0.0, 1.0)


def test_an_interval_over_clusters_needs_values():
    with pytest.raises(ValueError, match="values in each"):
        clustered_interval({"a": [1.0], "b": []})


def test_the_interval_of_hits_is_that_of_a_proportion():
    low, high = interval({"all": [1.0] * 50 + [0.0] * 50})
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.015)


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    values = {"all": RANDOM.random(30).tolist()}
    assert interval(values, seed=1) == interval(values, seed=1) != interval(values, seed=2)


def test_a_large_and_a_small_data_set_have_the_interval_of_half_the_large_one():
    low, high = interval({"large": [1.0] * 500 + [0.0] * 500, "small": [0.5] * 10})
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.0158 / 2, 0.5 + 1.96 * 0.0158 / 2), abs=0.001)


def test_the_p_value_of_a_thousand_pairs_is_that_of_a_paired_t_test():
    differences = np.linspace(-0.5, 0.54, 1000)  # mean 0.02, standard deviation 0.3
    ours, theirs = {"large": differences, "small": np.zeros(9)}, {"large": np.zeros(1000), "small": np.zeros(9)}
    compared = compare(ours, theirs)
    assert compared.p == pytest.approx(ttest_1samp(differences, 0).pvalue, abs=0.01)
    assert compared.bootstrap_p == pytest.approx(compared.p, abs=0.01)


def test_every_data_set_counts_alike_however_many_queries_it_has():
    ours = {"large": [1.0] * 90, "small": [0.0] * 10}
    theirs = {"large": [0.0] * 90, "small": [0.5] * 10}
    assert compare(ours, theirs).difference == 0.25


def test_queries_are_drawn_within_their_data_set():
    """Sets of one value each: however drawn within a set, the macro mean stays; drawn from all, it would not."""
    assert interval({"one": [1.0] * 5, "other": [0.0] * 5}) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ({"a": [0.1, 0.2]}, {"a": [0.1]}, "a: 2 and 1 values make no pairs"),
        ({"a": [0.1]}, {"b": [0.1]}, r"The data sets differ \(a; b\)"),
        ({"a": []}, {"a": []}, "values in each"),
        ({}, {}, "needs data sets"),
    ],
)
def test_lists_that_cannot_be_paired_are_refused(ours, theirs, message):
    with pytest.raises(ValueError, match=message):
        compare(ours, theirs)


def test_an_interval_needs_values():
    with pytest.raises(ValueError, match="values in each"):
        interval({"a": [1.0], "b": []})


@pytest.mark.parametrize("wins", range(11))
def test_mcnemar_is_the_sum_of_the_binomials_terms(wins):
    ours = [True] * wins + [False] * (10 - wins)
    tail = sum(comb(10, number) for number in range(min(wins, 10 - wins) + 1)) / 2**10
    assert mcnemar(ours, [not one for one in ours]) == min(1, 2 * tail)


def test_mcnemar_of_thousands_of_pairs_that_differ_is_that_of_a_normal_distribution():
    ours = [True] * 4100 + [False] * 3900  # 100 above 4,000, with a standard deviation of sqrt(8000) / 2
    within = np.abs(RANDOM.standard_normal(200_000)) * np.sqrt(8000) / 2 >= 99.5
    assert mcnemar(ours, [not one for one in ours]) == pytest.approx(within.mean(), abs=0.004)


def test_the_interval_of_a_share_of_nothing_or_all_is_no_point():
    """Of none of n the upper end is z² / (n + z²)."""
    assert wilson(0.0, 10) == pytest.approx((0.0, 1.959964**2 / (10 + 1.959964**2)))
    assert wilson(1.0, 10) == pytest.approx((1 - wilson(0.0, 10)[1], 1.0))


def test_the_interval_of_a_share_of_many_is_that_of_its_standard_error():
    assert wilson(0.3, 10_000) == pytest.approx((0.3 - 1.96 * 0.00458, 0.3 + 1.96 * 0.00458), abs=1e-4)
