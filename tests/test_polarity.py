from __future__ import annotations

import pytest

from osler.answer.polarity import negated, opposed


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
