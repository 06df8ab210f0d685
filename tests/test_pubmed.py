import io
from collections import Counter
from pathlib import Path

import pytest

from osler.corpus import pubmed, read_documents
from osler.records import Damage, Deletion, Document, Section

ARTICLE = "<Article><ArticleTitle>Mice.</ArticleTitle></Article>"


def read(xml: str):
    return list(pubmed.read(io.BytesIO(xml.encode()), "f.xml"))


def citation(article: str = "", more: str = "", pmid: str = "<PMID Version='1'>7</PMID>") -> Document:
    content = f"{pmid}<Article><ArticleTitle>Mice.</ArticleTitle>{article}</Article>{more}"
    (entry,) = read(f"<PubmedArticle><MedlineCitation>{content}</MedlineCitation></PubmedArticle>")
    return entry


def notice(kind: str) -> Document:
    comment = f"<CommentsCorrections RefType='{kind}'><RefSource>J</RefSource><PMID>8</PMID></CommentsCorrections>"
    return citation(more=f"<CommentsCorrectionsList>{comment}</CommentsCorrectionsList>")


def test_a_citation_is_a_document_named_by_its_pmid():
    document = citation()
    assert (document.doc_id, document.title, document.text) == ("PMID:7", "Mice.", "")
    assert document.identifiers == {"pmid": "7"}
    assert document.metadata == {"version": 1, "retracted": False, "concern": False, "corrected": False}


def test_the_version_of_a_citation_is_kept():
    assert citation(pmid="<PMID Version='3'>7</PMID>").version == 3


def test_abstract_labels_become_headings():
    parts = (
        "<AbstractText Label='METHODS'>We counted.</AbstractText><AbstractText Label='UNLABELLED'>So.</AbstractText>"
    )
    document = citation(f"<Abstract>{parts}<CopyrightInformation>(c) J</CopyrightInformation></Abstract>")
    assert document.sections == (Section("METHODS", "We counted."), Section("", "So."))


def test_inline_markup_is_kept_as_text_and_white_space_made_one_blank():
    text = "<AbstractText>H<sub>2</sub>O \n in <i>E. coli</i> (10<sup>5</sup>)</AbstractText>"
    assert citation(f"<Abstract>{text}</Abstract>").text == "H2O in E. coli (10⁵)"


def test_abstracts_in_other_languages_are_left_out():
    assert citation(more="<OtherAbstract><AbstractText>Souris.</AbstractText></OtherAbstract>").text == ""


def test_a_title_in_brackets_stays_and_a_missing_one_is_the_original_one():
    xml = "<MedlineCitation><PMID>7</PMID><Article><ArticleTitle>{}</ArticleTitle>{}</Article></MedlineCitation>"
    assert read(xml.format("[Mice.]", ""))[0].title == "[Mice.]"
    assert read(xml.format("", "<VernacularTitle>Souris.</VernacularTitle>"))[0].title == "Souris."


@pytest.mark.parametrize(
    ("article", "year"),
    [
        ("<PubDate><Year>1998</Year><Month>12</Month></PubDate>", 1998),
        ("<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>", 1998),
        ("<PubDate><Season>Winter</Season></PubDate>", 2001),
    ],
)
def test_the_year_is_that_of_the_issue_else_of_the_electronic_version(article, year):
    journal = f"<Journal><JournalIssue>{article}</JournalIssue></Journal>"
    electronic = "<ArticleDate><Year>2001</Year></ArticleDate>"
    assert citation(journal + electronic).metadata["year"] == year


def test_mesh_headings_are_descriptors_and_major_ones_are_marked():
    heading = "<MeshHeading><DescriptorName MajorTopicYN='{}'>{}</DescriptorName>{}</MeshHeading>"
    qualifier = "<QualifierName MajorTopicYN='Y'>blood</QualifierName>"
    headings = heading.format("N", "Humans", "") + heading.format("N", "Mice", qualifier)
    metadata = citation(more=f"<MeshHeadingList>{headings}</MeshHeadingList>").metadata
    assert (metadata["mesh"], metadata["mesh_major"]) == (["Humans", "Mice"], ["Mice"])


def test_the_identifiers_are_the_citations_own_not_those_of_its_references():
    ids = "<ArticleIdList><ArticleId IdType='{}'>{}</ArticleId></ArticleIdList>"
    references = f"<ReferenceList><Reference>{ids.format('doi', '10.1/other')}</Reference></ReferenceList>"
    data = f"<PubmedData>{references}{ids.format('pmc', 'PMC9')}</PubmedData>"
    article = (
        "<ELocationID EIdType='doi' ValidYN='N'>10.1/no</ELocationID><ELocationID EIdType='doi'>10.1/x</ELocationID>"
    )
    content = f"<PMID>7</PMID><Article>{article}</Article>"
    (document,) = read(f"<PubmedArticle><MedlineCitation>{content}</MedlineCitation>{data}</PubmedArticle>")
    assert document.identifiers == {"pmid": "7", "doi": "10.1/x", "pmcid": "PMC9"}


@pytest.mark.parametrize(
    ("kind", "state", "name"),
    [
        ("RetractionIn", "retracted", "retraction"),
        ("ExpressionOfConcernIn", "concern", "concern"),
        ("ErratumIn", "corrected", "correction"),
    ],
)
def test_a_notice_about_a_citation_is_its_state(kind, state, name):
    metadata = notice(kind).metadata
    assert [key for key in ("retracted", "concern", "corrected") if metadata[key]] == [state]
    assert metadata["notices"] == {name: ["PMID:8"]}


def test_the_notice_itself_is_not_retracted():
    assert not notice("RetractionOf").metadata["retracted"]


def test_a_retracted_publication_is_retracted_without_a_notice():
    types = "<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList>"
    assert citation(types).metadata["retracted"]


def test_deletes_are_deletions_in_the_order_of_the_file():
    entries = read(
        f"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID>{ARTICLE}</MedlineCitation></PubmedArticle>"
        "<DeleteCitation><PMID Version='1'>8</PMID>\n<PMID Version='1'>9</PMID></DeleteCitation></PubmedArticleSet>"
    )
    assert [entries[0].doc_id, *entries[1:]] == ["PMID:7", Deletion("PMID:8"), Deletion("PMID:9")]


def test_a_book_is_a_document():
    book = "<Book><BookTitle>GeneReviews</BookTitle><PubDate><Year>1993</Year></PubDate></Book>"
    content = f"<PMID>7</PMID>{book}<ArticleTitle>Marfan</ArticleTitle><Language>eng</Language>"
    (document,) = read(f"<PubmedBookArticle><BookDocument>{content}</BookDocument></PubmedBookArticle>")
    assert (document.doc_id, document.title) == ("PMID:7", "Marfan")
    assert (document.metadata["journal"], document.metadata["year"]) == ("GeneReviews", 1993)


def test_a_citation_without_a_pmid_is_damage_and_the_next_one_is_read():
    one = "<MedlineCitation>{}</MedlineCitation>\n"
    both = one.format(ARTICLE) + one.format(f"<PMID>7</PMID>{ARTICLE}")
    damage, document = read(f"<MedlineCitationSet>\n{both}</MedlineCitationSet>")
    assert damage == Damage("f.xml", "line 2, byte 21", "no PMID but ''")
    assert document.doc_id == "PMID:7"


@pytest.mark.data
def test_the_sample_of_the_library_of_medicine_is_read_whole(data_folder: Path):
    entries = list(read_documents([data_folder / "formats/pubmed_xml/medsamp2010.xml"]))
    assert len(entries) == 146
    assert (entries[0].doc_id, entries[0].metadata["year"]) == ("PMID:10540283", 1999)
    states = Counter(key for entry in entries for key in ("retracted", "corrected") if entry.metadata[key])
    assert states == {"retracted": 3, "corrected": 10}


@pytest.mark.data
def test_a_folder_of_real_files_is_read_without_damage(data_folder: Path):
    entries = list(read_documents([data_folder / "formats/pubmed_xml"]))
    assert Counter(type(entry) for entry in entries) == {Document: 150}
    last = entries[-1]
    assert last.doc_id == "PMID:29768149"
    assert [section.heading for section in last.sections] == ["BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS"]
    assert last.identifiers["doi"] == "10.1056/NEJMoa1715274"
