import json
from types import SimpleNamespace

import pytest

from osler.cli import main
from osler.datasets import Dataset
from osler.errors import GeneratorError, ReplyError
from osler.evaluate.answers import evaluate_answers, measured
from osler.records import Answer, Citation, Document, EvidenceSpan, Passage, Query, RankedPassage, Ranking

QRELS = {"q1": {"a": 1, "b": 1, "far": 1}, "q2": {"c": 1}}


def ranking(*doc_ids):
    passages = [Passage(f"{doc_id}#0", doc_id, "", "Text.", 0, 5) for doc_id in doc_ids]
    ranked = [RankedPassage(one, n, 0.5, n, 0.5, None) for n, one in enumerate(passages, start=1)]
    return Ranking("Why?", tuple(ranked), {})


def citation(number, doc_id, *, supported=True, sentence="Because it is so."):
    return Citation(f"[{number}]", f"{doc_id}#0", doc_id, EvidenceSpan(0, 5, "Text.", 0.9, ()), supported, sentence)


ANSWERED = Answer(
    "Why?",
    "Because it is so [1][2]. And so [3].",
    False,
    (citation(1, "a"), citation(2, "x", supported=False), citation(3, "a", sentence="And so.")),
    (),
    ranking("a", "b", "x", "far"),
    ranking("a", "b", "x").ranked,
)
ABSTAINED = Answer("Why?", "No passage is near enough.", True, (), (), ranking("c"))


def test_precision_is_over_what_is_cited_and_recall_over_what_the_model_was_given():
    found = measured(ANSWERED, QRELS, "q1")
    assert found == {
        "answer_rate": 1.0,
        "abstention_rate": 0.0,
        "no_reply": 0.0,
        "cited": 1.0,
        "citation_precision": 1 / 2,
        "citation_recall": 1 / 2,
        "supported": 2 / 3,
    }


def test_an_abstention_has_no_citations_to_speak_of():
    assert measured(ABSTAINED, QRELS, "q2") == {"answer_rate": 0.0, "abstention_rate": 1.0, "no_reply": 0.0}


def test_an_answer_without_a_citation_is_told_from_one_whose_citations_are_wrong():
    bare = Answer("Why?", "Because.", False, (), (), ranking("a"))
    assert measured(bare, QRELS, "q1") == {"answer_rate": 1.0, "abstention_rate": 0.0, "no_reply": 0.0, "cited": 0.0}


def test_recall_has_no_value_where_no_relevant_document_was_given():
    answer = Answer("Why?", "So [1].", False, (citation(1, "x"),), (), ranking("x", "c"), ranking("x").ranked)
    found = measured(answer, QRELS, "q2")
    assert "citation_recall" not in found
    assert (found["cited"], found["citation_precision"], found["supported"]) == (1, 0, 1)


def thirty(refused):
    """Thirty questions, and what answers them, but for those of these numbers."""

    def answers(question, *, where):
        if int(question) in refused:
            raise ReplyError(f"question {question} was refused with status 400.")
        return ANSWERED

    queries = {str(number): Query(str(number), str(number)) for number in range(30)}
    qrels = dict.fromkeys(queries, QRELS["q1"])
    return Dataset("tiny", "test", {"a": Document("a", "", ())}, queries, qrels, ""), answers


def test_a_question_without_a_reply_is_counted_and_is_no_abstention():
    report = evaluate_answers(*thirty({7}))
    measures = report.json()["measures"]
    assert [measures[name]["mean"] for name in ("answer_rate", "abstention_rate", "no_reply")] == [29 / 30, 0, 1 / 30]
    assert (measures["no_reply"]["questions"], measures["cited"]["questions"]) == (30, 29)
    assert report.failures == ["question 7 was refused with status 400."]


def test_the_run_stops_where_none_of_the_first_ten_questions_has_a_reply():
    with pytest.raises(GeneratorError, match="first 10 questions .*question 9 was refused with status 400.: mend that"):
        evaluate_answers(*thirty(range(30)))
    assert len(evaluate_answers(*thirty(range(1, 30))).failures) == 29


class Judge:
    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    def complete(self, messages, *, schema=None):
        self.asked.append(messages[-1]["content"])
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def dataset():
    queries = {"q1": Query("q1", "Why?"), "q2": Query("q2", "How?")}
    return Dataset("tiny", "test", {"a": Document("a", "", ())}, queries, QRELS, "")


def answers(question, *, where):
    return ANSWERED if question == "Why?" else ABSTAINED


def test_every_measure_is_reported_with_its_interval_and_its_questions():
    told = []
    report = evaluate_answers(dataset(), answers, on_answer=lambda *one: told.append(one)).json()
    assert report["questions"] == 2
    assert report["measures"]["answer_rate"]["mean"] == report["measures"]["abstention_rate"]["mean"] == 0.5
    assert report["measures"]["cited"]["questions"] == 1
    assert report["measures"]["citation_precision"] == {"mean": 0.5, "interval": [0.5, 0.5], "questions": 1}
    assert "judged_supported" not in report["measures"]
    assert told == [(1, 2), (2, 2)]


def test_a_judge_sees_each_sentence_with_the_evidence_it_cites():
    yes, no = json.dumps({"supported": True}), json.dumps({"supported": False})
    judge = Judge(yes, no, no)
    report = evaluate_answers(dataset(), answers, judge=judge).json()
    assert report["measures"]["judged_supported"]["mean"] == pytest.approx(1 / 3)
    assert judge.asked[0] == judge.asked[1] == "Statement: Because it is so.\n\nPassage: Text."
    assert judge.asked[2] == "Statement: And so.\n\nPassage: Text."


@pytest.mark.parametrize(
    "reply",
    [
        '```json\n{"supported": true}\n```',
        "<think>{\"supported\": false}</think>{'supported': True,}",
        'I would say {"supported": false}. No: {"supported": true}',
    ],
)
def test_a_verdict_is_read_where_a_reply_wraps_it(reply):
    measures = evaluate_answers(dataset(), answers, judge=Judge(reply, reply, reply)).json()["measures"]
    assert measures["judged_supported"]["mean"] == 1


@pytest.mark.parametrize("bad", ["Yes!", '{"supported": "false"}', "[]", "{}", ReplyError("nothing")])
def test_a_verdict_that_cannot_be_read_is_counted_and_is_no_verdict(bad):
    judge = Judge(json.dumps({"supported": True}), bad, json.dumps({"supported": False}))
    measures = evaluate_answers(dataset(), answers, judge=judge).json()["measures"]
    assert measures["judged_supported"]["mean"] == 1 / 2
    assert measures["verdicts_not_parsed"]["mean"] == pytest.approx(1 / 3)


def test_a_judge_whose_verdicts_cannot_be_read_at_all_supports_nothing():
    measures = evaluate_answers(dataset(), answers, judge=Judge("?", "?", "?")).json()["measures"]
    assert "judged_supported" not in measures
    assert measures["verdicts_not_parsed"]["mean"] == 1


def test_a_judge_that_cannot_be_reached_stops_the_run():
    with pytest.raises(GeneratorError, match="gone"):
        evaluate_answers(dataset(), answers, judge=Judge(GeneratorError("gone")))


def test_the_command_says_why_a_question_had_no_reply(monkeypatch, capsys):
    questions, answers = thirty({7})
    monkeypatch.setattr("osler.load.load_answerer", lambda *words: SimpleNamespace(answer=answers))
    monkeypatch.setattr("osler.datasets.load_dataset", lambda *words: questions)
    monkeypatch.setattr("osler.cli.evaluate.check_corpus", lambda *words: None)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "answers", "--data", "x", "--json"])
    printed = capsys.readouterr()
    assert (ended.value.code, json.loads(printed.out)["measures"]["no_reply"]["questions"]) == (0, 30)
    assert "no reply to 1 of 30 questions; question 7 was refused with status 400." in printed.err


def test_the_judge_is_asked_with_its_own_model_and_key(monkeypatch, capsys):
    asked = []

    def load_generator(settings):
        asked.append(settings)
        raise GeneratorError("that will do")

    monkeypatch.setattr("osler.load.load_generator", load_generator)
    monkeypatch.setattr("osler.datasets.load_dataset", lambda *words: dataset())
    monkeypatch.setattr("osler.cli.evaluate.check_corpus", lambda *words: None)
    for name, value in {"LLM_KEY": "secret", "LLM_MODEL": "large", "JUDGE_MODEL": "strict"}.items():
        monkeypatch.setenv(f"OSLER_{name}", value)
    with pytest.raises(SystemExit):
        main(["evaluate", "answers", "--data", "x", "--judge", "http://judge/v1"])
    (judge,) = asked
    assert (judge.url, judge.model, judge.key) == ("http://judge/v1", "strict", "")
