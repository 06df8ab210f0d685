"""What is known of a publication besides its text: the names of its metadata, and what its title says of its state.

Publishers mark a study by words before or behind its title: "RETRACTED: …", "WITHDRAWN: …", "… (Retracted article. See
vol. 7, 2010)". A notice bears the same words about another publication, and a study may be about the retraction of the
tongue; neither is retracted. Knows no file format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from osler.records import is_retracted

_YEAR = re.compile(r"(?<!\d)((?:1[5-9]|20)\d\d)(?:(?:0\d|1[0-2])(?:[0-3]\d)?)?(?!\d)")
_NO_TITLE = re.compile(
    r"\W*(?:(?:no )?(?:english )?title (?:is )?(?:not )?available|not available|in process citation|no title)?\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bibliography:
    """What is known of a publication besides its text.

    authors: in their order, `Osler, William` each, as far as the source tells given names;
    journal_abbreviations: the names of the journal besides its title, such as `J Biol Chem`;
    notices: retraction, concern or correction -> ids of the notices that were published about this publication;
    notice_of: the same kinds -> ids of the publications that this one is a notice about;
    vernacular_title: the title in the language of the text, where `title` is its translation;
    text_language: the language of the text, where that is no English abstract.

    >>> Bibliography(year=1998, notices={"retraction": ("PMID:2",)}).metadata("Mice")["retracted"]
    True
    """

    version: int = 1
    authors: tuple[str, ...] = ()
    journal: str = ""
    journal_abbreviations: tuple[str, ...] = ()
    year: int | None = None
    language: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    mesh_major: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notice_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vernacular_title: str = ""
    text_language: str = ""

    def metadata(self, title: str) -> dict[str, Any]:
        """JSON values by name: the four states always, the rest where it is known."""
        said = title_state(title, self.publication_types) if not self.notice_of else ""
        marked = is_retracted({"publication_types": self.publication_types})
        values: dict[str, Any] = {
            "authors": list(self.authors),
            "journal": self.journal,
            "journal_abbreviations": list(self.journal_abbreviations),
            "year": self.year,
            "language": list(self.language),
            "publication_types": list(self.publication_types),
            "mesh": list(self.mesh),
            "mesh_major": list(self.mesh_major),
            "keywords": list(self.keywords),
            "vernacular_title": self.vernacular_title,
            "text_language": self.text_language,
            "notices": {kind: list(ids) for kind, ids in self.notices.items() if ids},
            "notice_of": {kind: list(ids) for kind, ids in self.notice_of.items() if ids},
        }
        return {
            "version": self.version,
            "retracted": "retraction" in self.notices or marked or said == "retraction",
            "concern": "concern" in self.notices or said == "concern",
            "corrected": "correction" in self.notices,
            **{name: value for name, value in values.items() if value},
        }


def choose_title(title: str, vernacular: str) -> tuple[str, str]:
    """The title to show, and the vernacular one where that is another.

    NLM writes a placeholder where it has no English title; the vernacular title takes its place.

    >>> choose_title("[Not Available].", "Vom Fieber."), choose_title("[On fever].", "Vom Fieber.")
    (('Vom Fieber.', ''), ('[On fever].', 'Vom Fieber.'))
    """
    if _NO_TITLE.fullmatch(title):
        return vernacular or title, ""
    return title, "" if vernacular == title else vernacular


def related_ids(reference: str) -> tuple[str, ...]:
    """The PMIDs that NLM's reference to another publication ends with, else its DOI.

    >>> related_ids("J Mice. 2003;5(1):7. doi: 10.1/abc. PMID: 8"), related_ids("J Mice. 2003;5(1):7. doi: 10.1/abc.")
    (('PMID:8',), ('doi:10.1/abc',))
    """
    pmids = tuple(f"PMID:{pmid}" for pmid in re.findall(r"\bPMID: *(\d+)", reference))
    return pmids or tuple(f"doi:{doi}" for doi in re.findall(r"\bdoi: *(10\.[^\s/]+/\S*[^\s.,;])", reference, re.I))


def related_by_kind(references: Iterable[tuple[str, str]], *, own: str) -> dict[str, tuple[str, ...]]:
    """Kind -> ids of the publications that these (kind, reference) pairs name, each once and never the own id.

    A kind stays where its references name no id: that there is a notice counts by itself.

    >>> related_by_kind([("retraction", "J Mice. 2003. PMID: 8"), ("concern", "J Mice. 2004")], own="PMID:7")
    {'retraction': ('PMID:8',), 'concern': ()}
    """
    ids_by_kind: dict[str, tuple[str, ...]] = {}
    for kind, reference in references:
        related = (name for name in related_ids(reference) if name != own)
        ids_by_kind[kind] = tuple(dict.fromkeys((*ids_by_kind.get(kind, ()), *related)))
    return ids_by_kind


def first_year(text: str) -> int | None:
    """The first year that the text names, also at the head of a date without dashes, or None.

    >>> first_year("1998 Dec-1999 Jan"), first_year("20010315")
    (1998, 2001)
    """
    match = _YEAR.search(text)
    return int(match[1]) if match else None


State = Literal["", "retraction", "concern"]

_NOTICE_TYPES = frozenset(
    {
        "retraction of publication", "retraction notice", "retraction", "partial retraction", "withdrawal notice",
        "removal notice", "published erratum", "erratum", "corrigendum", "correction", "addendum",
        "expression of concern",
    }
)  # fmt: skip
_LONG = 1000  # characters at either end of a title: what is between them marks nothing
_THING = r"(?:article|paper|publication|manuscript|chapter|preprint|study|review)"
_BY_WHOM = (
    r"(?: (?:as (?:an? )?duplicate\w*(?: publication)?|at (?:the )?(?:author|publisher)['’]?s?['’]? request|"
    r"(?:at the request of|by) (?:the )?(?:authors?|publishers?|editors?|journal)))?"
)
_MARKER = (
    rf"(?:(?:this {_THING} (?:has been|was|is) )?(?:retracted|withdrawn|removed)(?: {_THING})?|"
    rf"{_THING} (?:retracted|withdrawn|removed)|retraction|withdrawal|(?:temporary |permanent )?removal){_BY_WHOM}"
)
_DATE = r"(?:\s*[(\[][^()\[\]]*\d[^()\[\]]*[)\]])?"
_BEFORE = re.compile(rf"(\W*)\b({_MARKER}(?:\s?/\s?{_MARKER})?)\b{_DATE}(\W*)(.*)", re.IGNORECASE | re.DOTALL)
_CONCERN_BEFORE = re.compile(r"(\W*)\b((?:editorial )?expression of concern)\b(\W*)(.*)", re.IGNORECASE | re.DOTALL)
# What ends a marker. A hyphen or an en dash within words does not: "Retraction-induced", "Retraction–protraction".
_END = re.compile(r"[:.;|!\])}>*»—]|\s[-–]|[-–]\s|--")
_BEHIND = re.compile(
    rf"[(\[]\s*(?:this )?(?:{_THING} )?retracted(?: {_THING})?"
    r"(?:(?:[.:;,]|\s(?:by|in|on|see|due|at)\s)[^\[\]]*)?[)\]]\W*$|"
    rf"[(\[]\s*withdrawn {_THING}(?:[.:;,][^\[\]]*)?[)\]]\W*$|"
    r"\[\s*(?:retraction|withdrawn|removed)\s*\]\W*$",
    re.IGNORECASE,
)
_BEHIND_IN_CAPITALS = re.compile(
    rf"(?:\b(?:RETRACTED|WITHDRAWN)|\(Withdrawn|\(REMOVED|(?:[.:]|\s[-–—|])\s(?:Retracted|Withdrawn)|\s[-–—|]\sretracted)"
    rf"(?: (?i:{_THING}))?[^\w?]*$"
)
_CONCERN_BEHIND = re.compile(
    r"[(\[]\s*(?:publication with )?expression of concern\b(?! of| for| to)[^()\[\]]*[)\]]\W*$", re.IGNORECASE
)
_NOTICE = re.compile(
    r"\W*(?:(?:partial|author|publisher|editor|editorial)(?:['’]?s['’]?)? )*(?:"
    r"(?:retraction|withdrawal|removal)s? (?:notice|note|statement|announcement)\b|"
    r"(?:retraction|withdrawal) (?:of|to|for)\s*[:\"'“”‘«]|"
    r"(?:notice|statement|note) of (?:\w+ )?(?:retraction|withdrawal|concern|correction)\b|"
    r"(?:correction|corrigend(?:um|a)|errat(?:um|a)|addendum)(?: (?:to|for|in))?\s*(?:[:.\"'“”‘«\])]|\s[-–—]|$))|"
    r".*[(\[](?:retraction|withdrawal|correction) (?:of|to|for) (?:vol|pg|p\.|art|doi|[\"“‘])",
    re.IGNORECASE | re.DOTALL,
)
_STATEMENT = re.compile(
    rf"\W*(?:(?:this|the (?:above|following)) (?:\w+ )?{_THING} (?:has been|was|is being) (?:retracted|withdrawn)\b|"
    rf"(?:the )?authors? ha(?:s|ve) withdrawn (?:this|their|the) {_THING}\b)",
    re.IGNORECASE,
)
_SUBTITLE = re.compile(r"(?:an?|are|can|do|does|how|is|lessons|should|the|what|when|where|which|who|why)\b")
_ONLY_A_KIND = re.compile(
    r"(?:(?:an?|the) (?:[\w-]+ ){0,3}(?:analysis|guide|history|meta-analysis|primer|study|trial|update)|"
    r"(?:(?:an?|the) (?:[\w-]+ ){0,3}|[\w-]+ )?(?:review|survey|overview|report))s?\W*$",
    re.IGNORECASE,
)


def title_state(title: str, publication_types: Iterable[str] = ()) -> State:
    """What the title says of the publication that bears it; "" of a notice, which is about another publication.

    >>> title_state("WITHDRAWN: Interventions for cough"), title_state("Retraction of the tongue in infants")
    ('retraction', '')
    >>> title_state("Retraction: Effect of x on mice", ["Retraction of Publication"])
    ''
    """
    title = title[:_LONG] + title[_LONG:][-_LONG:]
    if is_notice(publication_types, title):
        return ""
    capitals = _BEHIND_IN_CAPITALS.search(title)
    behind = _BEHIND.search(title) or (capitals and not title[: capitals.start()].isupper())
    if behind or _marks_a_study(_BEFORE.match(title)):
        return "retraction"
    return "concern" if _marks_a_study(_CONCERN_BEFORE.match(title)) or _CONCERN_BEHIND.search(title) else ""


def is_notice(publication_types: Iterable[str], title: str = "") -> bool:
    """Whether one of these types, or the title, is that of a notice about another publication.

    >>> is_notice(["Journal Article"]), is_notice(["Retraction of Publication"]), is_notice([], "Erratum")
    (False, True, True)
    """
    types = (re.sub(r"[\s_-]+", " ", name).strip().casefold() for name in publication_types)
    return not _NOTICE_TYPES.isdisjoint(types) or _NOTICE.match(title) is not None


def says_retracted(text: str) -> bool:
    """Whether the text begins with the statement that its publication was retracted, as some abstracts and notes do.

    >>> says_retracted("This article has been retracted: please see our policy."), says_retracted("Skin was retracted.")
    (True, False)
    """
    return _STATEMENT.match(text[:_LONG]) is not None


def _marks_a_study(match: re.Match[str] | None) -> bool:
    """Whether the first words mark the title behind them, rather than begin the title of a study themselves.

    Punctuation ends a marker, and the title of the study follows. In "Retraction: a bilingual study" a subtitle does:
    it goes on in small letters, names no more than a kind of study, or is about retraction itself. A marker in capitals
    before a title that is not, or in brackets of its own, leaves no doubt.
    """
    if match is None:
        return False
    opening, marker, end, study = match.groups()
    marker, word = marker.casefold(), study.split()[0].strip(":;,.\"'“”‘’") if study else ""
    noun = marker in ("retraction", "removal", "withdrawal")
    loud = match[2].isupper() and not study.isupper()
    if not study:
        return not noun and "concern" not in marker
    if not _END.search(end):  # "RETRACTED Effect of x on mice"
        return loud and not noun and word[:1].isupper() and not word.isupper()
    if loud or (opening.rstrip()[-1:] in ("[", "(", "*") and end.lstrip()[:1] in ("]", ")", "*")):
        return True
    if marker in ("removal", "withdrawal") or _ONLY_A_KIND.match(study):
        return False
    if word.islower() and word.isascii() and word.replace("-", "").isalpha():
        return marker.startswith("retracted") and not _SUBTITLE.match(word)
    about_itself = {"retraction": r"retract", "retracted": r"\bretract(?:ed|ions)\b"}.get(marker)
    return not (about_itself and re.search(about_itself, study, re.IGNORECASE))
