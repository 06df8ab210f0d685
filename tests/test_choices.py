"""What is chosen on valid and reported on dev."""

from __future__ import annotations

import numpy as np
import pytest

from osler.errors import ModelError
from osler.models.adapter import Adapter, LowRank, read_adapter, write_adapter
from osler.models.model_card import Reference, RerankerCard, read_card, write_card
from osler.train.choices import (
    GRID,
    ScoredCandidate,
    ScoredDataset,
    choose_stage1_weight,
    choose_threshold,
    dev_report,
    keep_choices,
)

REFERENCE = Reference(query="fever", passages=("Fever is heat.", "A wrist."), scores=(0.9, 0.2))


def scored(name: str, *candidates: ScoredCandidate) -> ScoredDataset:
    """One query, to which document "yes" is relevant."""
    return ScoredDataset(name, {"q": candidates}, {"q": {"yes": 1}})


MAXSIM_KNOWS = scored("late", ScoredCandidate("yes", stage1=0.0, maxsim=1.0), ScoredCandidate("no", 0.5, 0.0))
STAGE_1_KNOWS = scored("early", ScoredCandidate("yes", stage1=1.0, maxsim=0.0), ScoredCandidate("no", 0.0, 0.3))
# MAXSIM_KNOWS holds as long as 1 - w > w / 2, which is w < 2/3; STAGE_1_KNOWS as soon as w > 0.3 (1 - w), w > 3/13.


def test_the_weight_that_serves_all_data_sets_wins():
    weight, tried = choose_stage1_weight([MAXSIM_KNOWS, STAGE_1_KNOWS])
    assert weight == 0.3
    assert [step for step in GRID if tried[step] == 1.0] == [0.3, 0.4, 0.5, 0.6]


def test_where_maxsim_knows_best_the_smallest_weight_is_taken():
    assert choose_stage1_weight([MAXSIM_KNOWS])[0] == 0.0


def test_where_queries_disagree_the_weight_lies_between_their_best_ones():
    late = {f"late{number}": MAXSIM_KNOWS.candidates["q"] for number in range(30)}
    early = {f"early{number}": STAGE_1_KNOWS.candidates["q"] for number in range(30)}
    both = ScoredDataset("both", {**late, **early}, {query_id: {"yes": 1} for query_id in (*late, *early)})
    weight, tried = choose_stage1_weight([both], grid=(0.0, 0.1, 0.8, 0.9))
    assert tried[0.0] == tried[0.9]  # the argmax of this curve would be 0
    assert 0.3 < weight < 0.6
    assert choose_stage1_weight([both], grid=(0.9, 0.1, 0.8, 0.0))[0] == weight


def test_between_two_tops_with_a_valley_the_best_of_the_grid_is_taken():
    late = (ScoredCandidate("yes", stage1=0.0, maxsim=1.0), ScoredCandidate("no", 1.0, 0.75))  # right below 0.2
    early = (ScoredCandidate("yes", stage1=1.0, maxsim=0.0), ScoredCandidate("no", 0.75, 1.0))  # right above 0.8
    candidates = {f"q{number}": late if number % 2 else early for number in range(60)}
    valley = ScoredDataset("valley", candidates, {query_id: {"yes": 1} for query_id in candidates})
    assert choose_stage1_weight([valley])[0] in (0.0, 0.9)


def test_every_weight_of_the_grid_is_reported():
    weight, tried = choose_stage1_weight([STAGE_1_KNOWS], grid=(0.0, 0.5))
    assert weight == 0.5
    assert tried == {0.0: pytest.approx(0.6309, abs=1e-4), 0.5: 1.0}  # 1 / log2(3) on rank 2


def test_a_data_set_of_many_queries_does_not_outvote_a_small_one():
    late = {f"q{number}": MAXSIM_KNOWS.candidates["q"] for number in range(9)}
    large = ScoredDataset("late", late, {query_id: {"yes": 1} for query_id in late})
    tried = choose_stage1_weight([large, STAGE_1_KNOWS], grid=(0.0, 0.9))[1]
    assert tried[0.0] == tried[0.9]
    assert choose_stage1_weight([large, STAGE_1_KNOWS], grid=(0.9, 0.0))[0] == 0.0


def test_a_document_counts_as_its_best_passage():
    data = scored(
        "long", ScoredCandidate("yes", 0.1, 0.1), ScoredCandidate("no", 0.5, 0.5), ScoredCandidate("yes", 0.9, 0.9)
    )
    assert data.run(0.5) == {"q": {"yes": pytest.approx(0.9), "no": pytest.approx(0.5)}}
    assert data.values(0.5) == {"q": 1.0}


@pytest.mark.parametrize(("weight", "expected"), [(0.0, {"yes": 1.0, "no": 0.0}), (1.0, {"yes": 0.0, "no": 0.5})])
def test_a_weight_of_0_is_maxsim_and_of_1_stage_1(weight, expected):
    assert MAXSIM_KNOWS.run(weight) == {"q": expected}


def test_a_query_without_candidates_counts_as_zero():
    data = ScoredDataset("empty", {"q": ()}, {"q": {"yes": 1}})
    assert choose_stage1_weight([data]) == (0.0, dict.fromkeys(GRID, 0.0))


def test_the_grid_goes_from_0_to_0_9():
    assert GRID == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_the_threshold_parts_queries_with_their_answers_from_queries_without():
    def asked(found, nearest):
        return (ScoredCandidate("yes", 0.0, found), ScoredCandidate("no", 0.0, nearest))

    data = ScoredDataset("a", {"q1": asked(0.75, 0.25), "q2": asked(1.0, 0.5)}, {"q1": {"yes": 1}, "q2": {"yes": 1}})
    fit = choose_threshold([data])
    assert (fit.threshold, fit.answered, fit.declined) == (0.625, 1.0, 1.0)


def test_where_no_query_has_an_answer_and_another_passage_nothing_is_declined():
    data = ScoredDataset("a", {"q": (ScoredCandidate("no", 0.5, 0.5),), "p": ()}, {"q": {"yes": 1}, "p": {"yes": 1}})
    assert choose_threshold([data]).threshold == 0.0


def test_the_choices_are_kept_beside_the_model_and_nothing_else_changes(tmp_path):
    card = RerankerCard(projection=(384, 128), skip=(".",), reference=REFERENCE)
    (tmp_path / "model").mkdir()
    write_card(tmp_path / "model", card)
    keep_choices(tmp_path, stage1_weight=0.3, abstain_below=0.4)
    assert read_card(tmp_path / "model") == card.model_copy(update={"stage1_weight": 0.3, "abstain_below": 0.4})


def test_the_weight_is_kept_in_the_adapter_too_and_the_vectors_stay_the_same(tmp_path):
    card = RerankerCard(projection=None, reference=REFERENCE)
    change = LowRank(a=np.ones((1, 3), dtype=np.float32), b=np.ones((2, 1), dtype=np.float32))
    adapter = Adapter({"layer": change}, scale=2.0, weights="ab12", reranker=card)
    (tmp_path / "model").mkdir()
    write_card(tmp_path / "model", card)
    write_adapter(tmp_path / "adapter.safetensors", adapter)
    keep_choices(tmp_path, stage1_weight=0.3, abstain_below=0.4)
    kept = read_adapter(tmp_path / "adapter.safetensors")
    assert kept.reranker.stage1_weight == 0.3
    assert kept.digest == adapter.digest


def test_a_model_that_osler_did_not_train_keeps_no_weight(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(ModelError, match=r"no osler\.json"):
        keep_choices(tmp_path, stage1_weight=0.3, abstain_below=0.4)


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
