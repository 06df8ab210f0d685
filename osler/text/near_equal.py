"""Which texts are the same, but for a few words. Knows words as runs of letters and digits, and English function words.

Case, white space and punctuation never count. Take the `shingles` of a text, or the `content_words` of a short one,
once, then compare them often.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been by did do does for from has have in is it its of on or that the their these this "
        "those to was were what which with"
    )
)
"""Words in which one question may be asked twice. "No", "not", "how" and "when" make it another one."""


@dataclass(frozen=True, slots=True)
class Shingles:
    """A text as it is compared: all of its words in order, and the parts that it may share with another one.

    Both hold hashes of 64 bits, a tenth of the memory of the words, which are good within one process only.
    """

    whole: int
    parts: frozenset[int]


def shingles(text: str) -> Shingles:
    """The text by every five words that follow one another.

    A text of fewer than five words is its own and only shingle, so that it resembles nothing but itself.

    >>> len(shingles("One two three, four five six.").parts), len(shingles("Four.").parts)
    (2, 1)
    """
    words = _WORD.findall(text.casefold())
    whole = hash(tuple(words))
    fives = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
    return Shingles(whole, frozenset(map(hash, fives)) or frozenset({whole}))


def content_words(text: str) -> Shingles:
    """The text by its words but for function words, in no order; one of function words alone resembles only itself.

    >>> a, b = content_words("What is the target of the drug olaparib?"), content_words("Drug target for Olaparib")
    >>> jaccard(a, b), equal(a, b)
    (1.0, False)
    """
    words = _WORD.findall(text.casefold())
    whole = hash(tuple(words))
    return Shingles(whole, frozenset(map(hash, set(words) - _FUNCTION_WORDS)) or frozenset({whole}))


def equal(a: Shingles, b: Shingles) -> bool:
    """Whether the texts have the same words in the same order.

    >>> equal(shingles("Beta-blockers?"), shingles("beta  blockers"))
    True
    """
    return a.whole == b.whole


def jaccard(a: Shingles, b: Shingles) -> float:
    """The shared parts of two texts as a share of all of theirs, 0 to 1 (Broder, 1997).

    >>> jaccard(shingles("a b c d e f"), shingles("a b c d e g"))
    0.3333333333333333
    """
    shared = len(a.parts & b.parts)
    return shared / (len(a.parts) + len(b.parts) - shared)


def containment(a: Shingles, b: Shingles) -> float:
    """The shared parts of two texts as a share of those of the smaller one, 0 to 1 (Broder, 1997).

    >>> containment(shingles("a b c d e f"), shingles("x a b c d e f y z"))
    1.0
    """
    return len(a.parts & b.parts) / min(len(a.parts), len(b.parts))


def near_equal(a: Shingles, b: Shingles, threshold: float = 0.8) -> bool:
    """Whether the Jaccard similarity of the shingles is at least this threshold.

    >>> near_equal(shingles("Mice slept for nine hours."), shingles("mice slept (for nine hours)"))
    True
    """
    fewer, more = sorted((len(a.parts), len(b.parts)))
    # the smaller set within the larger one is the most that two texts can share: most pairs end here
    return fewer >= threshold * more and jaccard(a, b) >= threshold
