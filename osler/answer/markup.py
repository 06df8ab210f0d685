"""The words of a reply without what stands around them: thoughts, marks of chat templates, Markdown, HTML, references.

Endpoints should take thoughts and templates out, but many do not: vLLM, SGLang, llama.cpp and Ollama need a parser for
each model family, and a template may put the opening mark into the prompt, so that a reply holds the closing one alone.
Markers of passages stay, in brackets or as superscript digits: `osler.answer.markers` reads them.
"""

from __future__ import annotations

import re
from html import unescape

SUPERSCRIPTS = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
"""Raises the digits and signs of a text."""

_NAMES = (
    r"(?:\w+[:_-])?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflections?|analysis|scratchpad|monologue)"
    r"(?:[_-](?:process|content|steps?|block))?"
)

_OPENING = re.compile(
    rf"<\|?(?:{_NAMES})(?:\s[^<>]*)?\|?>|◁think▷|\[THINK\]"
    r"|<details\b[^<>]*\btype=[\"']?reasoning[^<>]*>"  # Open WebUI
    r"|<\|channel>\s*thought"  # Gemma
    r"|<\|(?:START_THINKING|begin_of_thought|inner_prefix)\|>"  # Command A, OpenThinker, Apertus
    r"|\bHere(?:['’]s| is) my thought process:",  # Granite
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"<\|?/(?:{_NAMES})\s*\|?>|◁/think▷|\[/THINK\]|<channel\|>|</details>"
    r"|<\|(?:END_THINKING|end_of_thought|inner_suffix)\|>"
    r"|\bHere(?:['’]s| is) my response:",
    re.IGNORECASE,
)
_BLOCK = re.compile(f"(?:{_OPENING.pattern}).*?(?:{_CLOSING.pattern})", re.IGNORECASE | re.DOTALL)

# gpt-oss speaks in channels, of which `final` is for the user. Where a server drops special tokens, the names stay.
_CHANNEL = re.compile(r"<\|channel\|>|\A\s*(?:assistant)?(?:analysis|commentary)(?=[A-Z{])|assistantfinal")
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>|assistantfinal\s*")

# "Reasoning: … Answer: …", in lines of their own.
_LABELLED = re.compile(
    r"\A\W*(?:reasoning|thoughts?|thinking|analysis|chain of thought|step[- ]by[- ]step)\W*:.*?"
    r"^\W*(?:final )?answer\W*:[* \t]*",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)

_TURN_BEGINS = re.compile(
    r"\A\s*(?:<s>|\[/INST\]|<\|(?:im_start|start|start_header_id)\|>\s*(?:assistant)?\s*(?:<\|end_header_id\|>)?"
    r"|<start_of_turn>\s*model|<\|assistant\|>|<｜Assistant｜>)\s*"
)
_TURN_ENDS = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|end|start|start_header_id|end_of_text|endoftext|return|call|user|END_RESPONSE)\|>"
    r"|</s>|<(?:end|start)_of_turn>|<turn\|>|<｜end▁of▁sentence｜>|\[/?INST\]"
)
_TOKEN = re.compile(r"<\|[A-Za-z_]+\|>|<s>")


def without_thoughts(reply: str) -> str:
    """The last turn of the reply without thoughts: nothing of them is left where they were cut off.

    Everything before the last closing mark is a thought, with or without an opening one; a block at the very end is
    an afterthought, and what stands before it stays.

    >>> without_thoughts("<think>A or B?</think>B"), without_thoughts("A or B?</think>B"), without_thoughts("<think>A")
    ('B', 'B', '')
    """
    text = _TURN_BEGINS.sub("", reply)
    if _CHANNEL.search(text):
        finals = list(_FINAL.finditer(text))
        text = text[finals[-1].end() :] if finals else ""
    if not _behind_closing(text).strip():
        text = _BLOCK.sub("", text)
    text = _behind_closing(text)
    opening = _OPENING.search(text)
    text = text[: opening.start()] if opening else text
    turn_end = _TURN_ENDS.search(text)
    return _LABELLED.sub("", _TOKEN.sub("", text[: turn_end.start()] if turn_end else text))


def _behind_closing(text: str) -> str:
    closings = list(_CLOSING.finditer(text))
    return text[closings[-1].end() :] if closings else text


# Markdown, HTML and LaTeX, and what a chat says around its answer.
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
_REFERENCES_HEADING = re.compile(r"^[\W_]*(?:cited |works )?\w+(?: (?:cited|used))?[*_ \t]*:?[*_]*\s*")
_FOOTNOTE = re.compile(r"^[ \t]*\[\^?[\w:#-]{1,40}\]:[^\n]*$", re.MULTILINE)


def references(text: str) -> str:
    """The list of references at the end of the text, without its heading; "" where it has none.

    >>> references("It is fluid.\\n\\nSources: [1], [2]")
    '[1], [2]'
    """
    section = _REFERENCES.search(_cited_in_line(text))
    return _REFERENCES_HEADING.sub("", section[0]) if section else ""


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
    text = _ROW.sub(lambda row: " ".join(cell.strip() for cell in row[1].split("|")), _TABLE_HEAD.sub("", text))
    text = _LABEL.sub("", _ITEM.sub("", _LEAD_IN.sub("", _TITLE.sub("", text))))
    text = _BREAK.sub("\n", _CITE.sub(r"[\2]", _RAISED.sub(_raised, _ESCAPED.sub(r"\1", text))))
    text = _LINK.sub(_linked, _DOUBLE.sub(r"\1", _TAG.sub("", text)))
    return unescape(_CODE.sub(r"\1", _ITALIC.sub(r"\1", _BOLD.sub(r"\2", text)))).strip()


def _cited_in_line(text: str) -> str:
    """The text with a line "citations: 1" behind each of several sentences as a marker of that sentence."""
    several = len(_CITE_LINE.findall(text)) > 1
    return _CITE_LINE.sub(lambda match: f" [{match[1].strip('[] ')}]", text) if several else text


def _raised(match: re.Match[str]) -> str:
    """A raised marker as it is, raised digits as superscript ones."""
    text = match[1]
    return text.translate(SUPERSCRIPTS) if re.fullmatch(r"[-−\d,;\s–]+", text) else text


def _linked(match: re.Match[str]) -> str:
    """The text of a link; its brackets stay where they may be those of a marker."""
    return match[1] if any(map(str.isdecimal, match[1])) and len(match[1].split()) <= 2 else match[1][1:-1]
