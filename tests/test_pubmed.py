import io
from collections import Counter
from pathlib import Path

import pytest

from osler.corpus import pubmed, read_documents
from osler.corpus.pubmed import OtherAbstract, choose_sections, labelled_sections
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
        "<AbstractText Label='METHODS:'>We counted.</AbstractText><AbstractText Label='UNLABELLED'>So.</AbstractText>"
    )
    document = citation(f"<Abstract>{parts}<CopyrightInformation>(c) J</CopyrightInformation></Abstract>")
    assert document.sections == (Section("METHODS", "We counted."), Section("", "So."))


def test_inline_markup_is_kept_as_text_and_white_space_made_one_blank():
    text = "<AbstractText>H<sub>2</sub>O \n in <i>E. coli</i> (10<sup>5</sup>)</AbstractText>"
    assert citation(f"<Abstract>{text}</Abstract>").text == "H2O in E. coli (10⁵)"


OTHER = "<OtherAbstract Type='{}' Language='{}'><AbstractText Label='AIM'>{}</AbstractText></OtherAbstract>"


def test_abstracts_in_other_languages_are_left_out():
    own = "<Abstract><AbstractText>Mice.</AbstractText></Abstract>"
    document = citation(own, OTHER.format("Publisher", "fre", "Souris."))
    assert (document.text, "text_language" in document.metadata) == ("Mice.", False)


def test_an_abstract_in_another_language_is_the_text_where_there_is_no_other():
    document = citation(more=OTHER.format("Publisher", "fre", "Souris."))
    assert (document.text, document.metadata["text_language"]) == ("Souris.", "fre")


def test_an_english_abstract_of_another_service_is_the_text_where_there_is_no_abstract():
    document = citation(more=OTHER.format("Publisher", "fre", "Souris.") + OTHER.format("PIP", "eng", "Mice."))
    assert document.sections == (Section("AIM", "Mice."),)
    unnamed = citation(more="<OtherAbstract Type='NASA'><AbstractText>Mice.</AbstractText></OtherAbstract>")
    assert unnamed.text == "Mice."  # the DTD's default is English


def test_a_plain_language_summary_is_a_section_behind_the_abstract():
    own = "<Abstract><AbstractText>Mice.</AbstractText></Abstract>"
    document = citation(own, OTHER.format("plain-language-summary", "eng", "Four mice."))
    assert document.sections == (Section("", "Mice."), Section("Plain-language summary > AIM", "Four mice."))


TITLES = (
    "<MedlineCitation><PMID>7</PMID><Article><ArticleTitle>{}</ArticleTitle>"
    "<VernacularTitle>{}</VernacularTitle></Article></MedlineCitation>"
)


def test_a_title_in_brackets_stays_and_the_vernacular_one_is_kept_beside_it():
    (document,) = read(TITLES.format("[Mice.]", "<i>Souris</i>."))
    assert (document.title, document.metadata["vernacular_title"]) == ("[Mice.]", "Souris.")
    assert "vernacular_title" not in citation().metadata


@pytest.mark.parametrize(
    "title", ["", "[Not Available].", "[Not available]", "[In Process Citation]", "[No title available].", "[]."]
)
def test_the_vernacular_title_takes_the_place_of_one_that_is_missing(title):
    (document,) = read(TITLES.format(title, "Souris."))
    assert (document.title, "vernacular_title" in document.metadata) == ("Souris.", False)
    assert read(TITLES.format(title, ""))[0].title == title


def test_authors_are_kept_in_their_order():
    authors = (
        "<Author ValidYN='Y'><LastName>Osler</LastName><ForeName>William</ForeName><Initials>W</Initials></Author>"
        "<Author><LastName>King</LastName><ForeName>Martin L</ForeName><Suffix>Jr</Suffix></Author>"
        "<Author ValidYN='N'><LastName>Wrong</LastName></Author>"
        "<Author><LastName>Old</LastName><FirstName>Ann</FirstName><MiddleName>B</MiddleName></Author>"
        "<Author><LastName>Initial</LastName><Initials>AB</Initials></Author><Author><LastName>Plato</LastName></Author>"
        "<Author><CollectiveName>Mouse Study Group</CollectiveName></Author>"
    )
    assert citation(f"<AuthorList>{authors}</AuthorList>").metadata["authors"] == [
        "Osler, William",
        "King, Martin L Jr",
        "Old, Ann B",
        "Initial, AB",
        "Plato",
        "Mouse Study Group",
    ]


def test_the_journal_is_its_title_and_its_abbreviations_are_kept():
    names = "<Title>Lancet (London, England)</Title><ISOAbbreviation>Lancet</ISOAbbreviation>"
    short = "<MedlineJournalInfo><MedlineTA>Lancet</MedlineTA></MedlineJournalInfo>"
    metadata = citation(f"<Journal>{names}</Journal>", short).metadata
    assert (metadata["journal"], metadata["journal_abbreviations"]) == ("Lancet (London, England)", ["Lancet"])
    metadata = citation(more=short).metadata
    assert (metadata["journal"], "journal_abbreviations" in metadata) == ("Lancet", False)


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


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("RetractionOf", "retraction"),
        ("RetractedandRepublishedFrom", "retraction"),
        ("PartialRetractionOf", "correction"),
        ("ErratumFor", "correction"),
        ("CorrectedandRepublishedFrom", "correction"),
        ("ExpressionOfConcernFor", "concern"),
    ],
)
def test_a_notice_says_what_it_is_about_and_has_no_state_of_its_own(kind, name):
    metadata = notice(kind).metadata
    assert not any(metadata[state] for state in ("retracted", "concern", "corrected"))
    assert (metadata["notice_of"], "notices" in metadata) == ({name: ["PMID:8"]}, False)


@pytest.mark.parametrize("kind", ["UpdateOf", "UpdateIn", "CommentOn", "RepublishedFrom", "Cites", "AssociatedDataset"])
def test_an_update_or_a_comment_is_no_notice(kind):
    assert not {"notices", "notice_of"} & set(notice(kind).metadata)


def test_a_notice_is_known_by_its_doi_where_it_has_no_pmid_and_never_is_about_itself():
    comment = "<CommentsCorrections RefType='{}'><RefSource>{}</RefSource><PMID>{}</PMID></CommentsCorrections>"
    comments = comment.format("RetractionIn", "J. 2003;1:7. doi: 10.1/abc.", "") + comment.format("ErratumFor", "J", 7)
    metadata = citation(more=f"<CommentsCorrectionsList>{comments}</CommentsCorrectionsList>").metadata
    assert metadata["notices"] == {"retraction": ["doi:10.1/abc"]}
    assert "notice_of" not in metadata


def titled(title: str, kind: str) -> dict:
    types = f"<PublicationTypeList><PublicationType>{kind}</PublicationType></PublicationTypeList>"
    article = f"<Article><ArticleTitle>{title}</ArticleTitle>{types}</Article>"
    return read(f"<MedlineCitation><PMID>7</PMID>{article}</MedlineCitation>")[0].metadata


def test_a_title_that_says_so_makes_a_study_retracted_and_a_notice_not():
    assert titled("Retraction: Effect of x on mice.", "Journal Article")["retracted"]
    assert not titled("Retraction: Effect of x on mice.", "Retraction of Publication")["retracted"]
    assert titled("Expression of Concern: Effect of x on mice.", "Journal Article")["concern"]
    assert not titled("Expression of Concern: Effect of x on mice.", "Expression of Concern")["concern"]


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


def chapter(content: str, data: str = "") -> Document:
    book = "<Book><BookTitle>GeneReviews</BookTitle><PubDate><Year>1993</Year></PubDate>{}</Book>"
    editors = "<AuthorList Type='editors'><Author><LastName>Adam</LastName></Author></AuthorList>"
    document = f"<BookDocument><PMID>7</PMID>{book.format(editors)}{content}</BookDocument>"
    return read(f"<PubmedBookArticle>{document}<PubmedBookData>{data}</PubmedBookData></PubmedBookArticle>")[0]


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ("", 1993),
        ("<ContributionDate><Year>1998</Year></ContributionDate>", 1998),
        ("<ContributionDate><Year>1998</Year></ContributionDate><DateRevised><Year>2023</Year></DateRevised>", 2023),
    ],
)
def test_the_year_of_a_chapter_is_that_of_its_text_before_that_of_its_book(dates, year):
    assert chapter(dates).metadata["year"] == year


def test_a_chapter_has_its_own_authors_and_identifiers_and_the_parts_of_its_abstract():
    ids = "<ArticleId IdType='doi'>10.1/c</ArticleId><ArticleId IdType='pmc'>PMC9</ArticleId>"
    authors = (
        "<AuthorList Type='authors'><Author><LastName>Dietz</LastName><ForeName>Hal</ForeName></Author></AuthorList>"
    )
    document = chapter(
        f"{authors}<Abstract><AbstractText Label='Aims'>Mice.</AbstractText></Abstract>",
        f"<ArticleIdList>{ids}</ArticleIdList>",
    )
    assert document.identifiers == {"pmid": "7", "doi": "10.1/c", "pmcid": "PMC9"}
    assert (document.metadata["authors"], document.sections) == (["Dietz, Hal"], (Section("Aims", "Mice."),))
    assert chapter("").metadata["authors"] == ["Adam"]


@pytest.mark.parametrize(
    "xml",
    [
        "<PubmedArticleSet></PubmedArticleSet>",
        "<PubmedArticleSet/>",
        "<PubmedBookArticleSet>\n\n</PubmedBookArticleSet>\n",
        "<MedlineCitationSet version='1'><!-- <PubmedArticle> --></MedlineCitationSet>",
        "<?xml version='1.0'?>\n<!DOCTYPE PubmedArticleSet PUBLIC '-//NLM//DTD' 'a.dtd'>\n<PubmedArticleSet />",
    ],
)
def test_a_set_without_a_record_is_empty(xml):
    assert read(xml) == []
    assert read(f"\ufeff{xml}") == []


@pytest.mark.parametrize(
    "xml",
    [
        "<PubmedArticleSet>",
        "<PubmedArticleSet><Article/></PubmedArticleSet>",
        "<PubmedArticleSet>lost</PubmedArticleSet>",
        "<PubmedArticleSet></PubmedArticleSet><Article/>",
        "<eFetchResult></eFetchResult>",
        f"<PubmedArticleSet>{'<Lost>mice</Lost>' * 10_000}</PubmedArticleSet>",
        "<Set><Set></Set></Set>",
    ],
)
def test_a_file_that_holds_something_else_is_damage(xml):
    (damage,) = read(xml)
    assert damage.reason.startswith("holds none of the records <PubmedArticle>")


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
def test_real_files_are_read_without_damage(data_folder: Path):
    names = ("biopython_pubmed1.xml", "biopython_pubmed4.xml", "medsamp2010.xml", "pubmed-29768149.xml")
    entries = list(read_documents([data_folder / "formats/pubmed_xml" / name for name in names]))
    assert Counter(type(entry) for entry in entries) == {Document: 150}
    last = entries[-1]
    assert last.doc_id == "PMID:29768149"
    assert [section.heading for section in last.sections] == ["BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS"]
    assert last.identifiers["doi"] == "10.1056/NEJMoa1715274"


OWN = (Section("AIMS", "To count."),)


def other(text: str, kind: str = "Publisher", language: str = "eng") -> OtherAbstract:
    return OtherAbstract(kind, language, (Section("", text),))


def headings(text: str) -> list[str]:
    return [section.heading for section in labelled_sections(text)]


@pytest.mark.parametrize("kind", ["PIP", "KIE", "NASA", "AAMC", "AIDS", "Publisher"])
def test_an_english_abstract_of_others_is_the_text_where_there_is_no_abstract(kind):
    assert choose_sections((), [other("Four.", kind)]) == ((Section("", "Four."),), "")
    assert choose_sections(OWN, [other("Four.", kind)]) == (OWN, "")


def test_a_plain_language_summary_in_english_is_kept_behind_the_abstract():
    summary = Section("Plain-language summary", "Four mice.")
    assert choose_sections(OWN, [other("Four mice.", "plain-language-summary")]) == ((*OWN, summary), "")
    labelled = OtherAbstract("plain-language-summary", "eng", (Section("Why", "Mice."),))
    assert choose_sections((), [labelled])[0] == (Section("Plain-language summary > Why", "Mice."),)


def test_another_language_is_left_out_unless_there_is_nothing_else():
    spanish, french = other("Cuatro.", language="spa"), other("Quatre.", language="fre")
    assert choose_sections(OWN, [spanish]) == (OWN, "")
    assert choose_sections((), [spanish, french, other("Four.")]) == ((Section("", "Four."),), "")
    assert choose_sections((), [spanish, french]) == ((Section("", "Cuatro."),), "spa")


def test_an_abstract_that_the_publisher_alone_has_is_none():
    assert choose_sections((), [other("Abstract available from the publisher.", language="spa")]) == ((), "")


@pytest.mark.parametrize(
    "label",
    [
        "MAIN RESULTS (N=12)",
        "RESULTS (n = 12)",
        "AUTHORS' CONCLUSIONS",
        "BACKGROUND/AIMS",
        "METHODS & RESULTS",
        "DIAGNOSIS/TESTING",
        "INTRODUÇÃO",
        "MÉTODOS",
        "CLINICALTRIALS.GOV IDENTIFIER",
        "LEVEL OF EVIDENCE",
        "WHAT'S KNOWN ON THE SUBJECT? AND WHAT DOES THE STUDY ADD?",
        "WHAT IS NEW?",
    ],
)
def test_a_label_in_capitals_is_a_heading(label):
    assert labelled_sections(f"{label}: Four.") == (Section(label, "Four."),)
    assert headings(f"We counted. {label}: Four.") == ["", label]


@pytest.mark.parametrize(
    "text",
    [
        "COVID-19: the disease is new.",
        "We studied yeast. RNA: a molecule.",
        "We asked. WHO: the answer came.",
        "HIV-1 RNA: undetectable.",
        "Patients were A: treated or B: not treated.",
        "It fell by 3.5 RESULTS: none.",
        "Results: four.",
        "We counted. RESULTS:",
        "No colon. RESULTS four",
        "TNF-α: a cytokine. DOI: 10.1/x.",
    ],
)
def test_what_may_be_no_label_stays_in_the_text(text):
    assert labelled_sections(text) == (Section("", text),)


def test_no_word_of_an_abstract_is_lost():
    text = "UNLABELLED: BACKGROUND: Mice. COVID-19: new. (SD: 1) RESULTS: 3:1 ratio. CONCLUSIONS: So? WHO: yes."
    sections = labelled_sections(text)
    assert [section.heading for section in sections] == ["BACKGROUND", "RESULTS", "CONCLUSIONS"]
    again = " ".join(f"{section.heading}: {section.text}" for section in sections)
    assert f"UNLABELLED: {again}" == text


def test_a_paragraph_may_begin_with_a_label():
    assert headings("AIMS: To count\nRESULTS: Four") == ["AIMS", "RESULTS"]
