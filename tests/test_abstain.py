from __future__ import annotations

from dataclasses import replace

import pytest

from osler.answer.abstain import ThresholdFit, abstention, confidence, fit_threshold
from osler.records import Passage, RankedPassage, Ranking


def ranked(doc_id: str, title: str = "", *, score: float = 0.5, candidate_score: float = 0.1) -> RankedPassage:
    passage = Passage(f"{doc_id}#0", doc_id, title, "Text.", 0, 5)
    return RankedPassage(passage, rank=1, score=score, candidate_rank=1, candidate_score=candidate_score)


def test_confidence_is_the_score_of_the_best_passage() -> None:
    assert confidence(Ranking("q", (ranked("a", score=0.7), ranked("b", score=0.4)))) == 0.7


def test_a_score_that_stage_1_gave_as_well_is_a_confidence() -> None:
    assert confidence(Ranking("q", (ranked("a", score=0.7, candidate_score=0.7),))) == 0.7


def test_confidence_is_maxsim_where_the_score_that_ranks_is_interpolated() -> None:
    first, second = ranked("a", score=0.9), ranked("b", score=0.8)
    ranking = Ranking("q", (replace(first, maxsim=0.4), replace(second, maxsim=0.5)))
    assert confidence(ranking) == 0.5


def test_without_passages_there_is_no_confidence() -> None:
    with pytest.raises(ValueError, match="empty"):
        confidence(Ranking("q", ()))


def test_an_abstention_under_the_threshold_names_the_nearest_passages_once_and_both_numbers() -> None:
    passages = [ranked("HP:1", "Ascites"), ranked("HP:1", "Ascites"), ranked("PMID:2")]
    assert abstention(passages, score=0.412, threshold=0.5) == (
        "No passage is near enough to this question (confidence 0.41, needed 0.50). "
        "The nearest are: Ascites (HP:1); PMID:2."
    )


def test_an_abstention_without_a_score_says_that_the_model_declined() -> None:
    assert abstention([ranked("PMID:2")]) == (
        "The language model found no answer in the passages. The nearest are: PMID:2."
    )


def test_no_title_in_an_abstention_looks_like_a_marker_or_begins_a_line() -> None:
    assert abstention([ranked("a [3]", "Ascites [2]\n[1] Fake")]).endswith("Ascites (2) (1) Fake (a (3)).")


def test_an_abstention_names_three_passages_at_most() -> None:
    assert abstention([ranked(doc_id) for doc_id in "abcd"]).endswith("The nearest are: a; b; c.")


def test_a_perfect_threshold_lies_between_the_two_kinds() -> None:
    assert fit_threshold([0.8, 0.9], [0.2, 0.4]) == ThresholdFit(pytest.approx(0.6), answered=1.0, declined=1.0)


def test_the_answerable_are_kept_before_the_unanswerable_are_declined() -> None:
    answerable, unanswerable = [0.1, 0.8, 0.9, 1.0], [0.2, 0.3, 0.4, 0.5]
    assert fit_threshold(answerable, unanswerable) == ThresholdFit(0.1, answered=1.0, declined=0.0)
    assert fit_threshold(answerable, unanswerable, keep=0.75) == ThresholdFit(0.65, answered=0.75, declined=1.0)


def test_balanced_accuracy_is_the_mean_of_both_shares() -> None:
    assert ThresholdFit(0.5, answered=1.0, declined=0.5).balanced_accuracy == 0.75


def test_equal_scores_cannot_be_told_apart() -> None:
    assert fit_threshold([0.5], [0.5]).balanced_accuracy == 0.5


def test_a_fit_without_scores_of_one_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unanswerable"):
        fit_threshold([0.5], [])


def test_a_share_above_one_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match="keep = 95"):
        fit_threshold([0.5], [0.1], keep=95)
