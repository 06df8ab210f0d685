"""The fake re-ranker knows six words and takes all others for one: similarity is 1 unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import FakeReranker

from osler.answer.support import SupportCheck, SupportSettings
from osler.records import EvidenceSpan, Passage, RankedPassage, Vectors

TEXT = "We asked 84 patients. Aspirin reduced strokes by 60% within 0·5 years. It did not prevent two deaths."


def check(text: str = TEXT, *, question: str = "aspirin", title: str = "", start: int = 0) -> SupportCheck:
    return SupportCheck(question, [ranked(text, title=title, start=start)], FakeReranker())


def ranked(text: str, *, title: str = "", start: int = 0) -> RankedPassage:
    passage = Passage("a#0", "a", title, text, start, start + len(text), metadata={"year": 2016})
    return RankedPassage(passage, 1, 0.5, 1, 0.5)


def supported(sentence: str, **passage: str) -> bool:
    return check(**passage).verdict(sentence, 1).supported


@pytest.mark.parametrize(
    "sentence",
    [
        "Aspirin reduces strokes.",
        "Aspirin reduced strokes by 60% in 84 patients.",
        "Strokes were reduced within 0.5 years.",
        "In 2016, aspirin reduced strokes.",
    ],
)
def test_words_and_numbers_of_the_passage_support(sentence: str) -> None:
    assert supported(sentence)


def test_a_number_that_the_passage_lacks_is_not_supported() -> None:
    assert not supported("Aspirin reduced strokes by 80%.")


def test_a_number_may_be_written_as_a_word_in_the_passage() -> None:
    assert supported("It prevented 2 deaths.", text="Aspirin prevented two deaths.")


def test_words_that_the_passage_lacks_are_not_supported() -> None:
    assert not supported("Clopidogrel causes bleeding.")


def test_the_words_of_the_question_alone_prove_nothing() -> None:
    question = "How are strokes in patients treated with aspirin?"
    assert not supported("Strokes in patients are treated with aspirin and clopidogrel.", question=question)


def test_repeating_the_question_is_an_answer_only_to_yes_or_no() -> None:
    assert not supported("Aspirin reduced strokes.", question="aspirin reduced strokes")
    assert supported("Yes, aspirin reduced strokes.", question="Did aspirin reduce strokes?")


def test_a_sentence_that_claims_nothing_is_not_supported() -> None:
    assert not supported("Yes.", question="Did aspirin reduce strokes?")


def test_a_negation_that_the_nearest_sentence_lacks_is_not_supported() -> None:
    assert not supported("Aspirin never reduced strokes.", text="Aspirin reduced strokes.")
    assert not supported("Aspirin reduced strokes.", text="Aspirin has not reduced strokes.")


def test_words_alone_do_not_support_without_similarity() -> None:
    passages = [ranked("Aspirin and lungs.")]
    sentence = "Aspirin lungs heart fluid."  # 2 of 4 words, similarity 0.5
    lenient = SupportSettings(words=0.5, new_words=0.3, similarity=0.5)
    strict = SupportSettings(words=0.5, new_words=0.3, similarity=0.51)
    verdicts = [
        SupportCheck("q", passages, FakeReranker(), settings).verdict(sentence, 1) for settings in (lenient, strict)
    ]
    assert [verdict.supported for verdict in verdicts] == [True, False]
    assert verdicts[0].score == pytest.approx(0.5)


def test_the_title_counts_as_what_the_passage_says() -> None:
    text = "Fluid within the pericardium."
    assert supported("Fluid is effusion.", text=text, title="Effusion", question="What is it?")


def test_the_evidence_is_the_nearest_sentence_at_its_place_in_the_document() -> None:
    text = "The lung is fine. Fluid around the heart."
    evidence = check(text, start=100).verdict("Fluid heart", 1).evidence
    assert (evidence.start, evidence.end, evidence.text) == (118, 141, "Fluid around the heart.")
    assert evidence.score == pytest.approx(1.0)


def test_a_passage_without_text_has_empty_evidence_that_json_can_hold() -> None:
    evidence = check("", title="Effusion", start=7).verdict("Effusion.", 1).evidence
    assert (evidence.start, evidence.end, evidence.text, evidence.score) == (7, 7, "", 0.0)


@pytest.mark.parametrize("heading", ["HEART FLUID", "FLUID OF THE HEART:"])
def test_a_heading_is_no_evidence_beside_a_statement(heading: str) -> None:
    evidence = check(f"{heading}\nThe cardiac wall was thick.").verdict("Fluid heart", 1).evidence
    assert evidence.text == "The cardiac wall was thick."


def test_a_heading_is_the_evidence_of_a_passage_that_has_nothing_else() -> None:
    assert check("HEART FLUID").verdict("Fluid heart", 1).evidence.text == "HEART FLUID"


def test_the_confidence_is_the_score_of_the_passage_that_fits_the_question_best() -> None:
    several = SupportCheck("heart fluid", [ranked("The lung."), ranked("Cardiac fluid."), ranked("")], FakeReranker())
    assert several.confidence() == pytest.approx(0.9, abs=0.004)


def test_the_evidence_of_the_search_is_kept_and_found_where_there_is_none() -> None:
    given = EvidenceSpan(0, 9, "The lung.", 0.1)
    both = [replace(ranked("The lung. The heart has fluid."), evidence=evidence) for evidence in (given, None)]
    support = SupportCheck("heart fluid", both, FakeReranker())
    assert support.question_evidence(1) is given
    assert support.question_evidence(2).text == "The heart has fluid."


class CountingReranker(FakeReranker):
    """Lists the queries that it encodes, too."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: list[str] = []

    def encode_queries(self, queries: Sequence[str]) -> list[Vectors]:
        self.queries += queries
        return super().encode_queries(queries)


def test_question_and_passages_are_encoded_once_and_not_before_they_are_needed() -> None:
    reranker = CountingReranker()
    support = SupportCheck("aspirin", [ranked(TEXT)] * 3, reranker)
    assert (reranker.queries, reranker.encoded) == ([], [])
    support.confidence()
    support.question_evidence(1)
    support.verdict("Aspirin reduced strokes.", 1)
    support.verdict("It prevented deaths.", 2)
    assert reranker.queries == ["aspirin", "Aspirin reduced strokes.", "It prevented deaths."]
    assert reranker.encoded == ["a#0"] * 3


TRIAL = (
    "The trial enrolled 14\u2009000 patients, and fifteen died. The mean change was −3.2 mmHg. "
    "Patients received 2 × 10⁶ cells. Hepa\u00adrin lowered the risk of a second stroke."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The trial enrolled 14,000 patients.",
        "15 patients died.",
        "The mean change was -3.2 mmHg.",
        "Patients received 2 x 10^6 cells.",
        "Patients received two million cells.",
        "Heparin reduced the risk of a second stroke.",
    ],
)
def test_numbers_and_words_may_be_spelled_in_another_way(sentence: str) -> None:
    assert supported(sentence, text=TRIAL)


@pytest.mark.parametrize(
    "sentence",
    [
        "The trial enrolled 14 patients.",
        "Fifty patients died.",
        "The mean change was +3.2 mmHg.",
        "The mean change was 3.2 mmHg.",
        "Patients received 2 × 106 cells.",
        "Patients received 2 × 10⁵ cells.",
    ],
)
def test_another_number_is_not_supported(sentence: str) -> None:
    assert not supported(sentence, text=TRIAL)


@pytest.mark.parametrize(
    "sentence",
    [
        "Heparin raised the risk of a second stroke.",
        "Heparin lowered the risk of a first stroke.",
        "Heparin failed to lower the risk of a second stroke.",
    ],
)
def test_the_opposite_is_not_supported(sentence: str) -> None:
    assert not supported(sentence, text="Heparin lowered the risk of a second stroke.")


def test_a_number_in_a_name_is_no_number() -> None:
    assert not supported("IL-6 patients died.", text="6 patients died.")
    assert not supported("6 patients died.", text="IL-6 patients died.")
