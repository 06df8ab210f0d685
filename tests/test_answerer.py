from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from fakes import FakeReranker
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.answer.answerer import Answerer, Composed, compose, quote_best
from osler.answer.reply import CitedSentence
from osler.answer.support import SupportCheck
from osler.config import AnswerSettings, LlmSettings
from osler.errors import GeneratorError
from osler.generators import LlamaGenerator, OpenAIGenerator
from osler.protocols import Message
from osler.records import Answer, EvidenceSpan, Filter, Passage, RankedPassage, Ranking

QUESTION = "What is fluid around the heart?"
EFFUSION = "Accumulation of fluid within the pericardium. It presses on the heart."
ASCITES = "Accumulation of fluid in the abdomen."


class Says:
    """A generator that gives one reply to everything; `asked` keeps the messages and schemas."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.asked: list[tuple[Sequence[Message], Mapping[str, Any] | None]] = []

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        self.asked.append((messages, schema))
        return self.reply


class Fails:
    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        raise GeneratorError("nothing answers there")


def ranked(number: int, doc_id: str, text: str, *, title: str = "", **metadata: Any) -> RankedPassage:
    """A passage that begins at 100 in its document; the evidence is its first sentence."""
    passage = Passage(f"{doc_id}#0", doc_id, title, text, 100, 100 + len(text), metadata=metadata)
    first = text.partition(".")[0] + "." if text else ""
    evidence = EvidenceSpan(100, 100 + len(first), first, 0.5)
    return RankedPassage(passage, number, 0.5, number, 0.02, evidence)


PASSAGES = (
    ranked(1, "HP:1", EFFUSION, title="Pericardial effusion"),
    ranked(2, "HP:2", ASCITES, title="Ascites"),
)


def answer_to(reply: str, *passages: RankedPassage, abstain_below: float = 0.0) -> Answer:
    answerer = Answerer(_no_search, Says(reply), FakeReranker(), AnswerSettings(abstain_below=abstain_below))
    return answerer.answer_from(Ranking(QUESTION, passages or PASSAGES))


def _no_search(query: str, *, k: int | None = None, where: Filter | None = None) -> Ranking:
    raise AssertionError("not asked to search")


def sentences(*pairs: tuple[str, list[int]]) -> str:
    return json.dumps({"sentences": [{"text": text, "citations": numbers} for text, numbers in pairs]})


def test_a_supported_answer_has_markers_citations_and_no_warning() -> None:
    answer = answer_to(sentences(("Pericardial effusion is an accumulation of fluid.", [1])))
    assert answer.text == "Pericardial effusion is an accumulation of fluid [1]."
    assert (answer.abstained, answer.warnings, answer.question) == (False, (), QUESTION)
    (citation,) = answer.citations
    assert (citation.marker, citation.passage_id, citation.doc_id, citation.supported) == (
        "[1]",
        "HP:1#0",
        "HP:1",
        True,
    )


def test_the_evidence_of_a_citation_is_the_text_at_its_offsets() -> None:
    (citation,) = answer_to(sentences(("Effusion presses on the heart.", [1]))).citations
    assert citation.evidence.text == "It presses on the heart."
    assert EFFUSION[citation.evidence.start - 100 : citation.evidence.end - 100] == citation.evidence.text


def test_an_unsupported_sentence_is_replaced_by_a_labelled_quotation() -> None:
    answer = answer_to(sentences(("Vikings treated ascites with mead.", [2, 1])))
    assert answer.text == "Quoted from HP:1: “Accumulation of fluid within the pericardium.” [1]"
    assert answer.warnings == (
        "Not supported by what it cites, so replaced by a quotation: “Vikings treated ascites with mead.”.",
    )
    assert answer.citations[0].evidence == PASSAGES[0].evidence
    assert answer.citations[0].supported


def test_free_text_with_markers_is_checked_alike() -> None:
    answer = answer_to("Effusion presses on the heart.[1] Vikings drank mead [9].")
    assert answer.text == "Effusion presses on the heart [1]."
    assert answer.warnings == (
        "The model cited [9], which it was not given.",
        "Left out, since what it cites is none of the passages: “Vikings drank mead.”.",
    )


@pytest.mark.parametrize("reply", ["", "{", '{"sentences": [{"text": "Flu'])
def test_a_reply_of_no_use_leaves_a_quotation_of_the_best_passage(reply: str) -> None:
    answer = answer_to(reply)
    assert answer.text.startswith("Quoted from HP:1: “Accumulation")
    assert "no usable answer" in " ".join(answer.warnings)


def test_a_model_that_declines_abstains() -> None:
    answer = answer_to('{"sentences": []}')
    assert answer.abstained
    assert answer.text.startswith("The language model found no answer in the passages.")
    assert "Pericardial effusion (HP:1)" in answer.text


def test_under_the_threshold_it_abstains_and_the_model_is_not_asked() -> None:
    generator = Says(sentences(("Effusion presses on the heart.", [1])))
    answerer = Answerer(_no_search, generator, FakeReranker(), AnswerSettings(abstain_below=0.51))
    answer = answerer.answer_from(Ranking(QUESTION, PASSAGES))
    assert answer.abstained
    assert answer.citations == ()
    assert "confidence 0.50, needed 0.51" in answer.text
    assert (answer.given, generator.asked) == ((), [])


def test_at_the_threshold_it_answers() -> None:
    reply = sentences(("Effusion presses on the heart.", [1]))
    assert not answer_to(reply, abstain_below=0.5).abstained


def test_without_passages_it_abstains() -> None:
    answerer = Answerer(_no_search, Fails(), FakeReranker())
    assert answerer.answer_from(Ranking(QUESTION, ())).abstained


PLAIN = RankedPassage(Passage("a#0", "a", "", "The lung. The heart has fluid.", 0, 30), 1, 0.9, 1, 0.9)


def test_without_reranking_the_confidence_is_computed() -> None:
    answerer = Answerer(_no_search, Fails(), FakeReranker(), AnswerSettings(abstain_below=0.85), reranked=False)
    assert "confidence 0.80, needed 0.85" in answerer.answer_from(Ranking("cardiac", (PLAIN,))).text


def test_after_reranking_the_score_is_the_confidence_though_stage_1_gave_the_same() -> None:
    answerer = Answerer(_no_search, Says(""), FakeReranker(), AnswerSettings(abstain_below=0.85))
    assert not answerer.answer_from(Ranking("cardiac", (PLAIN,))).abstained


def test_a_search_without_a_reranker_has_evidence_all_the_same() -> None:
    answerer = Answerer(_no_search, Says(""), FakeReranker(), reranked=False)
    assert answerer.answer_from(Ranking("fluid heart", (PLAIN,))).text == "Quoted from a: “The heart has fluid.” [1]"


def test_a_retracted_passage_produces_a_warning() -> None:
    answer = answer_to(
        sentences(("Effusion presses on the heart.", [1])), ranked(1, "PMID:1", EFFUSION, retracted=True)
    )
    assert answer.warnings[0] == "PMID:1 is retracted: do not rest a claim on it."


def test_a_passage_of_concern_produces_a_warning() -> None:
    answer = answer_to(sentences(("Effusion presses on the heart.", [1])), ranked(1, "PMID:1", EFFUSION, concern=True))
    assert answer.warnings[0] == "An expression of concern was published about PMID:1: read it first."


def test_what_the_search_warned_of_is_among_the_warnings_of_the_answer() -> None:
    answerer = Answerer(_no_search, Says("{}"), FakeReranker())
    assert answerer.answer_from(Ranking(QUESTION, PASSAGES, warnings=("It was cut.",))).warnings[0] == "It was cut."
    assert answerer.answer_from(Ranking(QUESTION, (), warnings=("It was cut.",))).warnings == ("It was cut.",)


def test_passages_without_room_in_the_prompt_are_reported() -> None:
    long = tuple(ranked(number, f"PMID:{number}", "Fluid in the heart " * 20 + ".") for number in (1, 2))
    answerer = Answerer(_no_search, Says(""), FakeReranker(), AnswerSettings(passage_tokens=120))
    answer = answerer.answer_from(Ranking(QUESTION, long))
    assert answer.warnings[0] == "The prompt had no room for 1 of 2 passages: raise OSLER_ANSWER_PASSAGE_TOKENS."
    assert answer.given == long[:1]


@pytest.mark.parametrize("reply", ['{"sentences": []}', sentences(("Effusion presses on the heart.", [1]))])
def test_an_answer_and_a_model_that_declines_both_know_what_the_model_was_given(reply: str) -> None:
    assert answer_to(reply).given == PASSAGES


def test_answer_searches_with_what_it_is_given() -> None:
    asked: list[Any] = []

    def search(query: str, *, k: int | None = None, where: Filter | None = None) -> Ranking:
        asked.append((query, k, where))
        return Ranking(query, PASSAGES)

    where = Filter(year_from=2010)
    Answerer(search, Says(""), FakeReranker()).answer(QUESTION, k=3, where=where)
    assert asked == [(QUESTION, 3, where)]


def test_a_generator_that_fails_raises_so_that_the_ranking_can_be_shown_instead() -> None:
    answerer = Answerer(_no_search, Fails(), FakeReranker())
    with pytest.raises(GeneratorError, match="nothing answers there"):
        answerer.answer_from(Ranking(QUESTION, PASSAGES))


def test_the_tokens_of_the_prompt_are_counted_by_the_counter_given() -> None:
    counted: list[str] = []

    def count_tokens(texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return [1] * len(texts)

    Answerer(_no_search, Says(""), FakeReranker(), count_tokens=count_tokens).answer_from(Ranking(QUESTION, PASSAGES))
    assert ASCITES in counted


def test_a_sentence_that_cites_a_document_by_its_id_is_checked_against_it() -> None:
    reply = json.dumps({"sentences": [{"text": "Effusion presses on the heart.", "citations": ["HP:1"]}]})
    assert answer_to(reply).text == "Effusion presses on the heart [1]."


def test_where_no_citation_can_be_read_the_best_passage_is_quoted_and_the_sentence_named() -> None:
    answer = answer_to('{"sentences": [{"text": "Vikings drank mead.", "citations": ["the first"]}]}')
    assert answer.text.startswith("Quoted from HP:1: “Accumulation")
    assert "“Vikings drank mead.”" in answer.warnings[0]


def test_a_refusal_beside_a_sentence_leaves_the_sentence() -> None:
    answer = answer_to("Effusion presses on the heart [1]. The passages do not say how to treat it.")
    assert (answer.text, answer.abstained) == ("Effusion presses on the heart [1].", False)


CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("Effusion presses [1]."),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sentences", "text", "citations", "answer", "type"]), inner, max_size=3)
    ),
    max_leaves=9,
)


@given(CONTENT)
@settings(deadline=None)
def test_no_content_of_a_reply_raises_anything_but_what_a_user_can_mend(content: Any) -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=json.dumps({"choices": [{"message": {"content": content}}]}))

    client = httpx2.Client(transport=httpx2.MockTransport(reply))
    generator = OpenAIGenerator(LlmSettings(url="http://llm.example/v1", model="m"), http_client=client)
    with suppress(GeneratorError):
        answer = Answerer(_no_search, generator, FakeReranker()).answer_from(Ranking(QUESTION, PASSAGES))
        assert answer.abstained or answer.text


@pytest.mark.slow
def test_the_embedded_model_answers_from_two_passages() -> None:
    answerer = Answerer(_no_search, LlamaGenerator(LlmSettings()), FakeReranker())
    answer = answerer.answer_from(Ranking(QUESTION, PASSAGES))
    assert not answer.abstained
    assert answer.citations
    assert {citation.passage_id for citation in answer.citations} <= {"HP:1#0", "HP:2#0"}
    assert not [warning for warning in answer.warnings if "cut off" in warning or "no usable" in warning]


def cited(rank: int, doc_id: str, text: str, *, title: str = "") -> RankedPassage:
    """A passage whose evidence is its first sentence."""
    evidence = EvidenceSpan(0, text.find(".") + 1, text[: text.find(".") + 1], 0.5)
    return RankedPassage(Passage(f"{doc_id}#0", doc_id, title, text, 0, len(text)), rank, 0.5, rank, 0.02, evidence)


def support(*passages: RankedPassage) -> SupportCheck:
    given = passages or (cited(1, "HP:1", EFFUSION), cited(2, "HP:2", ASCITES))
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
    passages = support(cited(1, "HP:1", "The e\ufb03cacy changed by −3.2 in 10⁶ cells and by 3.2 in 106 cells."))
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
    literature = cited(1, "PMID:1", "Aspirin lowers mortality [12], as shown.")
    sentences = [
        CitedSentence("Vikings drank mead.", (1,)),
        CitedSentence("Nobody knows why.", ()),
        CitedSentence("It presses on the heart.", (2,)),
    ]
    answer = compose(sentences, support(literature, cited(2, "HP:1", EFFUSION)))
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
    assert quote_best(support(cited(1, "HP:3", "", title="Cough"))).text == "Quoted from HP:3: “Cough” [1]"


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
    answer = quote_best(support(cited(1, "PMID:1", source)))
    assert answer.text == f"Quoted from PMID:1: “{shown}” [1]"
    (citation,) = answer.citations
    assert (citation.evidence.text, citation.sentence) == (source, source)


def test_an_id_never_looks_like_a_marker_nor_begins_a_line() -> None:
    assert quote_best(support(cited(1, "a [2]\nb", "It helps."))).text == "Quoted from a (2) b: “It helps.” [1]"
