from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.corpus.split import split
from osler.records import Document, Section


def count_words(texts):
    return [len(text.split()) for text in texts]


def count_bytes(texts):
    return [len(text.encode()) for text in texts]


def passages(*sections, title="", max_tokens=10, count_tokens=count_words):
    document = Document("PMID:1", title, tuple(Section(*section) for section in sections), metadata={"year": 1999})
    return split(document, count_tokens=count_tokens, max_tokens=max_tokens)


def test_a_document_that_fits_is_one_passage_of_all_its_sections():
    (passage,) = passages(("METHODS", "We counted."), ("RESULTS", "Four."))
    assert (passage.text, passage.start, passage.end) == ("We counted.\n\nFour.", 0, 18)
    assert passage.heading == ""


def test_a_passage_carries_its_document():
    (passage,) = passages(("METHODS", "We counted."), title="Mice")
    assert (passage.passage_id, passage.doc_id, passage.title) == ("PMID:1#0", "PMID:1", "Mice")
    assert (passage.heading, passage.metadata) == ("METHODS", {"year": 1999})


@pytest.mark.parametrize("sections", [(), (("", ""),), (("A", ""), ("B", "")), (("", " \n "),)])
def test_a_document_without_words_is_one_passage(sections):
    (passage,) = passages(*sections, max_tokens=4)
    assert (passage.start, passage.end) == (0, len(passage.text))
    assert passage.text.strip() == ""


def test_title_heading_and_two_special_tokens_count():
    text = "one two three four five."
    assert len(passages(("H", text), title="T", max_tokens=9)) == 1
    assert len(passages(("H", text), title="T", max_tokens=8)) == 2


def test_sections_that_are_long_never_share_a_passage():
    found = passages(("A", "a b c d e."), ("B", "f g h."), ("C", "i j k l m."), max_tokens=12)
    assert [(passage.heading, passage.text) for passage in found] == [
        ("A", "a b c d e."),
        ("B", "f g h."),
        ("C", "i j k l m."),
    ]


def test_short_neighbours_share_a_passage_that_has_no_heading():
    found = passages(("A", "a b."), ("B", "c d."), ("C", "e f g h i j k."), max_tokens=11)
    assert [(passage.heading, passage.text) for passage in found] == [("", "a b.\n\nc d."), ("C", "e f g h i j k.")]


def test_a_long_section_is_cut_at_sentence_ends_into_passages_of_one_length():
    found = passages(("", "A b. C d. E f. G h. I j. K l."), max_tokens=10)
    assert [passage.text for passage in found] == ["A b. C d. E f.", "G h. I j. K l."]


def test_a_sentence_that_is_too_long_is_cut_between_words():
    found = passages(("", "a b c d e f g h i j k l"), max_tokens=8)
    assert [passage.text for passage in found] == ["a b c d e f", "g h i j k l"]


def test_a_word_that_is_too_long_is_cut():
    found = passages(("", "ACGT" * 20), max_tokens=34, count_tokens=count_bytes)
    assert "".join(passage.text for passage in found) == "ACGT" * 20
    assert max(len(passage.text) for passage in found) <= 32


def test_a_long_title_leaves_half_of_the_budget_to_the_text():
    found = passages(("", "A b. C d. E f. G h."), title="t " * 50, max_tokens=8)
    assert [passage.text for passage in found] == ["A b. C d.", "E f. G h."]


def test_a_long_document_needs_few_calls_of_the_tokenizer():
    calls = []
    text = " ".join(f"Sentence number {number}." for number in range(500))

    def count(texts):
        calls.append(len(texts))
        return count_words(texts)

    assert len(passages(("A", text), ("B", text), max_tokens=32, count_tokens=count)) > 20
    assert len(calls) == 2  # of the headings, and of the sentences; so long a text does not fit whatever its tokens


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["Four words stand here. " * 40_000, "word " * 180_000, "acgt" * 220_000, "a\n" * 300_000]
)
def test_the_tokenizer_is_never_given_more_than_a_part_of_a_huge_document(text):
    given = []

    def count(texts):
        given.append(sum(map(len, texts)))
        return count_words(texts)

    found = split(Document("a", "T", (Section("", text),)), count_tokens=count, max_tokens=384)
    assert max(given) < 300_000
    assert max(len(passage.text.split()) for passage in found) <= 384
    ends = [0, *(passage.end for passage in found)]
    between = [text.strip()[end : passage.start] for end, passage in zip(ends, found, strict=False)]
    assert not "".join(between).strip()


def test_a_section_longer_than_a_window_is_one_section_with_one_heading():
    found = passages(("A", "Four words stand here. " * 20_000), ("B", "The end."), max_tokens=200)
    assert {passage.heading for passage in found[:-1]} == {"A"}
    assert found[-1].heading == "B"


TEXT = st.text(alphabet="aB1. \n", max_size=120) | st.text(max_size=30)


@given(
    sections=st.lists(st.tuples(st.sampled_from(["", "Methods", "Results"]), TEXT), max_size=5),
    title=st.text(max_size=20),
    max_tokens=st.integers(12, 60),
)
def test_passages_tile_the_text_and_keep_to_the_budget(sections, title, max_tokens):
    document = Document("d", title, tuple(Section(*section) for section in sections))
    found = split(document, count_tokens=count_bytes, max_tokens=max_tokens)
    text = document.text
    assert (found[0].start, found[-1].end) == (0, len(text))
    assert all(passage.text == text[passage.start : passage.end] for passage in found)
    between = [text[one.end : next_.start] for one, next_ in pairwise(found)]
    assert "".join(between).strip() == ""
    assert all(one.end <= next_.start for one, next_ in pairwise(found))
    assert [passage.position for passage in found] == list(range(len(found)))
    longest = max(len(passage.text.strip().encode()) for passage in found)
    assert longest <= max(max_tokens - 2, max_tokens // 2)
