"""The text of a JATS article as sections: what is kept, what is left out, where paragraphs end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from osler.corpus.xml_records import Element, flat_text
from osler.records import Section

# Neither read aloud nor searched for: formulas, tables, references, notes, files, alternatives to text.
_LEFT_OUT = frozenset(
    {
        "alternatives", "alt-text", "chem-struct", "chem-struct-wrap", "disp-formula", "disp-formula-group",
        "fn", "fn-group", "graphic", "inline-formula", "inline-graphic", "long-desc", "math", "media",
        "object-id", "permissions", "ref-list", "supplementary-material", "table", "table-wrap-foot",
        "tex-math", "xref-group",
    }
)  # fmt: skip
_PARAGRAPHS = frozenset(
    {
        "p", "title", "sec", "list", "list-item", "def-item", "disp-quote", "boxed-text", "caption", "fig",
        "fig-group", "table-wrap", "table-wrap-group", "statement", "verse-group", "verse-line", "speech",
        "attrib", "array", "break",
    }
)  # fmt: skip
_CAPTIONED = frozenset(("fig", "table-wrap", "boxed-text", "statement"))
_OTHER_ABSTRACTS = frozenset(("graphical", "teaser", "toc", "video", "stereochemical"))
_PARAGRAPH_END = "\N{PARAGRAPH SEPARATOR}"
_CAPTION_FOLLOWS = "\N{WORD JOINER}"


def sections(article: Element) -> Iterator[Section]:
    """Abstract, body, then the captions kept apart from the body; nested headings as a path, `Methods > Statistics`.

    >>> from lxml import etree
    >>> nested = "<sec><title>Staining</title><p>Blue.</p></sec>"
    >>> body = f"<body><sec><title>Methods</title><p>Mice.</p>{nested}</sec></body>"
    >>> [section.heading for section in sections(etree.fromstring(f"<article>{body}</article>"))]
    ['Methods', 'Methods > Staining']
    """
    for abstract in article.iterfind("front/article-meta/abstract"):
        if abstract.get("abstract-type", "") not in _OTHER_ABSTRACTS:
            yield from _sections(abstract, (_title(abstract) or "Abstract",))
    for body in article.iterfind("body"):
        yield from _sections(body, ())
    for name in ("floats-group", "floats-wrap"):
        for floats in article.iterfind(name):
            yield from _sections(floats, ("Figures and tables",))


def _sections(element: Element, path: tuple[str, ...]) -> Iterator[Section]:
    """The element's own text under the heading of `path`, then its nested sections."""
    own = [part for child in element if child.tag not in ("sec", "title", "label") for part in _child_text(child)]
    if text := _paragraphs("".join(own)):
        yield Section(" > ".join(path), text)
    for nested in element.iterfind("sec"):
        title = _title(nested)
        yield from _sections(nested, (*path, title) if title else path)


def _title(element: Element) -> str:
    title = element.find("title")
    return "" if title is None else _paragraphs("".join(_content(title))).replace("\n", " ")


def _child_text(element: Element) -> Iterator[str]:
    if _is_citation_mark(element):
        return
    if element.tag in _LEFT_OUT:
        yield " "
        return
    if element.tag not in _PARAGRAPHS:
        yield from _content(element)
        return
    yield _PARAGRAPH_END
    yield from _content(element)
    yield _PARAGRAPH_END


def _content(element: Element) -> Iterator[str]:
    """The text below `element` in pieces, with a mark where a paragraph begins or ends."""
    yield element.text or ""
    for child in element:
        if child.tag == "label":
            yield _label(child, of=element)
        else:
            yield from _child_text(child)
        yield child.tail or ""


def _label(label: Element, *, of: Element) -> str:
    """The label that a caption follows, as "Figure 1"; the numbers of list items and sections are left out."""
    text = flat_text(label).rstrip(".:") if of.tag in _CAPTIONED else ""
    return text and f"{text}{_CAPTION_FOLLOWS}"


def _is_citation_mark(element: Element) -> bool:
    """Whether this is a superscript of nothing but reference numbers, which would grow into the word before it."""
    if element.tag != "sup":
        return False
    references = [child for child in element if child.tag == "xref" and child.get("ref-type") == "bibr"]
    text = flat_text(element)
    return bool(references) and len(references) == len(element) and re.fullmatch(r"[\d\s,;–-]*", text) is not None


def _paragraphs(text: str) -> str:
    """One line a paragraph; a label joins the first line of the caption that follows it."""
    text = re.sub(rf"{_CAPTION_FOLLOWS}\s*", ". ", text)
    lines = (" ".join(line.split()) for line in text.split(_PARAGRAPH_END))
    return "\n".join(line for line in lines if line)
