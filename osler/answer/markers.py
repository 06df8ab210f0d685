"""The passages that a reply names, in every spelling that models find: numbers, markers, superscripts, ids, titles.

Knows text, JSON values and the names of passages; knows nothing of sentences or of what they say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from osler.answer.markup import SUPERSCRIPTS
from osler.records import RankedPassage
from osler.text.number_words import CARDINAL, cardinal

Names = Mapping[str, int]
"""The number of a passage by each of its names, as `passage_names` spells them."""

# Numbers, and names that stand for them.
_SHORTEST_NUMBER = 4  # digits of an id that stand for the whole of it, as of PMID:31588070
_LONGEST_RANGE = 50  # [1-9999] is no list of passages
_DEEPEST = 6

_LABEL = r"(?:passages?|documents?|docs?|sources?|references?|refs?|citations?|cite|evidence|texts?|context|no|nr|id)"
_LABELLED = re.compile(rf"(?:see\s+)?(?:(?:{_LABEL}(?![a-z])|[ps](?=\d)|[#^@])[\s.:#_-]*)+", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(?:[,;&/|]|\band\b|\]\s*\[)\s*")
_NUMBER = re.compile(r"(\d{1,4})(?:\s*(?:[-–—−‑]|to)\s*(\d{1,4}))?")
_TITLED = re.compile(r"(\d{1,3})\s*[:–—-]\s*(.+)")
_NAMED = re.compile(rf"\b{_LABEL}[\s.:#_-]*(\d{{1,4}})\b", re.IGNORECASE)
_NUMBERED = re.compile(r"\W*(\d{1,3})\s*(?:[.:)–—-]\s+\D|\()")
_KEYS = ("passage", "number", "passage_number", "id", "passage_id", "doc_id", "index", "citation", "source", "ref")
_NOTHING = frozenset({"", "none", "null", "n/a", "na", "-", "—", "[]"})

OPENING, CLOSING = r"\[【［〔⟦⟨〈{", r"\]】］〕⟧⟩〉}"
"""The brackets that markers stand in, for a class of a regular expression."""

# Where a text may hold a marker: in brackets or parentheses, as an id, or raised.
_BRACKETS = re.compile(
    r"(?:\\(?:cite|textsuperscript|footnote)\w*\s*|\$?\^)?"
    rf"[{OPENING}]([^{OPENING}{CLOSING}\n]{{1,120}})[{CLOSING}](?:\^|\$(?!\d))?"
)
# Labels that count within brackets alone: elsewhere "study 1" and "result 2" are prose.
_BRACKETED_LABEL = re.compile(
    r"(?:article|study|paper|abstract|excerpt|extract|chunk|snippet|result|item|entry|record|publication|footnote|note"
    r"|quelle|beleg|fuente|fonte|bron|źródło|источник|来源|來源|文献|文獻|引用|参考|出典|출처)s?[\s.:#_-]*(?=\d)"
    r"|[dre](?=\d{1,2}$)",
    re.IGNORECASE,
)
_LOCATOR = re.compile(
    r"(?<=\d)(?:(?-i:[a-d])\b|\s*[,:]\s*(?:pp?\.|pages?|lines?|l\.|abstract|title|sections?|§|para).*)", re.I
)
_PARENTHESES = re.compile(r"\(([^()\n]{1,80})\)")
_ENDS = re.compile(r"\s*[.!?]+(?=\s|$)|\s*$", re.MULTILINE)
_ID = re.compile(r"[\[(](?:pmid|pmcid|pmc|doi)\b[^\[\]()]{0,80}[\])]|[\[(](?:pmc)\d+[\])]", re.IGNORECASE)
# Behind a full stop or a word of four letters; behind a shorter one or a digit it is an exponent: 10⁶, m², min⁻¹.
_RAISED = re.compile(
    r"(?:(?<=[.!?,;:)”\"])|(?<=[^\W\d_]{4})|(?<=[^\W\d_]{4}\s)|(?<=[.!?]\s))([⁰¹²³⁴-⁹]+(?:[,⁻–-][⁰¹²³⁴-⁹]+)*)(?!\w|⁻)"
)
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

# Spellings that `_uniform` replaces.
_PRIVATE = re.compile("\ue200[^\ue200\ue201]{0,200}\ue201")  # between these, ChatGPT names what it searched
_CIRCLED = re.compile("[①-⑳⑴-⒇❶-❿➀-➓]")
_ANGLED = re.compile(r"<(\d{1,2}(?:,\s*\d{1,2})*)>")
_CARET_AT_END = re.compile(r"(?<=[^\W\d_]{4})(\s?)\$?\^(\d{1,2}(?:,\d{1,2})*)(?:\^|\$)?(?=[\s.!?,;]|$)")
_FULL_WIDTH = str.maketrans("（）", "()")
_HALF = re.compile(r"(?<=\s)[\[#@]\s?(\d{1,2})>?(?=[.!?]*\s*$)", re.MULTILINE)

# What stands in brackets at the end of a sentence and is a citation, though not of what: a bare number, a letter, a
# label with a number, an author with a year. Statistics, units and names of molecules are none.
_UNREAD = re.compile(
    r"【[^【】\n]{0,120}】|\[\s*(?:[-−]?[\d\s.,;:~/–-]{1,30}|[A-Z]|[ivx]{1,4}|[…?†‡§#*.]{1,3}"
    r"|(?!(?:table|fig|figure|grade|day|week|month|year|phase|type|stage|level|class|group|arm|cohort|age|aged)s?\b)"
    r"[^\W\d_]{3,15}[\s.:#_]{0,3}\d{1,3}[a-z]?"
    r"|(?:citations?|references?|refs?|sources?|passages?|cite)(?: needed)?"
    r"|(?:pp?\.|pages?|lines?|https?:)[^\[\]\n]{0,60}"
    r"|(?:[^\W\d_][\w'’-]*,?\s+(?:(?:et al\.?|and|&)[^\[\]\n]{0,40})?\(?)(?:19|20)\d\d[a-z]?\)?)\s*\]"
    r"|\([^\W\d_][\w'’-]*\s+(?:et al\.?|and|&)[^()\n]{0,40}(?:19|20)\d\d[a-z]?\)",
    re.IGNORECASE,
)
_INTERVAL = re.compile(r"\d[.,·]\d+\s*(?:[-–—,;]|to)\s*\d")
_NOTHING_MORE = re.compile(r"[\s.!?,;:、。)]*$")

# Prose that names a passage: "According to passage 1, …", "…, as stated in [2]".
_NUMBERS = r"\d{1,2}(?:\s*(?:,|and|&)\s*\d{1,2})*"
_MARKERS = r"\[[\d,]+\](?:\s*(?:,|and|&)\s*\[[\d,]+\])*"
_SOURCE = rf"(?:(?:the )?(?:passages?|documents?|sources?)\s+(?:{_NUMBERS}|{_MARKERS})|{_MARKERS})"
_SAYS = r"(?:states?|reports?|says?|shows?|finds?|found|notes?|indicates?|suggests?|describes?|mentions?)"
_ATTRIBUTION = re.compile(
    rf"(?:^|(?<=[.!?]\s))(?:(?:According to|As in|In|From|Per|Based on|As \w+ in)\s+(?P<source>{_SOURCE})\s*[,:]"
    rf"|As\s+(?P<noting>{_SOURCE})\s+{_SAYS},|(?P<saying>{_SOURCE})\s+(?:also\s+)?{_SAYS}\s+that)\s+(?P<letter>\w)",
    re.IGNORECASE | re.MULTILINE,
)
_ATTRIBUTED = re.compile(
    rf"(?<![.!?\s])[\s,–—-]{{1,3}}(?:as\s+\w+\s+(?:in|by)|according to|based on|from|per|see|in)"
    rf"\s+({_SOURCE})(?=[.!?]+(?:\s|$)|[ \t]*(?:\n|$))",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:according to |as |in |from |per )?passages?\s+(\d{1,2})(?:\s*(?:,|and|&)\s*(\d{1,2}))?\b", re.I
)

# Canonical markers, and where they stand before they are put before a full stop.
_CANONICAL = r"\[\d+(?:,\d+)*\]"
_LATE = re.compile(rf"([.!?]+[”\"’'»)]*)[ \t]*((?:{_CANONICAL}[ \t]*)+)(?=\s|$|[^\W\d_])")
_OWN_LINE = re.compile(rf"\s*\n\s*\(?((?:{_CANONICAL}[ \t]*)+)\)?[ \t]*(?=\n|$)")
_WRAPPED = re.compile(rf"\(\s*(?:(?:see|from|{_LABEL})[\s:]*)*((?:{_CANONICAL}[\s,;]*)+)\)", re.IGNORECASE)
_LEADING = re.compile(rf"\W*{_CANONICAL}\s*\w(?!.*\][\s.!?]*$)")  # "[1] A. [2] B.": each marker is of what follows
_SPACE_BEFORE_END = re.compile(r"\s+(?=[.,;:!?]{1,3}[”\"’']?(?:\s|$))")


def passage_names(passages: Sequence[RankedPassage]) -> dict[str, int]:
    """The number, from 1, of each passage by its id, its document's id with and without prefix, and its title.

    A name that several passages share is that of the first.
    """
    names: dict[str, int] = {}
    for number, ranked in enumerate(passages, start=1):
        passage = ranked.passage
        bare = passage.doc_id.rpartition(":")[2]
        bare = bare if bare.isdigit() and len(bare) >= _SHORTEST_NUMBER else passage.doc_id
        for name in (passage.passage_id, passage.doc_id, bare, passage.title):
            names.setdefault(_spelled(name), number)
    names.pop("", None)
    return names


def canonical(text: str, passages: int, names: Names) -> str:
    """The text with every marker written as [1,2], before the full stop of the sentence that it belongs to.

    >>> canonical("It is fluid.【1†source】 It presses (passages 1 and 2). 10⁶ died.² See [PMID:7].", 2, {"pmid:7": 1})
    'It is fluid [1]. It presses (passages 1 and 2). 10⁶ died [2]. See [1].'
    >>> canonical("It presses (passages 1 and 2).", 2, {})
    'It presses [1,2].'
    """

    def bracketed(match: re.Match[str]) -> str:
        titled = _TITLED.fullmatch(match[1])  # [1: Aspirin after stroke]
        numbers = [int(titled[1])] if titled and names_passage(titled[2], names) else _listed(match[1], names)
        numbers = numbers or _labelled(match[1], passages)
        return f"[{_joined(numbers)}]" if numbers else match[0]

    def in_parentheses(match: re.Match[str]) -> str:
        named = _LABELLED.match(match[1]) or _ID.match(match[0]) or (":" in match[1] and _spelled(match[1]) in names)
        numbers = _listed(match[1], {}) or []  # (2) may be anything but at the end of a sentence
        last = _ENDS.match(match.string, match.end()) and all(1 <= number <= passages for number in numbers)
        return bracketed(match) if named or (numbers and last) else match[0]

    def raised(match: re.Match[str]) -> str:
        numbers = _listed(match[1].translate(_DIGITS), {}) or []
        if not all(1 <= number <= passages for number in numbers):
            numbers = [int(digit) for digit in match[1].translate(_DIGITS) if digit.isdigit()]
        return f"[{_joined(numbers)}]" if all(1 <= number <= passages for number in numbers) else match[0]

    def before_end(match: re.Match[str]) -> str:
        return f" {match[2].strip()}{match[1]} "

    def attributed(match: re.Match[str]) -> str:
        source = next(filter(None, match.groups()))
        numbers = [int(number) for number in re.findall(r"\d+", source)]
        if "[" not in source and not all(1 <= number <= passages for number in numbers):
            return match[0]
        letter = match.groupdict().get("letter")
        return f"[{_joined(numbers)}] {letter.upper()}" if letter else f" [{_joined(numbers)}]"

    marked = _WRAPPED.sub(r"\1", _BRACKETS.sub(bracketed, _uniform(text)))
    if not re.search(_CANONICAL, marked):  # who writes [1] means cells of passage 3 by (passage 3)
        marked = _PARENTHESES.sub(in_parentheses, marked)
    lines = _OWN_LINE.sub(r" \1", _RAISED.sub(raised, marked)).splitlines()
    ended = [line if _LEADING.match(line) else _LATE.sub(before_end, line) for line in lines]
    return _ATTRIBUTED.sub(attributed, _ATTRIBUTION.sub(attributed, "\n".join(ended))).strip()


def _uniform(text: str) -> str:
    """The text with circled and angled numbers, carets and brackets that lack a half in the commoner spellings.

    >>> _uniform("It is fluid ①. It presses <2>. It grows ^3. It stays [1.")
    'It is fluid [1]. It presses [2]. It grows ³. It stays [1].'
    """
    text = _PRIVATE.sub("[?]", text).translate(_FULL_WIDTH)
    text = _CIRCLED.sub(lambda match: f"[{int(unicodedata.numeric(match[0]))}]", text)
    text = _CARET_AT_END.sub(lambda match: match[1] + match[2].translate(SUPERSCRIPTS), _ANGLED.sub(r"[\1]", text))
    text = re.sub(r"\[\s*(\d[\d\s,;–-]{0,30})\]", lambda match: f"[{' '.join(match[1].split())}]", text)
    return _HALF.sub(r"[\1]", text)


def without_markers(text: str) -> str:
    """The canonical text without its markers, on one line."""
    plain = " ".join(_ID.sub(" ", re.sub(rf"\[\s*\]|[\[\]]?{_CANONICAL}[\]、。]*", " ", text)).split())
    return _SPACE_BEFORE_END.sub("", re.sub(r"(?:\s[–—-]|;)(?=\s?[.!?]*$)", "", plain)).lstrip("-–—: ")


def names_another(text: str) -> bool:
    """Whether a canonical sentence cites what is none of the passages, or ends with a citation that cannot be read.

    >>> [names_another(f"It is fluid {end}.") for end in ("[PMID:9]", "[Smith 2012]", "[95% CI 1]")]
    [True, True, False]
    """
    unread = [match for match in _UNREAD.finditer(text) if _NOTHING_MORE.match(text, match.end())]
    return _ID.search(text) is not None or any(not _INTERVAL.search(match[0]) for match in unread)


def says_nothing(text: str) -> bool:
    """Whether a canonical sentence is citations and nothing more, read or not."""
    return not any(map(str.isalpha, _UNREAD.sub(" ", without_markers(text))))


def names_passage(text: str, names: Names) -> bool:
    """Whether the text is the name of a passage, with or without its year, and nothing more."""
    return _untitled(text) in names


def _untitled(text: str) -> str:
    return _spelled(re.sub(r"[\s,]*\(?\b\d{4}\)?\W*$", "", text))


def numbers_in(text: str, passages: int) -> list[int]:
    """The numbers of the markers in a canonical sentence; without any, those of "Passage 2 says" at its beginning."""
    marked = [int(number) for marker in re.findall(_CANONICAL, text) for number in re.findall(r"\d+", marker)]
    opening = _OPENING.match(text)
    if marked or opening is None:
        return marked
    return [int(number) for number in opening.groups() if number and 1 <= int(number) <= passages]


def numbers_of(value: Any, names: Names, depth: int = 0) -> list[int] | None:
    """The numbers that a JSON value gives, [] where it gives none on purpose, None where it cannot be read.

    >>> [numbers_of(value, {"pmid:7": 2}) for value in (1, 1.0, "[1]", "1, 2", ["1-3"], {"passage": 1}, "PMID: 7", "¹")]
    [[1], [1], [1], [1, 2], [1, 2, 3], [1], [2], [1]]
    >>> numbers_of(["none of them"], {}), numbers_of(True, {}), numbers_of(None, {})
    (None, None, [])
    """
    if value is None:
        return []
    if isinstance(value, bool) or depth > _DEEPEST:
        return None
    if isinstance(value, int | float):
        if isinstance(value, float) and not value.is_integer():
            return None
        number = int(value)
        return [names.get(str(number), number)] if abs(number) > 999 else [number]
    if isinstance(value, str):
        return _numbers_of_text(value, names)
    if value == {}:
        return []
    if isinstance(value, Mapping):
        members = [value[key] for key in _KEYS if key in value]
        members = members or [*value, *(value.values() if len(value) == 1 else ())]
        return next((numbers for member in members if (numbers := numbers_of(member, names, depth + 1))), None)
    readings = [numbers_of(member, names, depth + 1) for member in value]
    if readings and all(reading is None for reading in readings):
        return None
    return [number for reading in readings for number in reading or ()]


def _numbers_of_text(text: str, names: Names) -> list[int] | None:
    """The numbers that a string in place of numbers gives: a list, one behind a label or before a title, or a name."""
    text = unicodedata.normalize("NFKC", text.replace("\\", "")).strip()
    if text.casefold() in _NOTHING:
        return []
    if spelled := re.fullmatch(CARDINAL, text.lower()):
        return [cardinal(spelled[0])]
    if _spelled(text) in names:
        return [names[_spelled(text)]]
    if listed := _listed(text.rstrip(".").strip("()<>{}"), names):
        return listed
    marked = [_listed(match[1], names) or [] for match in _BRACKETS.finditer(text)]
    if any(marked):
        return [number for numbers in marked for number in numbers]
    if number := _NAMED.search(text) or _NUMBERED.match(text):
        return [int(number[1])]
    return [names[_untitled(text)]] if names_passage(text, names) else None


def _listed(text: str, names: Names) -> list[int] | None:
    """The numbers of a list such as "1, 3-5 and 7", "passages 1; 2" or "PMID:7, PMID:9"; None where it is another."""
    numbers: list[int] = []
    for part in _SEPARATOR.split(text.partition("†")[0].strip().strip("[]^_")):
        part = re.sub(r"^(pmid|pmcid|doi)\s+", r"\1:", part, flags=re.IGNORECASE)
        part = _LABELLED.sub("", part, count=1).strip() if _spelled(part) not in names else part
        ends = _NUMBER.fullmatch(re.sub(r"\.0$", "", part))
        if _spelled(part) in names and not (ends and len(part) < _SHORTEST_NUMBER):
            numbers.append(names[_spelled(part)])
        elif ends is None:
            return None
        else:
            low, high = int(ends[1]), int(ends[2] or ends[1])
            numbers.extend(range(low, high + 1) if high - low < _LONGEST_RANGE else (low, high))
    return numbers or None


def _labelled(text: str, passages: int) -> list[int] | None:
    """The numbers of a list in brackets such as "Study 1, Study 2", "1a, 2b" or "1, p. 5", if passages have them."""
    text = unicodedata.normalize("NFKC", text).strip(" ,;\"'")
    if spelled := re.fullmatch(CARDINAL, text.lower()):
        return [cardinal(spelled[0])]
    parts = [_BRACKETED_LABEL.sub("", part.strip(), count=1) for part in _SEPARATOR.split(_LOCATOR.sub("", text))]
    numbers = _listed(",".join(parts), {}) or []
    return numbers if all(1 <= number <= passages for number in numbers) else None


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _spelled(name: str) -> str:
    return "".join(name.split()).casefold().rstrip(".")
