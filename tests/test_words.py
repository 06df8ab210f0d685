from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.answer.words import asks_yes_or_no, content_words, negated, numbers, written_numbers


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


def test_letters_of_any_script_are_words() -> None:
    assert content_words("β-cells") == {"β", "cell"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0·05 and 0.05", {"0.05"}),
        ("1,234,567 cells", {"1234567"}),
        ("12,5", {"12,5"}),
        ("60% of 84", {"60", "84"}),
        ("between 3-5 days.", {"3", "5"}),
        ("IL-6", {"6"}),
        ("none", set()),
    ],
)
def test_numbers_are_read_as_they_are_written_in_papers(text: str, found: set[str]) -> None:
    assert numbers(text) == found


def test_words_up_to_twelve_are_numbers_in_any_case() -> None:
    assert written_numbers("Twelve of thirteen, one twice") == {"12", "1"}


@pytest.mark.parametrize("text", ["It did not.", "No death.", "Without fever", "It can't.", "It doesn’t.", "NEITHER"])
def test_words_of_negation_negate(text: str) -> None:
    assert negated(text)


@pytest.mark.parametrize("text", ["Nothing but notes", "The nose and the node", "Innocent", "It can."])
def test_words_that_only_look_like_negation_do_not(text: str) -> None:
    assert not negated(text)


@pytest.mark.parametrize("question", ["Does it help?", " is it safe", "Can it?", "Has it?"])
def test_a_question_that_begins_with_an_auxiliary_asks_yes_or_no(question: str) -> None:
    assert asks_yes_or_no(question)


@pytest.mark.parametrize("question", ["What does it do?", "Island of Langerhans", "Cancer", ""])
def test_other_questions_do_not(question: str) -> None:
    assert not asks_yes_or_no(question)


@given(st.text(max_size=60))
def test_words_and_numbers_do_not_depend_on_what_stands_around_them(text: str) -> None:
    assert content_words(f"{text} aspirin 84") == content_words(text) | {"aspirin"}
    assert numbers(f"{text} 84") == numbers(text) | {"84"}
