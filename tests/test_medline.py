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
        "journal_abbreviations": ["J Mice"],
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


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("ROF", "retraction"),
        ("RRF", "retraction"),
        ("ECF", "concern"),
        ("EFR", "correction"),
        ("CRF", "correction"),
        ("PROF", "correction"),
    ],
)
def test_a_notice_says_what_it_is_about_and_has_no_state_of_its_own(tag, name):
    (document,) = read(f"PMID- 7\nTI  - Retraction: Effect of x.\n{tag:<4}- J Mice. 2003;1(2):3.\n      PMID: 8\n")
    assert not any(document.metadata[state] for state in ("retracted", "concern", "corrected"))
    assert (document.metadata["notice_of"], "notices" in document.metadata) == ({name: ["PMID:8"]}, False)


def test_notices_are_known_by_their_doi_where_they_have_no_pmid_and_may_have_neither():
    eins = "EIN - J. 2002;4(1):3\nEIN - J. 2002;4(2):3. doi: 10.1/err. PMID: 8\nEIN - J. 2002;4(3):3. doi: 10.1/err.\n"
    (document,) = read(f"PMID- 7\n{eins}UIN - J. 2009. PMID: 9\n")
    assert document.metadata["notices"] == {"correction": ["PMID:8", "doi:10.1/err"]}
    (unnamed,) = read("PMID- 7\nEIN - J. 2002;4(1):3\n")
    assert (unnamed.metadata["corrected"], "notices" in unnamed.metadata) == (True, False)


BOOK = """PMID- 7
STAT- Publisher
DRDT- 20230301
CTDT- 20220621
DP  - 1993
TI  - Mouse Syndrome.
BTI - StatPearls
AB  - A rare syndrome. He called
      it chorea.

      Later authors
\tsaw more.


      Treatment is exchange.

CI  - Copyright (c)
FAU - Doe, Jane
AU  - Doe J
CN  - Mouse Group
FED - Roe, Ann
LA  - eng
AID - NBK500 [bookaccession]
AID - 10.1/book [bookdoi]

PMID- 8
OWN - NLM
TI  - Men.
"""


def test_a_blank_line_within_a_field_parts_paragraphs_and_ends_no_record():
    book, article = read(BOOK)
    assert book.text == "A rare syndrome. He called it chorea.\nLater authors saw more.\nTreatment is exchange."
    assert (article.doc_id, article.title) == ("PMID:8", "Men.")


def test_a_book_keeps_what_follows_its_abstract_and_the_year_is_that_of_its_text():
    book = read(BOOK)[0]
    assert book.identifiers == {"pmid": "7", "doi": "10.1/book"}
    kept = {name: book.metadata[name] for name in ("authors", "journal", "year", "language")}
    authors = ["Doe, Jane", "Mouse Group"]
    assert kept == {"authors": authors, "journal": "StatPearls", "year": 2023, "language": ["eng"]}
    (whole,) = read("PMID- 7\nCTI - Reports\nBTI - Mice\nFED - Roe, Ann\nCTDT- 20220621\n")
    assert (whole.title, whole.metadata["authors"], whole.metadata["year"]) == ("Mice", ["Roe, Ann"], 2022)


@pytest.mark.parametrize(
    "date", ["2001 Winter", "2001 Dec-2002 Jan", "20010315", "Winter 2001", "2001-2002", "2001/03/15"]
)
def test_the_year_is_found_in_dates_of_any_shape(date):
    assert read(f"PMID- 7\nDP  - {date}\n")[0].metadata["year"] == 2001
    assert read(f"PMID- 7\nDEP - {date}\n")[0].metadata["year"] == 2001


@pytest.mark.parametrize(
    ("short", "name"), [("Doe J", "Doe, J"), ("van der Berg JA Jr", "van der Berg, JA Jr"), ("Plato", "Plato")]
)
def test_authors_of_old_citations_have_initials_alone(short, name):
    assert read(f"PMID- 7\nAU  - {short}\n")[0].metadata["authors"] == [name]


@pytest.mark.parametrize(
    "field", ["LID - S1 [pii] 10.1/x [doi]", "AID - 10.1/x [doi]", "SO  - J. 2003;1:2. doi:\n      10.1/x."]
)
def test_the_doi_is_found_wherever_it_stands(field):
    assert read(f"PMID- 7\n{field}\n")[0].identifiers["doi"] == "10.1/x"


def test_an_abbreviation_is_the_journal_where_there_is_no_title():
    assert read("PMID- 7\nSO  - J Mice. 2003 May;5(1):7.\n")[0].metadata["journal"] == "J Mice"


def test_a_vernacular_title_takes_the_place_of_one_that_is_missing():
    assert read("PMID- 7\nTI  - [Not Available].\nTT  - Souris.\n")[0].title == "Souris."
    (document,) = read("PMID- 7\nTI  - [Mice].\nTT  - Souris.\n")
    assert (document.title, document.metadata["vernacular_title"]) == ("[Mice].", "Souris.")


def test_other_abstracts_are_read_as_in_xml():
    assert read("PMID- 7\nOAB - PIP: Four mice.\nOABL- eng\n")[0].sections == (Section("", "Four mice."),)
    assert read("PMID- 7\nOAB - Publisher: Abstract available from the publisher.\nOABL- spa\n")[0].text == ""
    (document,) = read("PMID- 7\nAB  - Mice.\nOAB - Souris.\nOABL- fre\nOAB - Four mice.\nOABL- eng\n")
    assert document.sections == (Section("", "Mice."), Section("Plain-language summary", "Four mice."))
    (document,) = read("PMID- 7\nOAB - Publisher: Souris.\nOABL- fre\n")
    assert (document.text, document.metadata["text_language"]) == ("Souris.", "fre")


def test_words_in_capitals_that_may_be_no_label_stay_in_the_text():
    text = "OBJECTIVES: To count. COVID-19: the disease is new. MAIN RESULTS (N=12): Four. RNA: a molecule."
    (document,) = read(f"PMID- 7\nAB  - {text}\n")
    assert [section.heading for section in document.sections] == ["OBJECTIVES", "MAIN RESULTS (N=12)"]
    assert document.sections[0].text == "To count. COVID-19: the disease is new."


LOST = "PMID- 7\nOWN - NLM\nTI  - Mice.\n{}OWN - NLM\nTI  - Men.\nAB  - Of men.\n\nPMID- 9\n"


@pytest.mark.parametrize(("between", "line"), [("", 4), ("\n", 5), ("\nVI  - 3\n", 5), ("\nPMXD- 8\n", 5)])
def test_fields_behind_a_lost_pmid_line_are_never_another_citations(between, line):
    mice, damage, last = read(LOST.format(between))
    assert (mice.title, mice.text, last.doc_id) == ("Mice.", "", "PMID:9")
    assert damage == Damage("f.nbib", f"line {line}", "no PMID but ''")


def test_a_pmid_line_that_is_no_text_costs_its_own_citation_alone():
    mice, damage, last = read(LOST.format("\nPMID- 8 €\n").encode("cp1252"))
    assert (mice.title, last.doc_id) == ("Mice.", "PMID:9")
    assert damage == Damage("f.nbib", "line 5", "not UTF-8 at byte 8 of the line")


def test_many_lines_that_are_no_fields_are_one_damage():
    damage, document = read("<html>\nnot found\n\nat all\n\nPMID- 8\n")
    assert damage == Damage("f.nbib", "line 1", "line 1 is neither a field nor the continuation of one: '<html>'")
    assert document.doc_id == "PMID:8"


def test_a_record_that_is_longer_than_the_bound_is_one_damage_and_reading_goes_on(monkeypatch):
    monkeypatch.setattr(medline, "MAX_RECORD_BYTES", 2000)
    long = "AB  - a\n" + "      b\n\n" * 20
    first, damage, last = read(f"PMID- 6\nPMID- 7\n{long}{long}PMID- 8\n")
    assert damage == Damage("f.nbib", "line 2", "a record longer than 2000 bytes")
    assert (first.doc_id, last.doc_id) == ("PMID:6", "PMID:8")


def test_a_long_abstract_is_read_in_one_pass():
    (document,) = read("PMID- 7\nAB  - a\n" + "      b\n" * 50_000)
    assert len(document.text) == 100_001


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
