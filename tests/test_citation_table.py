import io

import pytest

from osler.corpus import citation_table, read_documents
from osler.corpus.sources import detect_format
from osler.records import Damage, Section

HEAD = "PMID,Title,Abstract,Authors,Journal,Year\n"
ROW = '7,"Mice, and men","We counted.\nFour.","Osler W, Gray H",Nature,1998\n'


def read(text: str | bytes) -> list:
    data = text.encode() if isinstance(text, str) else text
    return list(citation_table.read(io.BytesIO(data), "f.csv"))


def test_a_row_is_a_document_and_a_cell_may_hold_several_lines():
    (document,) = read(HEAD + ROW)
    assert (document.doc_id, document.title, document.text) == ("PMID:7", "Mice, and men", "We counted. Four.")
    assert document.metadata["authors"] == ["Osler, W", "Gray, H"]
    assert (document.metadata["journal"], document.metadata["year"]) == ("Nature", 1998)


@pytest.mark.parametrize(
    "text",
    [
        "Title;PMID;Abstract\nMice;7;Four.\n",
        "PMID\tTitle\tAbstract\n7\tMice\tFour.\n",
        "\ufeffpmid,ARTICLE TITLE,Abstract Note\r\n7,Mice,Four.\r\n",
        '"SEARCH QUERY","mice:ti"\n-----\n\nTitle,Medline PMID,Abstract\nMice,7,Four.\n',
        "x,title,doi,pubmed_id,ab\n1,Mice,,PUBMED 7,Four.\n",
        "TI\tPM\tAB\nMice\t7\tFour.\n",
    ],
    ids=["semicolons", "tabs", "crlf", "embase", "names", "web-of-science"],
)
def test_the_names_of_the_columns_decide(text):
    assert detect_format(text.encode(), "x") == "csv"
    (document,) = read(text)
    assert (document.doc_id, document.title, document.text) == ("PMID:7", "Mice", "Four.")


@pytest.mark.parametrize(
    "text", ["Name,Age\nx,1\n", "Title\nMice\n", "Title,Price\nMice,4\n", "one\ttwo\n", "Dear Sir,\n"]
)
def test_a_table_of_other_things_is_not_taken_for_publications(text):
    assert detect_format(text.encode(), "x.csv") is None


def test_a_quote_that_never_closes_costs_only_its_row():
    first, damage, last = read(HEAD + ROW + '8,"Open,a,b\n' + ROW.replace("7", "9"))
    assert damage == Damage("f.csv", "line 4", "not the 6 columns that line 1 names")
    assert (first.doc_id, last.doc_id) == ("PMID:7", "PMID:9")


def test_a_quote_within_a_cell_is_a_character():
    first, second = read('PMID,Title,Abstract\n7,A 5" disk,Four.\n8,Men,Five.\n')
    assert (first.title, second.doc_id) == ('A 5" disk', "PMID:8")


def test_a_row_of_too_many_columns_is_damage_and_one_of_too_few_is_read():
    damage, document = read("PMID,Title,Abstract\n7,Mice,Four.,more\n8,Men\n")
    assert damage == Damage("f.csv", "line 2", "not the 3 columns that line 1 names")
    assert (document.doc_id, document.text) == ("PMID:8", "")


def test_a_cell_of_a_megabyte_is_read():
    (document,) = read(f'PMID,Title,Abstract\n7,Mice,"{"We counted. " * 90_000}"\n')
    assert len(document.text) > 1_000_000


def test_a_row_that_grows_past_all_bounds_is_damage_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr(citation_table, "MAX_RECORD_BYTES", 1000)
    found = read('PMID,Title,Abstract\n7,Mice,"' + "We counted.\n" * 1000 + '"\n8,Men,Five.\n')
    assert found[-1].doc_id == "PMID:8"


@pytest.mark.slow
def test_time_grows_with_the_number_of_open_quotes_no_faster():
    found = read("PMID,Title,Abstract\n" + '7,Mice,"x\n' * 20_001)
    assert len(found) == 20_001


def test_a_forced_table_without_names_of_columns_is_told(tmp_path):
    (tmp_path / "f").write_text("7,Mice\n")
    (damage,) = read_documents([tmp_path / "f"], format="csv")
    assert "no line names the columns; name one `Title`" in str(damage)


def test_text_in_windows_1252_is_read_and_that_is_told(tmp_path):
    damage, document = read("PMID,Title,Abstract\n7,Grün,Four.\n".encode("cp1252"))
    assert document.title == "Grün"
    assert "read as Windows-1252" in damage.reason


WATCH = (
    "Record ID,Title,Subject,Institution,Journal,Publisher,Country,Author,URLS,ArticleType,RetractionDate,"
    "RetractionDOI,RetractionPubMedID,OriginalPaperDate,OriginalPaperDOI,OriginalPaperPubMedID,RetractionNature,"
    "Reason,Paywalled,Notes\n"
)


def notice(nature: str = "Retraction", doi: str = "10.1000/1", pmid: str = "7") -> str:
    return (
        f"50,Mice,(B),x,Nature,y,Canada,W Osler;H Gray,u,Research Article;,8/16/2023 0:00,10.1000/2,0,9/24/2021 0:00,"
        f"{doi},{pmid},{nature},+Fake Data;+Fake Review;,No,n\n"
    )


def test_a_row_of_retraction_watch_is_a_notice_about_its_publication():
    (document,) = read(WATCH + notice())
    assert (document.doc_id, document.title) == ("RetractionWatch:50", "Retraction: Mice")
    assert document.sections == (Section("Reasons", "Reasons: Fake Data; Fake Review."),)
    assert document.identifiers == {"doi": "10.1000/2"}
    assert document.metadata["notice_of"] == {"retraction": ["PMID:7", "doi:10.1000/1"]}
    assert document.metadata["publication_types"] == ["Retraction of Publication"]
    assert (document.metadata["retracted"], document.metadata["year"]) == (False, 2023)


@pytest.mark.parametrize(
    ("row", "about"),
    [
        (notice("Expression of concern"), {"concern": ["PMID:7", "doi:10.1000/1"]}),
        (notice("Correction", pmid="0"), {"correction": ["doi:10.1000/1"]}),
        (notice(doi="unavailable"), {"retraction": ["PMID:7"]}),
        (
            notice(" retraction ", doi=" https://doi.org/10.1000/1 ", pmid="7.0"),
            {"retraction": ["PMID:7", "doi:10.1000/1"]},
        ),
        (notice(doi="10.1000/1;10.1000/3", pmid="0"), {"retraction": ["doi:10.1000/1", "doi:10.1000/3"]}),
        (notice(doi="doi:10.1000/1", pmid="7; 9"), {"retraction": ["PMID:7", "PMID:9", "doi:10.1000/1"]}),
        (notice("Reinstatement"), None),
        (notice(doi="Unavailable", pmid="0"), None),
    ],
)
def test_a_notice_is_of_its_kind_and_names_what_is_known(row, about):
    (document,) = read(WATCH + row)
    assert document.metadata.get("notice_of") == about


@pytest.mark.data
def test_the_table_of_retraction_watch_is_read(data_folder):
    (document,) = read_documents([data_folder / "formats" / "retraction_watch_header.csv"], strict=True)
    assert document.doc_id == "RetractionWatch:50438"
    assert document.metadata["notice_of"] == {"retraction": ["doi:10.1155/2021/6907871"]}


@pytest.mark.parametrize(("said", "retracted"), [("TRUE", True), ("yes", True), ("FALSE", False), ("", False)])
def test_a_column_may_say_that_a_publication_was_retracted(said, retracted):
    (document,) = read(f"Title,DOI,Is Retracted\nMice,10.1000/1,{said}\n")
    assert document.metadata["retracted"] is retracted
