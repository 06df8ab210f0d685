import io
from pathlib import Path

import pytest

from osler.corpus import READERS, read_documents, ris, streams
from osler.corpus.publications import author_name, author_names, clean
from osler.corpus.sources import detect_format
from osler.records import Damage, Document, Section


def read(text: str | bytes) -> list:
    data = text.encode() if isinstance(text, str) else text
    return list(ris.read(io.BytesIO(data), "f.ris"))


def record(*lines: str) -> str:
    return "\n".join(("TY  - JOUR", *lines, "ER  - ", ""))


WHOLE = record(
    "TI  - Mice and men",
    "AU  - Osler, William",
    "AU  - Gray, H.",
    "JF  - Journal of Mice",
    "JO  - J Mice",
    "PY  - 1998/05/01/",
    "AB  - We counted.",
    "There were four.",
    "KW  - mice",
    "KW  - men",
    "LA  - English",
    "M3  - Review",
    "DO  - https://doi.org/10.1000/ABC",
)


def test_a_record_is_a_document_with_all_that_it_tells():
    (document,) = read(WHOLE)
    assert document == Document(
        "doi:10.1000/abc",
        "Mice and men",
        (Section("", "We counted. There were four."),),
        document.identifiers,
        {
            "version": 1,
            "retracted": False,
            "concern": False,
            "corrected": False,
            "authors": ["Osler, William", "Gray, H."],
            "journal": "Journal of Mice",
            "journal_abbreviations": ["J Mice"],
            "year": 1998,
            "language": ["eng"],
            "publication_types": ["Journal Article", "Review"],
            "keywords": ["mice", "men"],
        },
    )
    assert document.identifiers["doi"].lower() == "10.1000/abc"


@pytest.mark.parametrize(
    "changed",
    [
        WHOLE.replace("\n", "\r\n"),
        WHOLE.replace("\n", "\r"),
        WHOLE.replace("  - ", " - "),
        WHOLE.replace("  - ", "  -  "),
        WHOLE.replace("  - ", "\t-\t"),
        WHOLE.replace("  - ", " -"),
        "  " + WHOLE.replace("\n", "\n  "),
        "\ufeff" + WHOLE,
        "Record #1 of 1\nProvider: x\n\n" + WHOLE + "\n\n2. \n",
        WHOLE.replace("We counted.\n", "We counted.\n   "),
        WHOLE.replace("We counted.\n", "We counted.\n\n"),
        WHOLE.replace("KW  - mice\nKW  - men", "KW  - mice\nmen"),
        WHOLE.replace("TI  -", "T1  -").replace("AU  -", "A1  -").replace("AB  -", "N2  -").replace("PY  -", "Y1  -"),
        WHOLE.replace("ER  - \n", ""),
        WHOLE.replace("ER  - ", "ER  -"),
    ],
    ids=[
        "crlf",
        "cr",
        "one-blank",
        "wide",
        "tabs",
        "narrow",
        "shifted",
        "mark",
        "numbers",
        "indented",
        "blank-line",
        "lines",
        "old",
        "no-end",
        "end",
    ],
)
def test_every_way_to_write_a_record_gives_the_same_document(changed):
    assert detect_format(changed.encode(), "x") == "ris"
    assert read(changed) == read(WHOLE)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-8-sig"])
def test_a_file_in_another_encoding_is_read(tmp_path, encoding):
    (tmp_path / "f").write_bytes(record("TI  - Grün", "DO  - 10.1000/1").encode(encoding))
    (document,) = read_documents([tmp_path / "f"])
    assert document.title == "Grün"


def test_text_in_windows_1252_is_read_and_that_is_told_once():
    found = read(
        (record("TI  - Grün", "DO  - 10.1000/1") + record("TI  - Müde – x", "DO  - 10.1000/2")).encode("cp1252")
    )
    assert [entry.title for entry in found if isinstance(entry, Document)] == ["Grün", "Müde – x"]
    (damage,) = (entry for entry in found if isinstance(entry, Damage))
    assert str(damage).startswith("f.ris, line 2: not UTF-8: this line and such ones are read as Windows-1252")


def test_a_record_without_title_and_abstract_costs_only_itself():
    first, damage, last = read(WHOLE + record("AU  - Gray, H.") + WHOLE)
    assert damage == Damage("f.ris", "line 16", "a record without title and abstract")
    assert first == last


def test_a_record_without_its_end_does_not_swallow_the_next():
    titles = [document.title for document in read("TY  - JOUR\nTI  - One\nTY  - JOUR\nTI  - Two\nER  - \n")]
    assert titles == ["One", "Two"]


def test_a_file_that_ends_within_a_record_says_so():
    found = read(WHOLE + "TY  - JOUR\nTI  - Cut o")
    assert found[1].title == "Cut o"
    assert found[2] == Damage("f.ris", "line 16", "the file ends within this record: it may be cut off")


@pytest.mark.parametrize(
    ("lines", "pmid"),
    [
        (["C5  - 7", "DB  - Embase", "DB  - Medline"], "7"),
        (["C2  - 7", "DB  - Scopus"], "7"),
        (["C3  - PUBMED 7,EMBASE 643589775"], "7"),
        (["AN  - 7", "DB  - PubMed"], "7"),
        (["AN  - 7", "DP  - NLM"], "7"),
        (["ID  - 7", "DB  - Ovid MEDLINE(R)"], "7"),
        (["AN  - MEDLINE:7"], "7"),
        (["UR  - https://pubmed.ncbi.nlm.nih.gov/7/"], "7"),
        (["L2  - http://www.ncbi.nlm.nih.gov/pubmed/7"], "7"),
        (["N1  - PMID: 7"], "7"),
        (["U1  - 7[pmid]"], "7"),
        (["C1  - PMID: 7"], "7"),
        (["C1  - Department of PMID: 7 Road"], None),
        (["N1  - Some words; PMID: 7; more"], "7"),
        (["ID  - 7", "DB  - Embase", "Medline"], None),  # the number of the record in a library of EndNote
        (["ID  - 7"], None),
        (["C2  - 7"], None),
        (["C5  - 7"], None),
        (["AN  - 7", "DB  - CINAHL"], None),
        (["N1  - Comment on PMID: 7"], None),
        (["C7  - 7", "SP  - 8", "M1  - 9"], None),
    ],
)
def test_a_number_is_a_pmid_only_where_the_record_says_so(lines, pmid):
    (document,) = read(record("TI  - Mice", *lines))
    assert document.identifiers.get("pmid") == pmid
    assert (document.doc_id == "PMID:7") is (pmid == "7")


@pytest.mark.parametrize(
    ("lines", "doc_id"),
    [
        (["C2  - PMC1234567"], "PMC:PMC1234567"),
        (["UR  - https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/"], "PMC:PMC1234567"),
        (["UR  - http://dx.doi.org/10.1000/1"], "doi:10.1000/1"),
        (["DO  - doi:10.1000/1."], "doi:10.1000/1"),
        (["AN  - WOS:000282053100002"], "WOS:000282053100002"),
        (["ID  - EJ389705", "DB  - ERIC"], "ERIC:EJ389705"),
        (["ID  - 2021-94054-001", "DB  - APA PsycInfo"], "PsycInfo:2021-94054-001"),
        (["U2  - L2029880245"], "Embase:L2029880245"),
        (["AN  - CN-00778158"], "CENTRAL:CN-00778158"),
        (["UR  - https://www.scopus.com/inward/record.uri?eid=2-s2.0-85189760133&x=1"], "Scopus:2-s2.0-85189760133"),
        (["N1  - Accession Number: 176404503; x"], "EBSCO:176404503"),
    ],
)
def test_the_id_is_the_best_that_the_record_has(lines, doc_id):
    (document,) = read(record("TI  - Mice", *lines))
    assert document.doc_id == doc_id


def test_a_record_without_any_id_has_one_of_its_content_wherever_it_stands():
    lines = ("TI  - Mice and men", "AU  - Osler, W", "PY  - 1998")
    (first,) = read(record(*lines))
    *_, moved = read(WHOLE + record("TI  - MICE AND  MEN.", "AU  - Osler, W.", "PY  - 1998", "KW  - x"))
    (other,) = read(record(*lines[:2], "PY  - 1999"))
    assert first.doc_id.startswith("citation:")
    assert moved.doc_id == first.doc_id != other.doc_id


@pytest.mark.parametrize(
    "lines",
    [
        ["TI  - RETRACTED: Mice"],
        ["TI  - Mice", "M3  - Retracted"],
        ["TI  - Mice", "N1  - Retracted article"],
        ["TI  - Mice", "N1  - Retraction in: Nature. 1999;1(1):1"],
        ["TI  - Mice", "N1  - PMID: 7", "N1  - RETRACTED"],
        ["TI  - Mice", "N1  - This preprint has been withdrawn by its authors."],
        ["TI  - Mice", "C8  - Retracted"],
        ["TI  - Mice", "KW  - mice", "KW  - Retracted Publication"],
        ["TI  - Mice", "AB  - This article has been retracted: please see our policy."],
        ["TI  - Mice", "AB  - The authors have withdrawn this preprint."],
    ],
)
def test_a_retracted_publication_is_known_by_its_title_type_or_note(lines):
    (document,) = read(record(*lines))
    assert document.metadata["retracted"] is True


@pytest.mark.parametrize(
    "lines",
    [
        ["TI  - Retraction notice to Mice", "AB  - This article has been retracted."],
        ["TI  - Mice", "M3  - Retraction of Publication", "AB  - This article has been retracted."],
        ["TI  - Mice", "AB  - Retraction in mice was seen. The tongue was retracted."],
        ["TI  - Mice", "N1  - The tongue was retracted."],
        ["TI  - Mice", "KW  - Retracted Publication as Topic"],
    ],
)
def test_a_notice_and_a_study_of_retraction_are_not_retracted(lines):
    (document,) = read(record(*lines))
    assert document.metadata["retracted"] is False


def test_html_of_titles_and_abstracts_is_read():
    (document,) = read(record("TI  - <i>E. coli</i> &amp; mice", "AB  - <p>One.</p><p>p &lt; 0.05, n<10 &beta;</p>"))
    assert (document.title, document.text) == ("E. coli & mice", "One. p < 0.05, n<10 β")


def test_what_is_no_markup_stays_in_the_text():
    for text in ("a < b and c > d", "x<y>z", "AT&T", "if i<5 and b>3"):
        assert clean(text) == text


def test_a_record_of_100_mb_is_damage_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr(ris, "MAX_RECORD_BYTES", 5000)
    damage, document = read(record(*["AB  - We counted mice."] * 100) + WHOLE)
    assert damage == Damage("f.ris", "line 1", "a record longer than 5000 bytes")
    assert document.title == "Mice and men"


def test_a_line_without_end_is_damage_and_the_next_record_is_read(monkeypatch):
    monkeypatch.setattr(streams, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(streams, "CHUNK_BYTES", 100)
    found = read(record("TI  - Mice", f"AB  - {'x' * 5000}") + WHOLE)
    assert found[0] == Damage("f.ris", "line 3", "longer than 1000 bytes")
    assert found[-1].title == "Mice and men"


def test_lines_are_found_wherever_chunks_are_cut(monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1)
    assert read(WHOLE.replace("\n", "\r\n")) == read(WHOLE)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Griffin DK", "Griffin, DK"),
        ("McNamara, M.E.", "McNamara, M.E."),
        ("O'Connor RE", "O'Connor, RE"),
        ("Südekum K.-H.", "Südekum, K.-H."),
        ("Meyers, John E", "Meyers, John E"),
        ("World Health Organization", "World Health Organization"),
        ("et al.", ""),
    ],
)
def test_a_name_is_family_and_given(name, written):
    assert author_name(name) == written


def test_the_authors_of_one_cell_come_apart():
    assert author_names("Yang Z., Jiang B.") == ["Yang Z.", "Jiang B."]
    assert author_names("Osler, William") == ["Osler, William"]
    assert author_names("Bywater, T; Hutchings, J") == ["Bywater, T", "Hutchings, J"]
    assert author_names("Müller, Renate (7004212771); Gray, H. (57200000000)") == ["Müller, Renate", "Gray, H."]


EXPORTS = {
    # file: documents, first id, last id, first author and year of the first, journal of the last
    "cinahl.ris": (
        9,
        "doi:10.1371/journal.pone.0298242",
        "doi:10.4202/app.00797.2020",
        "Curry Rogers, Kristina",
        2024,
        "Palaeontologia Polonica",
    ),
    "cochrane.csv": (
        3,
        "PMID:21314913",
        "PMID:37362617",
        "Bywater, T",
        2011,
        "Psychosocial intervention = intervencion psicosocial",
    ),
    "cochrane_endnote.ris": (
        3,
        "PMID:21314913",
        "PMID:37362617",
        "Bywater, T",
        2011,
        "Psychosocial intervention = intervencion psicosocial",
    ),
    "covidence_endnote.ris": (
        10,
        "doi:10.1038/s41467-024-48400-3",
        "doi:10.1371/journal.pone.0291058",
        "Yang, Z.",
        2024,
        "PLoS ONE",
    ),
    "embase.csv": (10, "PMID:38773066", "PMID:38887924", "Yang, Z.", 2024, "Anatomical Record"),
    "embase.ris": (10, "PMID:38773066", "PMID:38887924", "Yang, Z.", 2024, "Anatomical Record"),
    "endnote.ris": (
        10,
        "doi:10.1002/ar.25520",
        "doi:10.1038/s41467-024-48400-3",
        "Boisvert, C.",
        2024,
        "Nature Communications",
    ),
    "eric_ovid.ris": (10, "ERIC:EJ389705", "ERIC:EJ471630", "Stokes, William Lee", 1989, "Science and Children"),
    "googlescholar.ris": (10, None, None, "Barrett, Paul M", 2001, "American Museum Novitates"),
    "mendeley.ris": (
        10,
        "doi:10.1002/ar.25520",
        "doi:10.1038/s41598-024-65283-y",
        "Boisvert, C",
        2024,
        "Scientific reports",
    ),
    "openalex.ris": (
        9,
        "doi:10.1016/j.cretres.2023.105752",
        "doi:10.1130/ges02662.1",
        "Vicente, Alba",
        2024,
        "Geosphere",
    ),
    "psychInfo_ovid.ris": (
        10,
        "doi:10.1186/s11689-021-09396-9",
        "doi:10.1093/arclin/acy039",
        "Keefer, Amy",
        2021,
        "Archives of Clinical Neuropsychology",
    ),
    "pubmed.csv": (10, "PMID:30922926", "PMID:36122246", "Griffin, DK", 2020, "Proc Natl Acad Sci U S A"),
    "rayyan.ris": (10, "doi:10.1038/s41467-024-48400-3", "doi:10.1002/ar.25520", "Yang, Z.", 2024, "Anat. Rec."),
    "refworks.ris": (
        10,
        "doi:10.1002/ar.25520",
        "doi:10.1038/s41467-024-48400-3",
        "Boisvert, C.",
        2024,
        "Nature Communications",
    ),
    "scopus.ris": (10, "PMID:38580657", "doi:10.1017/pab.2024.6", "Wilson, L.N.", 2024, "Paleobiology"),
    "webofscience.ris": (
        10,
        "doi:10.1371/journal.pone.0012292",
        "doi:10.7717/peerj.6239",
        "Sampson, SD",
        2010,
        "PEERJ",
    ),
    "zotero.csv": (10, "doi:10.1038/s41467-024-48400-3", "doi:10.1002/ar.25520", "Yang, Z.", 2024, "Anatomical Record"),
    "zotero.ris": (10, "doi:10.1038/s41467-024-48400-3", "doi:10.1002/ar.25520", "Yang, Z.", 2024, "Anatomical Record"),
}


@pytest.fixture(scope="module")
def exports(data_folder) -> Path:
    return data_folder / "formats" / "citations"


@pytest.mark.data
@pytest.mark.parametrize("name", EXPORTS)
def test_the_exports_of_every_tool_are_read_whole(exports, name):
    documents = list(read_documents([exports / name], strict=True))
    number, first, last, author, year, journal = EXPORTS[name]
    assert len(documents) == number
    assert documents[0].doc_id == first or first is None
    assert documents[-1].doc_id == last or last is None
    assert (documents[0].metadata["authors"][0], documents[0].metadata["year"]) == (author, year)
    assert documents[-1].metadata["journal"] == journal
    assert not any(document.metadata["retracted"] for document in documents)


@pytest.mark.data
def test_the_texts_of_the_exports_are_whole(exports):
    def texts(name: str) -> dict[str, str]:
        return {document.doc_id: document.text for document in read_documents([exports / name])}

    horned = texts("webofscience.ris")["doi:10.1371/journal.pone.0012292"]
    assert horned.startswith("Background: During much of the Late Cretaceous, a shallow, epeiric sea divided")
    assert "Methodology/Principal Findings: Here we describe two new" in horned
    assert not any("is the property of" in text for text in texts("cinahl.ris").values())
    assert texts("embase.ris") == texts("embase.csv")


@pytest.mark.data
def test_the_text_export_of_pubmed_is_read_whole(exports):
    assert len(list(read_documents([exports / "pubmed.nbib"], strict=True))) == 50


def test_the_reader_goes_by_its_name():
    assert READERS["ris"] is ris.read
