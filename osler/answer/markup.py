"""Prose as a chat shows it becomes plain sentences: no Markdown, no HTML, no commands to a terminal, no list of
references. Knows text only.

Markers of passages stay, in brackets or as superscript digits; `osler.answer.markers` reads them.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_TITLE = re.compile(r"^[ \t]*(?:#{1,6}[ \t][^\n\[【]*|\*\*[^*\n.!?\[【]{1,60}\*\*:?|[-=*_]{3,})[ \t]*$", re.MULTILINE)
_LABEL = re.compile(
    r"^[ \t*#]*(?:(?:the )?(?:final |short )?answer|text|sentence|response|sentences)[* \t]*:[* \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_CITE_LINE = re.compile(
    r"\s*\n[ \t]*(?:citations?|sources?|passages?|references?)[ \t]*:[ \t]*(\[?[\d, ]+\]?)[ \t]*(?=\n|$)", re.IGNORECASE
)
_LEAD_IN = re.compile(
    r"^[ \t]*(?:sure|certainly|of course|okay|here (?:is|are)|based on|according to)\b[^\n.]{0,200}:[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ITEM = re.compile(r"^[ \t]*(?:[-*•‣▪–]|#{1,6}|[>+](?=[ \t]+\D)|\d{1,2}[.)])[ \t]+(?=\S)", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.MULTILINE)
_TABLE_HEAD = re.compile(r"^[ \t]*\|[^\n]*\n[ \t]*\|(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*$", re.MULTILINE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{([^{}]*)\}|([^{}]*))\}")
_COHERE = re.compile(r"<co:\s*([\d,]{1,20})>(?:([^<>]{1,400})</co(?::\s*[\d,]{1,20})?>)?")
_BOLD = re.compile(r"(\*\*|__)(?=[^\s*_])(.{1,400}?)(?<=\S)\1")
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,400}?)(?<=[^\s*])\*(?![\w*])")
_CODE = re.compile(r"(?<!`)`{1,2}([^`\n]{1,400})`{1,2}")
_DOUBLE = re.compile(r"\[(\[[^\[\]]{1,80}\])\]")
_LINK = re.compile(
    r"!?(\[[^\[\]]{1,200}\])\((?:[a-z]+:|[/#.]|www\.)[^()\s]{0,300}(?:\([^()\s]{0,100}\)[^()\s]{0,100}){0,3}\)",
    re.IGNORECASE,
)
_CITE = re.compile(r"<(cite|citations?|sources?|refs?|passages?)\b[^<>]{0,80}>\s*([^<>]{0,80}?)\s*</\1>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\[\](){}*_#.!`>~|-])|\[cite_(?:start|end)\]")
_RAISED = re.compile(r"<sup>\s*([^<>]{0,80}?)\s*</sup>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/?p|/?li|/?div|/?h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:[biua]|em|strong|sup|sub|span|code|ul|ol|answer|response|output|final|cite|small|sentences?|text|statement|claim|reply)\b[^<>]{0,200}>",
    re.I,
)

_ANCHOR = re.compile(r"<a\b[^<>]{0,200}>\s*\[?(\d{1,3})\]?\s*</a>", re.IGNORECASE)
_CARET = re.compile(r"(?<=[.!?,;:)”\"%])\^(\d{1,2}(?:,\d{1,2})*)(?![\w^])")
_FAREWELL = re.compile(
    r"(?<=[.!?\])*\s])(?:let me know|(?:please )?feel free|i hope (?:this|that)|hope (?:this|that) helps"
    r"|is there anything else|would you like)\b[^\n]{0,200}\Z",
    re.IGNORECASE,
)

_PRIVATE = re.compile("\ue200[^\ue200\ue201]{0,200}\ue201")  # between these, ChatGPT names what it searched
_CIRCLED = re.compile("[①-⑳⑴-⒇❶-❿➀-➓]")
_ANGLED = re.compile(r"<(\d{1,2}(?:,\s*\d{1,2})*)>")
_CARET_AT_END = re.compile(r"(?<=[^\W\d_]{4})(\s?)\$?\^(\d{1,2}(?:,\d{1,2})*)(?:\^|\$)?(?=[\s.!?,;]|$)")
_FULL_WIDTH = str.maketrans("（）", "()")
_HALF = re.compile(r"(?<=\s)[\[#@]\s?(\d{1,2})>?(?=[.!?]*\s*$)", re.MULTILINE)

_SUPERSCRIPTS = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")

_ENTRY = r"[-*•\s]*(?:[\[【(]{1,2}\^?|\*\*)?\s*(?:\d|[¹²³⁴-⁹]|pmid|pmc|doi|https?:|passages?\s*\d|n/?a\b|none\b)"
_REFERENCES = re.compile(
    r"(?:^|\n|(?<=[.!?\]】])[ \t]+)[ \t#*_>-]*"
    rf"(?:(?:references?|bibliography|works cited|citations?|cited passages|footnotes?"
    r"|quellen|literatur|références|bibliographie|fuentes|referencias|bibliografía)[*_ \t]*(?::|\n|$)"
    r"|(?:sources?|passages?(?: (?:cited|used))?)[*_ \t]*:?[*_ \t]*:?"
    rf"(?:\n+(?={_ENTRY})|(?<=[:*])[ \t]*(?={_ENTRY})|\s*$))"
    r".*\Z",
    re.IGNORECASE | re.DOTALL,
)
_FOOTNOTE = re.compile(r"^[ \t]*\[\^?[\w:#-]{1,40}\]:[^\n]*$", re.MULTILINE)


def references(text: str) -> str:
    """The list of references at the end of the text, without its heading; "" where it has none.

    >>> references("It is fluid.\\n\\nSources: [1], [2]")
    '[1], [2]'
    """
    found = _REFERENCES.search(_cited_in_line(text))
    return re.sub(r"^[\W_]*(?:cited |works )?\w+(?: (?:cited|used))?[*_ \t]*:?[*_]*\s*", "", found[0]) if found else ""


def plain(text: str) -> str:
    """The text without markup; lines stay lines, a link is its text, a raised number has superscript digits.

    >>> plain("**Fluid** is [drained](https://x.org).<sup>[1]</sup> 10<sup>6</sup> cells")
    'Fluid is drained.[1] 10⁶ cells'
    >>> plain("- Fluid [1].\\n\\n**References:**\\n[1] Effusion (2009)")
    'Fluid [1].'
    """
    text = _cited_in_line(_FENCE.sub("", _TERMINAL.sub("", text)))
    text = _FOOTNOTE.sub("", text) if _FOOTNOTE.sub("", text).strip() else text  # else they are the answer
    text = _CARET.sub(_raised, _ANCHOR.sub(r"[\1]", _FAREWELL.sub("", text)))
    text = _REFERENCES.sub("", _COHERE.sub(r"\2 [\1]", _BOXED.sub(r"\1\2", text)))
    text = _ROW.sub(_cells, _TABLE_HEAD.sub("", text))
    text = _LABEL.sub("", _ITEM.sub("", _LEAD_IN.sub("", _TITLE.sub("", text))))
    text = _BREAK.sub("\n", _CITE.sub(r"[\2]", _RAISED.sub(_raised, _ESCAPED.sub(r"\1", text))))
    text = _LINK.sub(_linked, _DOUBLE.sub(r"\1", _TAG.sub("", text)))
    return unescape(_CODE.sub(r"\1", _ITALIC.sub(r"\1", _BOLD.sub(r"\2", text)))).strip()


def uniform(text: str) -> str:
    """The text with circled and angled numbers, carets and brackets that lack a half in the commoner spellings.

    >>> uniform("It is fluid ①. It presses <2>. It grows ^3. It stays [1.")
    'It is fluid [1]. It presses [2]. It grows ³. It stays [1].'
    """
    text = _PRIVATE.sub("[?]", text).translate(_FULL_WIDTH)
    text = _CIRCLED.sub(lambda match: f"[{int(unicodedata.numeric(match[0]))}]", text)
    text = _CARET_AT_END.sub(lambda match: match[1] + match[2].translate(_SUPERSCRIPTS), _ANGLED.sub(r"[\1]", text))
    text = re.sub(r"\[\s*(\d[\d\s,;–-]{0,30})\]", lambda match: f"[{' '.join(match[1].split())}]", text)
    return _HALF.sub(r"[\1]", text)


def _cited_in_line(text: str) -> str:
    """The text with a line "citations: 1" behind each of several sentences as a marker of that sentence."""
    several = len(_CITE_LINE.findall(text)) > 1
    return _CITE_LINE.sub(lambda match: f" [{match[1].strip('[] ')}]", text) if several else text


def _cells(match: re.Match[str]) -> str:
    """The row of a table as text."""
    return " ".join(cell.strip() for cell in match[1].split("|"))


def _raised(match: re.Match[str]) -> str:
    """A raised marker as it is, raised digits as superscript ones."""
    text = match[1]
    return text.translate(_SUPERSCRIPTS) if re.fullmatch(r"[-−\d,;\s–]+", text) else text


def _linked(match: re.Match[str]) -> str:
    """The text of a link; its brackets stay where they may be those of a marker."""
    return match[1] if any(map(str.isdecimal, match[1])) and len(match[1].split()) <= 2 else match[1][1:-1]
