"""PubMed/MEDLINE XML: citations of today's `PubmedArticleSet` and of the older `MedlineCitationSet`, and deletes.

Knows the elements of NLM's DTDs, and which abstracts of a citation become its text and where a structured one comes
apart, which `medline` needs too; how a file is cut into records is `xml_records`' part.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from osler.corpus.bibliography import Bibliography, choose_title, first_year, related_by_kind
from osler.corpus.markup import flat_text
from osler.corpus.xml_records import Element, read_records
from osler.records import Deletion, Document, Entry, Section
from osler.text.identifiers import identifiers

_RECORDS = {
    "PubmedArticle": "MedlineCitation",
    "PubmedBookArticle": "",
    "MedlineCitation": "",
    "DeleteCitation": "",
    "DeleteDocument": "",
}

# RefType of CommentsCorrections: what a notice elsewhere says of this citation. An update (`UpdateIn`) is no notice: it
# follows a preprint or an older review, and says nothing against it.
_NOTICES = {
    "RetractionIn": "retraction",
    "PartialRetractionIn": "correction",
    "RetractedandRepublishedIn": "retraction",
    "ExpressionOfConcernIn": "concern",
    "ErratumIn": "correction",
    "CorrectedandRepublishedIn": "correction",
}
# The same of this citation, where it is the notice: what it says of others.
_NOTICES_OF = {
    "RetractionOf": "retraction",
    "PartialRetractionOf": "correction",
    "RetractedandRepublishedFrom": "retraction",
    "ExpressionOfConcernFor": "concern",
    "ErratumFor": "correction",
    "CorrectedandRepublishedFrom": "correction",
}
# A chapter is revised for decades after its book began, so the date of its text comes first.
_BOOK_DATES = (
    "DateRevised/Year",
    "ContributionDate/Year",
    "Book/PubDate/Year",
    "Book/PubDate/MedlineDate",
    "Book/BeginningDate/Year",
)


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
    title, vernacular = choose_title(_text(article, "ArticleTitle"), _text(article, "VernacularTitle"))
    other_abstracts = map(_other_abstract, citation.findall("OtherAbstract"))
    sections, text_language = choose_sections(_parts(article.findall("Abstract/AbstractText")), other_abstracts)
    headings = citation.findall("MeshHeadingList/MeshHeading")
    major_headings = [heading for heading in headings if any(part.get("MajorTopicYN") == "Y" for part in heading)]
    journal, *abbreviations = _journal_names(citation, article) or ("",)
    bibliography = Bibliography(
        version=version,
        authors=_authors(article.findall("AuthorList")),
        journal=journal,
        journal_abbreviations=tuple(abbreviations),
        year=_year(article),
        language=_texts(article, "Language"),
        publication_types=_texts(article, "PublicationTypeList/PublicationType"),
        mesh=_texts(citation, "MeshHeadingList/MeshHeading/DescriptorName"),
        mesh_major=tuple(_text(heading, "DescriptorName") for heading in major_headings),
        keywords=_texts(citation, "KeywordList/Keyword"),
        notices=_related(citation, _NOTICES),
        notice_of=_related(citation, _NOTICES_OF),
        vernacular_title=vernacular,
        text_language=text_language,
    )
    valid_dois = (doi for doi in article.findall("ELocationID[@EIdType='doi']") if doi.get("ValidYN") != "N")
    doi = _article_id(record, "PubmedData", "doi") or flat_text(next(valid_dois, None))
    ids = identifiers(pmid=pmid, doi=doi, pmcid=_article_id(record, "PubmedData", "pmc"))
    return Document(f"PMID:{pmid}", title, sections, ids, bibliography.metadata(title))


def _book(record: Element) -> Document:
    """A chapter, or a book where it has none."""
    book = record.find("BookDocument")
    if book is None:
        raise ValueError("a <PubmedBookArticle> without <BookDocument>")
    pmid, version = _pmid(book)
    book_title = _text(book, "Book/BookTitle")
    title, vernacular = choose_title(_text(book, "ArticleTitle") or book_title, _text(book, "VernacularTitle"))
    bibliography = Bibliography(
        version=version,
        authors=_authors(book.findall("AuthorList")) or _authors(book.findall("Book/AuthorList")),
        journal=book_title,
        year=next((year for path in _BOOK_DATES if (year := first_year(_text(book, path)))), None),
        language=_texts(book, "Language"),
        publication_types=_texts(book, "PublicationType"),
        keywords=_texts(book, "KeywordList/Keyword"),
        vernacular_title=vernacular,
    )
    doi, pmcid = (_article_id(record, "PubmedBookData", kind) or _article_id(book, "", kind) for kind in ("doi", "pmc"))
    ids = identifiers(pmid=pmid, doi=doi, pmcid=pmcid)
    sections = _parts(book.findall("Abstract/AbstractText"))
    return Document(f"PMID:{pmid}", title, sections, ids, bibliography.metadata(title))


def _pmid(citation: Element) -> tuple[str, int]:
    element = citation.find("PMID")
    pmid = flat_text(element)
    if element is None or not pmid.isdigit():
        raise ValueError(f"no PMID but {pmid!r}")
    version = element.get("Version", "1")
    return pmid, int(version) if version.isdigit() else 1


def _parts(parts: Iterable[Element]) -> tuple[Section, ...]:
    """The parts of an abstract that have text, their labels as headings."""
    return tuple(Section(_heading_of(part.get("Label", "")), text) for part in parts if (text := flat_text(part)))


def _other_abstract(element: Element) -> OtherAbstract:
    kind, language = element.get("Type", ""), element.get("Language", "")
    return OtherAbstract(kind, language, _parts(element.findall("AbstractText")))


def _journal_names(citation: Element, article: Element) -> tuple[str, ...]:
    """The title of the journal, and its other names."""
    names = (
        _text(article, "Journal/Title"),
        _text(article, "Journal/ISOAbbreviation"),
        _text(citation, "MedlineJournalInfo/MedlineTA"),
    )
    return tuple(dict.fromkeys(filter(None, names)))


def _authors(lists: Iterable[Element]) -> tuple[str, ...]:
    """The authors in their order, `Osler, William` each; those of a list of editors where there is no other."""
    by_editors: dict[bool, list[str]] = {False: [], True: []}
    for authors in lists:
        names = [_name(author) for author in authors.findall("Author") if author.get("ValidYN") != "N"]
        by_editors[authors.get("Type") == "editors"] += filter(None, names)
    return tuple(by_editors[False] or by_editors[True])


def _name(author: Element) -> str:
    forenames = _text(author, "ForeName") or f"{_text(author, 'FirstName')} {_text(author, 'MiddleName')}".strip()
    forenames = f"{forenames or _text(author, 'Initials')} {_text(author, 'Suffix')}".strip()
    family = _text(author, "LastName") or _text(author, "CollectiveName")
    return f"{family}, {forenames}" if family and forenames else family or forenames


def _year(article: Element) -> int | None:
    """The year of the issue; else the first that its free date names; else that of the electronic version."""
    issue = "Journal/JournalIssue/PubDate"
    dates = (f"{issue}/Year", f"{issue}/MedlineDate", "ArticleDate/Year")
    return next((year for path in dates if (year := first_year(_text(article, path)))), None)


def _related(citation: Element, kinds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    references = (
        (kind, f"{_text(comment, 'RefSource')} PMID: {_text(comment, 'PMID')}")
        for comment in citation.iterfind("CommentsCorrectionsList/CommentsCorrections")
        if (kind := kinds.get(comment.get("RefType", "")))
    )
    return related_by_kind(references, own=f"PMID:{_text(citation, 'PMID')}")


def _article_id(element: Element, parent: str, kind: str) -> str:
    """This article's own id: the list stands right below `parent`, those of the references stand deeper."""
    path = f"{parent}/ArticleIdList/ArticleId[@IdType='{kind}']".lstrip("/")
    return _text(element, path)


def _text(element: Element, path: str) -> str:
    return flat_text(element.find(path))


def _texts(element: Element, path: str) -> tuple[str, ...]:
    return tuple(text for child in element.findall(path) if (text := flat_text(child)))


_SUMMARY = "Plain-language summary"
_NOT_THERE = re.compile(r"\W*abstract (?:is )?(?:not )?available from the publisher\W*", re.IGNORECASE)
_UNLABELLED = ("UNLABELLED", "UNLABELED", "UNASSIGNED")

# A phrase without small letters behind the end of a sentence. It may hold a question, and numbers: "RESULTS (n = 12)".
_CAPITALS = re.compile(
    r"(?:^|(?<=[.?!…)\]\"'”’»%] )|(?<=\n)|(?<=UNLABELLED: ))"
    r"((?:[^a-zß-öø-ÿ:;.()\n]|\.(?=\S)|\([^():\n]{1,40}\)){3,120}?):\s*(?=[^\s:])"
)
# NLM's list of labels has thousands; these are the words that nearly all of them are made of.
_LABEL_WORDS = """
abstract achievements aim aims analyses analysis antecedentes applicability application approach approaches
assessment assessments ausblick background cadre case cases characteristics clinicaltrials comment comments
comparison conclusao conclusion conclusiones conclusions conclusión conclusoes conclusão conclusões consensus
consequences considerations context contexte contexto contribution contributions counseling course criteria data
definition design diagnosis diagnostics discusión discussion discussão dissemination einleitung endpoint endpoints
ergebnis ergebnisse ethics evaluation evidence experimental exposure exposures features finding findings
fragestellung fundamento fundamentos funding future generalizability goal goals groups highlights hintergrund
hipótesis history hypotheses hypothesis identifier impact implication implications importance indications innovation
innovations interpretation intervention interventions introducao introduccion introducción introduction introdução
justification key keypoints keywords learning lessons level limitation limitations limites localização malades
management materiais material materiales materials meaning measure measurement measurements measures message
messages method methode methoden methodik methodology methods metodo metodologia metodología metodos model méthode
méthodes método métodos necessity novelty objectif objectifs objective objectives objetivo objetivos observation
observations outcome outcomes overview participant participants patient patienten patients perspective perspectives
points population populations practice presentation prevention principle principles problem procedure procedures
prognosis prospects protocol purpose purposes question questions rationale reason reasons recommendation
recommendations reference references registration registry relevance report research result resultado resultados
results review reviewers résultats sample samples schlussfolgerung schlussfolgerungen scope search secondary
selection setting settings significado significance solution source sources statement statistics strategies strategy
strengths study subject subjects summary synopsis synthesis technique techniques testing theory therapy topic
treatment trial unlabeled unlabelled validity variables ziel ziele zielsetzung zusammenfassung
"""
_LABELS = frozenset(_LABEL_WORDS.split())


@dataclass(frozen=True, slots=True)
class OtherAbstract:
    """An abstract that is not the article's own: its kind and language as NLM writes them, and its sections.

    Kinds are `Publisher`, `plain-language-summary`, and the indexing services PIP, KIE, NASA, AAMC and AIDS.
    """

    kind: str
    language: str
    sections: tuple[Section, ...]


def choose_sections(
    abstract: Sequence[Section], other_abstracts: Iterable[OtherAbstract]
) -> tuple[tuple[Section, ...], str]:
    """The sections of the text, and their language ("" for English, and for an article's own abstract).

    That is the article's own abstract, else those that others wrote in English, and behind it a plain-language summary
    in English. What is in another language is the text only where there is nothing else.

    >>> aims = OtherAbstract("PIP", "eng", (Section("", "Records were compared."),))
    >>> choose_sections((), [aims])
    ((Section(heading='', text='Records were compared.'),), '')
    """
    real: list[OtherAbstract] = []
    for other in other_abstracts:
        if sections := tuple(part for part in other.sections if part.text and not _NOT_THERE.fullmatch(part.text)):
            real.append(replace(other, sections=sections))
    english = [other for other in real if other.language.casefold() in ("eng", "en", "")]
    summaries = [other for other in english if other.kind.casefold() == "plain-language-summary"]
    own = tuple(abstract) or _joined(other for other in english if other not in summaries)
    if own or summaries:
        summary = [
            Section(f"{_SUMMARY} > {part.heading}" if part.heading else _SUMMARY, part.text)
            for part in _joined(summaries)
        ]
        return (*own, *summary), ""
    language = real[0].language if real else ""
    return _joined(other for other in real if other.language == language), language


def _heading_of(label: str) -> str:
    """The heading that a label makes, without its colon; "" for those that say there is none.

    >>> _heading_of("RESULTS:"), _heading_of("UNLABELLED")
    ('RESULTS', '')
    """
    heading = " ".join(label.split()).rstrip(" :")
    return "" if heading.upper() in _UNLABELLED else heading


def labelled_sections(text: str) -> tuple[Section, ...]:
    """The text, apart at the labels of a structured abstract; what may be no label stays in the text.

    A label is in capitals, begins the text or a sentence, ends with a colon, and has a word that labels are made of, or
    is a question. "COVID-19: the disease" and "RNA: a molecule" are none.

    >>> [(part.heading, part.text) for part in labelled_sections("AIMS: To count. MAIN RESULTS (N=12): Four. RNA: no.")]
    [('AIMS', 'To count.'), ('MAIN RESULTS (N=12)', 'Four. RNA: no.')]
    """
    labels = [match for match in _CAPITALS.finditer(text) if _is_label(match[1])]
    starts = [label.start() for label in labels] + [len(text)]
    parts = [Section("", text[: starts[0]].strip())]
    for label, end in zip(labels, starts[1:], strict=True):
        parts.append(Section(_heading_of(label[1]), text[label.end() : end].strip()))
    return tuple(part for part in parts if part.text)


def _is_label(phrase: str) -> bool:
    words = re.findall(r"[^\W\d_]+", re.sub(r"\([^()]*\)", " ", phrase).casefold())
    if phrase.rstrip().endswith("?"):
        return len(words) > 2
    return phrase == phrase.strip() and bool(_LABELS.intersection(words))


def _joined(abstracts: Iterable[OtherAbstract]) -> tuple[Section, ...]:
    return tuple(section for abstract in abstracts for section in abstract.sections)
