from __future__ import annotations

import pytest
from fakes import FakeReranker

from osler.answer.compose import Composed, compose, quote_best
from osler.answer.reply import CitedSentence
from osler.answer.support import SupportCheck
from osler.records import EvidenceSpan, Passage, RankedPassage

EFFUSION = "Accumulation of fluid within the pericardium. It presses on the heart."
ASCITES = "Accumulation of fluid in the abdomen."


def ranked(rank: int, doc_id: str, text: str, *, title: str = "") -> RankedPassage:
    """A passage whose evidence is its first sentence."""
    evidence = EvidenceSpan(0, text.find(".") + 1, text[: text.find(".") + 1], 0.5)
    return RankedPassage(Passage(f"{doc_id}#0", doc_id, title, text, 0, len(text)), rank, 0.5, rank, 0.02, evidence)


def support(*passages: RankedPassage) -> SupportCheck:
    given = passages or (ranked(1, "HP:1", EFFUSION), ranked(2, "HP:2", ASCITES))
    return SupportCheck("What is fluid around the heart?", given, FakeReranker())


def composed(*sentences: tuple[str, tuple[int, ...]]) -> Composed:
    return compose([CitedSentence(text, numbers) for text, numbers in sentences], support())


def test_every_marker_has_its_citation_in_order() -> None:
    answer = composed(
        ("Accumulation in the abdomen.", (2,)), ("It presses on the heart.", (1,)), ("Fluid in the abdomen.", (2,))
    )
    assert answer.text == ("Accumulation in the abdomen [2]. It presses on the heart [1]. Fluid in the abdomen [2].")
    assert [citation.marker for citation in answer.citations] == ["[2]", "[1]", "[2]"]
    assert [citation.passage_id for citation in answer.citations] == ["HP:2#0", "HP:1#0", "HP:2#0"]
    assert answer.warnings == ()


def test_an_unsupported_sentence_gives_way_to_the_best_passage_that_it_cites() -> None:
    answer = composed(("Vikings treated ascites with mead.", (2, 1)))
    assert answer.text == "Quoted from HP:1: “Accumulation of fluid within the pericardium.” [1]"
    assert answer.warnings == (
        "Not supported by what it cites, so replaced by a quotation: “Vikings treated ascites with mead.”.",
    )


def test_the_same_quotation_never_appears_twice() -> None:
    answer = composed(("Vikings drank mead.", (1,)), ("Romans drank wine.", (1,)))
    assert answer.text.count("Quoted from") == 1
    assert len(answer.warnings) == 2
    assert len(answer.citations) == 1


def test_what_the_answer_has_said_is_not_quoted_again() -> None:
    answer = composed(("Accumulation of fluid within the pericardium.", (1,)), ("Romans drank wine.", (1,)))
    assert answer.text == "Accumulation of fluid within the pericardium [1]."


def test_a_sentence_said_twice_is_said_once() -> None:
    twice = ("It presses on the pericardium.", (1,))
    assert composed(twice, twice).text == "It presses on the pericardium [1]."


def test_a_sentence_is_said_twice_however_it_is_spelled_but_not_of_another_number() -> None:
    passages = support(ranked(1, "HP:1", "The e\ufb03cacy changed by −3.2 in 10⁶ cells and by 3.2 in 106 cells."))
    said = [
        "The efficacy changed by -3.2 in 10^6 cells.",
        "The e\ufb03cacy changed by −3.2 in 10⁶ cells!",
        "The efficacy changed by 3.2 in 106 cells.",
    ]
    answer = compose([CitedSentence(text, (1,)) for text in said], passages)
    assert [citation.sentence for citation in answer.citations] == [said[0], said[2]]


def test_a_citation_that_does_not_support_is_marked_beside_one_that_does() -> None:
    answer = composed(("It presses on the pericardium.", (1, 2)))
    assert answer.text == "It presses on the pericardium [1][2]."
    assert [citation.supported for citation in answer.citations] == [True, False]
    assert answer.warnings == ("[2] does not support the sentence “It presses on the pericardium.”.",)


def test_a_sentence_that_cites_nothing_stays_as_it_is() -> None:
    assert composed(("Vikings drank mead.", ())) == Composed("Vikings drank mead.", (), ())


def test_a_citation_knows_its_sentence_whatever_markers_are_quoted_beside_it() -> None:
    literature = ranked(1, "PMID:1", "Aspirin lowers mortality [12], as shown.")
    sentences = [
        CitedSentence("Vikings drank mead.", (1,)),
        CitedSentence("Nobody knows why.", ()),
        CitedSentence("It presses on the heart.", (2,)),
    ]
    answer = compose(sentences, support(literature, ranked(2, "HP:1", EFFUSION)))
    assert answer.text.startswith("Quoted from PMID:1: “Aspirin lowers mortality (12), as shown.” [1] Nobody")
    assert [(one.marker, one.sentence) for one in answer.citations] == [
        ("[1]", "Aspirin lowers mortality [12], as shown."),
        ("[2]", "It presses on the heart."),
    ]


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ("It presses on the pericardium", "It presses on the pericardium [1]."),
        ("It presses on the pericardium!", "It presses on the pericardium [1]!"),
    ],
)
def test_a_marker_stands_before_the_end_of_its_sentence(sentence: str, written: str) -> None:
    assert composed((sentence, (1,))).text == written


def test_the_best_passage_is_quoted_with_its_evidence() -> None:
    answer = quote_best(support())
    assert answer.text == "Quoted from HP:1: “Accumulation of fluid within the pericardium.” [1]"
    (citation,) = answer.citations
    assert (citation.marker, citation.evidence.end, citation.supported) == ("[1]", 45, True)
    assert answer.warnings == ("The model gave no usable answer; the best passage is quoted instead.",)


def test_a_passage_that_is_only_a_title_is_quoted_by_its_title() -> None:
    assert quote_best(support(ranked(1, "HP:3", "", title="Cough"))).text == "Quoted from HP:3: “Cough” [1]"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("It helps [2].", "It helps (2)."),
        ("It helps [2, 5-7] or not【2】.", "It helps (2, 5-7) or not(2)."),
        ("It helps [passage 2].", "It helps (passage 2)."),
        ("It helps [95% CI 12-14].", "It helps [95% CI 12-14]."),
    ],
)
def test_brackets_of_a_source_never_look_like_markers_and_are_kept_in_its_evidence(source: str, shown: str) -> None:
    answer = quote_best(support(ranked(1, "PMID:1", source)))
    assert answer.text == f"Quoted from PMID:1: “{shown}” [1]"
    (citation,) = answer.citations
    assert (citation.evidence.text, citation.sentence) == (source, source)


def test_an_id_never_looks_like_a_marker_nor_begins_a_line() -> None:
    assert quote_best(support(ranked(1, "a [2]\nb", "It helps."))).text == "Quoted from a (2) b: “It helps.” [1]"
