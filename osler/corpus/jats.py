"""JATS full text, as PMC and publishers give it: front matter here, the body's text in `jats_text`."""

from __future__ import annotations

import io
from collections.abc import Iterator

from osler.corpus.bibliography import Bibliography, first_year, identifiers
from osler.corpus.jats_text import sections
from osler.corpus.markup import flat_text
from osler.corpus.xml_records import Element, read_records
from osler.records import Document, Entry

# article-type -> the name that PubMed gives such a publication, so that one filter finds both.
_PUBLICATION_TYPES = {
    "research-article": "Journal Article",
    "brief-report": "Journal Article",
    "rapid-communication": "Journal Article",
    "review-article": "Review",
    "systematic-review": "Systematic Review",
    "meta-analysis": "Meta-Analysis",
    "case-report": "Case Reports",
    "article-commentary": "Comment",
    "letter": "Letter",
    "editorial": "Editorial",
    "news": "News",
    "correction": "Published Erratum",
    "expression-of-concern": "Expression of Concern",
    "retraction": "Retraction of Publication",
    "retracted-article": "Retracted Publication",
}
# related-article-type of an article that a notice was written about; the notices themselves use other words.
_NOTICES = {
    "retraction-forward": "retraction",
    "partial-retraction-forward": "correction",
    "expression-of-concern-forward": "concern",
    "concern-forward": "concern",
    "correction-forward": "correction",
}
# The date that PubMed would call that of the issue comes first.
_DATES = ("ppub", "collection", "epub-ppub", "epub", "pub", "ecorrected")

# ISO 639-1, as xml:lang has it -> the three letters of MEDLINE.
_LANGUAGES = {
    "ar": "ara", "cs": "cze", "da": "dan", "de": "ger", "el": "gre", "en": "eng", "es": "spa", "fi": "fin",
    "fr": "fre", "hu": "hun", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "dut", "no": "nor", "pl": "pol",
    "pt": "por", "ro": "rum", "ru": "rus", "sv": "swe", "tr": "tur", "uk": "ukr", "zh": "chi",
}  # fmt: skip
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each article: `PMC:PMC123`, or `PMID:123`, or `doi:10.1/x`, by the first id that it has.

    >>> meta = b"<article-meta><article-id pub-id-type='pmc'>9</article-id></article-meta>"
    >>> xml = b"<article><front>" + meta + b"</front><body><p>Mice.</p></body></article>"
    >>> [(entry.doc_id, entry.text) for entry in read(io.BytesIO(xml), "a file")]
    [('PMC:PMC9', 'Mice.')]
    """
    return read_records(stream, source, names={"article": ""}, convert=_entries)


def _entries(article: Element) -> Iterator[Entry]:
    meta = article.find("front/article-meta")
    if meta is None:
        raise ValueError("an article without <article-meta>")
    ids = identifiers(
        pmid=_article_id(meta, "pmid"),
        doi=_article_id(meta, "doi"),
        pmcid=_article_id(meta, "pmc") or _article_id(meta, "pmcid"),
    )
    title = _title(meta)
    bibliography = Bibliography(
        journal=_journal(article),
        year=_year(meta),
        language=_language(article),
        publication_types=_publication_types(article, meta),
        keywords=tuple(filter(None, map(flat_text, meta.iterfind("kwd-group/kwd")))),
        notices=_notices(meta),
    )
    yield Document(_doc_id(ids), title, tuple(sections(article)), ids, bibliography.metadata(title))


def _doc_id(ids: dict[str, str]) -> str:
    for name, prefix in (("pmcid", "PMC"), ("pmid", "PMID"), ("doi", "doi")):
        if name in ids:
            return f"{prefix}:{ids[name]}"
    raise ValueError("an article without a PMC, PubMed or DOI identifier")


def _article_id(meta: Element, kind: str) -> str:
    return flat_text(meta.find(f"article-id[@pub-id-type='{kind}']"))


def _title(meta: Element) -> str:
    group = meta.find("title-group")
    if group is None:
        return ""
    parts = [flat_text(_without_notes(part)) for part in group if part.tag in ("article-title", "subtitle")]
    return ": ".join(filter(None, parts))


def _without_notes(title: Element) -> Element:
    """The title without the footnote marks that hang on it."""
    for note in [*title.iter("fn"), *title.iterfind(".//xref[@ref-type='fn']")]:
        tail, note.tail = note.tail, None
        note.clear()
        note.tail = tail
    return title


def _journal(article: Element) -> str:
    meta = article.find("front/journal-meta")
    if meta is None:
        return ""
    return flat_text(meta.find("journal-title-group/journal-title")) or flat_text(meta.find("journal-title"))


def _year(meta: Element) -> int | None:
    years: dict[str, int] = {}
    for date in meta.iterfind("pub-date"):
        kind = date.get("pub-type") or date.get("date-type") or "pub"
        if year := first_year(flat_text(date.find("year"))):
            years[kind] = min(year, years.get(kind, year))
    return next((years[kind] for kind in _DATES if kind in years), next(iter(years.values()), None))


def _language(article: Element) -> tuple[str, ...]:
    code = article.get(_XML_LANGUAGE, "").split("-")[0].lower()
    return (_LANGUAGES.get(code, code),) if code else ()


def _publication_types(article: Element, meta: Element) -> tuple[str, ...]:
    kind = article.get("article-type", "")
    subjects = meta.iterfind("article-categories/subj-group[@subj-group-type='heading']/subject")
    named = [_PUBLICATION_TYPES.get(kind, kind), *map(flat_text, subjects)]
    return tuple(dict.fromkeys(filter(None, named)))


def _notices(meta: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for related in meta.iterfind("related-article"):
        if kind := _NOTICES.get(related.get("related-article-type", "")):
            found[kind] = (*found.get(kind, ()), *_related_id(related))
    return found


def _related_id(related: Element) -> tuple[str, ...]:
    link = related.get("{http://www.w3.org/1999/xlink}href", "").strip()
    prefix = {"pmid": "PMID:", "pubmed": "PMID:", "doi": "doi:"}.get(related.get("ext-link-type", ""), "")
    return (f"{prefix}{link}",) if link else ()
