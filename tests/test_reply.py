from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.answer.abstain import refuses
from osler.answer.markers import passage_names
from osler.answer.reply import CitedSentence, Reply, parse_reply
from osler.records import Passage, RankedPassage


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


def test_values_that_the_schema_forbids_are_read_where_they_can_be() -> None:
    text = (
        '{"sentences": [7, {"text": 3}, {"text": "A.", "citations": "1"}, {"text": "B.", "citations": [true, 2.0, 1]}]}'
    )
    assert parse_reply(text, passages=2).sentences == (CitedSentence("A.", (1,)), CitedSentence("B.", (2, 1)))


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


def named(*documents: tuple[str, str]) -> dict[str, int]:
    """The names of one passage of each document, given as id and title."""
    passages = [Passage(f"{doc_id}#0", doc_id, title, "", 0, 0) for doc_id, title in documents]
    return passage_names([RankedPassage(passage, rank, 1, rank, 1) for rank, passage in enumerate(passages, start=1)])


NAMES = named(("PMID:31588070", "Aspirin after stroke"), ("HP:0001698", "Pericardial effusion"))


def read(text: str) -> Reply:
    return parse_reply(text, passages=2, names=NAMES)


@pytest.mark.parametrize(
    ("citations", "numbers"),
    [
        (1, (1,)),
        (1.0, (1,)),
        ("1", (1,)),
        ("[1]", (1,)),
        ("(1)", (1,)),
        ("【1†source】", (1,)),
        ("¹", (1,)),
        (["1", "2"], (1, 2)),
        ("1, 2", (1, 2)),
        ("1;2", (1, 2)),
        ("1 and 2", (1, 2)),
        ("[1][2]", (1, 2)),
        ("[1–2]", (1, 2)),
        ("1-2", (1, 2)),
        ([["2"], [1]], (2, 1)),
        ("passage 1", (1,)),
        ("Passages 1 and 2", (1, 2)),
        ("#2", (2,)),
        ("passage_1", (1,)),
        ("Passage1", (1,)),
        ("P2", (2,)),
        (["ref1", "ref2"], (1, 2)),
        ("[1] and [2]", (1, 2)),
        (["doc 1"], (1,)),
        ("source: 2", (2,)),
        ("[Passage 2]", (2,)),
        ("Passage 1: Aspirin", (1,)),
        ([{"passage": 1}], (1,)),
        ([{"id": "2", "quote": "x"}], (2,)),
        ({"numbers": [1]}, (1,)),
        ({"1": "quote"}, (1,)),
        ("[1] Aspirin after stroke (2012)", (1,)),
        ("1. Aspirin after stroke", (1,)),
        ("PMID:31588070", (1,)),
        ("pmid: 31588070", (1,)),
        (31588070, (1,)),
        ("31588070", (1,)),
        ("HP:0001698#0", (2,)),
        ({"passage_id": "HP:0001698#0", "start": 4}, (2,)),
        ("Aspirin after stroke (2012)", (1,)),
        ("①", (1,)),
        ("two", (2,)),
        ("1.", (1,)),
        ("<2>", (2,)),
        ("\\[1\\]", (1,)),
        ("1 (Aspirin after stroke, 2012)", (1,)),
        ("source: passage 2", (2,)),
        ([1, 99], (1,)),
        ([True, "2"], (2,)),
    ],
)
def test_numbers_are_read_in_every_spelling(citations: object, numbers: tuple[int, ...]) -> None:
    text = json.dumps({"sentences": [{"text": "It presses.", "citations": citations}]})
    assert read(text).sentences == (CitedSentence("It presses.", numbers),)


@pytest.mark.parametrize(
    "citations", [[99], 0, -1, 1.5, True, "the first of them", "PMID:999", {"a": 1, "b": 2}, "1e9"]
)
def test_a_sentence_that_cites_no_given_passage_is_left_out_and_named(citations: object) -> None:
    parsed = read(json.dumps({"sentences": [{"text": "Mead cures.", "citations": citations}]}))
    assert (parsed.sentences, parsed.left_out, parsed.declined) == ((), ("Mead cures.",), False)
    assert "Left out, since what it cites is none of the passages: “Mead cures.”." in parsed.warnings


@pytest.mark.parametrize("citations", [None, [], "", "none", {}])
def test_a_sentence_that_cites_nothing_stays_with_a_warning(citations: object) -> None:
    parsed = read(json.dumps({"sentences": [{"text": "It presses.", "citations": citations}]}))
    assert parsed.sentences == (CitedSentence("It presses.", ()),)
    assert "cites no passage" in parsed.warnings[0]


ONE = (CitedSentence("It presses.", (1,)),)


@pytest.mark.parametrize(
    "key",
    [
        "citation",
        "sources",
        "source",
        "passages",
        "refs",
        "references",
        "cites",
        "cited",
        "passage_ids",
        "Cited Passages",
        "citationNumbers",
        "evidence",
        "supports",
    ],
)
def test_citations_may_go_by_another_name(key: str) -> None:
    assert read(json.dumps({"sentences": [{"text": "It presses.", key: [1]}]})).sentences == ONE


@pytest.mark.parametrize("key", ["sentence", "statement", "claim", "content", "answer", "Fact"])
def test_a_sentence_may_go_by_another_name(key: str) -> None:
    assert read(json.dumps({"sentences": [{key: "It presses.", "citations": [1]}]})).sentences == ONE


ITEM = '{"text": "It presses.", "citations": [1]}'
WHOLE = f'{{"sentences": [{ITEM}]}}'


@pytest.mark.parametrize(
    "text",
    [
        ITEM,
        f"[{ITEM}]",
        f"[{WHOLE}]",
        f'{{"sentences": {ITEM}}}',
        f'{{"answer": [{ITEM}]}}',
        f'{{"answer": {ITEM}}}',
        f'{{"response": {WHOLE}}}',
        f'{{"type": "object", "properties": {WHOLE}}}',
        json.dumps(WHOLE),
        json.dumps(json.dumps(WHOLE)),
        WHOLE.replace('"', '\\"'),
        f"```json\n{WHOLE}\n```",
        f"```\n{ITEM}\n```",
        json.dumps({"name": "reply", "arguments": WHOLE}),
        json.dumps({"answer": WHOLE}),
        '{"answer": "It presses [1]."}',
        '{"sentences": "It presses [1]."}',
        '["It presses [1]."]',
        '"It presses [1]."',
        '[["It presses.", [1]]]',
        '["It presses.", 1]',
        '{"fact": "It presses.", "citations": [1]}',
        '{"reasoning": "Does it?", "answer": "It presses.", "sources": [{"id": 1}]}',
        f"{WHOLE}\n\nI hope this helps [2]!",
        f"Here it is:\n\n{WHOLE}",
        f'{{"a": 1}} {WHOLE} {{"confidence": 0.9}}',
        f'{{"sentences": [{{"text": "Draft.", "citations": [2]}}]}} No: {WHOLE}',
        f'{{"sentences": []}} No: {WHOLE}',
        '{"sentences": [{"text": "It presses.", "citations": [1],},],}',
        "{'sentences': [{'text': 'It presses.', 'citations': [1]}]}",
        '{sentences: [{text: "It presses.", citations: [1]}]}',
        '{"sentences": [{"text": "It\npresses.", "citations": [1]}]}',
        '{"sentences": [{"text": "It presses.", /* first */ "citations": [1] // one\n}]} # end',
        '{"sentences": [{"text": "It presses." "citations": [1]}]}',
        '{"sentences": [{"text": "It presses.", "ok": True, "citations": [1]}]}',
        '{"sentences": [{"text": "It presses [1].", "citations": []}]}',
    ],
)
def test_json_of_another_shape_or_slightly_wrong_is_read_alike(text: str) -> None:
    parsed = read(text)
    assert parsed.sentences == ONE
    assert parsed.warnings == ()


def test_quotation_marks_within_a_string_need_no_backslash() -> None:
    text = '{"sentences": [{"text": "So-called "fluid" of the "heart".", "citations": [1]}]}'
    assert read(text).sentences == (CitedSentence('So-called "fluid" of the "heart".', (1,)),)


def test_objects_of_one_sentence_each_side_by_side_count_together() -> None:
    two = ITEM + "\n" + ITEM.replace("presses", "grows")
    assert [sentence.text for sentence in read(two).sentences] == ["It presses.", "It grows."]


def test_sentences_of_one_text_keep_their_own_markers() -> None:
    parsed = read('{"answer": "It presses [1]. It grows [2]."}')
    assert parsed.sentences == (CitedSentence("It presses.", (1,)), CitedSentence("It grows.", (2,)))


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "{}",
        "[]",
        '""',
        '{"sentences": null}',
        '{"answer": ""}',
        '{"answer": null}',
        '{"sentences": [{"text": "", "citations": []}]}',
        '```json\n{"sentences": []}\n```',
    ],
)
def test_null_and_emptiness_decline(text: str) -> None:
    assert read(text) == Reply((), declined=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"foo": 1}',
        "42",
        "true",
        '{"error": "x"}',
        '{"1": "It presses."}',
        '[{"a": "b"}]',
        '{"type": "object", "properties": {"sentences": {"type": "array"}}}',
        '{"sentences": [1, 2]}',
        'Here you are:\n{"foo": "It presses."}',
        "{{{",
        '{"sentences" = [It presses]}',
    ],
)
def test_json_of_no_use_is_neither_shown_nor_taken_for_a_refusal(text: str) -> None:
    parsed = read(text)
    assert (parsed.sentences, parsed.declined) == ((), False)


def test_only_json_that_ends_too_soon_is_said_to_be_cut_off() -> None:
    assert read('{"sentences": [{"text": "It').cut
    assert not read('{"sentences": [{"text": "It presses.", "citations": [1],}]}').cut
    assert not read('{"foo": 1}').cut


@pytest.mark.parametrize(
    "text",
    [
        "**It presses** [1].",
        "**It presses [1].**",
        "# It presses [1].",
        "**Short answer**\n\nIt presses [1].",
        "- It presses [1].",
        "1. It presses [1].",
        "> It presses [1].",
        "*It presses* [1].",
        "## Answer\nIt presses [1].",
        "**Answer:** It presses [1].",
        "Here is the answer:\nIt presses [1].",
        "[It presses](https://a.org/b_(c)) [1](https://a.org).",
        "It presses [[1]](#ref-1).",
        "It presses [^1].\n\n[^1]: Effusion (2009)",
        "It presses<sup>[1]</sup>.",
        "It presses.<sup>1</sup>",
        "<p>It <b>presses</b> [1].</p>",
        "It presses.¹",
        "It presses¹.",
        "It presses (1).",
        r"It presses \[1\].",
        "It presses [cite: 1].",
        "[cite_start]It presses.[cite: 1]",
        "It&nbsp;presses <cite>1</cite>.",
        "<sentence><text>It presses.</text> <citations>[1]</citations></sentence>",
        "It presses.\n\nSources: [1]",
        "It presses.\nCitations: 1",
        "It presses. Citations: [1]",
        "It presses.\n\n**References**\n1. Aspirin after stroke",
        "text: It presses.\ncitations: [1]",
        "<answer>It presses [1].</answer>",
        "`It presses` [1].",
        "It presses (Passage 1).",
        "It presses [source 1].",
        "It presses [PMID:31588070].",
        "It presses (PMID: 31588070).",
        "It presses [Aspirin after stroke].",
        "According to passage 1, it presses.",
        "It presses [1].\n\nReferences:\n[1] Effusion (2009)",
        "It presses [1]. References: Effusion (2009) [1].",
        "It presses [1].\n\n**Sources:**\n- [1] Effusion",
        "It presses [1].\n## Citations\n1. Effusion",
        "It presses [1].\nSources: [1], [2]",
        "It \x1b[31mpresses\x1b[0m\x00 [1].\x1b]0;pwned\x07",
    ],
)
def test_markup_and_lists_of_references_are_no_claims(text: str) -> None:
    parsed = read(text)
    assert parsed.sentences == ONE
    assert parsed.warnings == ()


def test_sentences_and_citations_in_lines_of_their_own_belong_together() -> None:
    text = "sentences:\n- text: It presses.\n  citations: [1]\n- text: It grows.\n  citations: [2]"
    assert read(text).sentences == (CitedSentence("It presses.", (1,)), CitedSentence("It grows.", (2,)))


@pytest.mark.parametrize(
    "text",
    [
        "Sources of vitamin C are oranges.",
        "Sources: oranges and lemons.",
        "10⁶ cells grew at 1.73 m².",
        "Cells of passage 2 grew at 5 min⁻¹.",
        "CYP2C19*2 and *3 matter.",
        "HbA₁c was 2 * 3 * 4.",
        "A (2) is B.",
    ],
)
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert read(text).sentences == (CitedSentence(text, ()),)


def test_who_writes_brackets_means_cells_of_passage_2_by_parentheses() -> None:
    assert read("Cells (passage 2) grew [1].").sentences == (CitedSentence("Cells (passage 2) grew.", (1,)),)


@pytest.mark.parametrize(
    "reply",
    [
        "[1] It presses. [2] It is fluid.",
        "According to passage 1, it presses. According to passage 2, it is fluid.",
        "According to [1], it presses. As stated in [2], it is fluid.",
        "Passage 1 states that it presses. Document [2] reports that it is fluid.",
        "It presses.\n(Source: passage 1)\nIt is fluid.\n(Source: passage 2)",
        "It presses.\n[1]\nIt is fluid.\n[2]",
        "It presses ([1]). It is fluid (see [2]).",
        "It presses[^1^]. It is fluid[^2^].",
        "It presses ({1}). It is fluid ({2}).",
        r"It presses \cite{1}. It is fluid \cite{2}.",
        "It presses ⟦1⟧. It is fluid ⟦2⟧.",
        "It presses [1: Aspirin after stroke]. It is fluid [2 – Pericardial effusion].",
        "<co: 1>It presses</co: 1>. It is fluid <co:2>.",
        "| Claim | Source |\n|---|:---:|\n| It presses. | [1] |\n| It is fluid. | [2] |",
        "It presses.^1 It is fluid.^2",
        "It presses.^[1] It is fluid ^[2]^.",
        r"It presses $^{1}$. It is fluid \textsuperscript{2}.",
        "As passage 1 notes, it presses. Based on [2], it is fluid.",
        "It presses, as stated in passage 1. It is fluid, according to [2].",
        "From [1]: it presses. From [2]: it is fluid.",
        "[1]: It presses.\n[2]: It is fluid.",
        "[1] - It presses.\n[2] - It is fluid.",
        'It presses <a href="#p1">1</a>. It is fluid <a href="#p2">[2]</a>.',
        "It presses [_1_]. It is fluid [**2**].",
        "It presses [1]. It is fluid [2]. I hope this helps!",
        r"\boxed{It presses [1]. It is fluid [2].}",
        "It presses [1]. It is fluid [2].\n\n---\n[1] Aspirin after stroke, 2012.\n[2] Pericardial effusion",
        "It presses [1]. It is fluid [2].\n\nQuellen:\n[1] Aspirin after stroke",
    ],
)
def test_a_marker_in_any_place_and_dress_belongs_to_its_own_sentence(reply: str) -> None:
    assert read(reply).sentences == (CitedSentence("It presses.", (1,)), CitedSentence("It is fluid.", (2,)))


@pytest.mark.parametrize(
    "value",
    [
        {"sentences": ["It presses.", "It is fluid."], "citations": [[1], [2]]},
        {"sentences": ["It presses.", "It is fluid."], "sources": [1, 2]},
        {"sentences": {"It presses.": [1], "It is fluid.": [2]}},
        {"It presses.": 1, "It is fluid.": 2},
    ],
)
def test_citations_listed_beside_the_sentences_are_theirs(value: object) -> None:
    assert read(json.dumps(value)).sentences == (
        CitedSentence("It presses.", (1,)),
        CitedSentence("It is fluid.", (2,)),
    )


def test_a_marker_behind_an_ellipsis_or_a_closing_quotation_mark_counts() -> None:
    for text in ("It presses...", "“It presses.”", 'It "presses".', "It presses!"):
        assert read(f"{text} [1]").sentences == (CitedSentence(text, (1,)),)


def test_a_passage_of_cells_within_a_sentence_is_no_citation() -> None:
    assert (
        read("Growth was seen in passage 2 of the cells [1].").sentences[0].text.endswith("in passage 2 of the cells.")
    )


def test_a_marker_may_name_several_passages_by_number_and_id() -> None:
    for marker in ("[1, HP:0001698]", "[1] and [2]", "[1, Pericardial effusion]"):
        assert read(f"It presses {marker}.").sentences[0].numbers == (1, 2)
    assert read("Based on [1] and [2], it presses.").sentences == (CitedSentence("It presses.", (1, 2)),)


def test_a_list_of_a_string_and_an_object_holds_two_sentences() -> None:
    text = json.dumps(["It presses [1].", {"text": "It is fluid.", "citations": [2]}])
    assert [sentence.numbers for sentence in read(text).sentences] == [(1,), (2,)]


def test_each_sentence_of_one_text_has_the_citations_of_the_whole() -> None:
    for text in ('{"answer": "It presses. It is fluid.", "citations": [1]}', '["It presses.", "It is fluid."]'):
        texts = [sentence.text for sentence in read(text).sentences]
        assert texts == ["It presses.", "It is fluid."]
    assert read('{"answer": "It presses. It is fluid.", "citations": [1]}').sentences[1].numbers == (1,)


def test_free_text_cut_off_loses_its_unfinished_sentence_and_says_so() -> None:
    parsed = read("It presses [1]. It is flu")
    assert (parsed.sentences, parsed.cut) == (ONE, True)
    assert read("It presses [1]. It is fluid.").cut is False


def test_json_between_typographic_quotation_marks_is_read() -> None:
    assert read("{“sentences”: [{“text”: “It presses.”, “citations”: [1]}]}").sentences == ONE


def test_the_end_of_json_that_lost_its_beginning_is_not_shown() -> None:
    assert read('It presses.", "citations": [1]}]}').sentences == ()


@pytest.mark.parametrize(
    "marker",
    [
        *(
            "①",
            "⑴",
            "❶",
            "（1）",
            "⟨1⟩",
            "〈1〉",
            "<1>",
            "¹",
            "^1",
            "^1^",
            "$^1$",
            "[1,]",
            "[,1]",
            "[ 1\n]",
            "[1",
            "#1",
        ),
        *("[№1]", "[one]", "[1a]", "[Study 1]", "[Article 1]", "[Abstract 1]", "[Excerpt 1]", "[Chunk 1]", "[R1]"),
        *(
            "[D1]",
            "[1, p. 5]",
            "[1: abstract]",
            "[1, lines 1-3]",
            "[Quelle 1]",
            "[来源1]",
            "[文献1]",
            "[1]]",
            "[[1](http://x)]",
        ),
    ],
)
def test_rarer_markers_are_read_before_the_full_stop(marker: str) -> None:
    assert read(f"It presses {marker}.").sentences == ONE


@pytest.mark.parametrize(
    "marker", ["[1]、", "[1]。", "[1];[1]", "[1]]", "(PMID 31588070)", "¹", "[1]\u200b", "[Study 1]", "①"]
)
def test_rarer_markers_are_read_behind_the_full_stop(marker: str) -> None:
    assert read(f"It presses. {marker}").sentences == ONE


@pytest.mark.parametrize(
    "marker",
    [
        *(
            "[-1]",
            "[1.5]",
            "[3-1]",
            "[1..3]",
            "[1-999999999]",
            "[A]",
            "[ii]",
            "[page 1]",
            "[citation needed]",
            "[source]",
        ),
        *("[Smith 2012]", "[Smith et al., 2012]", "(Smith et al., 2012)", "[Müller & Smith, 2012a]", "【4:0†source】"),
        *("[…]", "[?]", "[Trial 9]", "[https://x.org/1]", "\ue200cite\ue202turn0search0\ue201"),
    ],
)
def test_a_sentence_that_ends_with_a_citation_of_who_knows_what_is_left_out(marker: str) -> None:
    for text in (f"It presses {marker}.", f"It presses. {marker}"):
        parsed = read(text)
        assert parsed.sentences == ()
        assert "It presses" in parsed.left_out[0]


@pytest.mark.parametrize(
    "text",
    [
        "The risk was 0.8 [95% CI 0.7–0.9].",
        "The median was 3.8 [3.2–4.5].",
        "Patients took aspirin [100 mg daily].",
        "It raised interleukin 6 [IL-6].",
        "Uptake of glucose was seen with [18F]FDG.",
        "Most tumours were large [grade 3].",
        "Half of them died (n = 12).",
        "Doses rose stepwise [Table 2].",
        "They drank alcohol (Smith was sober in 2012).",
    ],
)
def test_what_only_looks_like_a_citation_that_cannot_be_read_stays(text: str) -> None:
    assert read(text).sentences == (CitedSentence(text, ()),)


def test_a_marker_of_an_unknown_document_is_no_sentence_without_a_citation() -> None:
    assert read("It presses [PMID:999].").left_out == ("It presses.",)


@pytest.mark.parametrize(
    "thoughts",
    [
        "<think>A [2].</think>",
        "A [2]. </think>",
        "A</think>B</think>",
        "<thinking>A [2].</thinking>",
        "<Reasoning>A [2].</Reasoning>",
        "<thought>A [2].</thought>\n",
        "A [2].</analysis>",
        "◁think▷A [2].◁/think▷",
        "A [2].◁/think▷",
        "[THINK]A [2].[/THINK]",
        "<seed:think>A [2].</seed:think>",
        "<|channel>thought\nA [2].<channel|>",
        "<|START_THINKING|>A [2].<|END_THINKING|>",
        "<|channel|>analysis<|message|>A [2].<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        "analysisA [2].assistantfinal",
        "assistantfinal",
        "Here is my thought process: A [2]. Here is my response: ",
        '{"sentences": [{"text": "A.", "citations": [2]}]}</think>',
        "<|im_start|>assistant\n",
        "<think>\n\n</think>\n\n",
        "<|thinking|>A [2].<|/thinking|>",
        "<inner_thoughts>A [2].</inner_thoughts>",
        "<thinking_process>A [2].</thinking_process>",
        '<details type="reasoning" done="true"><summary>Thought for 3 seconds</summary>A [2].</details>',
        "**Reasoning:** A [2].\n\n**Answer:** ",
        "[/INST] ",
        "<start_of_turn>model\n",
        "<｜Assistant｜>",
    ],
)
@pytest.mark.parametrize("answer", ["It presses [1].", WHOLE])
def test_thoughts_are_no_part_of_the_answer_with_or_without_their_opening(thoughts: str, answer: str) -> None:
    assert read(thoughts + answer).sentences == ONE


def test_a_mark_of_thoughts_within_a_string_of_json_does_not_cut_the_json() -> None:
    text = json.dumps({"sentences": [{"text": "<think>A [2].</think>It presses.", "citations": [1]}]})
    assert read(text).sentences == ONE


@pytest.mark.parametrize(
    "after",
    [
        "<reflection>Good [2].</reflection>",
        "<|return|>",
        "<|im_end|>\n<|im_start|>user\nAnd [2]?",
        "</s>",
        "<think>But [2]",
    ],
)
def test_what_follows_the_answer_is_no_part_of_it_either(after: str) -> None:
    assert read("It presses [1]." + after).sentences == ONE


@pytest.mark.parametrize(
    "text",
    [
        "<think>It presses [1].",
        "[THINK]It presses [1].",
        "◁think▷It presses [1].",
        "analysisIt presses [1].",
        "<|channel|>analysis<|message|>It presses [1].",
        "It presses [1].</think>",
    ],
)
def test_a_reply_cut_off_while_thinking_holds_no_answer(text: str) -> None:
    parsed = read(text)
    assert (parsed.sentences, parsed.declined) == ((), False)


REFUSALS = """\
I was unable to find an answer in the passages.
The abstracts offer no data on this question.
None of the studies provided examines this.
The passages do not answer the question.
The passages [1][2] don't mention aspirin.
None of the given passages addresses this.
The provided context does not provide enough information to answer the question.
I cannot answer this question from the passages.
I'm sorry, but I can't help with that.
I don't know.
Unfortunately, the passages contain no information about the dose.
Based on the passages, there is no information about aspirin.
No information is given in the passages.
There is not enough information to answer.
There is no mention of aspirin in the passages.
Not stated in the passages.
The answer cannot be determined from the given passages.
Aspirin is not mentioned in the passages.
The passages discuss stroke; however, they do not mention aspirin.
Nothing in the passages mentions aspirin.
The passages do not appear to answer the question.
The dose cannot be determined from the passages.
My apologies, but it is not possible to answer the question.
Unknown."""

FINDINGS = """\
The trial found no evidence that aspirin prevents stroke.
Aspirin does not prevent stroke.
There was insufficient evidence to recommend aspirin.
The passages report no serious adverse events.
No information was available on quality of life in two trials.
None of the patients died.
The study did not address mortality.
The dose was not specified in two of the trials.
It is not known whether aspirin helps.
Imatinib cannot be given with warfarin.
Type I diabetes cannot be prevented.
The nasal passages do not contain cilia in this disease.
The dose cannot be determined from body weight.
Insufficient evidence exists for routine screening.
Nothing was gained from surgery.
The passages discuss stroke, and describe aspirin as effective.
The sources of vitamin C do not include meat.
The passages do not name a dose, but aspirin lowered mortality."""


IN_OTHER_LANGUAGES = """\
Die Textstellen beantworten die Frage nicht.
Die Passagen enthalten keine Informationen zu dieser Frage.
Den Quellen lässt sich das nicht entnehmen.
Ich kann diese Frage nicht beantworten.
Die Frage lässt sich anhand der Texte nicht beantworten.
Keine Antwort.
Les passages ne répondent pas à la question.
Les passages fournis ne contiennent pas d'information sur ce sujet.
Je ne peux pas répondre à cette question.
Il n'y a pas d'information dans les passages.
Aucune réponse.
Los pasajes no responden a la pregunta.
Los textos proporcionados no contienen información sobre el tema.
No se puede responder a la pregunta."""


@pytest.mark.parametrize("sentence", [*IN_OTHER_LANGUAGES.splitlines(), "[No answer]", "*Unknown*"])
def test_a_refusal_in_german_french_or_spanish_declines(sentence: str) -> None:
    assert read(sentence).declined


@pytest.mark.parametrize(
    "sentence",
    [
        "Die Quellen geben an, dass Aspirin nicht half.",
        "Il n'y a pas de différence entre les groupes.",
        "Pas de réponse immunitaire chez les témoins.",
        "Los pacientes no respondieron al tratamiento.",
        "Keine Informationen verloren die Patienten.",
    ],
)
def test_a_finding_in_another_language_is_an_answer(sentence: str) -> None:
    assert not refuses(sentence)


@pytest.mark.parametrize("sentence", REFUSALS.splitlines())
def test_a_refusal_in_words_declines(sentence: str) -> None:
    assert read(sentence).declined
    assert read(json.dumps({"sentences": [{"text": sentence, "citations": [1]}]})).declined
    assert read(f"{sentence} It presses [1].").sentences == ONE


@pytest.mark.parametrize("sentence", FINDINGS.splitlines())
def test_a_negative_finding_is_an_answer(sentence: str) -> None:
    assert not refuses(sentence)
    assert read(f"{sentence[:-1]} [1].").sentences == (CitedSentence(sentence, (1,)),)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["It [1].", "[", "{"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sentences", "text", "citations", "answer", "passage", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(JSON, st.integers(0, 3))
def test_no_json_makes_it_fail_or_is_shown(value: object, times: int) -> None:
    text = json.dumps(value)
    for _ in range(times):
        text = json.dumps(text)
    for sentence in read(text).sentences:
        assert set(sentence.numbers) <= {1, 2}
        assert sentence.text.isprintable()


@pytest.mark.parametrize(
    "piece",
    [
        "[1",
        "a [1]. ",
        "<sup>",
        "**a",
        "(",
        "- ",
        "`",
        '\\"{',
        "\x1b]",
        "passage ",
        "[1,",
        '{"a":',
        "{'",
        "/*",
        "<think>",
    ],
)
def test_a_reply_that_repeats_itself_for_ever_takes_no_time(piece: str) -> None:
    began = time.process_time()
    read(piece * 30_000)
    assert time.process_time() - began < 10
