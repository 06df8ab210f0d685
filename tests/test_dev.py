import numpy as np
import pytest

from osler.train.choices import ScoredCandidate, ScoredDataset, dev_report

GOOD_LAST = [ScoredCandidate("bad", 0.9, 0.1), ScoredCandidate("good", 0.1, 0.9)]
DATASET = ScoredDataset("tiny", {"q1": GOOD_LAST, "q2": GOOD_LAST}, {"q1": {"good": 1}, "q2": {"good": 1}})
LOST = ScoredDataset("lost", {"q": []}, {"q": {"good": 1}})


def test_the_report_holds_both_stages_of_each_data_set():
    stages = dev_report([DATASET], 0.0)["measures"]["tiny"]
    assert (stages["candidates"]["Recall@1"], stages["ranked"]["Recall@1"]) == (0.0, 1.0)
    assert (stages["candidates"]["RR@10"], stages["ranked"]["RR@10"]) == (0.5, 1.0)


def test_the_macro_average_counts_data_sets_alike_and_queries_without_candidates_as_zero():
    report = dev_report([DATASET, LOST], 0.0)
    assert report["macro"]["ranked"]["Recall@1"] == 0.5
    assert report["queries"] == {"tiny": 2, "lost": 1}


def test_the_gain_of_the_re_ranker_is_tested_on_paired_queries():
    gain = dev_report([DATASET], 0.0)["ranked_against_candidates"]
    assert gain["difference"] == pytest.approx(1 - 1 / np.log2(3))
    assert gain["low"] == pytest.approx(gain["difference"])
