from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.answer.citations import CitedSentence, parse_reply


def reply(*sentences: tuple[str, list[int]]) -> str:
    return json.dumps({"sentences": [{"text": text, "citations": numbers} for text, numbers in sentences]})


def test_json_under_the_schema_becomes_sentences_with_numbers() -> None:
    parsed = parse_reply(reply(("It is fluid.", [1]), ("It presses.", [2, 1])), passages=2)
    assert parsed.sentences == (CitedSentence("It is fluid.", (1,)), CitedSentence("It presses.", (2, 1)))
    assert parsed.warnings == ()


def test_json_within_a_fence_or_after_thoughts_is_found() -> None:
    text = reply(("It is fluid.", [1]))
    for wrapped in (f"```json\n{text}\n```", f"<think>Is it [7]?</think>{text}", f"Here you are:\n{text}"):
        assert parse_reply(wrapped, passages=1).sentences == (CitedSentence("It is fluid.", (1,)),)


def test_a_reply_cut_off_keeps_its_whole_sentences_and_says_so() -> None:
    text = reply(("It is fluid.", [1]), ("It presses on the heart.", [2]))
    parsed = parse_reply(text[:-25], passages=2)
    assert parsed.sentences == (CitedSentence("It is fluid.", (1,)),)
    assert "cut off" in parsed.warnings[0]


def test_a_reply_cut_within_its_first_sentence_has_none_but_did_not_decline() -> None:
    parsed = parse_reply('{"sentences": [{"text": "It is', passages=2)
    assert (parsed.sentences, parsed.cut, parsed.declined) == ((), True, False)


def test_a_whole_reply_without_sentences_declines() -> None:
    assert parse_reply('{"sentences": []}', passages=2).declined


def test_an_empty_reply_does_not_decline() -> None:
    parsed = parse_reply("", passages=2)
    assert (parsed.sentences, parsed.declined) == ((), False)


@pytest.mark.parametrize(
    ("marked", "numbers"),
    [
        ("Fluid [1].", (1,)),
        ("Fluid [1,2].", (1, 2)),
        ("Fluid [1][3].", (1, 3)),
        ("Fluid [1-3].", (1, 2, 3)),
        ("Fluid [1–2; 3].", (1, 2, 3)),
        ("Fluid 【2】.", (2,)),
        ("Fluid【2†source】.", (2,)),
        ("Fluid. [2]", (2,)),
        ("Fluid.[1] [3]", (1, 3)),
        ("[2] Fluid.", (2,)),
        ("Fluid [2][2].", (2,)),
        ("Fluid [1-4].", (1, 2, 3)),
    ],
)
def test_markers_of_free_text_become_the_same_structure(marked: str, numbers: tuple[int, ...]) -> None:
    assert parse_reply(marked, passages=3).sentences == (CitedSentence("Fluid.", numbers),)


def test_each_sentence_of_free_text_has_its_own_markers() -> None:
    parsed = parse_reply("It is fluid [1]. It presses on the heart.[2] Nobody knows why.", passages=2)
    assert [sentence.numbers for sentence in parsed.sentences] == [(1,), (2,), ()]
    assert parsed.warnings == ("A sentence of the answer cites no passage.",)


def test_a_marker_that_points_at_no_passage_is_dropped_and_reported() -> None:
    parsed = parse_reply("It is fluid [1][7].", passages=2)
    assert parsed.sentences == (CitedSentence("It is fluid.", (1,)),)
    assert parsed.warnings == ("The model cited [7], which it was not given.",)


def test_a_range_as_long_as_a_book_is_reported_by_its_ends() -> None:
    assert parse_reply("It is fluid [1-9999].", passages=2).unknown == (9999,)


def test_an_answer_without_any_citation_is_flagged() -> None:
    assert "cites no passage" in parse_reply("It is fluid.", passages=2).warnings[0]


def test_markers_within_the_text_of_json_count_too() -> None:
    assert parse_reply(reply(("It is fluid [2].", [])), passages=2).sentences == (CitedSentence("It is fluid.", (2,)),)


def test_numbers_that_are_no_markers_stay_in_the_text() -> None:
    text = "The [3H]thymidine uptake rose by 5% (95% CI [0.1, 0.9])."
    assert parse_reply(text, passages=9).sentences == (CitedSentence(text, ()),)


def test_at_most_three_passages_are_cited_by_a_sentence() -> None:
    assert parse_reply("It is fluid [1-5].", passages=5).sentences[0].numbers == (1, 2, 3)


def test_values_that_the_schema_forbids_are_left_out() -> None:
    text = (
        '{"sentences": [7, {"text": 3}, {"text": "A.", "citations": "1"}, {"text": "B.", "citations": [true, 2.0, 1]}]}'
    )
    assert parse_reply(text, passages=2).sentences == (CitedSentence("A.", ()), CitedSentence("B.", (1,)))


PIECES = ['{"sentences": [', '{"text": "A [1].", "citations": [1', "]}", "]", "{", '"', "\\ud800", "[1-", "【", "9" * 9]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=9)), max_size=12).map("".join))
def test_no_reply_makes_it_fail_and_no_number_is_invented(text: str) -> None:
    parsed = parse_reply(text, passages=2)
    for sentence in parsed.sentences:
        assert set(sentence.numbers) <= {1, 2}
        sentence.text.encode()


@pytest.mark.parametrize("text", ['{"sentences": [' + "[" * 100_000, '{"sentences": [' + "9" * 5000 + "]}"])
def test_replies_built_to_exhaust_a_parser_are_cut_off_replies(text: str) -> None:
    assert parse_reply(text, passages=2).sentences == ()


@given(st.integers(0, 200))
def test_wherever_a_reply_is_cut_only_whole_sentences_remain(length: int) -> None:
    whole = (CitedSentence("It is “fluid”.", (1,)), CitedSentence("It presses.", (2,)))
    text = reply(*((sentence.text, list(sentence.numbers)) for sentence in whole))
    sentences = parse_reply(text[: 15 + length], passages=2).sentences
    assert sentences == whole[: len(sentences)]
