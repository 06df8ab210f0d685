"""A reply without what a reasoning model says to itself, and without the marks of chat templates. Knows text only.

Endpoints should take both out, but many do not: vLLM, SGLang, llama.cpp and Ollama need a parser for each model family,
and a template may put the opening mark into the prompt, so that a reply holds the closing one alone.
"""

from __future__ import annotations

import re

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
