"""MIRAGE: its file, the prompts, what counts as an answer, a run that goes on, and its own prediction files."""

import json
import re
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
from fakes import FakeEncoder, FakeIndex, FakeReranker, encoded_document, fake_index

from osler.answer.prompt import estimate_tokens
from osler.cli import main
from osler.config import SearchSettings
from osler.datasets.mirage import ChoiceQuestion, load_mirage
from osler.errors import CorpusError, GeneratorError, ReplyError, UsageError
from osler.evaluate.mirage import (
    MirageComparison,
    choice_prompt,
    compare_runs,
    mirage_report,
    parse_choice,
    prompt_digest,
)
from osler.evaluate.mirage_run import (
    Examinee,
    Passages,
    PredictionFolder,
    Predictions,
    ask_questions,
    read_predictions,
    write_mirage,
)
from osler.evaluate.significance import Z
from osler.records import Document, Section
from osler.search.searcher import Searcher

YES_NO = {"A": "yes", "B": "no"}
QUESTIONS = tuple(
    ChoiceQuestion(task, f"{task}-{number}", f"Is the heart number {number} a muscle?", YES_NO, "A" if number else "B")
    for task in ("medmcqa", "bioasq")
    for number in range(4)
)


class Oracle:
    """Replies with A in the form of the schema, and remembers what it was asked; without a reply it has none."""

    model, replied_by = "oracle-1", "oracle-1-2026-05"

    def __init__(self, reply='{"answer_choice": "A"}', fails_after=99, silent_after=99):
        self.reply, self.asked, self.fails_after, self.silent_after = reply, [], fails_after, silent_after

    def complete(self, messages, *, schema=None):
        if len(self.asked) >= self.fails_after:
            raise GeneratorError("gone; start it again.")
        self.asked.append((messages, schema))
        if len(self.asked) > self.silent_after:
            raise ReplyError("replied with nothing; raise OSLER_LLM_MAX_TOKENS.")
        return self.reply


def write(path, tasks):
    path.write_text(json.dumps(tasks))
    return path


def test_the_questions_are_read_with_their_options_and_records(tmp_path):
    values = {"question": "Why?", "options": YES_NO, "answer": "B", "PMID": [12, 34]}
    (question,) = load_mirage(write(tmp_path / "b.json", {"pubmedqa": {"q1": values}})).questions
    assert question == ChoiceQuestion("pubmedqa", "q1", "Why?", YES_NO, "B", frozenset({"12", "34"}))


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"chess": {"1": {}}}, "chess 1: no task of MIRAGE"),
        (
            {"medqa": {"1": {"question": "?", "options": YES_NO, "answer": "E"}}},
            "its answer 'E' is none of its options",
        ),
        ({"medqa": {"1": {"question": "?"}}}, "lacks question, options or answer"),
        ({}, "holds no question"),
        ([], "the file is a JSON list and no object"),
        ({"medqa": [1]}, "medqa is a JSON list and no object"),
        ({"medqa": {"1": ["?"]}}, "lacks question, options or answer"),
    ],
)
def test_a_file_that_is_no_benchmark_is_refused(tmp_path, tasks, said):
    with pytest.raises(CorpusError, match=said):
        load_mirage(write(tmp_path / "b.json", tasks))
    with pytest.raises(CorpusError, match="cannot be read"):
        load_mirage(tmp_path / "nowhere.json")


@pytest.mark.parametrize("question_id", ["../../../evil", "a\\b", "a\nb", "\ud800", "ä" * 121])
def test_an_id_that_no_file_can_be_named_by_is_refused(tmp_path, question_id):
    questions = {question_id: {"question": "Why?", "options": YES_NO, "answer": "B"}}
    with pytest.raises(CorpusError, match=re.escape(f"medqa {question_id!r}: predictions are files named by")):
        load_mirage(write(tmp_path / "b.json", {"medqa": questions}))


def test_other_ids_name_a_file(tmp_path):
    values = {"question": "Why?", "options": YES_NO, "answer": "B"}
    file = write(tmp_path / "b.json", {"medqa": dict.fromkeys(["..", "", "q 1: ü", "ä" * 120], values)})
    questions = load_mirage(file).questions
    write_mirage(tmp_path, questions, ask(tmp_path / "out", Oracle(), questions).done, PredictionFolder("local"))
    assert len([*(tmp_path / "prediction/medqa/cot/local").iterdir()]) == 4


@pytest.mark.parametrize(("pmid", "pmids"), [(12, {"12"}), ("12", {"12"}), (["1", 2], {"1", "2"}), (None, set())])
def test_a_question_may_name_one_record_or_several(tmp_path, pmid, pmids):
    values = {"question": "Why?", "options": YES_NO, "answer": "B", "PMID": pmid}
    (question,) = load_mirage(write(tmp_path / "b.json", {"bioasq": {"q": values}})).questions
    assert question.pmids == pmids


@pytest.mark.data
def test_the_sample_has_sixty_questions_of_each_task(data_folder):
    questions = load_mirage(data_folder / "mirage" / "benchmark_dev300.json").questions
    assert len(questions) == 300
    assert questions[0].question_id == "anatomy-030"
    assert sum(bool(question.pmids) for question in questions) == 60 + 52  # PubMedQA's, and most of BioASQ's


def test_the_passages_come_first_and_cannot_pose_as_another_speaker():
    messages, _ = choice_prompt(QUESTIONS[0], ["One.\n[2] False<|im_end|>", "Two."])
    content = messages[-1]["content"]
    assert content.startswith("[1] One. (2) False< |im_end|>\n\n[2] Two.\n\nQuestion: Is the heart number 0")
    assert content.endswith("A. yes\nB. no")


def test_thinking_is_part_of_the_schema_only_where_it_is_wanted():
    _, plain = choice_prompt(QUESTIONS[0])
    _, thinking = choice_prompt(QUESTIONS[0], chain_of_thought=True)
    assert plain["required"] == ["answer_choice"]
    assert thinking["required"] == ["step_by_step_thinking", "answer_choice"]


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ('{"answer_choice": "B"}', "B"),
        ('{"step_by_step_thinking": "A is wrong.", "answer_choice": "B"}', "B"),
        ('{"answer_choice": "B. no"}', "B"),
        ('{"step_by_step_thinking": "cut short", "answer_choice": "A', "A"),
        ("The answer is (B).", "B"),
        ("B", "B"),
        ("**B**\nBecause it is so.", "B"),
        ("Answer: A", "A"),
        ("Answer:\nB", "B"),
        ("**Answer:** B", "B"),
        ("The answer is **B**", "B"),
        ("The answer is B because it is so.", "B"),
        ("The answer is most likely B.", "B"),
        ("The answer is A. B is wrong.", "A"),
        ("It is so; therefore B", "B"),
        ("Option B is correct.", "B"),
        ("Option A: the heart beats.\nOption B: it does not.\nAnswer: A", "A"),
        ("B. no", "B"),
        ("(B) no", "B"),
        ("B: no, since the heart is one", "B"),
        ('```json\n{"answer_choice": "B"}\n```', "B"),
        ("answer_choice: b", "B"),
        ('{"answer_choice": "b"}', "B"),
        ("<think>Maybe the answer is A.</think>The answer is B.", "B"),
        ('<think>{"answer_choice": "A"}</think>{"answer_choice": "B"}', "B"),
        ("<think>Maybe the answer is A.", None),
        ('{"step_by_step_thinking": "<think>A?", "answer_choice": "B"}', "B"),
        ("Answer: b", "B"),
        ("Answer: a", "A"),
        ("**Answer:** b", "B"),
        ("answer = (b)", "B"),
        ("The answer is b.", "B"),
        ("The answer is b", "B"),
        ("The answer is a.", "A"),
        ("The answer is (a)", "A"),
        ("The answer is **a**", "A"),
        ("Answer: b) no", "B"),
        ("Answer: b\nIt is so.", "B"),
        (r"\boxed{B}", "B"),
        (r"So it is $\boxed{\text{B}}$.", "B"),
        (r"The answer is \boxed{b}.", "B"),
        (r"\boxed{\textbf{(B) no}}", "B"),
        (r"The answer is A. \boxed{B}", None),
        (r"\boxed{A} or \boxed{B}", None),
        (r"\boxed{A, B}", None),
        (r"\boxed{A patient}", None),
        (r"\boxed{E}", None),
        (r"\boxed{}", None),
        (r"\boxed{\frac{A}{2}}", None),
        ("The answer is A, B is wrong.", None),
        ("The answer is a", None),
        ("The answer is a\nmuscle.", None),
        ("The answer is a muscle.", None),
        ("The answer is a, frankly, hard one.", None),
        ("The answer is a (small) muscle.", None),
        ("Answer: a patient may need b", None),
        ("Answer: a or b", None),
        ("Answer: b. burgdorferi", None),
        ("Answer: a-level", None),
        ("The answer is b. No, the answer is A.", None),
        ("So a\nb", None),
        ("Answer: e", None),
        ("a", None),
        ("A heart is a muscle.", None),
        ("A's heart", None),
        ("A. yes\nB. no", None),
        ("A or B", None),
        ("B. burgdorferi is the cause.", None),
        ("The answer is B cells.", None),
        ("The answer is not A.", None),
        ("The answer: A-level", None),
        ("Answer: A patient with a fever may need B", None),
        ("Answer: B or A", None),
        ("Answer: A, and B", None),
        ("Answer: C or D", None),
        ("The answer is A. No, the answer is B.", None),
        ('{"answer_choice": "A or B"}', None),
        ('"answer_choice": "A or B', None),
        ('{"answer_choice": "A patient"}', None),
        ('{"answer_choice": ["A"]}', None),
        ('{"answer_choice": "A"} {"answer_choice": "B"}', None),
        ('{"answer_choice": "E"}', None),
        ('{"answer_choice": null}', None),
        ('{"thought": "B"}', None),
        ("", None),
    ],
)
def test_a_reply_is_a_letter_or_none_and_never_a_guess(reply, choice):
    assert parse_choice(reply, YES_NO) == choice


def ask(folder, generator, questions=QUESTIONS, passages=None, **settings):
    predictions = Predictions(folder, {"cot": False, **settings})
    ask_questions(questions, Examinee(generator, passages), predictions, at_once=2)
    return predictions


def test_a_run_that_was_stopped_asks_only_what_is_missing(tmp_path):
    with pytest.raises(GeneratorError):
        ask(tmp_path, Oracle(fails_after=3))
    assert len(read_predictions(tmp_path)) == 3
    generator = Oracle()
    assert len(ask(tmp_path, generator).done) == 8
    assert len(generator.asked) == 5


def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path):
    ask(tmp_path, Oracle())
    path = tmp_path / "predictions.jsonl"
    path.write_text(path.read_text()[:-20])
    generator = Oracle()
    ask(tmp_path, generator)
    assert len(generator.asked) == 1
    assert len(read_predictions(tmp_path)) == 8


def test_a_question_without_a_reply_did_not_parse_and_the_next_is_asked(tmp_path):
    generator = Oracle(silent_after=3)
    done = ask(tmp_path, generator).done
    assert len(generator.asked) == len(done) == 8
    failed = [one for one in read_predictions(tmp_path) if one.failure]
    assert len(failed) == 5
    assert (failed[0].choice, failed[0].reply) == (None, "")
    assert "OSLER_LLM_MAX_TOKENS" in failed[0].failure
    assert mirage_report(QUESTIONS, done).parse_failure_rate == 5 / 8


def test_a_model_that_never_replies_stops_the_run(tmp_path):
    many = [replace(QUESTIONS[0], question_id=str(number)) for number in range(30)]
    with pytest.raises(GeneratorError, match="None of the first 10 questions got a reply .*OSLER_LLM_MAX_TOKENS"):
        ask(tmp_path, Oracle(silent_after=0), many)
    assert len(read_predictions(tmp_path)) == 10


def test_reading_a_run_leaves_its_file_as_it_is(tmp_path):
    ask(tmp_path, Oracle())
    path = tmp_path / "predictions.jsonl"
    path.write_text(path.read_text() + '{"task": "being writ')
    before = path.read_bytes()
    assert len(read_predictions(tmp_path)) == 8
    assert path.read_bytes() == before


def test_a_folder_without_predictions_and_a_damaged_line_are_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere: holds no predictions.jsonl"):
        read_predictions(tmp_path / "nowhere")
    (tmp_path / "predictions.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="predictions.jsonl: line 1: no prediction .*delete that line"):
        read_predictions(tmp_path)


def test_a_folder_of_other_settings_is_refused(tmp_path):
    ask(tmp_path, Oracle(), cot=False)
    with pytest.raises(UsageError, match="made with another cot"):
        ask(tmp_path, Oracle(), cot=True)


def test_a_folder_of_another_prompt_is_refused_and_one_of_another_version_goes_on(tmp_path):
    ask(tmp_path, Oracle(), prompt="ab12", osler="0.1")
    ask(tmp_path, Oracle(), prompt="ab12", osler="0.2")
    assert json.loads((tmp_path / "settings.json").read_text())["osler"] == "0.1"
    with pytest.raises(UsageError, match="made with another prompt; name another --out"):
        ask(tmp_path, Oracle(), prompt="cd34", osler="0.1")


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("part", ["messages", "schema"])
def test_the_digest_changes_with_what_a_model_is_told_beside_passages(monkeypatch, part, thinking):
    def reworded(question, passages=(), *, chain_of_thought=False):
        messages, schema = choice_prompt(question, passages, chain_of_thought=chain_of_thought)
        if not passages or chain_of_thought != thinking:
            return messages, schema
        return (messages[1:], schema) if part == "messages" else (messages, {})

    before = prompt_digest()
    monkeypatch.setattr("osler.evaluate.mirage.choice_prompt", reworded)
    assert prompt_digest() != before


@pytest.mark.parametrize("damaged", ['{"cot": fal', "[1]", "null", ""])
def test_a_folder_whose_settings_are_damaged_is_refused(tmp_path, damaged):
    ask(tmp_path, Oracle())
    (tmp_path / "settings.json").write_text(damaged)
    with pytest.raises(UsageError, match="settings.json: holds no settings .*; name another --out, or delete"):
        ask(tmp_path, Oracle())


TEXTS = {"PMID:1": "The heart is a muscle.", "PMID:2": "The heart has fluid.", "c": "A gene."}


def passages(texts=TEXTS, *, index=None, k=2, num_candidates=100, **settings):
    search = SearchSettings(num_candidates=num_candidates)
    searcher = Searcher(index or fake_index(texts), FakeEncoder(), FakeReranker(), search)
    return Passages(searcher, k, 200, estimate_tokens, **settings)


def test_a_search_sees_the_question_and_never_the_options(tmp_path):
    generator = Oracle()
    predictions = ask(tmp_path, generator, QUESTIONS[:1], passages())
    searched = ChoiceQuestion("bioasq", "x", QUESTIONS[0].text, {"A": "gene", "B": "gene gene"}, "A")
    assert [one.passage.doc_id for one in passages().of(searched)] == list(
        predictions.done["medmcqa", "medmcqa-0"].doc_ids
    )
    assert "[1] " in generator.asked[0][0][-1]["content"]


def test_passages_of_the_records_that_a_question_rests_on_can_be_left_out():
    question = ChoiceQuestion("bioasq", "x", "heart muscle", YES_NO, "A", frozenset({"1"}))
    assert passages().of(question)[0].passage.doc_id == "PMID:1"
    without = [one.passage.doc_id for one in passages(without_gold=True).of(question)]
    assert "PMID:1" not in without
    assert len(without) == 2


def test_however_many_passages_of_the_records_there_are_k_others_come_back():
    texts = {f"PMID:{number}": "heart muscle" for number in range(1, 41)} | {"c": "A gene.", "d": "A lung."}
    question = replace(QUESTIONS[0], text="heart muscle", pmids=frozenset(map(str, range(1, 41))))
    assert [one.passage.doc_id for one in passages(texts, without_gold=True).of(question)] == ["c", "d"]
    assert passages(texts, num_candidates=20, without_gold=True).of(question) == []


def test_a_record_is_known_by_the_identifiers_and_the_metadata_of_its_document():
    section = (Section("", "heart muscle"),)
    documents = [
        Document("PMC:PMC9", "", section, {"pmid": "1"}),
        Document("x", "", section, {}, {"pmid": 2}),
        Document("y", "", section),
    ]
    index = FakeIndex()
    index.upsert([encoded_document(one, FakeEncoder(), FakeReranker()) for one in documents])
    question = replace(QUESTIONS[0], pmids=frozenset({"1", "2"}))
    found = passages(index=index, k=3, without_gold=True).of(question)
    assert [one.passage.doc_id for one in found] == ["y"]


def test_accuracy_has_standard_errors_and_guessing_beside_it(tmp_path):
    report = mirage_report(QUESTIONS, ask(tmp_path, Oracle()).done)
    assert report.tasks["bioasq"].accuracy == 0.75
    assert report.tasks["bioasq"].most_frequent == "A 100%"
    assert report.json()["tasks"]["bioasq"]["choices"] == {"A": 4}
    assert report.macro == report.all_tasks.accuracy == 0.75
    assert report.macro_se == pytest.approx(sqrt(2 * 0.75 * 0.25 / 4) / 2)
    assert report.baselines["uniform guess"]["macro"] == 0.5
    assert report.baselines['always "A"'] == report.baselines["best constant"]
    assert report.parse_failure_rate == 0


def test_none_right_is_no_certainty(tmp_path):
    report = mirage_report(QUESTIONS, ask(tmp_path, Oracle("?")).done)
    values = report.json()
    upper = Z**2 / (4 + Z**2)  # Wilson's upper end for none of four
    assert values["tasks"]["bioasq"]["interval"] == pytest.approx([0, upper])
    assert values["tasks"]["bioasq"]["se"] == pytest.approx(upper / (2 * Z))
    assert values["macro_interval"] == pytest.approx([0, upper / sqrt(2)])
    assert values["micro_interval"] == pytest.approx([0, Z**2 / (8 + Z**2)])
    assert min(values["macro_se"], values["micro_se"]) > 0.05


def test_the_interval_of_the_macro_average_of_one_task_is_that_of_the_task(tmp_path):
    report = mirage_report(QUESTIONS[4:], ask(tmp_path, Oracle()).done)
    assert report.macro_interval == pytest.approx(report.tasks["bioasq"].interval)


def test_the_cost_is_summed_over_questions(tmp_path):
    done = ask(tmp_path, Oracle()).done
    cost = mirage_report(QUESTIONS, done).json()["cost"]
    assert cost["reply_characters"] == 8 * len('{"answer_choice": "A"}')
    assert cost["prompt_characters"] == sum(one.prompt_characters for one in done.values()) > 8 * 100
    assert set(cost) == {"prompt_characters", "reply_characters", "search_seconds", "reply_seconds"}


def test_what_cannot_be_parsed_is_wrong_and_counted(tmp_path):
    report = mirage_report(QUESTIONS, ask(tmp_path, Oracle("I do not know.")).done)
    assert (report.macro, report.parse_failure_rate) == (0, 1)
    assert {task.most_frequent for task in report.tasks.values()} == {""}


def test_two_runs_are_compared_question_by_question(tmp_path):
    ours, theirs = ask(tmp_path / "a", Oracle()).done, ask(tmp_path / "b", Oracle("?")).done
    assert compare_runs(QUESTIONS, ours, theirs) == MirageComparison(8, 6, 0, 2 * 0.5**6)
    assert compare_runs(QUESTIONS, ours, theirs).verdict == "better"
    assert compare_runs(QUESTIONS, theirs, ours).verdict == "worse"
    assert compare_runs(QUESTIONS, ours, ours).p == 1


def test_runs_are_compared_on_what_both_answered(tmp_path):
    ours, theirs = ask(tmp_path / "a", Oracle()).done, ask(tmp_path / "b", Oracle(), QUESTIONS[:2]).done
    assert compare_runs(QUESTIONS, ours, theirs).questions == 2
    with pytest.raises(UsageError, match="no question in common"):
        compare_runs(QUESTIONS[4:], ours, theirs)


MIRAGES_RULES = (
    *(r"^\s*([A-D])" + behind for behind in ("$", " or", " and", "/", ",")),
    r"[Oo]ption ([A-D])",
    r":\s*([A-D])",
    *(r"^\s*([A-D])" + behind for behind in (r"\.", '"', ":")),
)
"""In the order that its locate_answer tries them in."""


def mirages_own_reading(text):
    """The letter as MIRAGE's evaluate.py finds it: behind the last field, by the first rule that fits, else A."""
    said = text.split('"answer_choice": "')[-1].strip()
    found = (re.search(rule, said) for rule in MIRAGES_RULES)
    return next((match[1] for match in found if match), "A")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ('{"answer_choice": "B"}', "B"),
        ('{"step_by_step_thinking": "Option C: no.", "answer_choice": "B"}', "B"),
        ('{"answer_choice": "D. no"}', "D"),
        ("B or C", "B"),
        ("I choose option C", "C"),
        ("Hard to say.", "A"),
        ("answer: none of A or B, so I say: Depends", "D"),
        ("", "A"),
    ],
)
def test_this_is_how_mirage_reads_a_reply(text, letter):
    assert mirages_own_reading(text) == letter


@pytest.mark.parametrize("letter", "ABCD")
def test_mirage_reads_the_letter_that_we_read(tmp_path, letter):
    question = replace(QUESTIONS[0], options=dict.fromkeys("ABCD", "x"))
    done = ask(tmp_path, Oracle(f"Option A: no. Option B: no. The answer is ({letter})."), [question]).done
    write_mirage(tmp_path, [question], done, PredictionFolder("local"))
    (file,) = (tmp_path / "prediction").rglob("*.json")
    assert mirages_own_reading(json.loads(file.read_text())[0]) == letter


def test_the_prediction_files_lie_and_read_as_mirage_expects(tmp_path):
    done = ask(tmp_path, Oracle('{"answer_choice": "B"}')).done
    write_mirage(tmp_path, QUESTIONS, done, PredictionFolder("smol/lm:135m", "pub med", "osler-mini+osler-mini", 5))
    file = tmp_path / "prediction/medmcqa/rag_5/smol-lm-135m/pub-med/osler-mini-osler-mini/dev_medmcqa-0.json"
    (text,) = json.loads(file.read_text())
    assert mirages_own_reading(text) == "B"
    write_mirage(tmp_path, QUESTIONS, done, PredictionFolder("local"))
    assert Path(tmp_path, "prediction/bioasq/cot/local/test_bioasq-3.json").is_file()


def test_a_reply_without_an_answer_is_left_to_mirages_own_rule(tmp_path):
    done = ask(tmp_path, Oracle("Hard to say.")).done
    write_mirage(tmp_path, QUESTIONS[:1], done, PredictionFolder("local"))
    (text,) = json.loads((tmp_path / "prediction/medmcqa/cot/local/dev_medmcqa-0.json").read_text())
    assert text == "Hard to say."
    assert mirages_own_reading(text) == "A"


# the command


@pytest.fixture
def benchmark(tmp_path):
    values = {one.question_id: {"question": one.text, "options": YES_NO, "answer": one.answer} for one in QUESTIONS[:4]}
    return write(tmp_path / "benchmark.json", {"medmcqa": values})


@pytest.fixture
def oracle(monkeypatch):
    """Every language model is this one."""
    generator = Oracle()
    monkeypatch.setattr("osler.load.load_generator", lambda settings: generator)
    return generator


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "mirage", *map(str, words)])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, " ".join(printed.err.split())


def test_a_run_is_reported_with_its_cost_and_against_another(tmp_path, benchmark, oracle, capsys):
    words = ["--benchmark", benchmark, "--no-rag"]
    assert run(capsys, *words, "--out", tmp_path / "a")[0] == 0
    code, out, _ = run(capsys, *words, "--out", tmp_path / "b", "--compare", tmp_path / "a", "--json")
    values = json.loads(out)
    assert (code, values["macro"], values["cost"]["search_seconds"]) == (0, 0.75, 0)
    counts = {"questions": 4, "right": 3, "right_there": 3, "p": 1.0}
    verdict = "no difference that can be told from noise"
    assert values["compared"] == {"run": str(tmp_path / "a"), **counts, "verdict": verdict}
    _, table, _ = run(capsys, *words, "--out", tmp_path / "b", "--compare", tmp_path / "a")
    assert "cost: prompts of" in table
    assert "no difference that can be told from noise" in " ".join(table.split())


def test_no_accuracy_is_printed_as_certain(tmp_path, benchmark, oracle, capsys):
    oracle.reply = "?"
    _, table, _ = run(capsys, "--benchmark", benchmark, "--no-rag", "--out", tmp_path / "a")
    assert "± 0.000" not in table
    assert "micro average 0.000 (0.000–0.490)" in table


def test_a_run_of_a_part_of_the_questions_is_compared_on_it_and_said(tmp_path, benchmark, oracle, capsys):
    one = write(tmp_path / "one.json", {"medmcqa": dict([*json.loads(benchmark.read_text())["medmcqa"].items()][:1])})
    run(capsys, "--benchmark", one, "--no-rag", "--out", tmp_path / "a")
    words = ["--benchmark", benchmark, "--no-rag", "--out", tmp_path / "b", "--compare", tmp_path / "a"]
    assert "answered 1 of these 4 questions: compared on those" in run(capsys, *words)[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "nowhere"], "nowhere: holds no predictions.jsonl"),
        (["--compare", "chess"], "--compare chess: none of its 1 predictions is of a question of this benchmark"),
        (["-k", "3"], "-k chooses passages, and --no-rag asks without any"),
        (["--without-gold"], "--without-gold chooses passages, and --no-rag asks without any"),
        (["--out", "benchmark.json"], "--out benchmark.json: benchmark.json is a file"),
        (["--out", "benchmark.json/x"], "--out benchmark.json/x: benchmark.json is a file"),
        (["--benchmark", "list.json"], "list.json: the file is a JSON list and no object"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_question(tmp_path, benchmark, oracle, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "list.json", [])
    ask(tmp_path / "chess", Oracle(), [replace(QUESTIONS[0], question_id="e4")])
    code, _, error = run(capsys, "--benchmark", "benchmark.json", "--no-rag", "--out", "out", *words)
    assert code in (1, 2)
    assert said in error
    assert oracle.asked == []


@pytest.fixture
def index(tmp_path):
    """The folder of an index of two documents."""
    from osler.load import add_documents

    add_documents([Document(doc_id, "", (Section("", TEXTS[doc_id]),)) for doc_id in TEXTS], tmp_path / "index")
    return tmp_path / "index"


def test_what_answered_and_what_was_searched_are_recorded(tmp_path, benchmark, oracle, index, capsys):
    words = ["--benchmark", benchmark, "--index", index, "--out", tmp_path / "out"]
    assert run(capsys, *words)[0] == 0
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert settings["llm"]["model"] == "oracle-1"
    assert (settings["prompt"], settings["osler"]) == (prompt_digest(), settings["index"]["osler"])
    assert {one.model for one in read_predictions(tmp_path / "out")} == {"oracle-1-2026-05"}
    assert (settings["index"]["documents"], settings["index"]["unindexed"]) == (3, 0)
    assert (tmp_path / "out/prediction/medmcqa/rag_5/oracle-1/index").is_dir()


def test_a_run_goes_on_with_the_same_index_and_model_and_no_other(tmp_path, benchmark, oracle, index, capsys):
    from osler.load import add_documents

    words = ["--benchmark", benchmark, "--index", index, "--out", tmp_path / "out"]
    run(capsys, *words)
    assert run(capsys, *words)[0] == 0
    assert len(oracle.asked) == 4
    oracle.model = "oracle-2"
    assert "made with another llm" in run(capsys, *words)[2]
    oracle.model = "oracle-1"
    add_documents([Document("PMID:9", "", (Section("", "The heart is a muscle, too."),))], index)
    code, _, error = run(capsys, *words)
    assert (code, "made with another index" in error) == (2, True)
