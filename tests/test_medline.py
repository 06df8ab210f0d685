import io
from pathlib import Path

import pytest

from osler.corpus import medline, read_documents
from osler.records import Damage, Document, Section

TEXT = """
PMID- 7
DP  - 2002 Sep
TI  - Mice
      and men.
LA  - eng
PT  - Review
TA  - J Mice
JT  - Journal of mice
MH  - *Mice
MH  - Blood/*cytology
LID - 10.1/x [doi]
AID - S1 [pii]
PMC - PMC9
OT  - *rodents
"""


def read(text: str | bytes):
    return list(medline.read(io.BytesIO(text.encode() if isinstance(text, str) else text), "f.nbib"))


def test_a_citation_is_a_document_with_its_metadata():
    (document,) = read(TEXT)
    assert (document.doc_id, document.title) == ("PMID:7", "Mice and men.")
    assert document.identifiers == {"pmid": "7", "doi": "10.1/x", "pmcid": "PMC9"}
    assert document.metadata == {
        "version": 1,
        "retracted": False,
        "concern": False,
        "corrected": False,
        "journal": "Journal of mice",
        "year": 2002,
        "language": ["eng"],
        "publication_types": ["Review"],
        "mesh": ["Mice", "Blood"],
        "mesh_major": ["Mice", "Blood"],
        "keywords": ["rodents"],
    }


def test_a_structured_abstract_comes_apart_at_its_labels():
    (document,) = read("PMID- 7\nAB  - AIMS: To count\n      mice (SD: 1). MAIN RESULTS: Four. DNA was not.\n")
    assert document.sections == (
        Section("AIMS", "To count mice (SD: 1)."),
        Section("MAIN RESULTS", "Four. DNA was not."),
    )


def test_citations_are_apart_by_a_blank_line_or_by_the_next_pmid():
    assert [entry.doc_id for entry in read("PMID- 7\r\n\r\nPMID- 8\r\nPMID- 9")] == ["PMID:7", "PMID:8", "PMID:9"]


@pytest.mark.parametrize(
    ("tag", "state", "name"),
    [("RIN", "retracted", "retraction"), ("ECI", "concern", "concern"), ("EIN", "corrected", "correction")],
)
def test_a_notice_about_a_citation_is_its_state(tag, state, name):
    (document,) = read(f"PMID- 7\n{tag} - J Mice. 2003;1(2):3. PMID: 8\n")
    assert [key for key in ("retracted", "concern", "corrected") if document.metadata[key]] == [state]
    assert document.metadata["notices"] == {name: ["PMID:8"]}


def test_a_damaged_citation_is_reported_and_the_next_one_is_read():
    damage, document = read("PMID- 7\nnonsense\n\nPMID- 8\n")
    assert damage == Damage("f.nbib", "line 1", "line 2 is neither a field nor the continuation of one: 'nonsense'")
    assert document.doc_id == "PMID:8"


def test_a_citation_with_bytes_that_are_no_text_is_damage_once():
    damage, document = read(b"PMID- 7\nTI  - \xff\nAB  - Mice.\n\nPMID- 8\n")
    assert damage == Damage("f.nbib", "line 2", "not UTF-8 at byte 6 of the line")
    assert document.doc_id == "PMID:8"


@pytest.mark.data
def test_real_files_are_read_whole(data_folder: Path):
    entries = list(read_documents([data_folder / "formats/medline_text"]))
    assert [entry.doc_id for entry in entries if isinstance(entry, Document)] == [
        "PMID:12230038",
        "PMID:16403221",
        "PMID:16377612",
        "PMID:14871861",
        "PMID:14630660",
    ]
    assert [section.heading for section in entries[1].sections] == ["BACKGROUND", "RESULTS", "CONCLUSION"]
    assert entries[1].identifiers["doi"] == "10.1186/1471-2105-7-10"
