import gzip
import io
import lzma
import sys
import zipfile
from types import SimpleNamespace

import pytest

from osler.corpus import read_documents
from osler.corpus.sources import detect_format
from osler.errors import CorpusError
from osler.records import Damage, Document

ARTICLE = "<article><front><article-meta><article-id pub-id-type='pmc'>1</article-id></article-meta></front></article>"
CITATION = (
    "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article/></MedlineCitation></PubmedArticle>"
    "</PubmedArticleSet>"
)


@pytest.fixture
def from_standard_input(monkeypatch):
    """The ids of the documents that are read from these bytes, and the damages as text."""

    def read(content: bytes, **settings) -> list[str]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        return [
            entry.doc_id if isinstance(entry, Document) else str(entry) for entry in read_documents(["-"], **settings)
        ]

    return read


LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("text", "doc_id"),
    [
        (f'{{"text": "{LONG}", "_id": "1"}}\n', "1"),
        ("\n" * 10_000 + '{"_id": "1", "text": "Four."}\n', "1"),
        (f"<?xml version='1.0'?><!-- {LONG} -->{CITATION}", "PMID:1"),
        (f"<?xml version='1.0'?>{' ' * 100_000}{ARTICLE}", "PMC:PMC1"),
        (f"<!DOCTYPE article [<!-- {LONG} -->]>{ARTICLE}", "PMC:PMC1"),
        ("\r\n" * 10_000 + "PMID- 1\r\n", "PMID:1"),
        ("\n" * 10_000 + "TY  - JOUR\nTI  - Mice\nDO  - 10.1000/1\nER  - \n", "doi:10.1000/1"),
        (f"remark: {LONG}\n[Term]\nid: X:1\nname: One\n", "X:1"),
    ],
    ids=["jsonl", "blank lines", "comment", "blanks", "doctype", "medline", "ris", "obo"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_marks_of_a_format_are_found_behind_8_kb(from_standard_input, text, doc_id, pack):
    assert from_standard_input(pack(text.encode())) == [doc_id]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize(
    ("text", "doc_id"),
    [
        ('{"_id": "1", "title": "Grün", "text": "Four."}\n', "1"),
        ("PMID- 1\nTI  - Grün\n", "PMID:1"),
        ("TY  - JOUR\nTI  - Grün\nDO  - 10.1000/1\nER  - \n", "doi:10.1000/1"),
        ("PMID,Title\n1,Grün\n", "PMID:1"),
        (f"<?xml version='1.0' encoding='UTF-16'?>\n{CITATION}", "PMID:1"),
        (ARTICLE, "PMC:PMC1"),
        ("[Term]\nid: X:1\nname: Grün\n", "X:1"),
    ],
    ids=["jsonl", "medline", "ris", "csv", "pubmed", "jats", "obo"],
)
def test_every_format_is_read_in_every_unicode_encoding(from_standard_input, text, doc_id, encoding):
    assert from_standard_input(text.encode(encoding), strict=True) == [doc_id]


def test_a_utf_16_file_that_was_converted_but_says_otherwise_is_read(from_standard_input):
    assert from_standard_input(f"<?xml version='1.0' encoding='utf-16'?>{CITATION}".encode()) == ["PMID:1"]


@pytest.mark.parametrize("encoding", ["zlib", "idna", "rot13", "nonsense", "unicode_escape"])
def test_a_declared_encoding_that_is_none_is_not_used(from_standard_input, encoding):
    assert from_standard_input(f"<?xml version='1.0' encoding='{encoding}'?>{CITATION}".encode()) == ["PMID:1"]


def office(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "<a/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (office("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
        (office("docProps/app.xml", "word/document.xml"), "a Word document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old Word or Excel file"),
        (b"{\\rtf1\\ansi", "a rich text document"),
        (b"<!DOCTYPE html>\n<html><body>", "a web page"),
        (b"\n<HTML lang='en'>", "a web page"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"\x28\xb5\x2f\xfd\x04", "a zstd file"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"SQLite format 3\0" + bytes(50), "a SQLite database"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "an image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "an image"),
        (b"GIF89a\1\0\1\0", "an image"),
        (b"\0\0\0\x18ftypmp42", "sound or video"),
        (b"<xml><records><record><database name='My.enl'>", "EndNote XML"),
        (b"<?xml version='1.0'?><xml><records><record>", "EndNote XML"),
        (b"<?xml version='1.0'?>\n<rdf:RDF xmlns='http://x#'>", "OWL/RDF XML"),
        (b"@prefix owl: <http://www.w3.org/2002/07/owl#> .", "an ontology in OWL or Turtle"),
        (b"<?xml version='1.0'?><!DOCTYPE collection SYSTEM 'BioC.dtd'><collection>", "BioC"),
        (b'{"documents": [{"id": "1", "passages": []}]}', "BioC"),
        (b"<eSearchResult><Count>1</Count>", "an answer of E-utilities without articles"),
        (b"<DOC>\n<DOCNO>1</DOCNO>", "TREC text"),
        (b"<TEI xmlns='http://www.tei-c.org/ns/1.0'>", "TEI XML"),
        (b"<mods:mods>", "XML of another vocabulary"),
        (b"% made by hand\n@article{osler1892,\n title = {Mice}}", "BibTeX"),
        (b"%0 Journal Article\n%T Mice", "EndNote's own export"),
        (b"FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\n", "Web of Science's plain text"),
        (b'[{"_id": "1"}]', "a JSON array"),
        (b'{"id": "1"}', "JSON without `_id`"),
        (b"Name,Age,Weight\nWilliam,70,80\n", "plain text or a table without a column of titles"),
        (b"Dear Sir,\nI have read your letter.\n", "plain text"),
        (b"\x00\x01\x02\x03\xfe\xff" * 20, "a binary file(?=;)"),
        (b"\x00\x01,\x02,\x03\t\xfe\xff" * 20, "a binary file(?=;)"),
        (lzma.compress(b"Four.", format=lzma.FORMAT_ALONE), "an LZMA file"),
        (gzip.compress(gzip.compress(b"Four.")), "a file that was compressed twice"),
        ("日本語の文書".encode("shift_jis"), "a binary file, or text that is not UTF-8(?=; convert)"),
        (b"Prefix: owl: <http://www.w3.org/2002/07/owl#>\n", "an ontology in OWL or Turtle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "a pointer of Git LFS"),
        (b"12230038\r\n31588070\r\n", "a list of PMIDs"),
        (b"12230038|t|Mice\n12230038|a|Four.\n", "PubTator"),
    ],
)
def test_a_file_that_osler_does_not_read_is_called_what_it_looks_like(tmp_path, content, what):
    file = tmp_path / "f"
    file.write_bytes(content)
    with pytest.raises(CorpusError, match=f"f: has no known format: it looks like {what}.*; .+, or force one with"):
        read_documents([file])


@pytest.mark.parametrize("name", ["f.jsonl", "f.json", "f"])
def test_an_object_over_several_lines_is_told_once_not_line_by_line(tmp_path, name):
    (tmp_path / name).write_text('{\n  "_id": "1",\n  "text": "Four."\n}\n')
    with pytest.raises(CorpusError, match=r"a JSON object over several lines; write each object on a line .*jq -c"):
        next(read_documents([tmp_path / name]))


def test_a_damaged_first_line_does_not_hide_that_lines_are_objects(tmp_path):
    (tmp_path / "f").write_text('{\n{"_id": "1", "text": "Four."}\n')
    damage, document = read_documents([tmp_path / "f"])
    assert isinstance(damage, Damage)
    assert document.doc_id == "1"


def test_the_remedy_for_an_ontology_in_owl_names_the_tool(tmp_path):
    (tmp_path / "f").write_text("<rdf:RDF/>")
    with pytest.raises(CorpusError, match="convert it to OBO with ROBOT"):
        read_documents([tmp_path / "f"])


@pytest.mark.parametrize("format_", ["pubmed", "jats", "medline", "jsonl", "ris", "csv", "obo", "obo-json", "hpo"])
def test_a_file_without_any_record_of_the_forced_format_is_told(tmp_path, format_):
    (tmp_path / "f").write_text("Dear Sir\n")
    entries = list(read_documents([tmp_path / "f"], format=format_))
    assert entries
    assert all(isinstance(entry, Damage) for entry in entries)


def test_a_picture_among_text_formats_is_never_one_of_them():
    assert detect_format(b"\x89PNG\r\n\x1a\n\nPMID- 12\n", "x") is None


@pytest.mark.parametrize(
    "content", [b"{" + b"\n" * 1_000_000, b"{\n" * 500_000, b"1\n\n" * 500_000, b"{\n\n" + b" " * 10**6]
)
def test_what_a_long_head_looks_like_is_told_in_linear_time(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(CorpusError, match="f: has no known format"):
        next(read_documents([tmp_path / "f"]))


@pytest.mark.parametrize(
    ("head", "format_"),
    [
        ("<?xml version='1.0'?>\n<!DOCTYPE PubmedArticleSet PUBLIC 'x' 'y'>\n<PubmedArticleSet>", "pubmed"),
        ("<MedlineCitationSet>", "pubmed"),
        ("<!DOCTYPE article PUBLIC '-//NLM//DTD JATS' 'x'>", "jats"),
        ("<OAI-PMH><record><article xmlns='x'>", "jats"),
        ("\n\nPMID- 12230038\nOWN - NLM", "medline"),
        ('{"title": "a", "_id": "1"}', "jsonl"),
        ("format-version: 1.2\nontology: hp.obo\n", "hpo"),
        ('#description: "HPO annotations"\n', "hpo"),
        ("<!DOCTYPE html><html><article>", None),
        ("<svg>", None),
        ("[1, 2]", None),
        ("PMID 12230038 is cited here", None),
    ],
)
def test_the_content_decides_the_format(head, format_):
    assert detect_format(head.encode(), "x") == format_


def test_the_name_decides_for_json_lines_whose_first_line_is_damaged():
    assert detect_format(b'{"id": 1}\n', "a.jsonl.gz") == "jsonl"
    assert detect_format(b'{"id": 1}\n', "a.json") is None
