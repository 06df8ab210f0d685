"""Elements with inline markup as text: `sup`, `sub` and presentation MathML, as PubMed and JATS have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from osler.corpus.inline_text import (
    GUARD,
    exponent,
    fraction,
    limited,
    overlined,
    plain_text,
    power,
    root,
    subscript,
    superscript,
)
from osler.corpus.reference_marks import emphasised, without_reference_marks
from osler.corpus.tex import tex_text
from osler.corpus.xml_records import Element

FORMULA = f"{GUARD}[formula]{GUARD}"
"""Stands for a formula that text cannot show, so that no gap is taken for the author's words."""

MATHML = frozenset(
    (
        "math", "mrow", "mstyle", "msup", "msub", "msubsup", "mmultiscripts", "mfrac", "msqrt", "mroot", "mfenced",
        "mover", "munder", "munderover", "mtable",
    )
)  # fmt: skip
"""Elements of MathML that begin a formula, also where a publisher left out the `math` around them."""

_BIG_OPERATORS = frozenset("∑∏∫∬∮⋃⋂") | {"lim", "max", "min", "sup", "inf", "arg", "argmax", "argmin", "limsup"}
_FUNCTIONS = _BIG_OPERATORS | {"log", "ln", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "if", "and", "for"}
_ACCENTS = dict.fromkeys("¯‾―—–_ˉ-−\u0304\u0305", "\u0304") | {
    "^": "\u0302", "ˆ": "\u0302", "\u0302": "\u0302", "~": "\u0303", "˜": "\u0303", "∼": "\u0303", "\u0303": "\u0303",
    "˙": "\u0307", ".": "\u0307", "\u0307": "\u0307", "¨": "\u0308", "\u0308": "\u0308", "→": "\u20d7", "⃗": "\u20d7",
}  # fmt: skip
# Some publishers escape their markup, so that its tags reach PubMed as text; `p<b and c>d` are none.
_ESCAPED_TAGS = re.compile(r"<(sup|sub|i|b|u|em|strong|italic|bold)>([^<>]*)</\1>", re.IGNORECASE)
_WRITTEN = {"sup": superscript, "sub": subscript}  # other markup is emphasis
_INVISIBLE = frozenset("\u2061\u2062\u2063\u2064\u200b")
_ROWS = frozenset(("math", "mrow", "mstyle", "mpadded", "merror", "mtd"))
_NOT_SHOWN = frozenset(("mphantom", "none", "mprescripts", "malignmark", "maligngroup", "annotation", "annotation-xml"))


def flat_text(element: Element | None) -> str:
    """All text below `element` on one line, its exponents, indices and formulas written as characters; "" for None.

    >>> from lxml import etree
    >>> flat_text(etree.fromstring("<t>10<sup>6</sup> cells\\n  in H<sub>2</sub>O <i>in vivo</i></t>"))
    '10⁶ cells in H2O in vivo'
    """
    if element is None:
        return ""
    text = "".join(_marked(element)) if len(element) else element.text or ""
    for _ in range(3 if "</" in text else 0):  # tags within tags
        text = _ESCAPED_TAGS.sub(_unescaped, text)
    return plain_text(without_reference_marks(text))


def _unescaped(tags: re.Match[str]) -> str:
    """What stands between the tags, raised or lowered as they say."""
    return _WRITTEN.get(tags[1].lower(), emphasised)(tags[2])


def math_text(math: Element) -> str:
    """A formula of presentation MathML as marked text; `FORMULA` where it cannot be shown on one line.

    >>> from lxml import etree
    >>> plain_text(math_text(etree.fromstring("<math><mfrac><mn>1</mn><mi>x</mi></mfrac></math>")))
    '1/x'
    """
    try:
        text = _presented(math)
    except _NotOneLineError:
        annotations = [node.text or "" for node in math.iter("annotation") if "tex" in node.get("encoding", "").lower()]
        text = next(filter(None, map(tex_text, annotations)), "")
    return text if plain_text(text) else FORMULA


class _NotOneLineError(ValueError):
    """A formula that holds an element which is not known, or what needs more than a line."""


def _marked(element: Element) -> Iterator[str]:
    """The text below `element` in pieces, with marks around what is raised or lowered."""
    yield element.text or ""
    for child in element:
        if child.tag in MATHML:
            yield math_text(child)
        else:
            inner = "".join(_marked(child))
            yield _WRITTEN.get(str(child.tag), emphasised)(inner)
        yield child.tail or ""


def _presented(node: Element) -> str:
    """The marked text of one MathML element."""
    if node.tag in _ROWS:
        return (node.text or "").strip() + "".join(_presented(child) + (child.tail or "").strip() for child in node)
    if node.tag in _NOT_SHOWN:
        return ""
    if node.tag in _TOKENS:
        return _TOKENS[node.tag](_token(node))
    if any((text or "").strip() for text in (node.text, *(child.tail for child in node))):
        raise _NotOneLineError  # text that belongs to no script and no base
    if node.tag == "mspace":
        return " "
    if node.tag == "semantics":
        return _presented(node[0]) if len(node) else ""
    if node.tag == "mfenced":
        return _fenced(node)
    if node.tag == "mtable" and len(node) == 1:  # a formula that is laid out as a table
        return " ".join(map(_presented, node[0]))
    if node.tag == "mmultiscripts":
        return _multiscripts(node)
    if node.tag == "msqrt":
        return root("".join(map(_presented, node)))
    layout = _LAYOUTS.get(str(node.tag))
    is_stacked = node.get("linethickness", "1").startswith("0")  # a binomial coefficient is no fraction
    if layout is None or len(node) != layout[0] or is_stacked:
        raise _NotOneLineError
    return layout[1](*map(_presented, node))


def _token(node: Element) -> str:
    if len(node):  # a picture of a character
        raise _NotOneLineError
    text = node.text or ""
    return text if node.tag == "mtext" else text.strip("\t\n\r ")  # the blanks of a text part words: " if "


def _identifier(text: str) -> str:
    return f"{GUARD}{text}{GUARD}" if text in _FUNCTIONS else text


def _operator(text: str) -> str:
    return GUARD if text in _INVISIBLE else _identifier(text)


def _fenced(node: Element) -> str:
    separators = "".join(node.get("separators", ",").split())
    pieces = [_presented(child) for child in node]
    between = [separators[min(place, len(separators) - 1)] if separators else "" for place in range(len(pieces) - 1)]
    content = "".join(piece + mark for piece, mark in zip(pieces, [*between, ""], strict=True))
    return f"{node.get('open', '(')}{content}{node.get('close', ')')}"


def _multiscripts(node: Element) -> str:
    """The base with its pairs of scripts: those behind `mprescripts` stand before it."""
    children = list(node)
    names = [child.tag for child in children]
    end = names.index("mprescripts") if "mprescripts" in names else len(children)

    def scripts(pairs: list[Element]) -> str:
        shown = [*map(_presented, pairs), ""]
        return "".join(subscript(shown[at]) + superscript(shown[at + 1]) for at in range(0, len(pairs), 2))

    return scripts(children[end + 1 :]) + "".join(map(_presented, children[:1])) + scripts(children[1:end])


def _under(base: str, low: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("_", low)
    return base if low.strip() in _STRETCHED else base + subscript(low)


def _over(base: str, high: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("^", high)
    if accent := _ACCENTS.get(high.strip()):
        if accented := overlined(base, accent):
            return accented
        raise _NotOneLineError
    return base if high.strip() in _STRETCHED else base + exponent(high)


def _both(base: str, low: str, high: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("_", low).rstrip(GUARD) + limited("^", high)
    return base + subscript(low) + exponent(high)


def _power(base: str, high: str) -> str:
    return _over(base, high) if base.strip(GUARD) in _BIG_OPERATORS else power(base, high)


def _index(base: str, low: str) -> str:
    return _under(base, low) if base.strip(GUARD) in _BIG_OPERATORS else base + subscript(low)


_STRETCHED = frozenset(("_", "︸", "⏟", "⏞", "︷", "\u0332"))
_TOKENS: dict[str, Callable[[str], str]] = {
    "mi": _identifier, "mo": _operator, "mn": str, "mtext": str, "ms": str,
}  # fmt: skip
_LAYOUTS: dict[str, tuple[int, Callable[..., str]]] = {
    "msup": (2, _power), "msub": (2, _index), "msubsup": (3, _both), "mfrac": (2, fraction), "mroot": (2, root),
    "munder": (2, _under), "mover": (2, _over), "munderover": (3, _both),
}  # fmt: skip
