import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.text.sentences import claim_spans, sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Growth of E. coli K-12 was slower (p < 0.05, i.e. significant).",
        "Values, e.g. Those in Fig. 2, differ from Smith et al. (2001) and Jones et al. [12].",
        "Approx. 1.2 mg vs. 3.4 mg was given by Dr. Osler and by J. B. Smith.",
        "Salmonella spp. were found in no. 5 of 7 samples.",
        "The mean was 7.4 +/- 8.7 years (S.D. in brackets).",
        "Patients waited ... and waited.",
        "1. To count the mice.",
    ],
)
def test_a_stop_within_a_sentence_does_not_end_it(sentence):
    assert sentences(sentence) == [sentence]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Relapses occurred in MS.", "It was rare."),
        ("All received vitamin D.", "We measured calcium."),
        ("It was safe [3,4].", "Costs fell."),
        ("It was safe.[3,4]", "Costs fell."),
        ('He called it "safe."', "Costs fell."),
        ("(Data not shown.)", "Costs fell."),
        ("Was it safe?", "Yes!"),
        ("Damage activates a pathway.", "p53 is its core."),
        ("The gene is silenced.", "mRNA levels fell."),
        ("We counted 12.", "10 remained."),
    ],
)
def test_a_stop_between_sentences_ends_the_first(first, second):
    assert sentences(f"{first} {second}") == [first, second]


def test_a_new_line_ends_a_sentence():
    assert sentences("Key points\n- Fever\n\n- Cough") == ["Key points", "- Fever", "- Cough"]


def test_offsets_count_code_points():
    assert sentence_spans(" β-cells 🧬 grew. They died.") == [(1, 16), (17, 27)]


def test_a_line_of_dots_takes_no_time():
    assert len(sentence_spans("." * 1_000_000 + "x")) == 1


def test_a_text_without_words_has_no_sentences():
    assert sentence_spans("") == []
    assert sentence_spans(" \n\t ") == []


@given(st.text(alphabet='aA1.?! \n"([])β…,-', max_size=80) | st.text(max_size=40))
def test_sentences_are_in_order_and_hold_every_character_that_is_no_white_space(text):
    spans = sentence_spans(text)
    covered = [index for start, end in spans for index in range(start, end)]
    assert covered == sorted(set(covered))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert {index for index, character in enumerate(text) if not character.isspace()} <= set(covered)


@pytest.mark.parametrize("heading", ["RESULTS", "Patients and methods of the study:", "Fig. 2", "- - - -", "(n = 5)"])
def test_headings_and_labels_claim_nothing(heading):
    text = f"{heading}\nFever fell within days."
    assert [text[start:end] for start, end in claim_spans(text)] == ["Fever fell within days."]


def test_three_words_are_a_claim():
    assert claim_spans("Aspirin helps. It helps most.") == [(15, 29)]


def test_a_text_of_headings_alone_has_them_as_claims():
    assert claim_spans("RESULTS:\nNone.") == [(0, 8), (9, 14)]
    assert claim_spans("") == []


@pytest.mark.data
def test_nearly_all_sentence_starts_of_real_abstracts_are_found_and_few_others(data_folder: Path):
    known = found = right = 0
    with (data_folder / "scifact/corpus.jsonl").open() as lines:
        for line in lines:
            document = json.loads(line)
            text, spans = document["text"], document["metadata"].get("sentences", [])
            starts = {start + len(text[start:end]) - len(text[start:end].lstrip()) for start, end in spans} - {0}
            ours = {start for start, _ in sentence_spans(text)} - {0} if spans else set()
            known, found, right = known + len(starts), found + len(ours), right + len(starts & ours)
    assert right / known > 0.99
    assert right / found > 0.99
