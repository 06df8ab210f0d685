import io
from pathlib import Path

import pytest

from osler.corpus import jats, read_documents
from osler.records import Damage, Document, Section

IDS = "<article-id pub-id-type='pmc'>9</article-id>"


def read(xml: str):
    return list(jats.read(io.BytesIO(xml.encode()), "f.nxml"))


def article(body: str = "", *, meta: str = "", attributes: str = "", more: str = "") -> Document:
    front = f"<front><article-meta>{IDS}{meta}</article-meta></front>"
    (entry,) = read(f"<article {attributes}>{front}<body>{body}</body>{more}</article>")
    return entry


def test_an_article_is_named_by_its_pmc_id_else_pmid_else_doi():
    xml = "<article><front><article-meta><article-id pub-id-type='{}'>{}</article-id></article-meta></front></article>"
    found = [read(xml.format(*pair))[0].doc_id for pair in (("pmc", "PMC9"), ("pmid", "7"), ("doi", "10.1/x"))]
    assert found == ["PMC:PMC9", "PMID:7", "doi:10.1/x"]


def test_an_article_without_identifier_is_damage():
    (damage,) = read("<article><front><article-meta/></front></article>")
    assert damage == Damage("f.nxml", "line 1, byte 0", "an article without a PMC, PubMed or DOI identifier")


def test_the_abstract_comes_first_and_nested_headings_are_a_path():
    abstract = "<abstract><sec><title>Aim</title><p>To count.</p></sec></abstract>"
    nested = "<sec><label>2.1</label><title>Statistics</title><p>None.</p></sec>"
    body = f"<sec><title>Methods</title><p>Mice.</p>{nested}</sec>"
    assert article(body, meta=abstract).sections == (
        Section("Abstract > Aim", "To count."),
        Section("Methods", "Mice."),
        Section("Methods > Statistics", "None."),
    )


def test_a_body_without_sections_has_no_heading_and_a_line_a_paragraph():
    assert article("<p>One\n mouse.</p> <p>Two.</p>").sections == (Section("", "One mouse.\nTwo."),)


def test_references_and_tables_are_left_out_and_captions_kept():
    cells = "<table><tr><td>4</td></tr></table>"
    table = f"<table-wrap><label>Table 1</label><caption><p>Counts.</p></caption>{cells}</table-wrap>"
    body = f"<p>So<disp-formula>x=y</disp-formula>that.{table}</p><sec><ref-list><ref>Osler</ref></ref-list></sec>"
    assert article(body, more="<back><ref-list><ref>Osler</ref></ref-list></back>").text == (
        "So x=y that.\nTable 1. Counts."
    )


def test_captions_that_stand_apart_from_the_body_are_a_section():
    figure = "<fig><label>Figure 1.</label><caption><title>Mice.</title><p>Bar: 1 cm.</p></caption><graphic/></fig>"
    document = article("<p>Text.</p>", more=f"<floats-group>{figure}</floats-group>")
    assert document.sections[1] == Section("Figures and tables", "Figure 1. Mice.\nBar: 1 cm.")


def test_items_of_a_list_are_lines():
    assert article("<p>We need<list><list-item><label>1</label><p>mice,</p></list-item></list>here.</p>").text == (
        "We need\nmice,\nhere."
    )


def test_metadata_uses_the_names_and_words_of_pubmed():
    dates = (
        "<pub-date pub-type='epub'><year>2010</year></pub-date><pub-date pub-type='ppub'><year>2011</year></pub-date>"
    )
    words = "<kwd-group><kwd>mice</kwd></kwd-group>"
    document = article(meta=dates + words, attributes="article-type='review-article' xml:lang='en'")
    assert document.metadata["publication_types"] == ["Review"]
    assert document.metadata["language"] == ["eng"]
    assert (document.metadata["year"], document.metadata["keywords"]) == (2011, ["mice"])


def test_the_title_has_its_subtitle_and_no_footnote_mark():
    title = "<article-title>Mice<xref ref-type='fn'>*</xref> and <italic>men</italic></article-title>"
    assert (
        article(meta=f"<title-group>{title}<subtitle>A trial</subtitle></title-group>").title == "Mice and men: A trial"
    )


def test_a_heading_and_the_title_before_a_subtitle_have_no_colon():
    title = "<title-group><article-title>Mice:</article-title><subtitle>a trial</subtitle></title-group>"
    abstract = "<abstract><title>Abstract:</title><sec><title>Results:</title><p>Four.</p></sec></abstract>"
    document = article("<sec><title>Methods :</title><p>We counted.</p></sec>", meta=title + abstract)
    assert document.title == "Mice: a trial"
    assert [section.heading for section in document.sections] == ["Abstract > Results", "Methods"]


def test_an_article_that_was_retracted_says_so_and_the_notice_does_not():
    related = "<related-article xmlns:xlink='http://www.w3.org/1999/xlink' related-article-type='{}' {}/>"
    link = "ext-link-type='doi' xlink:href='10.1/n'"
    retracted = article(meta=related.format("retraction-forward", link))
    assert retracted.metadata["retracted"]
    assert retracted.metadata["notices"] == {"retraction": ["doi:10.1/n"]}
    about = related.format("retracted-article", link)
    assert not article(meta=about, attributes="article-type='retraction'").metadata["retracted"]


@pytest.mark.parametrize("title", ["RETRACTED: Mice", "[Retracted] Mice", "Retracted article: Mice"])
def test_a_title_that_says_retracted_is_believed(title):
    assert article(meta=f"<title-group><article-title>{title}</article-title></title-group>").metadata["retracted"]


def test_a_set_of_articles_with_namespaces_is_read():
    front = f"<front><article-meta>{IDS}</article-meta></front>"
    one = f"<article xmlns='https://jats.nlm.nih.gov/ns/archiving/1.3/'>{front}<body><p>Mice.</p></body></article>"
    entries = read(f"<pmc-articleset>{one}{one}</pmc-articleset>")
    assert [entry.text for entry in entries] == ["Mice.", "Mice."]


def dated(date: str, *, more: str = "") -> int | None:
    return article(meta=f"{date}{more}").metadata.get("year")


@pytest.mark.parametrize(
    "date",
    [
        "<pub-date date-type='pub' iso-8601-date='2019-05-06'/>",
        "<pub-date><string-date>June 2019</string-date></pub-date>",
        "<pub-date><string-date><month>6</month> <year>2019</year></string-date></pub-date>",
        "<pub-date pub-type='ppub'><season>Spring</season><year>Spring 2019</year></pub-date>",
        "<pub-date date-type='preprint'><year>2017</year></pub-date><pub-date><year>2019</year></pub-date>",
        "<pub-date pub-type='epub'><year>2018</year></pub-date><pub-date pub-type='ppub'><year>2019</year></pub-date>",
        "<pub-date date-type='pub' publication-format='electronic'><year>2018</year></pub-date>"
        "<pub-date date-type='pub' publication-format='print'><year>2019</year></pub-date>",
        "<pub-date pub-type='retracted'><year>2021</year></pub-date><pub-date><year>2019</year></pub-date>",
    ],
)
def test_the_year_is_that_of_the_issue_in_every_form_of_a_date(date):
    assert dated(date) == 2019


def test_the_history_tells_the_year_only_where_no_publication_date_does():
    history = "<history><date date-type='received'><year>2018</year></date></history>"
    assert dated("", more=history) == 2018
    assert dated("<pub-date><year>2020</year></pub-date>", more=history) == 2020
    rights = "<permissions><copyright-year>2019</copyright-year></permissions>"
    assert dated("", more=rights + history) == 2019


def test_the_journal_has_its_full_title_and_its_other_names():
    names = (
        "<journal-id journal-id-type='nlm-ta'>Lancet</journal-id>"
        "<journal-id journal-id-type='publisher-id'>x</journal-id>"
        "<journal-title-group><journal-title>The Lancet</journal-title>"
        "<abbrev-journal-title>Lancet (Lond)</abbrev-journal-title></journal-title-group>"
    )
    meta = f"<journal-meta>{names}</journal-meta><article-meta>{IDS}</article-meta>"
    (document,) = read(f"<article><front>{meta}</front></article>")
    assert document.metadata["journal"] == "The Lancet"
    assert document.metadata["journal_abbreviations"] == ["Lancet (Lond)", "Lancet"]


@pytest.mark.parametrize(
    ("contributor", "name"),
    [
        ("<name><surname>Osler</surname><given-names>William</given-names></name>", "Osler, William"),
        ("<name><surname>King</surname><given-names>M L</given-names><suffix>Jr</suffix></name>", "King, M L Jr"),
        ("<string-name><given-names>Ann</given-names> <surname>Lee</surname></string-name>", "Lee, Ann"),
        ("<string-name>Ann Lee</string-name>", "Ann Lee"),
        ("<name name-style='given-only'><given-names>Plato</given-names></name>", "Plato"),
        (
            "<name-alternatives><name name-style='eastern'><surname>李</surname></name>"
            "<name name-style='western'><surname>Li</surname><given-names>Na</given-names></name></name-alternatives>",
            "Li, Na",
        ),
        (
            "<collab>The Mouse Group<xref ref-type='aff'>1</xref><contrib-group><contrib contrib-type='author'><name>"
            "<surname>Lee</surname></name></contrib></contrib-group></collab>",
            "The Mouse Group",
        ),
    ],
)
def test_an_author_is_family_and_given_name_or_a_group(contributor, name):
    editor = "<contrib contrib-type='editor'><name><surname>Editor</surname></name></contrib>"
    group = f"<contrib-group><contrib contrib-type='author'>{contributor}</contrib>{editor}</contrib-group>"
    assert article(meta=group).metadata["authors"] == [name]


@pytest.mark.parametrize(
    "value", ["10.1234/x", " 10.1234/x\n", "doi:10.1234/x", "https://doi.org/10.1234/x", "http://dx.doi.org/10.1234/x"]
)
def test_a_doi_is_one_in_every_spelling(value):
    assert article(meta=f"<article-id pub-id-type='doi'>{value}</article-id>").identifiers["doi"] == "10.1234/x"


def test_the_doi_of_the_article_comes_before_that_of_a_version_and_hides_among_other_ids():
    version = "<article-id pub-id-type='doi' specific-use='version'>10.1234/x.2</article-id>"
    own = "<article-id pub-id-type='doi'>10.1234/x</article-id>"
    assert article(meta=version + own).identifiers["doi"] == "10.1234/x"
    assert article(meta="<article-id pub-id-type='other'>10.1234/y</article-id>").identifiers["doi"] == "10.1234/y"


def subject(text: str, kind: str = "heading") -> str:
    group = f"<subj-group subj-group-type='{kind}'><subject>{text}</subject></subj-group>"
    return f"<article-categories>{group}</article-categories>"


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("Cell biology", ["Journal Article"]),
        ("Research Article", ["Journal Article"]),
        ("Case Reports", ["Journal Article", "Case Reports"]),
        ("Review Article", ["Journal Article", "Review"]),
        ("Letters to the Editor", ["Journal Article", "Letter"]),
    ],
)
def test_a_section_of_the_journal_is_no_publication_type(text, types):
    document = article(meta=subject(text), attributes="article-type='research-article'")
    assert document.metadata["publication_types"] == types


def test_a_field_of_research_is_no_publication_type():
    assert "publication_types" not in article(meta=subject("Review", "Discipline")).metadata
    assert "publication_types" not in article(attributes="article-type='other'").metadata


@pytest.mark.parametrize(
    "meta",
    [
        subject("Retracted Article"),
        subject("WITHDRAWN"),
        subject("Article retracted"),
        subject("Retracted: Research Article"),
        subject("This article has been withdrawn"),
        "<article-version>Withdrawn</article-version>",
        "<pub-history><event event-type='withdrawn'/></pub-history>",
        "<custom-meta-group><custom-meta><meta-name>status</meta-name><meta-value>withdrawn</meta-value></custom-meta>"
        "</custom-meta-group>",
    ],
)
def test_a_statement_that_an_article_was_withdrawn_is_believed(meta):
    assert article(meta=meta, attributes="article-type='preprint'").metadata["retracted"]


def test_a_notice_under_the_heading_of_what_it_retracts_is_not_retracted():
    notice = article(meta=subject("Retracted Article"), attributes="article-type='retraction'")
    assert not notice.metadata["retracted"]


@pytest.mark.parametrize("kind", ["retracted-article", "withdrawn-article", "preprint-withdrawal"])
def test_an_article_type_that_says_withdrawn_is_believed(kind):
    assert article(attributes=f"article-type='{kind}'").metadata["retracted"]


LINK = "xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href"


@pytest.mark.parametrize(
    ("link", "related_id"),
    [
        (f"ext-link-type='doi' {LINK}='10.1234/x'", "doi:10.1234/x"),
        (f"ext-link-type='uri' {LINK}='https://doi.org/10.1234/x'", "doi:10.1234/x"),
        (f"ext-link-type='doi' {LINK}='info:doi/10.1234/x'", "doi:10.1234/x"),
        (f"ext-link-type='uri' {LINK}='J Mice. doi:10.1234/X.'", "doi:10.1234/X"),
        (f"ext-link-type='pubmed' {LINK}='7'", "PMID:7"),
        (f"ext-link-type='uri' {LINK}='https://pubmed.ncbi.nlm.nih.gov/7/'", "PMID:7"),
        (f"ext-link-type='pmc' {LINK}='PMC9'", "PMC:PMC9"),
        (f"ext-link-type='pmcid' {LINK}='9'", "PMC:PMC9"),
        (f"ext-link-type='uri' {LINK}='https://www.ncbi.nlm.nih.gov/pmc/articles/PMC9/'", "PMC:PMC9"),
        ("document-id='10.1234/x' document-id-type='doi'", "doi:10.1234/x"),
    ],
)
def test_a_notice_names_the_article_that_it_is_about(link, related_id):
    related = f"<related-article related-article-type='retracted-article' {link}/>"
    document = article(meta=related, attributes="article-type='retraction'")
    assert document.metadata["notice_of"] == {"retraction": [related_id]}
    assert "notices" not in document.metadata


@pytest.mark.parametrize(
    ("word", "kind"),
    [("corrected-article", "correction"), ("object-of-concern", "concern"), ("retracted-article", "retraction")],
)
def test_a_notice_is_of_the_kind_that_its_link_says(word, kind):
    related = f"<related-object link-type='{word}' object-id='7' object-id-type='pmid'/>"
    assert article(meta=related).metadata["notice_of"] == {kind: ["PMID:7"]}


def test_a_word_for_a_notice_means_the_other_article_unless_this_is_one():
    related = f"<related-article related-article-type='expression-of-concern' ext-link-type='doi' {LINK}='10.1/n'/>"
    assert article(meta=related).metadata["notices"] == {"concern": ["doi:10.1/n"]}
    notice = article(meta=related, attributes="article-type='expression-of-concern'")
    assert notice.metadata["notice_of"] == {"concern": ["doi:10.1/n"]}
    assert not notice.metadata["concern"]


ENGLISH_TITLE = "<trans-title-group xml:lang='en'><trans-title>On mice</trans-title></trans-title-group>"
ENGLISH_ABSTRACT = "<trans-abstract xml:lang='en-GB'><title>Abstract</title><p>Four mice.</p></trans-abstract>"


def translated(language: str, *, meta: str = ENGLISH_ABSTRACT, sub_language: str = "en") -> Document:
    title = f"<title-group><article-title>De muribus</article-title>{ENGLISH_TITLE}</title-group>"
    stub = "<front-stub><abstract><p>Mice in short.</p></abstract></front-stub>"
    body = "<body><sec><title>Results</title><p>There were four.</p></sec></body>"
    sub = f"<sub-article article-type='translation' xml:lang='{sub_language}'>{stub}{body}</sub-article>"
    own = "<abstract><title>Resumo</title><p>Quattuor.</p></abstract>"
    return article("<p>Mures.</p>", meta=title + own + meta, attributes=f"xml:lang='{language}'", more=sub)


def test_the_english_parts_of_an_article_in_another_language_are_kept():
    document = translated("pt")
    assert document.title == "De muribus [On mice]"
    assert document.metadata["language"] == ["por", "eng"]
    assert document.sections == (
        Section("Resumo", "Quattuor."),
        Section("", "Mures."),
        Section("Abstract (English)", "Four mice."),
        Section("English translation > Abstract", "Mice in short."),
        Section("English translation > Results", "There were four."),
    )


def test_translations_of_an_english_article_and_into_other_languages_are_left_out():
    assert translated("en").text == "Quattuor.\n\nMures."
    assert translated("en").metadata["language"] == ["eng"]
    assert translated("pt", meta="", sub_language="es").text == "Quattuor.\n\nMures."


def test_a_title_that_is_only_there_in_translation_is_taken():
    group = f"<title-group><article-title/>{ENGLISH_TITLE.replace('en', 'fr')}</title-group>"
    assert article(meta=group, attributes="xml:lang='en'").title == "On mice"


def test_keywords_in_further_languages_are_left_out():
    words = "".join(f"<kwd-group xml:lang='{code}'><kwd>{code}</kwd></kwd-group>" for code in ("pt", "en", "es"))
    assert article(meta=words, attributes="xml:lang='pt'").metadata["keywords"] == ["pt", "en"]


def test_what_the_endpoint_says_instead_of_an_article_is_shown():
    front = f"<front><article-meta>{IDS}</article-meta></front>"
    reply = "<Reply Id='7' error='The following PMCID is not available: 7'/>"
    damage, document = read(f"<pmc-articleset>{reply}<article>{front}</article></pmc-articleset>")
    assert damage.reason == "the source of the file says: The following PMCID is not available: 7"
    assert document.doc_id == "PMC:PMC9"
    assert [type(entry) for entry in read(f"<pmc-articleset>{reply}</pmc-articleset>")] == [Damage]


@pytest.mark.parametrize("xml", ["<pmc-articleset/>", "<?xml version='1.0'?>\n<pmc-articleset>\n</pmc-articleset>\n"])
def test_an_empty_set_of_articles_is_no_damage(xml, tmp_path: Path):
    assert read(xml) == []
    (tmp_path / "articles.xml").write_text(xml)
    assert list(read_documents([tmp_path / "articles.xml"])) == []


def test_a_set_that_is_cut_off_or_holds_something_else_is_damage():
    for xml in ("<pmc-articleset>", "<pmc-articleset><error>no</error></pmc-articleset>"):
        assert [type(entry) for entry in read(xml)] == [Damage]


@pytest.mark.data
def test_real_full_texts_are_read_whole(data_folder: Path):
    documents = list(read_documents([data_folder / "formats/jats"]))
    assert [document.doc_id for document in documents] == [
        "PMC:PMC3166277",
        "PMC:PMC2329613",
        "PMC:PMC2599765",
        "PMC:PMC1790863",
    ]
    assert [document.metadata["year"] for document in documents] == [2011, 2008, 2008, 2007]
    headings = [section.heading for section in documents[0].sections]
    assert headings[:2] == ["Abstract > Background", "Abstract > Results"]
    assert "Methods > Statistical analysis" in headings
    floats = documents[2].sections[-1]
    assert floats.heading == "Figures and tables"
    assert floats.text.startswith("Figure 1")
