"""The body of an endpoint's reply becomes the model's text, or one sentence that says why there is none.

Knows the shapes of the chat API and of what endpoints make of them; knows nothing of connections, prompts or passages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError
from osler.generators.endpoint import StatusError
from osler.generators.failures import quoted

_NOT_SAID = frozenset({"thinking", "reasoning", "redacted_thinking", "reasoning_text", "thought"})
"""Types of blocks in which a model speaks to itself."""

_ENDS = (".", "!", "?", "}", "]", ")", "`", '"', "”")
"""What a whole reply may end with, where a stream does not say that it has ended."""


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What the model said, and the name that the endpoint gives it, "" where it gives none."""

    text: str
    model: str


def read_reply(body: bytes, settings: LlmSettings) -> ChatReply:
    """The text of the first choice, also where it comes in blocks, as JSON values or as a stream.

    StatusError for an error that comes with status 200; ReplyError where the model said nothing, with the reason that
    the reply gives; GeneratorError for anything that is no reply of the chat API.

    >>> read_reply(b'{"model": "m", "choices": [{"message": {"content": [{"type": "text", "text": "Yes."}]}}]}',
    ...            LlmSettings())
    ChatReply(text='Yes.', model='m')
    """
    reply = _parsed(body, settings)
    choice = _choice(reply)
    message = _first_mapping(choice.get("message"), choice.get("delta"), choice)
    error = reply.get("error") or choice.get("error")
    said = choice.get("message")
    places = (message.get("content"), choice.get("text"), said if isinstance(said, str) else None)
    text = next(filter(str.strip, map(_text, places)), "")
    if error and not text:
        raise StatusError(_status(error), json.dumps({"error": error}).encode())
    if text:
        return ChatReply(text, str(reply.get("model") or ""))
    if choice:
        raise ReplyError(f"{settings.shown_url}: {_why_nothing(message, choice, settings)}")
    if any(isinstance(reply.get(name), str) for name in ("message", "detail")):
        raise StatusError(_status(reply), body)
    raise GeneratorError(
        f"{settings.shown_url}: did not reply as an OpenAI-compatible endpoint does; "
        f"set {settings.variables}_URL to its base address, which usually ends in /v1."
    )


def _parsed(body: bytes, settings: LlmSettings) -> Mapping[str, Any]:
    """The object that the body holds, empty where it is another value or no JSON at all."""
    text = body.decode(json.detect_encoding(body), errors="replace").strip()
    if text.startswith(("data:", "event:", ":")):
        return _joined(text, settings)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.startswith("{"):
            raise ReplyError(
                f"{settings.shown_url}: the reply is JSON that breaks off or is damaged; look at the endpoint's log, "
                f"then ask again, or set {settings.variables}_URL to another."
            ) from error
        return {}
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, Mapping) else {}


def _joined(stream: str, settings: LlmSettings) -> Mapping[str, Any]:
    """Server-sent events, which nobody asked for, as the one reply that they make up; GeneratorError if broken off."""
    pieces, reply, reason, cut, line = [], dict[str, Any](), None, False, ""
    for line in stream.splitlines():
        try:
            event = json.loads(line.removeprefix("data:"))
        except (ValueError, RecursionError):
            cut = "{" in line
            continue  # [DONE], comments and names of events
        if isinstance(event, Mapping):
            choice = _choice(event)
            message = _first_mapping(choice.get("delta"), choice.get("message"))
            pieces.append(_text(message.get("content")) or _text(choice.get("text")))
            reason = choice.get("finish_reason") or reason
            reply |= event
    if not reply:
        return {}
    if reply.get("error"):  # what was said before it broke off is no reply
        return {"error": reply["error"]}
    text = "".join(pieces).rstrip()
    if text and reason is None and "[DONE]" not in line and (cut or not text.endswith(_ENDS)):
        raise GeneratorError(
            f"{settings.shown_url}: the stream of the reply broke off; look at the endpoint's log, then ask again."
        )
    return {**reply, "choices": [{"text": text, "finish_reason": reason}]}


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice; the reply itself where that holds the message, as Ollama's own API has it."""
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, Sequence) and choices else choices
    return _first_mapping(choice, reply if isinstance(reply.get("message"), Mapping) else None)


def _first_mapping(*values: Any) -> Mapping[str, Any]:
    return next((value for value in values if isinstance(value, Mapping)), {})


def _text(content: Any) -> str:
    """The text of the content of a message: a string, blocks of text, or values that stand for their own JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = content["parts"] if isinstance(content.get("parts"), list) else [content]  # Gemini's own API
    if not isinstance(content, list):
        return ""
    if not all(isinstance(block, str) or _is_block(block) for block in content):
        try:
            return json.dumps(content[0] if len(content) == 1 else content)  # the endpoint has read the model's JSON
        except RecursionError:
            return ""
    return "".join(block if isinstance(block, str) else _block_text(block) for block in content)


def _is_block(block: Any) -> bool:
    return isinstance(block, Mapping) and (isinstance(block.get("type"), str) or block.keys() <= {"text", "thought"})


def _block_text(block: Mapping[str, Any]) -> str:
    if block.get("type") in _NOT_SAID or block.get("thought") is True:
        return ""
    text = block.get("text", block.get("content"))
    text = text.get("value") if isinstance(text, Mapping) else text
    return text if isinstance(text, str) else ""


def _status(error: Any) -> int:
    """The status that an error carries, 200 where it carries none."""
    code = str(error.get("code") or error.get("status")) if isinstance(error, Mapping) else ""
    return int(code) if code.isdecimal() and 400 <= int(code[:4]) < 600 else 200


def _why_nothing(message: Mapping[str, Any], choice: Mapping[str, Any], settings: LlmSettings) -> str:
    """Why a choice holds no text, and what to do."""
    reason, variables, limit = choice.get("finish_reason"), settings.variables, settings.max_tokens
    other = f"set {variables}_MODEL to another model."
    blocks = message.get("content") if isinstance(message.get("content"), list) else []
    refusals = [block.get("refusal") for block in blocks or () if isinstance(block, Mapping)]
    refused = next((text for text in (message.get("refusal"), *refusals) if isinstance(text, str) and text), "")
    if refused:
        return f"the model refused to answer ({quoted(refused, settings)}); ask in other words or {other}"
    if reason == "content_filter":
        return (
            f"the endpoint's content filter withheld the reply; ask in other words or set {variables}_URL to another."
        )
    if message.get("tool_calls") or message.get("function_call"):
        return f"the model called a tool instead of answering; {other}"
    if message.get("content") and not isinstance(message["content"], str | list | Mapping):
        return f"the content of the reply is no text; {other}"
    if message.get("reasoning_content") or message.get("reasoning") or blocks:
        said = "reasoned and did not answer"
    else:
        said = "replied with nothing"
    stopped = f" (it stopped for {quoted(reason, settings)!r})" if isinstance(reason, str) else ""
    more = f"raise {variables}_MAX_TOKENS above {limit} or " if limit else ""
    return f"the model {said}{stopped}; {more}{other}"
