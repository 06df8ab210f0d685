import pytest

from osler.corpus.pubmed import OtherAbstract, choose_sections, labelled_sections
from osler.records import Section

OWN = (Section("AIMS", "To count."),)


def other(text: str, kind: str = "Publisher", language: str = "eng") -> OtherAbstract:
    return OtherAbstract(kind, language, (Section("", text),))


def headings(text: str) -> list[str]:
    return [section.heading for section in labelled_sections(text)]


@pytest.mark.parametrize("kind", ["PIP", "KIE", "NASA", "AAMC", "AIDS", "Publisher"])
def test_an_english_abstract_of_others_is_the_text_where_there_is_no_abstract(kind):
    assert choose_sections((), [other("Four.", kind)]) == ((Section("", "Four."),), "")
    assert choose_sections(OWN, [other("Four.", kind)]) == (OWN, "")


def test_a_plain_language_summary_in_english_is_kept_behind_the_abstract():
    summary = Section("Plain-language summary", "Four mice.")
    assert choose_sections(OWN, [other("Four mice.", "plain-language-summary")]) == ((*OWN, summary), "")
    labelled = OtherAbstract("plain-language-summary", "eng", (Section("Why", "Mice."),))
    assert choose_sections((), [labelled])[0] == (Section("Plain-language summary > Why", "Mice."),)


def test_another_language_is_left_out_unless_there_is_nothing_else():
    spanish, french = other("Cuatro.", language="spa"), other("Quatre.", language="fre")
    assert choose_sections(OWN, [spanish]) == (OWN, "")
    assert choose_sections((), [spanish, french, other("Four.")]) == ((Section("", "Four."),), "")
    assert choose_sections((), [spanish, french]) == ((Section("", "Cuatro."),), "spa")


def test_an_abstract_that_the_publisher_alone_has_is_none():
    assert choose_sections((), [other("Abstract available from the publisher.", language="spa")]) == ((), "")


@pytest.mark.parametrize(
    "label",
    [
        "MAIN RESULTS (N=12)",
        "RESULTS (n = 12)",
        "AUTHORS' CONCLUSIONS",
        "BACKGROUND/AIMS",
        "METHODS & RESULTS",
        "DIAGNOSIS/TESTING",
        "INTRODUÇÃO",
        "MÉTODOS",
        "CLINICALTRIALS.GOV IDENTIFIER",
        "LEVEL OF EVIDENCE",
        "WHAT'S KNOWN ON THE SUBJECT? AND WHAT DOES THE STUDY ADD?",
        "WHAT IS NEW?",
    ],
)
def test_a_label_in_capitals_is_a_heading(label):
    assert labelled_sections(f"{label}: Four.") == (Section(label, "Four."),)
    assert headings(f"We counted. {label}: Four.") == ["", label]


@pytest.mark.parametrize(
    "text",
    [
        "COVID-19: the disease is new.",
        "We studied yeast. RNA: a molecule.",
        "We asked. WHO: the answer came.",
        "HIV-1 RNA: undetectable.",
        "Patients were A: treated or B: not treated.",
        "It fell by 3.5 RESULTS: none.",
        "Results: four.",
        "We counted. RESULTS:",
        "No colon. RESULTS four",
        "TNF-α: a cytokine. DOI: 10.1/x.",
    ],
)
def test_what_may_be_no_label_stays_in_the_text(text):
    assert labelled_sections(text) == (Section("", text),)


def test_no_word_of_an_abstract_is_lost():
    text = "UNLABELLED: BACKGROUND: Mice. COVID-19: new. (SD: 1) RESULTS: 3:1 ratio. CONCLUSIONS: So? WHO: yes."
    sections = labelled_sections(text)
    assert [section.heading for section in sections] == ["BACKGROUND", "RESULTS", "CONCLUSIONS"]
    again = " ".join(f"{section.heading}: {section.text}" for section in sections)
    assert f"UNLABELLED: {again}" == text


def test_a_paragraph_may_begin_with_a_label():
    assert headings("AIMS: To count\nRESULTS: Four") == ["AIMS", "RESULTS"]
