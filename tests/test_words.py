from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.answer.words import asks_yes_or_no, claimed_words, content_words


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
