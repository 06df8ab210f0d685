"""The fake re-ranker knows six words and takes all others for one: similarity is 1 unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import FakeReranker
from hypothesis import given
from hypothesis import strategies as st

from osler.answer.support import (
    SupportCheck,
    SupportSettings,
    asks_yes_or_no,
    claimed_words,
    content_words,
    negated,
    opposed,
)
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("treated", "treats"),
        ("treatment", "treating"),
        ("indication", "indicated"),
        ("biopsies", "biopsy"),
        ("stroke", "strokes"),
        ("frequently", "frequent"),
        ("Aspirin", "ASPIRIN"),
        ("differences", "differed"),
        ("95% confidence intervals", "95% CI"),
        ("odds ratio", "OR 2.1"),
        ("interleukin", "IL"),
        ("on average", "mean"),
    ],
)
def test_forms_of_one_word_are_equal(one: str, other: str) -> None:
    assert content_words(one) == content_words(other) != frozenset()


@pytest.mark.parametrize(("one", "other"), [("virus", "viral"), ("mg", "ml"), ("gene", "genome"), ("IL2", "IL6")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert content_words(one) != content_words(other)


@pytest.mark.parametrize("word", ["virus", "pus", "loss", "sepsis", "gas", "red", "aged", "p53"])
def test_short_words_and_singulars_in_s_stay_whole(word: str) -> None:
    assert content_words(word) == {word}


def test_stop_words_and_bare_numbers_carry_no_claim() -> None:
    assert content_words("Yes, it was said that the 84 of these passages are not.") == frozenset()


@pytest.mark.parametrize(
    "sentence",
    ["5 mm Hg", "38.5 °C", "38 degrees Celsius", "6 weeks", "less than 60 mL per min", "8 mmol/L", "at least 3"],
)
def test_units_and_comparisons_beside_a_number_need_not_be_in_the_source(sentence: str) -> None:
    assert claimed_words(sentence) == frozenset()


def test_a_unit_that_stands_alone_is_a_word_of_the_claim() -> None:
    assert claimed_words("a second week of days") == {"week", "day"}


def test_letters_of_any_script_are_words() -> None:
    assert content_words("β-cells") == {"β", "cell"}


@pytest.mark.parametrize(
    "text", ["fifteen", "Twenty-five", "one hundred and two", "the second", "half", "10⁶", "½", "tenfold", "2-fold"]
)
def test_numbers_are_no_content_words_however_they_are_written(text: str) -> None:
    assert content_words(text) == frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hepa\u00adrin", "heparin"),
        ("surgi\u00ad\ncal", "surgical"),
        ("e\ufb03cacy of \ufb02uconazole", "efficacy of fluconazole"),
        ("na\u0131\u0308ve", "naive"),
        ("anti\u200bbody", "antibody"),
        ("\uff21spirin", "aspirin"),
        ("β\u2010blockers", "β-blockers"),
    ],
)
def test_spellings_that_look_alike_are_one_word(one: str, other: str) -> None:
    assert content_words(one) == content_words(other) != frozenset()


@pytest.mark.parametrize("question", ["Does it help?", " is it safe", "Can it?", "Has it?"])
def test_a_question_that_begins_with_an_auxiliary_asks_yes_or_no(question: str) -> None:
    assert asks_yes_or_no(question)


@pytest.mark.parametrize("question", ["What does it do?", "Island of Langerhans", "Cancer", ""])
def test_other_questions_do_not(question: str) -> None:
    assert not asks_yes_or_no(question)


@given(st.text(max_size=60))
def test_words_do_not_depend_on_what_stands_around_them(text: str) -> None:
    assert content_words(f"{text} aspirin 84") == content_words(text) | {"aspirin"}


@pytest.mark.parametrize(
    "text",
    [
        *("It did not.", "No death.", "Without fever", "It can't.", "It doesn’t.", "NEITHER", "It failed to heal."),
        *("It was unable to heal.", "It rarely heals.", "It no longer heals.", "Absence of pain", "He denies pain."),
    ],
)
def test_words_of_negation_negate(text: str) -> None:
    assert negated(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Notes on the nose and the node",
            "Innocent",
            "It can.",
            "Heart failure",
            "Not only fever",
            "Failure to thrive",
        ),
        *("Patients with or without fever", "Knot"),
    ],
)
def test_words_that_only_look_like_negation_do_not(text: str) -> None:
    assert not negated(text)


OPPOSED = [
    ("Aspirin lowered blood pressure.", "Aspirin raised blood pressure."),
    ("Aspirin reduced the risk of stroke.", "Aspirin increases the risk of stroke."),
    ("A reduction in mortality was seen.", "Mortality was increased."),
    ("Mortality was lower with aspirin.", "Aspirin led to higher mortality."),
    ("There were fewer deaths.", "There were more deaths."),
    ("Less than 50% survived.", "More than 50% survived."),
    ("Pain improved.", "It worsened the pain."),
    ("Survival was longer.", "Survival was shorter."),
    ("IL-10 was up-regulated.", "IL-10 was downregulated."),
    ("Weight loss was common.", "Weight gain was common."),
    ("Aspirin is beneficial for women.", "Aspirin is harmful for women."),
    ("Drug A was superior to drug B.", "Drug A was inferior to drug B."),
    ("It activates the enzyme.", "It inhibits the enzyme."),
    ("It prevents cancer.", "It promotes cancer."),
    ("It prevents cancer.", "It causes cancer."),
    ("It is a receptor antagonist of glucagon.", "It is an agonist of glucagon."),
    ("It caused hyperkalaemia.", "It caused hypokalaemia."),
    ("HER2-positive tumours", "HER2-negative tumours"),
    ("Resistant strains", "Sensitive strains"),
    ("Death is unlikely.", "Death is likely."),
    ("The dose was low.", "The dose was high."),
    ("Blood pressure fell.", "Blood pressure rose."),
    ("The risk was higher in men than in women.", "The risk was lower in men than in women."),
    ("Mortality was reduced by 20%.", "Mortality increased by 20%."),
    ("A rise of the risk", "A decline of the risk"),
    ("Half of the patients relapsed.", "All of the patients relapsed."),
    ("A benign tumour", "A malignant tumour"),
    ("Statins are recommended in diabetes.", "Statins are contra-indicated in diabetes."),
    ("Acute hepatitis was seen.", "Chronic hepatitis was seen."),
    ("Systolic pressure fell.", "Diastolic pressure fell."),
    ("The left kidney failed.", "The right kidney failed."),
    ("It was more common in male patients.", "It was more common in female patients."),
]
NOT_OPPOSED = [
    ("Aspirin lowered the risk.", "Aspirin reduced the risk."),
    ("The risk was lower.", "There was a reduction of the risk."),
    ("There were fewer deaths.", "There were more survivors."),
    ("Aspirin reduced mortality.", "Aspirin increased survival."),
    ("Aspirin reduced mortality.", "Survival was increased by aspirin."),
    ("Aspirin reduced strokes and increased bleeding.", "Aspirin increased bleeding."),
    ("Aspirin reduced strokes and increased bleeding.", "Aspirin reduced strokes."),
    ("Higher doses reduced the risk.", "The risk was lower with higher doses."),
    ("Aspirin reduced strokes.", "Aspirin prevents strokes."),
    ("Drug A was non-inferior.", "Drug A was inferior."),
    ("The risk was higher in men than in women.", "The risk was lower in women than in men."),
    ("It improved.", "It improved."),
    ("The half-life of all drugs was known.", "All drugs were known."),
    ("Some of all patients relapsed.", "All patients relapsed."),
    ("All-cause mortality fell.", "Some causes of mortality fell."),
    ("", "More deaths."),
    ("More deaths.", ""),
]


@pytest.mark.parametrize(("evidence", "claim"), OPPOSED)
def test_a_claim_of_the_opposite_is_opposed_both_ways(evidence: str, claim: str) -> None:
    assert opposed(claim, evidence)
    assert opposed(evidence, claim)


@pytest.mark.parametrize(("evidence", "claim"), NOT_OPPOSED)
def test_no_verdict_is_passed_on_synonyms_other_things_and_both_directions(evidence: str, claim: str) -> None:
    assert opposed(claim, evidence) == ()
