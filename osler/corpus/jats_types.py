"""What kind of publication a JATS article is, and which articles are said to be retracted or corrected by which.

Knows the words of `article-type`, `subject` and `related-article-type`, and PubMed's words for the same things.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TypeAlias

from osler.corpus.jats_text import inline_text
from osler.corpus.xml_records import Element

Notices: TypeAlias = dict[str, tuple[str, ...]]
"""retraction, concern or correction -> ids of the publications that are linked."""

# article-type, or a subject heading in the singular -> the name that PubMed gives such a publication, so that one
# filter finds both.
_PUBLICATION_TYPES = {
    "research-article": "Journal Article",
    "original-article": "Journal Article",
    "data-paper": "Journal Article",
    "methods-article": "Journal Article",
    "brief-report": "Journal Article",
    "rapid-communication": "Journal Article",
    "review-article": "Review",
    "review": "Review",
    "systematic-review": "Systematic Review",
    "meta-analysis": "Meta-Analysis",
    "case-report": "Case Reports",
    "case-study": "Case Reports",
    "clinical-trial": "Clinical Trial",
    "randomized-controlled-trial": "Randomized Controlled Trial",
    "randomised-controlled-trial": "Randomized Controlled Trial",
    "guideline": "Guideline",
    "practice-guideline": "Practice Guideline",
    "article-commentary": "Comment",
    "commentary": "Comment",
    "comment": "Comment",
    "reply": "Comment",
    "letter": "Letter",
    "letter-to-the-editor": "Letter",
    "letters-to-the-editor": "Letter",
    "correspondence": "Letter",
    "editorial": "Editorial",
    "news": "News",
    "in-brief": "News",
    "obituary": "Biography",
    "meeting-report": "Congress",
    "preprint": "Preprint",
    "correction": "Published Erratum",
    "corrigendum": "Published Erratum",
    "erratum": "Published Erratum",
    "expression-of-concern": "Expression of Concern",
    "retraction": "Retraction of Publication",
    "retraction-notice": "Retraction of Publication",
    "retraction-note": "Retraction of Publication",
    **dict.fromkeys(
        ("retracted-article", "retracted-publication", "retracted", "withdrawn", "withdrawn-article", "withdrawal",
         "removed-article", "preprint-withdrawal", "withdrawn-preprint"),
        "Retracted Publication",
    ),
}  # fmt: skip
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
_DOI = re.compile(r"10\.\d+(?:\.\d+)*/\S+")
_PMCID = re.compile(r"PMC\d+", re.IGNORECASE)
_PUBMED_LINK = re.compile(r"pubmed[^\d]*/(\d+)", re.IGNORECASE)
_LINK = "{http://www.w3.org/1999/xlink}href"


def publication_types(article: Element, meta: Element) -> tuple[str, ...]:
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


def notices(article: Element, meta: Element, *, types: Collection[str]) -> tuple[Notices, Notices]:
    """What notices elsewhere say of this article, and what this one, as a notice, says of others."""
    is_notice = not _NOTICE_TYPES.isdisjoint(types)
    about_this: Notices = {}
    about_others: Notices = {}
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
    """All ids that the link gives, in our spelling."""
    values = [(related.get("ext-link-type", ""), related.get(_LINK, ""))]
    values += [(related.get(f"{name}-type", ""), related.get(name, "")) for name in ("object-id", "document-id")]
    for part in related.iter("pub-id", "article-id", "object-id", "ext-link"):
        kind = part.get("pub-id-type") or part.get("ext-link-type") or ""
        values.append((kind, part.get(_LINK) or inline_text(part)))
    return tuple(dict.fromkeys(filter(None, (_spelled(kind, value.strip()) for kind, value in values))))


def _spelled(kind: str, value: str) -> str:
    if doi := _DOI.search(value):
        return f"doi:{doi.group().rstrip('.')}"
    if pmcid := _PMCID.search(value):
        return f"PMC:{pmcid.group().upper()}"
    if link := _PUBMED_LINK.search(value):
        return f"PMID:{link[1]}"
    if not value.isdigit():
        return ""
    return {
        "pmid": f"PMID:{value}",
        "pubmed": f"PMID:{value}",
        "pmc": f"PMC:PMC{value}",
        "pmcid": f"PMC:PMC{value}",
    }.get(kind, "")
