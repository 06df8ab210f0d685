import io
from pathlib import Path

import pytest

from osler.corpus import jsonl, read_documents
from osler.records import Damage, Document, Section, is_retracted


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


@pytest.mark.parametrize("end", ['"text": null}', '"text": null, "abstract": null}', '"metadata": {}}'])
def test_a_missing_text_is_empty_where_there_is_a_title(end):
    (document,) = read('{"_id": "7", "title": "T", ' + end)
    assert (document.title, document.text) == ("T", "")


def test_neither_a_title_nor_a_text_is_damage():
    assert [str(entry) for entry in read('{"_id": "7", "title": " ", "text": null}')] == [
        "f.jsonl, line 1: `text` is NoneType, but must be a string"
    ]


def test_files_that_were_joined_are_read_whole():
    marked = b'\xef\xbb\xbf{"_id": "7", "text": "a"}'
    assert [entry.doc_id for entry in read(marked + b"\n" + marked.replace(b"7", b"8"))] == ["7", "8"]
    assert [entry.doc_id for entry in read(marked + marked.replace(b"7", b"8") + b"\n")] == ["7", "8"]
    assert read('{"_id": "7", "text": "a\ufeffb"}')[0].text == "a\ufeffb"


@pytest.mark.parametrize(
    ("line", "doc_id", "ids"),
    [
        ('{"_id": "PMID:12", "text": ""}', "PMID:12", {"pmid": "12"}),
        ('{"_id": "pmid: 12", "text": ""}', "pmid: 12", {"pmid": "12"}),
        ('{"_id": "PMC:PMC9", "text": ""}', "PMC:PMC9", {"pmcid": "PMC9"}),
        ('{"_id": "PMC9", "text": ""}', "PMC9", {"pmcid": "PMC9"}),
        ('{"_id": "doi:10.1/x", "text": ""}', "doi:10.1/x", {"doi": "10.1/x"}),
        ('{"_id": "12", "text": ""}', "12", {}),
        (
            '{"_id": "PMID:12", "text": "", "metadata": {"PMID": 13, "Doi": "10.1/x"}}',
            "PMID:12",
            {"pmid": "13", "doi": "10.1/x"},
        ),
        (
            '{"_id": "a", "text": "", "metadata": {"PMCID": "pmc9", "pmid": null, "PubMed_ID": 12.0}}',
            "a",
            {"pmid": "12", "pmcid": "PMC9"},
        ),
        ('{"_id": "a", "text": "", "metadata": {"pmid": "n/a", "doi": [1], "pmcid": true}}', "a", {}),
        ('{"_id": "a", "text": "", "pmid": 12}', "a", {"pmid": "12"}),
    ],
)
def test_identifiers_are_found_in_the_metadata_and_in_the_id_however_they_are_spelled(line, doc_id, ids):
    (document,) = read(line)
    assert (document.doc_id, dict(document.identifiers)) == (doc_id, ids)


@pytest.mark.parametrize(
    ("line", "doc_id", "text", "metadata"),
    [
        ('{"id": "a", "contents": "Mice."}', "a", "Mice.", {}),
        ('{"id": 3, "title": "T", "content": "Mice.", "contents": "T. Mice.", "PMID": 21}', "3", "Mice.", {"PMID": 21}),
        (
            '{"pmid": 12, "title": "T", "abstract": "Mice.", "year": 1999}',
            "PMID:12",
            "Mice.",
            {"pmid": 12, "year": 1999},
        ),
        ('{"doc_id": 4983, "title": "T", "abstract": "Mice.", "metadata": {"year": 1}}', "4983", "Mice.", {"year": 1}),
        ('{"_id": "a", "id": "b", "text": "Mice.", "abstract": "no", "year": 1999}', "a", "Mice.", {}),
    ],
)
def test_other_layouts_that_leave_no_doubt_are_read(line, doc_id, text, metadata):
    (document,) = read(line)
    assert (document.doc_id, document.text, document.metadata) == (doc_id, text, metadata)


def metadata_of(title: str, metadata: str = "{}") -> dict:
    return dict(read(f'{{"_id": "7", "title": "{title}", "text": "a", "metadata": {metadata}}}')[0].metadata)


def test_a_title_says_the_state_where_the_metadata_do_not():
    assert metadata_of("RETRACTED: Effect of x") == {"retracted": True}
    assert metadata_of("Expression of Concern: Effect of x") == {"concern": True}
    assert metadata_of("RETRACTED: Effect of x", '{"retracted": false}') == {"retracted": False}
    assert metadata_of("RETRACTED: Effect of x", '{"retracted": null}') == {"retracted": True}
    notice = '{"publication_types": ["Retraction of Publication"]}'
    assert "retracted" not in metadata_of("Retraction: Effect of x", notice)


@pytest.mark.parametrize("types", ["7", "true", "null", '{"a": 1}', "[[1]]", '[null, 1, "Review"]', "1.5", '"Review"'])
def test_publication_types_of_any_shape_are_taken_as_they_are(types):
    metadata = metadata_of("RETRACTED: Effect of x", f'{{"publication_types": {types}}}')
    assert metadata["retracted"]
    assert not is_retracted({"publication_types": metadata["publication_types"]})


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
        ('{"_id": "7", "text": "a"} x', "not JSON (Extra data at character 26)"),
        (
            '{"_id": "7", "text": "a", "metadata": {"n": ' + "9" * 5000 + "}}",
            "a number of more digits than can be read",
        ),
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
