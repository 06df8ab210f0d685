"""What the title of a publication says of its own state: retracted, withdrawn, doubted. Knows no file format.

Publishers mark a study by words before or behind its title: "RETRACTED: …", "WITHDRAWN: …", "… (Retracted article. See
vol. 7, 2010)". A notice bears the same words about another publication, and a study may be about the retraction of the
tongue; neither is retracted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

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
    marker, first = marker.casefold(), study.split()[0].strip(":;,.\"'“”‘’") if study else ""
    noun = marker in ("retraction", "removal", "withdrawal")
    loud = match[2].isupper() and not study.isupper()
    if not study:
        return not noun and "concern" not in marker
    if not _END.search(end):  # "RETRACTED Effect of x on mice"
        return loud and not noun and first[:1].isupper() and not first.isupper()
    if loud or (opening.rstrip()[-1:] in ("[", "(", "*") and end.lstrip()[:1] in ("]", ")", "*")):
        return True
    if marker in ("removal", "withdrawal") or _ONLY_A_KIND.match(study):
        return False
    if first.islower() and first.isascii() and first.replace("-", "").isalpha():
        return marker.startswith("retracted") and not _SUBTITLE.match(first)
    about_itself = {"retraction": r"retract", "retracted": r"\bretract(?:ed|ions)\b"}.get(marker)
    return not (about_itself and re.search(about_itself, study, re.IGNORECASE))
