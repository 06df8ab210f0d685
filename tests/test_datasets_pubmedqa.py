import json
from pathlib import Path

import pytest

from osler.datasets import load_dataset
from osler.errors import CorpusError
from osler.records import Document, Query, Section


def record(question: str = "Do mice count?", **fields: object) -> dict[str, object]:
    """A record with the fields of PubMedQA's files that matter, and one of those that do not."""
    contexts = {"CONTEXTS": ["Mice are small.", "We counted."], "LABELS": ["BACKGROUND", "METHODS"]}
    return {"QUESTION": question, "LONG_ANSWER": "They do.", "final_decision": "yes"} | contexts | fields


def write(folder: Path, name: str, **records: object) -> Path:
    file = folder / name
    file.write_text(json.dumps({pmid.removeprefix("pmid"): values for pmid, values in records.items()}))
    return file


def error(source: Path, split: str = "train") -> str:
    with pytest.raises(CorpusError) as raised:
        load_dataset(source, split)
    return str(raised.value).replace(str(source), "SOURCE")


def test_a_question_has_its_abstract_without_title_and_conclusion(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid12=record())
    dataset = load_dataset(tmp_path)
    sections = (Section("BACKGROUND", "Mice are small."), Section("METHODS", "We counted."))
    assert dataset.documents == {"PMID:12": Document("PMID:12", "", sections, {"pmid": "12"})}
    assert dataset.queries == {"12": Query("12", "Do mice count?")}
    assert dataset.qrels == {"12": {"PMID:12": 1}}


def test_both_files_of_a_folder_are_read(tmp_path):
    write(tmp_path, "ori_pqaa.json", pmid2=record("Two?"))
    write(tmp_path, "ori_pqal.json", pmid1=record("One?"))
    assert [query.text for query in load_dataset(tmp_path).queries.values()] == ["One?", "Two?"]


def test_a_file_is_read_alone(tmp_path):
    file = write(tmp_path, "ori_pqaa.json", pmid2=record())
    write(tmp_path, "ori_pqal.json", pmid1=record())
    dataset = load_dataset(file)
    assert (dataset.name, list(dataset.queries)) == ("ori_pqaa", ["2"])


def test_the_held_out_half_is_the_test_split_and_not_trained_on(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record(), pmid2=record())
    write(tmp_path, "test_ground_truth.json", pmid2="yes")
    train, test = load_dataset(tmp_path, "train"), load_dataset(tmp_path, "test")
    assert (list(train.queries), list(test.queries)) == (["1"], ["2"])
    assert list(train.documents) == list(test.documents) == ["PMID:1", "PMID:2"]


def test_a_section_without_label_has_no_heading(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record(LABELS=["AIM"]))
    assert [section.heading for section in load_dataset(tmp_path).documents["PMID:1"].sections] == ["AIM", ""]


def test_a_record_without_abstract_is_left_out(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record(CONTEXTS=[" "]), pmid2=record())
    assert list(load_dataset(tmp_path).queries) == ["2"]


def test_a_folder_in_the_layout_of_beir_is_read_as_such(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record())
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": ""}')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "Query"}')
    (tmp_path / "qrels_train.tsv").write_text("q\ta\t1\n")
    assert list(load_dataset(tmp_path).documents) == ["a"]


def test_a_pmid_in_both_files_is_refused(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record())
    write(tmp_path, "ori_pqaa.json", pmid1=record())
    assert error(tmp_path).startswith("SOURCE/ori_pqaa.json: 1 id that came before, the first '1'; ")


def test_a_split_that_is_missing_names_those_that_are_there(tmp_path):
    write(tmp_path, "ori_pqal.json", pmid1=record())
    assert error(tmp_path, "test") == "SOURCE: has no split 'test'; name another one: train."


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("text", "a record is expected, not str"),
        (record(QUESTION=""), "`QUESTION` is ''"),
        (record(QUESTION=None), "`QUESTION` is None"),
        (record(CONTEXTS="Mice."), "`CONTEXTS` is no list of texts"),
        (record(LABELS=[1]), "`LABELS` is no list of texts"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path, values, reason):
    write(tmp_path, "ori_pqal.json", pmid1=record(), pmid2=values)
    assert error(tmp_path).startswith(f"SOURCE/ori_pqal.json, PMID 2: {reason}; 1 damage in all")


@pytest.mark.parametrize(("content", "reason"), [("{", "not JSON"), ("[]", "an object PMID -> record is expected")])
def test_a_file_that_is_no_dictionary_is_refused(tmp_path, content, reason):
    file = tmp_path / "ori_pqal.json"
    file.write_text(content)
    assert error(file).startswith(f"SOURCE: {reason}")
