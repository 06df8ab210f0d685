from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from osler.answer.budget import ELISION, HEADING_TOKENS, within_budget
from osler.records import EvidenceSpan, Passage, RankedPassage

ROOM = 1000


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def ranked(text: str, evidence: str = "", *, start: int = 0) -> RankedPassage:
    """A passage whose evidence is that part of its text."""
    first = start + text.index(evidence)
    span = EvidenceSpan(first, first + len(evidence), evidence, 0.5) if evidence else None
    return RankedPassage(Passage("a#0", "a", "Title", text, start, start + len(text)), 1, 0.5, 1, 0.5, span)


def test_what_fits_is_kept_whole() -> None:
    text = "One two. Three four.\n\nFive six."
    assert within_budget([ranked(text)], ROOM, count_tokens=count_words) == ["One two. Three four. Five six."]


def test_a_passage_that_does_not_fit_is_cut_at_a_sentence_end_and_keeps_its_evidence() -> None:
    passage = ranked("One two. Three four. Five six. Seven eight.", "Five six.", start=100)
    texts = within_budget([passage], HEADING_TOKENS + 4, count_tokens=count_words)
    assert texts == [f"One two. {ELISION} Five six. {ELISION}"]


def test_the_evidence_of_all_comes_before_the_rest_of_the_first() -> None:
    passages = [ranked("One two. Three four.", "Three four."), ranked("Five six. Seven eight.", "Five six.")]
    texts = within_budget(passages, 2 * HEADING_TOKENS + 4, count_tokens=count_words)
    assert texts == [f"{ELISION} Three four.", f"Five six. {ELISION}"]


def test_passages_whose_evidence_has_no_room_are_left_out_from_the_last() -> None:
    passages = [ranked("One two.", "One two.")] * 3
    assert len(within_budget(passages, 2 * (HEADING_TOKENS + 2), count_tokens=count_words)) == 2


def test_the_first_passage_is_always_there() -> None:
    assert within_budget([ranked("One two. Three.", "Three.")], 1, count_tokens=count_words) == [f"{ELISION} Three."]


def test_without_evidence_the_first_sentence_stands_in() -> None:
    assert within_budget([ranked("One two. Three.")], 1, count_tokens=count_words) == [f"One two. {ELISION}"]


def test_a_passage_that_is_only_a_title_has_an_empty_text() -> None:
    assert within_budget([ranked("")], ROOM, count_tokens=count_words) == [""]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 120))
def test_more_than_the_budget_is_taken_only_by_the_first_evidence(sizes: list[int], budget: int) -> None:
    passages = [ranked(" ".join(["One two three."] * size), "One two three.") for size in sizes]
    texts = within_budget(passages, budget, count_tokens=count_words)
    used = sum(count_words([text.replace(ELISION, "") for text in texts])) + len(texts) * HEADING_TOKENS
    assert used <= max(budget, HEADING_TOKENS + 3)


def test_what_one_passage_leaves_of_the_budget_goes_to_the_next() -> None:
    passages = [ranked("One. Two three four.", "One."), ranked("Five. Six.", "Five.")]
    texts = within_budget(passages, 2 * HEADING_TOKENS + 2 + 1, count_tokens=count_words)
    assert texts == [f"One. {ELISION}", "Five. Six."]


def test_evidence_of_two_sentences_is_kept_with_both() -> None:
    passage = ranked("One. Two. Three. Four.", "Two. Three.")
    assert within_budget([passage], 1, count_tokens=count_words) == [f"{ELISION} Two. Three. {ELISION}"]


def test_no_passages_have_no_texts() -> None:
    assert within_budget([], ROOM, count_tokens=count_words) == []
