from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.text.matching import containment, content_words, equal, fold, jaccard, near_equal, shingles


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("hepa\u00adrin", "heparin"),
        ("surgi\u00ad\ncal", "surgical"),
        ("anti\u200bbody\ufeff, na\u200c\u200d\u2060ive", "antibody, naive"),
        ("e\ufb03cacy, \ufb02u, con\ufb01rmed", "efficacy, flu, confirmed"),
        ("\uff30\uff23\uff32 \uff12\uff10\uff05", "PCR 20%"),
        ("na\u0131\u0308ve Sjögren", "naive Sjogren"),
        ("IL\u20116, COVID\u201019, 3\u20135, \u22123", "IL-6, COVID-19, 3-5, -3"),
        ("5 \u2212 3 and \u2212 3.2", "5 - 3 and -3.2"),
        ("it\u2019s \u201cfine\u201d", 'it\'s "fine"'),
        ("2½ and ¼", "2 1/2 and 1/4"),
        ("a ≠ b", "a ≠ b"),
        ("14\u2009000 14\u202f000 14\u00a0000", "14 000 14 000 14 000"),
    ],
)
def test_what_looks_alike_has_one_spelling(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "power", ["10⁶", "10^6", "10(6)", "10**6", "10<sup>6</sup>", "10^{6}", "10^(6)", "10 ^ 6", "10 ** 6"]
)
def test_an_exponent_is_a_caret_and_a_number_however_it_is_written(power: str) -> None:
    assert fold(f"2 × {power} cells") == "2 × 10^6 cells"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("10⁻⁸", "10^-8"),
        ("10<sup>−8</sup>", "10^-8"),
        ("kg/m²", "kg/m^2"),
        ("kg/m(2)", "kg/m^2"),
        ("mc²155", "mc^2 155"),
        ("mc(2)155", "mc^2 155"),
        ("¹⁸F", "18F"),
        ("10^6.5", "10^6.5"),
        ("2^-ΔΔCt", "2^-ΔΔCt"),
        ("5<sup>th</sup>", "5th"),
        ("10 (6)", "10 (6)"),
        ("of 10 **5** mg", "of 10 **5** mg"),
        ("log(10)", "log(10)"),
        ("H(2)O", "H(2)O"),
        ("mg kg(-1)", "mg kg^-1"),
        ("Table 10(a)", "Table 10(a)"),
    ],
)
def test_a_superscript_never_runs_into_its_base_and_a_marker_stays_flat(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="^*<({`"), max_size=50))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert fold(text) == text


TEN = "one two three four five six seven eight nine ten"


def test_case_space_and_punctuation_do_not_count():
    assert equal(shingles("Aspirin, 100 mg (daily)."), shingles("aspirin\n100  MG daily"))


def test_the_order_of_the_words_counts():
    assert not equal(shingles("dogs bite men"), shingles("men bite dogs"))


def test_one_changed_word_at_the_end_of_ten_costs_one_shingle_of_each():
    # six shingles each, five shared, seven in all
    assert jaccard(shingles(TEN), shingles(TEN.replace("ten", "11"))) == 5 / 7


def test_one_changed_word_in_the_middle_costs_five_shingles():
    # the fifth word is in five of the six shingles: one shared, eleven in all
    assert jaccard(shingles(TEN), shingles(TEN.replace("five", "5"))) == 1 / 11


def test_a_part_is_contained_whole_and_the_whole_in_no_part_less():
    part, whole = shingles("three four five six seven eight"), shingles(TEN)  # two of the six shingles
    assert containment(part, whole) == containment(whole, part) == 1.0
    assert jaccard(part, whole) == 2 / 6


def test_the_threshold_itself_is_near_equal():
    longer = f"{TEN} eleven"  # six shingles within seven
    assert near_equal(shingles(TEN), shingles(longer), 6 / 7)
    assert not near_equal(shingles(TEN), shingles(longer), 0.86)


@pytest.mark.parametrize(("short", "other"), [("no cause known", "no cause known yet"), ("no cause known", TEN)])
def test_a_text_of_fewer_than_five_words_resembles_nothing_but_itself(short, other):
    assert near_equal(shingles(short), shingles(short.title()))
    assert jaccard(shingles(short), shingles(other)) == 0


def test_a_text_without_words_resembles_only_texts_without_words():
    assert near_equal(shingles("..."), shingles(""))
    assert not near_equal(shingles(""), shingles("one"))


def test_near_equal_goes_both_ways():
    a, b = shingles(TEN), shingles(f"{TEN} eleven")
    assert near_equal(a, b)
    assert near_equal(b, a)
    assert jaccard(a, b) == jaccard(b, a)


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ("List symptoms of Hakim Triad.", "List symptoms of the Hakim Triad?", 1),
        ("What is the target of the drug Olaparib?", "What is drug target for olaparib?", 1),
        ("Is lithium effective for treatment of mania?", "Is lithium effective for mania?", 3 / 4),
        ("What is (are) Gout ?", "What is (are) Mumps ?", 0),
        ("How to treat gout?", "How to diagnose gout?", 2 / 4),
        ("Is it safe?", "Is it not safe?", 1 / 2),
    ],
)
def test_questions_share_the_words_that_are_no_function_words(a, b, share):
    assert jaccard(content_words(a), content_words(b)) == share


def test_a_question_of_function_words_alone_resembles_only_itself():
    assert jaccard(content_words("What is it?"), content_words("what is it")) == 1
    assert jaccard(content_words("What is it?"), content_words("What are those?")) == 0
