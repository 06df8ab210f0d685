"""A second reading of real XML, by lxml alone and from the documentation of NLM and JATS, agrees with osler's.

It shares no code with osler. Both readings are compared without white space and with superscripts folded, so that only
what is said counts, not how it is set.
"""

import gzip
import re
import unicodedata
from pathlib import Path

import pytest
from lxml import etree

from osler.corpus import read_documents
from osler.records import Document

PUBMED_RECORDS = 335
JATS_ARTICLES = 4
SKIPPED = {
    "table", "disp-formula", "inline-formula", "graphic", "ref-list", "fn", "table-wrap-foot", "object-id",
    "supplementary-material",
}  # fmt: skip
DASHES = dict.fromkeys(map(ord, "−–—‐‑"), "-")


def fold(text: str) -> str:
    """The text without white space and without what osler adds: carets, parentheses around exponents, marks."""
    text = unicodedata.normalize("NFKC", text.replace("[formula]", "")).translate(DASHES)
    return re.sub(r"[\s^_()]", "", text)


def root_of(path: Path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return etree.fromstring(data, etree.XMLParser(load_dtd=False, resolve_entities=False, remove_comments=True))


def words(element) -> str:
    return "" if element is None else "".join(element.itertext())


def first(element, *paths: str) -> str:
    return next((text for path in paths if (text := words(element.find(path)).strip())), "")


def all_of(element, path: str) -> list[str]:
    return [" ".join(words(part).split()) for part in element.iterfind(path)]


def documents_of(path: Path) -> list[Document]:
    return [entry for entry in read_documents([path]) if isinstance(entry, Document)]


def pubmed_records(path: Path) -> list:
    """The records of a file, outermost first: a citation may stand alone or within an article."""
    root = root_of(path)
    names = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")
    return [part for part in root.iter(*names) if part.getparent() is None or part.getparent().tag not in names]


def assert_pubmed_agrees(record, document: Document) -> None:
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    article = citation.find("Article")
    assert document.doc_id == f"PMID:{first(citation, 'PMID')}"
    assert fold(document.title) in {fold(first(article, name)) for name in ("ArticleTitle", "VernacularTitle")}
    abstract = "".join(words(part) for part in article.iterfind("Abstract/AbstractText"))
    other = {fold("".join(map(words, part.iterfind("AbstractText")))) for part in citation.iterfind("OtherAbstract")}
    assert fold(document.text) == fold(abstract) or (not abstract and fold(document.text) in other)
    year = first(article, "Journal/JournalIssue/PubDate/Year", "Journal/JournalIssue/PubDate/MedlineDate")
    assert document.metadata["year"] == int(re.search(r"\d{4}", year or first(article, "ArticleDate/Year"))[0])
    assert document.metadata["journal"] == first(article, "Journal/Title") or first(
        citation, "MedlineJournalInfo/MedlineTA"
    )
    assert document.metadata["language"] == all_of(article, "Language")
    assert document.metadata["publication_types"] == all_of(article, "PublicationTypeList/PublicationType")
    assert document.metadata.get("mesh", []) == all_of(citation, "MeshHeadingList/MeshHeading/DescriptorName")
    own_ids = {
        part.get("IdType"): words(part).strip() for part in record.iterfind("PubmedData/ArticleIdList/ArticleId")
    }
    assert document.identifiers["pmid"] == first(citation, "PMID")
    if "doi" in own_ids:
        assert document.identifiers["doi"] == own_ids["doi"]
    pmcid = own_ids.get("pmc", "").partition(".")[0]  # some name a version of the file
    assert document.identifiers.get("pmcid", "").partition(".")[0] == pmcid


@pytest.mark.data
def test_a_second_reading_of_every_pubmed_record_agrees(data_folder: Path):
    compared = 0
    for path in sorted((data_folder / "formats/pubmed_xml").rglob("*.xml*")):
        for record, document in zip(pubmed_records(path), documents_of(path), strict=True):
            assert_pubmed_agrees(record, document)
            compared += 1
    assert compared == PUBMED_RECORDS


def jats_words(element, *, heading: bool = False) -> str:
    """What a reader sees of a JATS element: no table, formula or footnote, and no heading of a section."""
    if element.tag in SKIPPED or (element.tag == "label" and element.getparent().tag not in ("fig", "table-wrap")):
        return ""
    if element.tag == "title" and element.getparent().tag in ("sec", "abstract") and not heading:
        return ""
    if element.tag == "sup" and element.find("xref") is not None:
        return ""
    text = (element.text or "") + "".join(jats_words(child) + (child.tail or "") for child in element)
    if element.tag == "ext-link" and not text.strip():  # PMC shows the address of such a link
        return element.get("{http://www.w3.org/1999/xlink}href")
    return text.rstrip(".") + "." if element.tag == "label" else text


@pytest.mark.data
def test_a_second_reading_of_every_jats_article_agrees(data_folder: Path):
    compared = 0
    for path in sorted((data_folder / "formats/jats").rglob("*.nxml")):
        root = root_of(path)
        (article,) = [root] if root.tag == "article" else root.iter("article")
        (document,) = documents_of(path)
        meta = article.find("front/article-meta")
        parts = [*meta.iterfind("abstract"), article.find("body"), *article.iterfind("floats-group")]
        parts += article.iterfind("floats-wrap")
        assert fold(document.text) == fold("".join(map(jats_words, parts)))
        assert fold(document.title) == fold(words(meta.find("title-group/article-title")))
        headings = [fold(jats_words(title, heading=True)) for title in article.iterfind("body//sec[p]/title")]
        osler_headings = {fold(step) for section in document.sections for step in section.heading.split(" > ")}
        assert osler_headings >= set(headings)
        authors = [
            first(name, "surname") for name in meta.iterfind("contrib-group/contrib[@contrib-type='author']/name")
        ]
        assert [name.split(",")[0] for name in document.metadata["authors"]] == authors
        compared += 1
    assert compared == JATS_ARTICLES
