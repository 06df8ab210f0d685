import io
from pathlib import Path

import pytest

from osler.corpus import jsonl, read_documents
from osler.records import Damage, Document, Section


def read(text: str | bytes):
    return list(jsonl.read(io.BytesIO(text.encode() if isinstance(text, str) else text), "f.jsonl"))


def test_a_line_is_a_document_whose_id_and_text_are_kept_to_the_character():
    (document,) = read('{"_id": " 7#a", "title": "T", "text": " a\\n\\n b ", "metadata": {"year": 1999}}')
    assert document == Document(" 7#a", "T", (Section("", " a\n\n b "),), {}, {"year": 1999})


def test_identifiers_are_filled_from_the_metadata():
    (document,) = read('{"_id": "7", "text": "", "metadata": {"pmid": 7, "doi": "doi:10.1/x", "pmcid": "PMC9"}}')
    assert document.identifiers == {"pmid": "7", "doi": "10.1/x", "pmcid": "PMC9"}


def test_a_missing_title_and_missing_metadata_are_empty():
    (document,) = read('{"_id": "7", "title": null, "text": "a", "metadata": null}')
    assert (document.title, document.metadata) == ("", {})


def test_a_number_is_an_id_and_not_a_number_is_nothing():
    (document,) = read('{"_id": 7, "text": "a", "metadata": {"year": NaN}}')
    assert (document.doc_id, document.metadata) == ("7", {"year": None})


def test_a_byte_order_mark_and_blank_lines_are_passed_over():
    assert [entry.doc_id for entry in read(b'\xef\xbb\xbf{"_id": "7", "text": ""}\r\n\r\n')] == ["7"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"_id": "7", "text": "a"', "not JSON (Expecting ',' delimiter at character 24)"),
        ('["7"]', "a JSON object is expected, not list"),
        ('{"text": "a"}', "`_id` is None, but must be a string that is not empty"),
        ('{"_id": "7"}', "`text` is NoneType, but must be a string"),
        ('{"_id": "7", "title": 1, "text": "a"}', "`title` is int, but must be a string"),
        ('{"_id": "7", "text": "a", "metadata": [1]}', "`metadata` is list, but must be an object"),
        ('{"_id": "7", "text": "\\ud800"}', "half of a surrogate pair, which is no character"),
        (b'{"_id": "7", "text": "\xff"}', "not UTF-8 at byte 22 of the line"),
        ("[" * 100_000, "nested too deep"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_line_is_damage_and_the_next_one_is_read(line, reason):
    content = (line.encode() if isinstance(line, str) else line) + b'\n{"_id": "8", "text": ""}'
    damage, document = read(content)
    assert damage == Damage("f.jsonl", "line 1", reason)
    assert document.doc_id == "8"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "first"),
    [("scifact", 5183, "4983"), ("pubmedqa", 1000, "1571683"), ("medquad", 16350, "1:0000001_1-1")],
)
def test_a_folder_in_the_layout_of_beir_gives_its_corpus_alone(data_folder: Path, name, count, first):
    entries = list(read_documents([data_folder / name]))
    assert (len(entries), entries[0].doc_id) == (count, first)
    assert all(isinstance(entry, Document) for entry in entries)
