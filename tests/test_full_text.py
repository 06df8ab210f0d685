"""Full texts against abstracts: what counts as an article, which sentences are asked, what is reported."""

import json

import pytest

from experiments.full_text import (
    ABSTRACT,
    FULL_TEXT,
    IndexCost,
    abstract_of,
    app,
    full_articles,
    known_items,
    part_report,
)
from osler.cli import main
from osler.errors import CorpusError
from osler.evaluate.retrieval import TOTAL, StageRuns
from osler.records import Document, Section

LONG = "All of the {} were fed twice a day for six weeks."


def article(doc_id, *, body, abstract="We fed a number of {} and then we counted them."):
    sections = [Section("Abstract > Background", abstract.format(doc_id))]
    return Document(doc_id, doc_id.title(), (*sections, *(Section("Methods > Food", text) for text in body)))


MICE = article("mice", body=[LONG.format("mice"), "They ate.", "Each of the mice was weighed on the last day of May."])
RATS = article("rats", body=[LONG.format("rats"), "We used the same statistics for all groups of animals."])


def test_an_article_has_an_abstract_and_a_text_beside_it():
    alone = abstract_of(MICE)
    assert [section.heading for section in alone.sections] == ["Abstract > Background"]
    assert full_articles([MICE, alone, Document("c", "", (Section("Methods", "We counted."),))]) == [MICE]
    with pytest.raises(CorpusError, match="No article with an abstract and a text beside it"):
        full_articles([alone])


def test_a_sentence_is_asked_for_its_article_and_comes_from_the_part_that_is_named():
    asked = known_items([MICE, RATS], "abstract", count=10, seed=0)
    texts = {query.text for query in asked.queries.values()}
    assert texts == {
        "We fed a number of mice and then we counted them.",
        "We fed a number of rats and then we counted them.",
    }
    for query_id, relevant in asked.qrels.items():
        (doc_id,) = relevant
        assert asked.queries[query_id].text in asked.documents[doc_id].text


def test_short_sentences_and_those_of_two_articles_are_not_asked():
    shared = "We used the same statistics for all groups of animals."
    voles = article("voles", body=[shared, "Ate.", LONG.format("voles")])
    asked = known_items([RATS, voles], "body", count=10, seed=0)
    assert {query.text for query in asked.queries.values()} == {LONG.format("rats"), LONG.format("voles")}


def test_an_article_that_comes_twice_is_one_and_no_sentence_at_all_is_an_error():
    assert full_articles([MICE, MICE]) == [MICE]
    with pytest.raises(CorpusError, match="No sentence of 8 words that stands in one body alone"):
        known_items([article("short", body=["They ate."])], "body", count=5, seed=0)


def test_an_abstract_with_a_title_of_its_own_is_one():
    summary = Document("a", "", (Section("Summary > Aim", "We counted."), Section("Methods", "By hand.")))
    assert [section.text for section in abstract_of(summary).sections] == ["We counted."]


def test_articles_take_turns_and_the_count_is_kept():
    long = article("long", body=[f"This is sentence number {n} of all that stand in here." for n in range(30)])
    asked = known_items([long, MICE, RATS], "body", count=5, seed=0)
    counts = [sum(doc_id in relevant for relevant in asked.qrels.values()) for doc_id in ("long", "mice", "rats")]
    assert sorted(counts) == [1, 2, 2]
    assert known_items([long, MICE, RATS], "body", count=5, seed=0).queries == asked.queries
    assert known_items([long, MICE, RATS], "body", count=5, seed=1).queries != asked.queries


def test_what_only_one_index_holds_is_found_in_that_one():
    asked = known_items([MICE, RATS], "body", count=10, seed=0)
    perfect = {query_id: dict.fromkeys(relevant, 1.0) for query_id, relevant in asked.qrels.items()}
    found = part_report(asked, {ABSTRACT: StageRuns({}, {}), FULL_TEXT: StageRuns(perfect, perfect)})
    assert found.reports[FULL_TEXT].metrics["RR@10"] == 1.0
    assert found.reports[ABSTRACT].metrics["RR@10"] == 0.0
    assert found.comparison.difference.difference == 1.0
    assert found.json()["part"] == "body"


def test_times_are_those_of_all_queries_and_whole_searches():
    found = IndexCost(1, 2, 3.0, 4).timed(
        [StageRuns({}, {}, {"encode": [0.001, 0.002], TOTAL: [0.002, 0.004]}), StageRuns({}, {}, {TOTAL: [0.006]})]
    )
    assert (found.p50, found.documents) == (4.0, 1)
    assert 4.0 < found.p95 <= 6.0


XML = """<article><front><article-meta><article-id pub-id-type="pmc">{n}</article-id>
<title-group><article-title>{title}</article-title></title-group>
<abstract><sec><title>Background</title><p>{abstract}</p></sec></abstract></article-meta></front>
<body><sec><title>Methods</title><p>{body}</p></sec></body></article>"""


@pytest.mark.slow
def test_the_command_builds_both_indexes_and_prints_what_they_cost_and_find(tmp_path, capsys):
    texts = {
        1: (
            "Fever",
            "We asked how long a fever of children lasts at home.",
            "A thermometer was put under the left arm twice.",
        ),
        2: (
            "Bones",
            "Brittle bones break after falls from a very low height.",
            "Radiographs of both wrists were read by two persons.",
        ),
    }
    for n, (title, abstract, body) in texts.items():
        (tmp_path / f"{n}.nxml").write_text(XML.format(n=n, title=title, abstract=abstract, body=body))
    command = [*(str(tmp_path / f"{n}.nxml") for n in texts), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--json"], program=app)
    assert ended.value.code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one.get("index"), one.get("part")) for one in lines] == [
        ("abstract", None),
        ("full text", None),
        (None, "abstract"),
        (None, "body"),
    ]
    assert lines[0]["documents"] == lines[1]["documents"] == 2
    assert 0 < lines[0]["bytes"] < lines[1]["bytes"]
    assert lines[3]["indexes"]["full text"]["metrics"]["RR@10"] == 1.0
    assert lines[3]["compared"]["verdict"] == "too few queries to tell"
    with pytest.raises(SystemExit) as ended:
        main(command, program=app)
    assert ended.value.code == 2
    assert "holds" in capsys.readouterr().err
