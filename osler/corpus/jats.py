"""JATS full text, as PMC and publishers give it: front matter here, the body's text in `jats_text`.

Knows the words of `article-type`, `subject` and `related-article-type`, and PubMed's words for the same things.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from typing import TypeAlias

from osler.corpus.bibliography import Bibliography, first_year
from osler.corpus.jats_text import (
    english_abstracts,
    english_translation,
    inline_text,
    language_code,
    sections,
)
from osler.corpus.xml_records import Element, read_records
from osler.records import Document, Entry
from osler.text.identifiers import KINDS, Identifier, identifiers, spelled_identifiers

_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
# The date that PubMed would call that of the issue comes first; those behind "" only where there is no other.
_DATES = ("ppub", "collection", "epub-ppub", "epub", "pub", "ecorrected", "", "preprint", "pmc-release")
_NO_DATES = frozenset(("retracted", "withdrawn", "corrected"))
# What a group's name may hold besides the name: its members, and how to reach them.
_MEMBERS = frozenset(("contrib-group", "address", "aff", "email", "xref", "fn", "ext-link", "role"))
_HISTORY = ("pub", "epub", "published", "preprint", "accepted", "rev-recd", "received")

# ISO 639-1, as xml:lang has it -> the three letters of MEDLINE.
_LANGUAGES = {
    "ar": "ara", "cs": "cze", "da": "dan", "de": "ger", "el": "gre", "en": "eng", "es": "spa", "fi": "fin",
    "fr": "fre", "hu": "hun", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "dut", "no": "nor", "pl": "pol",
    "pt": "por", "ro": "rum", "ru": "rus", "sv": "swe", "tr": "tur", "uk": "ukr", "zh": "chi",
}  # fmt: skip

_Notices: TypeAlias = dict[str, tuple[str, ...]]
"""retraction, concern or correction -> ids of the publications that are linked."""

# PubMed's name of a kind of publication, so that one filter finds both -> article-types, or subject headings in the
# singular.
_TYPE_WORDS = {
    "Journal Article": "research-article original-article data-paper methods-article brief-report rapid-communication",
    "Review": "review-article review",
    "Systematic Review": "systematic-review",
    "Meta-Analysis": "meta-analysis",
    "Case Reports": "case-report case-study",
    "Clinical Trial": "clinical-trial",
    "Randomized Controlled Trial": "randomized-controlled-trial randomised-controlled-trial",
    "Guideline": "guideline",
    "Practice Guideline": "practice-guideline",
    "Comment": "article-commentary commentary comment reply",
    "Letter": "letter letter-to-the-editor letters-to-the-editor correspondence",
    "Editorial": "editorial",
    "News": "news in-brief",
    "Biography": "obituary",
    "Congress": "meeting-report",
    "Preprint": "preprint",
    "Published Erratum": "correction corrigendum erratum",
    "Expression of Concern": "expression-of-concern",
    "Retraction of Publication": "retraction retraction-notice retraction-note",
    "Retracted Publication": "retracted-article retracted-publication retracted withdrawn withdrawn-article "
    "withdrawal removed-article preprint-withdrawal withdrawn-preprint",
}
_PUBLICATION_TYPES = {word: name for name, words in _TYPE_WORDS.items() for word in words.split()}
_NOTICE_TYPES = frozenset(("Published Erratum", "Expression of Concern", "Retraction of Publication"))
_HEADINGS = frozenset(
    ("heading", "article-type", "articletype", "display-channel", "toc-section", "toc-heading", "section")
)
_RETRACTED_SUBJECT = re.compile(  # "Article retracted", "Retracted: Research Article"
    r"(?:(?:this|original|research|review|article|paper|preprint|has|been|was)-)*(?:retracted|withdrawn|removed)"
    r"(?:-(?:original|research|review|article|paper|preprint|publication|manuscript))*"
)
_NO_TYPES = frozenset(("", "other", "article"))
_WITHDRAWN = re.compile(r"\b(?:withdrawn|withdrawal|retracted|retraction)\b", re.IGNORECASE)

# related-article-type -> what a notice elsewhere says of this article. Without "-forward", a word names the notice.
_NOTICES = {
    "retraction": "retraction",
    "partial-retraction": "correction",
    "expression-of-concern": "concern",
    "concern": "concern",
    "correction": "correction",
    "corrigendum": "correction",
    "erratum": "correction",
}
# related-article-type -> what this article, a notice, says of another.
_NOTICE_OF = {
    "retracted-article": "retraction",
    "withdrawn-article": "retraction",
    "removed-article": "retraction",
    "partially-retracted-article": "correction",
    "object-of-concern": "concern",
    "article-of-concern": "concern",
    "corrected-article": "correction",
}
_LINK = "{http://www.w3.org/1999/xlink}href"


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each article: `PMC:PMC123`, or `PMID:123`, or `doi:10.1/x`, by the first id that it has.

    >>> meta = b"<article-meta><article-id pub-id-type='pmc'>9</article-id></article-meta>"
    >>> xml = b"<article><front>" + meta + b"</front><body><p>Mice.</p></body></article>"
    >>> [(entry.doc_id, entry.text) for entry in read(io.BytesIO(xml), "a file")]
    [('PMC:PMC9', 'Mice.')]
    """
    return read_records(stream, source, names={"article": "", "Reply": ""}, convert=_entries)


def _entries(article: Element) -> Iterator[Entry]:
    if article.tag == "Reply":
        raise ValueError(f"the source of the file says: {article.get('error') or inline_text(article) or 'no article'}")
    meta = article.find("front/article-meta")
    if meta is None:
        raise ValueError("an article without <article-meta>")
    ids = identifiers(pmid=_article_id(meta, "pmid", "pubmed"), doi=_doi(meta), pmcid=_article_id(meta, "pmc", "pmcid"))
    own_id = next((Identifier(kind, ids[kind]) for kind in ("pmcid", "pmid", "doi") if kind in ids), None)
    if own_id is None:
        raise ValueError("an article without a PMC, PubMed or DOI identifier")
    title = _title(article, meta)
    types = _publication_types(article, meta)
    about_this, about_others = _notices(article, meta, types=types)
    journal, abbreviations = _journal(article)
    bibliography = Bibliography(
        authors=_authors(meta),
        journal=journal,
        journal_abbreviations=abbreviations,
        year=_year(meta),
        language=_languages(article, meta),
        publication_types=types,
        keywords=_keywords(article, meta),
        notices=about_this,
        notice_of=about_others,
    )
    yield Document(str(own_id), title, tuple(sections(article)), ids, bibliography.metadata(title))


def _article_id(meta: Element, *kinds: str) -> str:
    """The first id of the first of these kinds that the article has; that of one version comes last."""
    ids = [(element.get("pub-id-type"), element) for element in meta.iterfind("article-id")]
    ids.sort(key=lambda pair: pair[1].get("specific-use") == "version")
    return next(
        (text for kind in kinds for name, element in ids if name == kind and (text := inline_text(element))), ""
    )


def _doi(meta: Element) -> str:
    """The DOI by its type; else an id of another type that has the form of one."""
    matches = (_DOI.search(inline_text(element)) for element in meta.iterfind("article-id"))
    return _article_id(meta, "doi") or next((match.group() for match in matches if match), "")


def _title(article: Element, meta: Element) -> str:
    """The title with its subtitle; of an article in another language, the English one behind it in brackets."""
    title = "".join(_joined_title(group, "article-title", "subtitle") for group in meta.iterfind("title-group"))
    english = "" if language_code(article) == "en" else _english_title(article, meta)
    if title and english and english != title:
        return f"{title} [{english}]"
    return title or english or inline_text(next(meta.iter("trans-title"), None))


def _english_title(article: Element, meta: Element) -> str:
    for group in meta.iterfind("title-group/trans-title-group"):
        own = group.find("trans-title")
        if "en" in (language_code(group), "" if own is None else language_code(own)):
            return _joined_title(group, "trans-title", "trans-subtitle")
    for title in meta.iterfind("title-group/trans-title"):
        if language_code(title) == "en":
            return inline_text(title)
    translation = english_translation(article)
    translated = None if translation is None else translation.find("front-stub/title-group")
    return "" if translated is None else _joined_title(translated, "article-title", "subtitle")


def _joined_title(group: Element, *names: str) -> str:
    parts = [text for part in group if part.tag in names and (text := inline_text(part))]
    return ": ".join((*(part.rstrip(" :") for part in parts[:-1]), *parts[-1:]))


def _languages(article: Element, meta: Element) -> tuple[str, ...]:
    """The article's own language, then English where a part of it is there in English too."""
    code = language_code(article)
    codes = [_LANGUAGES.get(code, code)] if code else []
    if code != "en" and (
        _english_title(article, meta) or english_abstracts(article) or english_translation(article) is not None
    ):
        codes.append("eng")
    return tuple(codes)


def _keywords(article: Element, meta: Element) -> tuple[str, ...]:
    languages = ("", "en", language_code(article))
    groups = [group for group in meta.iterfind("kwd-group") if language_code(group) in languages]
    words = [inline_text(word) for group in groups for word in group.iter("kwd")]
    for compound in (part for group in groups for part in group.iter("compound-kwd")):
        words.append(" ".join(filter(None, map(inline_text, compound))))
    return tuple(filter(None, words))


def _journal(article: Element) -> tuple[str, tuple[str, ...]]:
    """The journal's title, and its other names."""
    meta = article.find("front/journal-meta")
    if meta is None:
        return "", ()
    paths = ("journal-title-group/journal-title", "journal-title")
    title = next((text for path in paths if (text := inline_text(meta.find(path)))), "")
    short = [*meta.iterfind("journal-title-group/abbrev-journal-title"), *meta.iterfind("abbrev-journal-title")]
    short += [name for name in meta.iterfind("journal-id") if name.get("journal-id-type") in ("nlm-ta", "iso-abbrev")]
    names = dict.fromkeys(filter(None, map(inline_text, short)))
    title = title or next(iter(names), "")
    return title, tuple(name for name in names if name != title)


def _authors(meta: Element) -> tuple[str, ...]:
    contributors = meta.iterfind("contrib-group/contrib")
    authors = (person for person in contributors if person.get("contrib-type", "author") in ("author", "collab"))
    return tuple(name for person in authors if (name := _name(person)))


def _name(person: Element) -> str:
    """`Family, Given`; a group, or a name that does not tell its parts, as it is written."""
    for alternatives in [*person.iterfind("name-alternatives"), *person.iterfind("collab-alternatives")]:
        latin = [name for name in alternatives if language_code(name) == "en" or name.get("name-style") == "western"]
        return _written_name(latin[0] if latin else alternatives[0]) if len(alternatives) else ""
    written = (person.find(tag) for tag in ("name", "string-name", "collab"))
    return next((_written_name(name) for name in written if name is not None), "")


def _written_name(name: Element) -> str:
    family, forenames, suffix = (inline_text(name.find(part)) for part in ("surname", "given-names", "suffix"))
    forenames = f"{forenames} {suffix}".strip()
    if family or forenames:
        return ", ".join(filter(None, (family, forenames)))
    for part in name:
        if part.tag in _MEMBERS:
            part.tag, part.text = "fn", None  # leaves no text
    return inline_text(name).strip(" ,;")


def _year(meta: Element) -> int | None:
    """The year of the issue, else of another publication date, else of the copyright, else of the article's history."""
    years: dict[str, int] = {}
    for date in meta.iterfind("pub-date"):
        kind = date.get("pub-type") or date.get("date-type") or "pub"
        if kind == "pub" and date.get("publication-format") == "print":
            kind = "ppub"
        if (year := _date_year(date)) and kind not in _NO_DATES:
            years[kind] = min(year, years.get(kind, year))
    years[""] = next((year for kind, year in years.items() if kind not in _DATES), 0)  # of a kind that is not listed
    if published := next((year for kind in _DATES if (year := years.get(kind))), None):
        return published
    history = {date.get("date-type", ""): _date_year(date) for date in meta.iterfind("history/date")}
    history |= {event.get("event-type", ""): _date_year(event) for event in meta.iterfind("pub-history/event")}
    last_resort = (history.get(kind) for kind in _HISTORY)
    return first_year(inline_text(meta.find("permissions/copyright-year"))) or next(filter(None, last_resort), None)


def _date_year(date: Element) -> int | None:
    written = (inline_text(date.find(".//year")), date.get("iso-8601-date", ""), " ".join(map(str, date.itertext())))
    return next((year for text in written if (year := first_year(text))), None)


def _publication_types(article: Element, meta: Element) -> tuple[str, ...]:
    """By the article-type and by those subject headings that name a kind of publication, not a field."""
    kind = article.get("article-type", "").strip().lower()
    groups = [*meta.iterfind("article-categories/subj-group")]
    headings = [group for group in groups if group.get("subj-group-type", "heading").lower() in _HEADINGS]
    subjects = [_singular(inline_text(subject)) for group in headings for subject in group.iter("subject")]
    by_subject = [_PUBLICATION_TYPES.get(subject, "") for subject in subjects]
    by_subject += ["Retracted Publication" for subject in subjects if _RETRACTED_SUBJECT.fullmatch(subject)]
    by_kind = "" if kind in _NO_TYPES else _PUBLICATION_TYPES.get(kind, kind)
    by_version = "Retracted Publication" if _is_withdrawn(meta) else ""
    types = dict.fromkeys(filter(None, (by_kind, *by_subject, by_version)))
    if by_kind in _NOTICE_TYPES:  # a notice speaks of another article
        types.pop("Retracted Publication", None)
    return tuple(types)


def _singular(subject: str) -> str:
    """The subject in the form of an article-type: `Case Reports` is `case-report`."""
    words = re.sub(r"[^a-z]+", "-", subject.lower()).strip("-").removesuffix("-article")
    return words.removesuffix("s") if words not in _PUBLICATION_TYPES else words


def _is_withdrawn(meta: Element) -> bool:
    """Whether a statement on the version says so, as those of preprints do."""
    states = [element.get("event-type", "") for element in meta.iterfind("pub-history/event")]
    states += [element.get("date-type", "") for element in meta.iterfind("history/date")]
    states += [element.get("date-type", "") for element in meta.iterfind("pub-date")]
    versions = [*meta.iterfind("article-version"), *meta.iterfind("article-version-alternatives/article-version")]
    states += map(inline_text, versions)
    for custom in meta.iterfind("custom-meta-group/custom-meta"):
        if "status" in inline_text(custom.find("meta-name")).lower():
            states.append(inline_text(custom.find("meta-value")))
    return any(map(_WITHDRAWN.search, states))


def _notices(article: Element, meta: Element, *, types: Collection[str]) -> tuple[_Notices, _Notices]:
    """What notices elsewhere say of this article, and what this one, as a notice, says of others."""
    is_notice = not _NOTICE_TYPES.isdisjoint(types)
    about_this: _Notices = {}
    about_others: _Notices = {}
    related = [*meta.iter("related-article", "related-object")]
    if is_notice:
        related += [part for body in article.iterfind("body") for part in body.iter("related-article")]
    for link in related:
        word = link.get("related-article-type") or link.get("link-type") or ""
        kind = _NOTICES.get(word.removesuffix("-forward"), "")
        ids_by_kind = about_this
        if word in _NOTICE_OF or (kind and is_notice and not word.endswith("-forward")):
            kind, ids_by_kind = _NOTICE_OF.get(word, kind), about_others
        if kind:
            ids_by_kind[kind] = tuple(dict.fromkeys((*ids_by_kind.get(kind, ()), *_related_ids(link))))
    return about_this, about_others


def _related_ids(related: Element) -> tuple[str, ...]:
    """All ids that the link gives, as documents spell theirs."""
    links = [(related.get("ext-link-type", ""), related.get(_LINK, ""))]
    links += [(related.get(f"{name}-type", ""), related.get(name, "")) for name in ("object-id", "document-id")]
    for part in related.iter("pub-id", "article-id", "object-id", "ext-link"):
        kind = part.get("pub-id-type") or part.get("ext-link-type") or ""
        links.append((kind, part.get(_LINK) or inline_text(part)))
    ids: list[Identifier] = []
    for kind, value in links:
        kind = {"pubmed": "pmid", "pmc": "pmcid"}.get(kind, kind)
        named = next(filter(None, map(spelled_identifiers, (value, *value.split()))), {})
        if not named and kind in KINDS:  # digits, whose kind the link tells apart
            named = identifiers(**{kind: value})
        ids += map(Identifier, named.keys(), named.values())
    return tuple(dict.fromkeys(map(str, ids)))
