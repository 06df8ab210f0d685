"""The text of a JATS article as sections: what is kept, what is left out, where paragraphs end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from osler.corpus.formulas import FORMULA, MATHML, math_text, tex_text
from osler.corpus.inline_text import GUARD, plain_text, subscript, superscript
from osler.corpus.markup import MARK, emphasised, is_mark, reference, without_reference_marks
from osler.corpus.xml_records import Element
from osler.records import Section

# Neither read aloud nor searched for: tables, references, files, descriptions of pictures, terms for an index.
_LEFT_OUT = frozenset(
    {
        "alt-text", "fn-group", "graphic", "index-term", "long-desc", "media", "object-id", "permissions", "ref-list",
        "sec-meta", "supplementary-material", "table", "table-wrap-foot", "xref-group",
    }
)  # fmt: skip
_PARAGRAPHS = frozenset(
    {
        "p", "title", "sec", "list", "list-item", "def-list", "def-item", "disp-quote", "boxed-text", "caption", "fig",
        "fig-group", "table-wrap", "table-wrap-group", "statement", "verse-group", "verse-line", "speech", "attrib",
        "array", "tr", "question", "answer", "option", "explanation",
    }
)  # fmt: skip
_FORMULAS = MATHML | {"inline-formula", "disp-formula", "tex-math", "chem-struct", "inline-graphic", "private-char"}
_BLOCK_FORMULAS = frozenset(("disp-formula", "disp-formula-group", "chem-struct-wrap"))
_FLOATS = frozenset(("fig", "fig-group", "table-wrap", "table-wrap-group", "boxed-text"))
_CAPTIONED = frozenset(("fig", "table-wrap", "boxed-text", "statement"))
_FOOTNOTES = frozenset(("fn", "table-fn", "author-notes", "corresp", "aff", "contrib"))
_OTHER_ABSTRACTS = frozenset(("graphical", "teaser", "toc", "video", "stereochemical"))
_REPRESENTATIONS = ("math", "textual-form", "alternatives", "tex-math", "inline-graphic", "graphic", "media")
_PICTURES = frozenset(("inline-graphic", "graphic", "media", "inline-media", "private-char"))
_FORMULA_PARTS = MATHML | {
    "tex-math", "textual-form", "alternatives", "chem-struct", "disp-formula", "inline-formula", "chem-struct-wrap",
}  # fmt: skip
_LINK = "{http://www.w3.org/1999/xlink}href"
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# No XML document can hold these characters, so none of them comes from a source.
_PARAGRAPH_END, _CAPTION_FOLLOWS, _MEANING_FOLLOWS = "\x0e", "\x0f", "\x10"


def sections(article: Element) -> Iterator[Section]:
    """Abstract, body, then the captions kept apart from the body; nested headings as a path, `Methods > Statistics`.

    Of an article in another language, its English abstract and its English translation follow.

    >>> from lxml import etree
    >>> nested = "<sec><title>Staining</title><p>Blue.</p></sec>"
    >>> body = f"<body><sec><title>Methods</title><p>Mice.</p>{nested}</sec></body>"
    >>> [section.heading for section in sections(etree.fromstring(f"<article>{body}</article>"))]
    ['Methods', 'Methods > Staining']
    """
    languages = ("", "en", language_code(article))
    abstracts = [*article.iterfind("front/article-meta/abstract")]
    own = [abstract for abstract in abstracts if language_code(abstract) in languages] or abstracts
    for abstract in filter(_is_for_readers, own):
        yield from _sections(abstract, (_title(abstract) or "Abstract",))
    yield from _body(article, ())
    if language_code(article) != "en":
        yield from _english_sections(article)


def inline_text(element: Element | None) -> str:
    """The text of a title, a name or a keyword on one line, without the marks of references; "" for None."""
    return "" if element is None else _paragraphs("".join(_content(element))).replace("\n", " ")


def language_code(element: Element) -> str:
    """The two letters of `xml:lang`, "" where there is none; the three of English count as its two."""
    code = element.get(_XML_LANGUAGE, "").replace("_", "-").split("-")[0].strip().lower()
    return "en" if code == "eng" else code


def english_translation(article: Element) -> Element | None:
    """The sub-article that is the English translation of the whole article, or None."""
    translations = article.iterfind("sub-article[@article-type='translation']")
    return next((part for part in translations if language_code(part) == "en"), None)


def english_abstracts(article: Element) -> list[Element]:
    """The abstracts in English of an article in another language."""
    abstracts = article.iterfind("front/article-meta/trans-abstract")
    return [abstract for abstract in abstracts if language_code(abstract) == "en" and _is_for_readers(abstract)]


def _is_for_readers(abstract: Element) -> bool:
    return abstract.get("abstract-type", "") not in _OTHER_ABSTRACTS


def _body(article: Element, path: tuple[str, ...]) -> Iterator[Section]:
    for body in article.iterfind("body"):
        yield from _sections(body, path)
    for name in ("floats-group", "floats-wrap"):
        for floats in article.iterfind(name):
            yield from _sections(floats, (*path, "Figures and tables"))


def _english_sections(article: Element) -> Iterator[Section]:
    texts = set()
    for abstract in english_abstracts(article):
        for section in _sections(abstract, (f"{_title(abstract) or 'Abstract'} (English)",)):
            texts.add(section.text)
            yield section
    translation = english_translation(article)
    if translation is None:
        return
    for abstract in filter(_is_for_readers, translation.iterfind("front-stub/abstract")):
        parts = _sections(abstract, ("English translation", _title(abstract) or "Abstract"))
        yield from (section for section in parts if section.text not in texts)
    yield from _body(translation, ("English translation",))


def _sections(element: Element, path: tuple[str, ...]) -> Iterator[Section]:
    """The element's own text under the heading of `path`, then its nested sections."""
    own = [element.text or ""]
    for child in element:
        own += [] if child.tag in ("sec", "title", "label") else _child_text(child)
        own.append(child.tail or "")
    if text := _paragraphs("".join(own)):
        yield Section(" > ".join(path), text)
    for nested in element.iterfind("sec"):
        title = _title(nested)
        yield from _sections(nested, (*path, title) if title else path)


def _title(element: Element) -> str:
    return inline_text(element.find("title")).rstrip(" :")


def _content(element: Element) -> Iterator[str]:
    """The text below `element` in pieces, with marks where a paragraph begins or ends and around what is raised.

    A figure, a table or a box within a paragraph follows it, since its place there may be the middle of a sentence.
    """
    floats: list[Element] = []
    yield element.text or ""
    for child in element:
        if child.tag == "label":
            # A caption follows its label, as "Figure 1"; the numbers of list items and sections are left out.
            label = inline_text(child).rstrip(".:") if element.tag in _CAPTIONED else ""
            yield label and f"{label}{_CAPTION_FOLLOWS}"
        elif child.tag in _FLOATS and element.tag == "p":
            floats.append(child)
            yield MARK  # so that the words on both sides do not grow together
        else:
            yield from _child_text(child)
        yield child.tail or ""
    for child in floats:
        yield from _child_text(child)


def _child_text(element: Element) -> Iterator[str]:
    tag = str(element.tag)
    if tag in _LEFT_OUT:
        yield " "
    elif tag in _PARAGRAPHS:
        yield _PARAGRAPH_END
        yield from _content(element)
        yield _PARAGRAPH_END
    elif tag in _FORMULAS or tag in _BLOCK_FORMULAS:
        yield _placed_formula(element)
    elif tag in _INLINE:
        yield _INLINE[tag](element)
    else:
        yield from _content(element)


def _paragraphs(text: str) -> str:
    """One line a paragraph; a label joins the first line of the caption that follows it, a term its meaning."""
    text = re.sub(rf"{_CAPTION_FOLLOWS}[\s{_PARAGRAPH_END}]*", ". ", text)
    text = re.sub(rf"[\s:{_PARAGRAPH_END}]*{_MEANING_FOLLOWS}[\s:{_PARAGRAPH_END}]*", ": ", text)
    lines = (plain_text(without_reference_marks(line)) for line in text.split(_PARAGRAPH_END))
    return "\n".join(line for line in lines if line)


def _joined(element: Element) -> str:
    return "".join(_content(element))


def _cross_reference(xref: Element) -> str:
    text, kind = _joined(xref), xref.get("ref-type", "bibr")
    if kind in _FOOTNOTES:
        return MARK if is_mark(text) or not text.strip() else text
    return reference(text) if kind == "bibr" else f"{GUARD}{text}" if text[:1].isdigit() else text


def _explained(abbreviation: Element) -> str:
    """An abbreviation with its meaning in parentheses."""
    term, meaning = [abbreviation.text or ""], ""
    for child in abbreviation:
        if child.tag == "def":
            meaning = _joined(child).replace(_PARAGRAPH_END, " ").strip()
        else:
            term += _child_text(child)
        term.append(child.tail or "")
    text = "".join(term)
    return f"{text.rstrip()} ({meaning})" if text.strip() and meaning else text or meaning


def _term(element: Element) -> str:
    """A term, before its meaning where a list of definitions gives it."""
    parent = element.getparent()
    is_defined = parent is not None and parent.tag == "def-item" and parent.find("def") is not None
    return _joined(element) + (_MEANING_FOLLOWS if is_defined else "")


def _lines(element: Element) -> str:
    """Text whose line breaks count, such as a program or a questionnaire."""
    return _PARAGRAPH_END + _joined(element).replace("\n", _PARAGRAPH_END) + _PARAGRAPH_END


def _alternatives(element: Element) -> str:
    """The formula among alternatives; nothing where they are pictures, tables or files."""
    names = {"math", "tex-math", "textual-form", "inline-graphic"}
    return _formula(element) if any(child.tag in names for child in element) else " "


def _placed_formula(element: Element) -> str:
    """A formula in its sentence, apart from its neighbours where it is displayed; else a paragraph of its own."""
    text = _formula(element)
    if element.tag not in _BLOCK_FORMULAS:
        return text
    if next(element.iterancestors("p"), None) is None:
        return f"{_PARAGRAPH_END}{text}{_PARAGRAPH_END}"
    return f" {text}" if re.match(r"\s*[.,;:!?)\]]", element.tail or "") else f" {text} "


def _formula(element: Element) -> str:
    """What text can show of a formula, and `FORMULA` for what it cannot: never nothing."""
    if element.tag in MATHML:
        return math_text(element)
    if element.tag == "tex-math":
        return tex_text("".join(map(str, element.itertext()))) or FORMULA
    if element.tag in _PICTURES:
        return FORMULA
    shown = _best_representation(element)
    pieces = [element.text or ""]
    for child in element:
        is_passed_over = shown and child.tag in _REPRESENTATIONS and child.tag != shown
        if not is_passed_over and (child.tag in _PICTURES or child.tag in _FORMULA_PARTS):
            pieces.append(f" {_formula(child)} " if child.tag in _BLOCK_FORMULAS else _formula(child))
        elif not is_passed_over and child.tag not in ("label", "alt-text", "object-id", "long-desc"):
            pieces += _child_text(child)
        pieces.append(child.tail or "")
    text = "".join(pieces).replace(_PARAGRAPH_END, " ")
    text = re.sub(rf"{re.escape(FORMULA)}(?:\s*{re.escape(FORMULA)})+", FORMULA, text)
    return text if plain_text(text) else FORMULA


def _best_representation(element: Element) -> str:
    """The name of the children that show a formula best where the element holds it in several ways, else ""."""
    children = [child for child in element if child.tag in _REPRESENTATIONS]
    for name in _REPRESENTATIONS:
        same = [child for child in children if child.tag == name]
        if same and not any(FORMULA in _formula(child) for child in same):
            return name
    return str(children[0].tag) if children else ""


_INLINE: dict[str, Callable[[Element], str]] = {
    "sup": lambda element: superscript(_joined(element)),
    "sub": lambda element: subscript(_joined(element)),
    "bold": lambda element: emphasised(_joined(element)),
    "italic": lambda element: emphasised(_joined(element)),
    "xref": _cross_reference,
    "fn": lambda element: MARK,
    "break": lambda element: " ",
    "td": lambda element: f" {_joined(element)} ",
    "th": lambda element: f" {_joined(element)} ",
    "abbrev": _explained,
    "ext-link": lambda element: _joined(element) or element.get(_LINK, ""),
    "uri": lambda element: _joined(element) or element.get(_LINK, ""),
    "term": _term,
    "speaker": lambda element: _joined(element) + _MEANING_FOLLOWS,
    "preformat": _lines,
    "code": _lines,
    "alternatives": _alternatives,
}
