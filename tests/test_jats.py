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
