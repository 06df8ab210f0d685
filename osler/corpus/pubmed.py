"""PubMed/MEDLINE XML: citations of today's `PubmedArticleSet` and of the older `MedlineCitationSet`, and deletes.

Knows the elements of NLM's DTDs; how a file is cut into records is `xml_records`' part.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from osler.corpus.bibliography import Bibliography, first_year, identifiers
from osler.corpus.markup import flat_text
from osler.corpus.xml_records import Element, read_records
from osler.records import Deletion, Document, Entry, Section

_RECORDS = {
    "PubmedArticle": "MedlineCitation",
    "PubmedBookArticle": "",
    "MedlineCitation": "",
    "DeleteCitation": "",
    "DeleteDocument": "",
}

# RefType of CommentsCorrections: what a notice elsewhere says of this citation.
_NOTICES = {
    "RetractionIn": "retraction",
    "PartialRetractionIn": "correction",
    "RetractedandRepublishedIn": "retraction",
    "ExpressionOfConcernIn": "concern",
    "ErratumIn": "correction",
    "CorrectedandRepublishedIn": "correction",
}
_NO_LABEL = ("UNLABELLED", "UNLABELED", "UNASSIGNED")


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each citation (`PMID:123`), a deletion each PMID of `DeleteCitation`, in the order of the file.

    >>> xml = b"<MedlineCitation><PMID>7</PMID><Article><ArticleTitle>Mice.</ArticleTitle></Article></MedlineCitation>"
    >>> [(entry.doc_id, entry.title) for entry in read(io.BytesIO(xml), "a file")]
    [('PMID:7', 'Mice.')]
    """
    return read_records(stream, source, names=_RECORDS, convert=_entries)


def _entries(record: Element) -> Iterator[Entry]:
    if record.tag in ("DeleteCitation", "DeleteDocument"):
        yield from (Deletion(f"PMID:{flat_text(pmid)}") for pmid in record.findall("PMID"))
    elif record.tag == "PubmedBookArticle":
        yield _book(record)
    else:
        yield _citation(record)


def _citation(record: Element) -> Document:
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    article = citation.find("Article") if citation is not None else None
    if citation is None or article is None:
        raise ValueError("a citation without <MedlineCitation> or <Article>")
    pmid, version = _pmid(citation)
    title = flat_text(article.find("ArticleTitle")) or flat_text(article.find("VernacularTitle"))
    bibliography = Bibliography(
        version=version,
        journal=flat_text(article.find("Journal/Title")) or _text(citation, "MedlineJournalInfo/MedlineTA"),
        year=_year(article),
        language=_texts(article, "Language"),
        publication_types=_texts(article, "PublicationTypeList/PublicationType"),
        mesh=_texts(citation, "MeshHeadingList/MeshHeading/DescriptorName"),
        mesh_major=_mesh_major(citation),
        keywords=_texts(citation, "KeywordList/Keyword"),
        notices=_notices(citation),
    )
    ids = identifiers(pmid=pmid, doi=_doi(record, article), pmcid=_article_id(record, "PubmedData", "pmc"))
    return Document(f"PMID:{pmid}", title, _sections(article), ids, bibliography.metadata(title))


def _book(record: Element) -> Document:
    book = record.find("BookDocument")
    if book is None:
        raise ValueError("a <PubmedBookArticle> without <BookDocument>")
    pmid, version = _pmid(book)
    title = flat_text(book.find("ArticleTitle")) or _text(book, "Book/BookTitle")
    bibliography = Bibliography(
        version=version,
        journal=_text(book, "Book/BookTitle"),
        year=first_year(_text(book, "Book/PubDate/Year")),
        language=_texts(book, "Language"),
        publication_types=_texts(book, "PublicationType"),
        keywords=_texts(book, "KeywordList/Keyword"),
    )
    ids = identifiers(pmid=pmid, doi=_article_id(book, "", "doi"))
    return Document(f"PMID:{pmid}", title, _sections(book), ids, bibliography.metadata(title))


def _pmid(citation: Element) -> tuple[str, int]:
    element = citation.find("PMID")
    pmid = flat_text(element)
    if element is None or not pmid.isdigit():
        raise ValueError(f"no PMID but {pmid!r}")
    version = element.get("Version", "1")
    return pmid, int(version) if version.isdigit() else 1


def _sections(article: Element) -> tuple[Section, ...]:
    """The abstract; those in other languages or for other readers (`OtherAbstract`) are left out."""
    found = []
    for part in article.findall("Abstract/AbstractText"):
        label = part.get("Label", "").strip()
        if text := flat_text(part):
            found.append(Section("" if label.upper() in _NO_LABEL else label, text))
    return tuple(found)


def _year(article: Element) -> int | None:
    """The year of the issue; else the first that its free date names; else that of the electronic version."""
    issue = "Journal/JournalIssue/PubDate"
    dates = (f"{issue}/Year", f"{issue}/MedlineDate", "ArticleDate/Year")
    return next((year for path in dates if (year := first_year(_text(article, path)))), None)


def _mesh_major(citation: Element) -> tuple[str, ...]:
    headings = citation.findall("MeshHeadingList/MeshHeading")
    major = [heading for heading in headings if any(part.get("MajorTopicYN") == "Y" for part in heading)]
    return tuple(_text(heading, "DescriptorName") for heading in major)


def _notices(citation: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for comment in citation.iterfind("CommentsCorrectionsList/CommentsCorrections"):
        if kind := _NOTICES.get(comment.get("RefType", "")):
            pmid = _text(comment, "PMID")
            found[kind] = found.get(kind, ()) + ((f"PMID:{pmid}",) if pmid else ())
    return found


def _doi(record: Element, article: Element) -> str:
    valid = (place for place in article.findall("ELocationID[@EIdType='doi']") if place.get("ValidYN") != "N")
    return _article_id(record, "PubmedData", "doi") or flat_text(next(valid, None))


def _article_id(element: Element, parent: str, kind: str) -> str:
    """This article's own id: the list stands right below `parent`, those of the references stand deeper."""
    path = f"{parent}/ArticleIdList/ArticleId[@IdType='{kind}']".lstrip("/")
    return _text(element, path)


def _text(element: Element, path: str) -> str:
    return flat_text(element.find(path))


def _texts(element: Element, path: str) -> tuple[str, ...]:
    return tuple(text for found in element.findall(path) if (text := flat_text(found)))
