from __future__ import annotations

import pytest

from osler.text.near_equal import containment, content_words, equal, jaccard, near_equal, shingles

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
