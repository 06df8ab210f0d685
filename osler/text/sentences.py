"""Where the sentences of biomedical prose begin and end. Knows a string, and no language but its punctuation."""

from __future__ import annotations

import re
from itertools import islice, pairwise

# A run of stops with the closing marks behind it, or the end of a line. Never tried twice, so that time stays linear.
_END = re.compile(
    r"""
    (?<![.!?\u2026]) (?P<stop>[.!?\u2026]++)
    (?:["'\u201d\u2019\u00bb)\]}]|\[[\d,;\s\u2013-]++\])*+
    (?=\s)
    | [\u3002\uff01\uff1f]++
    | \n
    """,
    re.VERBOSE,
)
_NEXT_WORD = re.compile(r"\s*(\S*)")
_OPENING = "\"'([{\u201c\u2018\u00ab"
_GOES_ON = ",;:=<>%+/&\u2264\u2265\u00b1"  # signs that stand between the parts of one sentence

# A sentence may begin with the name of a molecule in lower case: p53, mRNA, bFGF, \u03b1-synuclein.
_LOWER_NAME = re.compile(r"[a-z]{1,3}-?[A-Z0-9]|[\u03b1-\u03c9]|(?:alpha|beta|gamma|delta|kappa)\b")
_INITIALS = re.compile(r"(?:[A-Z]\.)+[A-Z]|[A-Z]")

# Never the end of a sentence, whatever follows.
_ALWAYS = frozenset(
    {
        "e.g", "i.e", "cf", "vs", "viz", "approx", "ca", "resp", "incl", "fig", "figs", "eq", "eqs", "ref",
        "refs", "suppl", "dr", "drs", "prof", "mr", "mrs", "ms", "st", "nr",
    }
)  # fmt: skip
# No end before a number or a bracket: "no. 5", "et al. (2001)".
_BEFORE_NUMBER = frozenset(
    {
        "no", "nos", "al", "vol", "pp", "p", "chap", "sect", "ed", "eds", "ver", "art", "para",
    }
)  # fmt: skip
# A single capital after these is an initial, "by J. Smith"; elsewhere it may end the sentence, "vitamin D. We".
_BEFORE_NAME = frozenset(
    {
        "by", "and", "of", "from", "with", "to", "dr", "prof", "mr", "mrs", "ms", "drs",
    }
)  # fmt: skip
_FEWEST_WORDS = 3  # fewer ("RESULTS", "Fig. 2") state nothing
_LONGEST_ABBREVIATION = 40  # characters looked at before a stop: a bound, so that time stays linear


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences as (start, end) in code points, in order, white space around them left out.

    They never overlap, and together they hold every character that is not white space. A new line ends a sentence.

    >>> text = "E. coli grew (p < 0.05, e.g. Fig. 2). We counted."
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['E. coli grew (p < 0.05, e.g. Fig. 2).', 'We counted.']
    """
    ends, start = [], 0
    for match in _END.finditer(text):
        if match["stop"] is None or _ends_sentence(text, start, match):
            ends.append(match.end())
            start = match.end()
    spans = []
    for start, end in pairwise([0, *ends, len(text)]):
        sentence = text[start:end]
        if stripped := sentence.strip():
            start += len(sentence) - len(sentence.lstrip())
            spans.append((start, start + len(stripped)))
    return spans


def claim_spans(text: str) -> list[tuple[int, int]]:
    """The sentences that can support something: those of three words or more that do not end in a colon.

    Headings, labels and what is left of a wrongly ended sentence state nothing, however similar they are to a query.
    All sentences where none is left.

    >>> text = "RESULTS:\\nFever fell within days.\\nFig. 2"
    >>> [text[start:end] for start, end in claim_spans(text)]
    ['Fever fell within days.']
    >>> claim_spans("RESULTS:")
    [(0, 8)]
    """
    sentences = sentence_spans(text)
    claims = []
    for start, end in sentences:
        words = (word for word in text[start:end].split() if any(map(str.isalnum, word)))
        if text[end - 1] != ":" and len(list(islice(words, _FEWEST_WORDS))) == _FEWEST_WORDS:
            claims.append((start, end))
    return claims or sentences


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the stop of `match` ends the sentence that began at `start`."""
    next_word = _NEXT_WORD.match(text, match.end())
    following = next_word[1] if next_word else ""
    if not following:
        return True
    word = following.lstrip(_OPENING)
    if word[:1] and word[:1] in _GOES_ON:
        return False
    if word[:1].islower() and not _LOWER_NAME.match(word):
        return False
    if match["stop"] != "." or match.end() > match.end("stop"):
        return True
    before = text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()].split()
    return not before or _may_end_with(before, following)


def _may_end_with(words: list[str], following: str) -> bool:
    """Whether a sentence may end with the last of these words and one stop, when a new word follows."""
    last = words[-1].lstrip(_OPENING)
    if (last.lower() in _ALWAYS and not last.isupper()) or (len(words) == 1 and last.isdigit() and len(last) < 3):
        return False
    if last.lower() in _BEFORE_NUMBER:
        return not (following[0].isdigit() or following[0] in "([")
    if not _INITIALS.fullmatch(last):
        return True
    before = words[-2] if len(words) > 1 else "."
    return len(last) == 1 and not before.endswith(".") and before.lower() not in _BEFORE_NAME
