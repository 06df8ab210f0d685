import json
from types import MappingProxyType

import pytest

from osler.cli import main
from osler.datasets import Dataset, load_dataset
from osler.datasets.mirage import Benchmark, ChoiceQuestion
from osler.evaluate.contamination import Texts, clean_qrels, find_overlaps, write_qrels
from osler.records import Document, Query, Section

LONG = "Scurvy results from a lack of vitamin C and is cured by eating fresh fruit every day"


def dataset(queries, texts, qrels, titles=MappingProxyType({})):
    documents = {
        doc_id: Document(doc_id, titles.get(doc_id, ""), (Section("", text),)) for doc_id, text in texts.items()
    }
    return Dataset("tiny", "train", documents, {one: Query(one, text) for one, text in queries.items()}, qrels, "")


TRAIN = dataset(
    {"t1": "What is scurvy?", "t2": "What cures it?", "t3": "What is gout?"},
    {"a": LONG, "b": "Gout is pain in a toe.", "c": "Nobody asks for this one."},
    {"t1": {"a": 1}, "t2": {"a": 1}, "t3": {"b": 1}},
)


def overlaps(train, test):
    """All that is found, of any kind."""
    return [one for of_kind in find_overlaps(train, test).values() for one in of_kind]


def test_an_equal_query_is_found_whatever_its_case():
    test = dataset({"e1": "what is GOUT"}, {"x": "Something else."}, {"e1": {"x": 1}})
    (overlap,) = overlaps(TRAIN, Texts.of(test))
    assert (overlap.kind, overlap.train_id, overlap.test_id, overlap.similarity) == ("query", "t3", "e1", 1.0)


@pytest.mark.parametrize(
    ("ours", "theirs", "similarity"),
    [
        ("Is celecoxib effective for treatment of lateral sclerosis in mice?",
         "Is celecoxib effective for lateral sclerosis in mice?", 5 / 6),
        ("What is the target of the drug Olaparib?", "What is drug target for olaparib?", 1.0),
    ],
)  # fmt: skip
def test_a_question_is_found_that_is_asked_in_other_words(ours, theirs, similarity):
    train, test = (dataset({"q": text}, {"x": text}, {"q": {"x": 1}}) for text in (ours, theirs))
    (overlap,) = find_overlaps(train, Texts.of(test))["query"]
    assert (overlap.similarity, overlap.containment) == (similarity, None)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("What is (are) Gout ?", "What is (are) Mumps ?"),
        ("What are the genetic changes related to spastic ataxia 4 ?",
         "What are the genetic changes related to spastic ataxia 5 ?"),
        ("What are the symptoms of kidney disease ?", "What are the treatments for kidney disease ?"),
    ],
)  # fmt: skip
def test_a_template_filled_in_twice_is_not_one_question(ours, theirs):
    train, test = (dataset({"q": text}, {"x": text}, {"q": {"x": 1}}) for text in (ours, theirs))
    assert find_overlaps(train, Texts.of(test))["query"] == []


def benchmark(**pmids):
    """One question a name, the text of each being "Does NAME grow in winter?"."""
    questions = [
        ChoiceQuestion("bioasq", name, f"Does {name} grow in winter?", {"A": "yes"}, "A", frozenset(of))
        for name, of in pmids.items()
    ]
    return Texts.of_benchmark(Benchmark(tuple(questions), ""))


def test_a_positive_from_a_record_that_a_question_rests_on_is_found_by_id_and_by_identifier():
    documents = [Document("PMID:12", "", ()), Document("12-a", "", (), {"pmid": "12"}), Document("12", "", ())]
    qrels = {"t": {one.doc_id: 1 for one in documents}}
    train = Dataset("tiny", "train", {one.doc_id: one for one in documents}, {"t": Query("t", "Why?")}, qrels, "")
    found = find_overlaps(train, benchmark(rice={"7", "12"}, rye=()))["record"]
    assert [(one.train_id, one.test_id, one.similarity) for one in found] == [
        ("PMID:12", "bioasq/rice", None),
        ("12-a", "bioasq/rice", None),
    ]
    assert found[0].query_ids == ("t",)


def test_a_positive_whose_title_is_a_question_is_found():
    titles = {"a": "Does rice grow in winter?", "b": "Rice"}
    train = dataset({"t": "Why?"}, {"a": "Yes.", "b": "No."}, {"t": {"a": 1, "b": 1}}, titles)
    (overlap,) = find_overlaps(train, benchmark(rice=()))["title"]
    assert (overlap.train_id, overlap.test_id, overlap.similarity) == ("a", "bioasq/rice", 1.0)


def test_what_one_of_both_has_nothing_of_is_not_compared():
    assert set(find_overlaps(TRAIN, benchmark(rice={"1"}))) == {"query"}  # no titles, no PMIDs, no passages
    assert set(find_overlaps(TRAIN, Texts.of(TRAIN))) == {"query", "passage"}


def test_a_nearly_equal_passage_touches_every_query_that_it_answers():
    test = dataset({"e1": "Why fruit?"}, {"x": f"{LONG} indeed"}, {"e1": {"x": 1}})
    (overlap,) = overlaps(TRAIN, Texts.of(test))
    assert (overlap.kind, overlap.train_id, overlap.query_ids) == ("passage", "a", ("t1", "t2"))
    assert overlap.similarity == 13 / 14  # five-word shingles of 17 and 18 words
    assert list(clean_qrels(TRAIN, [overlap])) == ["t3"]


def test_a_passage_that_nobody_asks_for_does_not_count():
    test = dataset({"e1": "Why?"}, {"c": "Nobody asks for this one.", "x": "Text."}, {"e1": {"x": 1}})
    assert overlaps(TRAIN, Texts.of(test)) == []


def test_texts_that_share_some_words_are_not_the_same():
    test = dataset({"e1": "Why?"}, {"x": "Scurvy results from a lack of sun, said nobody."}, {"e1": {"x": 1}})
    assert overlaps(TRAIN, Texts.of(test)) == []


def test_texts_without_words_resemble_nothing():
    train = dataset({"t": "?"}, {"a": ""}, {"t": {"a": 1}})
    test = dataset({"e": "!"}, {"x": "…"}, {"e": {"x": 1}})
    assert overlaps(train, Texts.of(test)) == []


def test_documents_of_a_title_alone_are_compared_by_it():
    train = dataset({"t": "Why?"}, {"a": ""}, {"t": {"a": 1}}, titles={"a": "Scurvy"})
    test = dataset({"e": "How?"}, {"x": "", "y": ""}, {"e": {"x": 1, "y": 1}}, titles={"x": "Gout", "y": "SCURVY"})
    (overlap,) = overlaps(train, Texts.of(test))
    assert (overlap.train_id, overlap.test_id, overlap.similarity) == ("a", "y", 1.0)


@pytest.mark.parametrize("turned", [False, True])
def test_a_snippet_that_a_long_abstract_contains_is_found_on_either_side(turned):
    words = " ".join(f"word{number}" for number in range(100))
    texts = [{"x": f"{words} {LONG} {words}"}, {"x": LONG}]
    train, test = (dataset({f"{n}": f"Why {n}?"}, texts[n ^ turned], {f"{n}": {"x": 1}}) for n in (0, 1))
    (overlap,) = overlaps(train, Texts.of(test))
    assert overlap.containment == 1.0
    assert overlap.similarity == 13 / 117  # 13 shingles of its own, 96 of the words around it, 8 across the seams
    assert overlap.query_ids == ("0",)


def test_a_phrase_of_few_words_is_no_snippet():
    phrase = "scurvy results from a lack of vitamin C and is"  # ten words, six shingles
    test = dataset({"e": "Why?"}, {"x": phrase}, {"e": {"x": 1}})
    assert overlaps(TRAIN, Texts.of(test)) == []


def test_texts_too_short_for_containment_have_none():
    test = dataset({"e": "Why?"}, {"x": "gout is pain in a toe"}, {"e": {"x": 1}})
    (overlap,) = overlaps(TRAIN, Texts.of(test))
    assert (overlap.similarity, overlap.containment) == (1.0, None)


def save(folder, dataset, split):
    rows = {
        "corpus.jsonl": [{"_id": one, "title": "", "text": doc.text} for one, doc in dataset.documents.items()],
        "queries.jsonl": [{"_id": one, "text": query.text} for one, query in dataset.queries.items()],
    }
    folder.mkdir()
    for name, lines in rows.items():
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_qrels(folder / f"qrels_{split}.tsv", dataset.qrels)


def test_the_command_lists_overlaps_and_writes_what_is_clean(tmp_path, capsys):
    save(tmp_path / "train", TRAIN, "train")
    save(tmp_path / "test", dataset({"e1": "What is gout?"}, {"x": "Text."}, {"e1": {"x": 1}}), "test")
    words = ["evaluate", "contamination", "--train", str(tmp_path / "train"), "--test", f"{tmp_path / 'test'}:test"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--clean", str(tmp_path / "train" / "qrels_clean.tsv"), "--json"])
    assert ended.value.code == 0
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["train_id"] == "t3"
    assert last == {
        **{"train": str(tmp_path / "train"), "test": f"{tmp_path / 'test'}:test"},
        **{"queries": 1, "passages": 0, "titles": None, "records": None, "touched": 1, "left": 2},
    }
    assert set(load_dataset(tmp_path / "train", "clean").qrels) == {"t1", "t2"}


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "contamination", *map(str, words)])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_the_evaluation_set_may_be_mirages_file(tmp_path, capsys, monkeypatch):
    save(tmp_path / "train", TRAIN, "train")
    question = {"question": "What is SCURVY?", "options": {"A": "a lack"}, "answer": "A"}
    (tmp_path / "b.json").write_text(json.dumps({"medqa": {"0001": question}}))
    monkeypatch.setenv("OSLER_DATA", str(tmp_path))  # relative names lie below it
    code, out, _ = run(capsys, "--train", "train", "--test", "b.json", "--json")
    first, last = map(json.loads, out.splitlines())
    assert (code, first["train_id"], first["test_id"]) == (0, "t1", "medqa/0001")
    assert (last["queries"], last["passages"], last["records"]) == (1, None, None)
    _, out, _ = run(capsys, "--train", "train", "--test", "b.json")
    assert out.splitlines() == [
        "query t1 ~ medqa/0001  similarity 1.00",
        "training queries that are queries there: 1",
        "training positives that are relevant documents there: not compared",
        "training positives whose title is a query there: not compared",
        "training positives from a PubMed record that is relevant there: not compared",
        "b.json touches 1 of 3 training queries",
    ]


def test_names_are_printed_as_they_stand(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a[").mkdir()
    save(tmp_path / "a[" / "b]", TRAIN, "train")
    code, out, _ = run(capsys, "--train", "a[/b]", "--test", "a[/b]:train")
    assert code == 0
    assert out.splitlines()[-1] == "a[/b]:train touches 3 of 3 training queries"


def test_qrels_that_are_there_are_not_written_over(tmp_path, capsys):
    save(tmp_path / "d", TRAIN, "train")
    qrels = tmp_path / "d" / "qrels_train.tsv"
    before = qrels.read_text()
    code, _, error = run(capsys, "--train", "nowhere", "--test", "nowhere", "--clean", qrels)
    assert code == 2
    assert f"--clean {qrels}: the file is there already; name another one, or delete it first." in error
    assert qrels.read_text() == before


def test_a_file_that_cannot_be_written_is_said_before_anything_is_read(capsys):
    code, _, error = run(capsys, "--train", "nowhere", "--test", "nowhere", "--clean", "nodir/x")
    assert code == 2
    assert "--clean nodir/x: there is no folder nodir" in error
