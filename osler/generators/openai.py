"""A language model behind an OpenAI-compatible endpoint. Knows the chat API; knows nothing of passages or prompts.

Endpoints differ in what they accept, so what one refuses is left out, and in what they send, so the body of a reply
becomes the model's text in whatever shape that comes, or one sentence that says why there is none.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError
from osler.generators.endpoint import Endpoint, StatusError, message_of, quoted, refusal
from osler.protocols import Message

if TYPE_CHECKING:
    import httpx2

RETRIES = 2
LONGEST_WAIT = 20.0
"""Seconds; an endpoint that asks for more is better asked again by the user."""

_BUSY = frozenset({408, 409, 425, 429, *range(500, 600)}) - {501, 505}
"""Statuses that go away by waiting."""

_REFUSALS = frozenset({400, 404, 422, 500, 501})
"""Statuses with which endpoints refuse a parameter: OpenRouter says 404, Ollama 500."""

_NAMES = {
    "response_format": re.compile(
        r"response.?format|json.?(?:schema|object|mode)|structured.?output|grammar|schema", re.I
    ),
    "max_tokens": re.compile(r"max.?(?:completion.?|output.?)?tokens", re.I),
    "max_completion_tokens": re.compile(r"max.?(?:completion.?|output.?)?tokens", re.I),
    "temperature": re.compile(r"temperature", re.I),
    "seed": re.compile(r"(?<![a-z])seed(?![a-z])", re.I),
    "system": re.compile(
        r"system.?(?:role|message|prompt|instruction)|developer.?instruction|role['\"`: ]+system|['\"`]system['\"`]"
        r"|roles? must alternate|messages\W*\d+\W*role",
        re.I,
    ),
}
"""How an error names each part of a request that can be left out; of the system's message the text stays."""


class OpenAIGenerator:
    """A `Generator` that asks the endpoint of the settings.

    A timeout is not retried, so that `settings.timeout` is how long a user waits; a busy endpoint is asked again twice.
    `http_client` replaces the connection, as in a test or behind a proxy of its own. `replied_by` is the model of the
    last reply as the endpoint names it, which may be another name than was asked for.

    >>> OpenAIGenerator(LlmSettings(url="http://localhost:11434/v1", model="llama3:8b")).settings.model
    'llama3:8b'
    """

    def __init__(self, settings: LlmSettings, *, http_client: httpx2.Client | None = None) -> None:
        self.settings = settings
        self.replied_by = ""
        self._endpoint = Endpoint(settings, http_client)
        self._left_out: frozenset[str] = frozenset()

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The model's reply: JSON that fits `schema` where the endpoint honours schemas, else free text.

        A parameter that the endpoint refuses, the schema among them, is left out, from then on if that helps.
        GeneratorError when it cannot be reached or refuses; ReplyError where it refuses this request alone, or replies
        with nothing.
        """
        try:
            reply = self._reply(messages, schema)
        except StatusError as error:
            raise refusal(error.status, message_of(error.body, error.status), self.settings) from error
        self.replied_by = reply.model or self.model
        return reply.text

    @cached_property
    def model(self) -> str:
        """The model asked for; without one in the settings, the first that the endpoint offers."""
        if self.settings.model:
            return self.settings.model
        url, variables = self.settings.shown_url, self.settings.variables
        try:
            offered = _model_names(self._endpoint.exchange("GET", "models"))
        except StatusError as error:
            if error.status not in (404, 405, 501):
                raise refusal(error.status, message_of(error.body, error.status), self.settings) from error
            raise GeneratorError(
                f"{url}: does not list its models (status {error.status}); set {variables}_MODEL to the name of one, "
                f"or end {variables}_URL in /v1."
            ) from error
        if not offered:
            raise GeneratorError(f"{url}: offers no model; load one there or set {variables}_MODEL.")
        return offered[0]

    def _reply(self, messages: Sequence[Message], schema: Mapping[str, Any] | None) -> _ChatReply:
        """The reply to the request with as many parameters as the endpoint accepts.

        The error raised is the first that leaving out a parameter on suspicion did not mend: what it says is wrong.
        """
        left_out, unmended = self._left_out, None
        while True:
            request = self._request(messages, schema, left_out)
            try:
                reply = self._ask(request)
            except StatusError as error:
                refused = _refused_parameter(error, request)
                if refused:
                    unmended = None
                elif error.status in _REFUSALS and "response_format" in request:
                    refused, unmended = "response_format", unmended or error
                else:
                    raise unmended or error from None
                left_out |= {refused}
            else:
                self._left_out = left_out
                return reply

    def _request(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None, left_out: frozenset[str]
    ) -> dict[str, Any]:
        settings = self.settings
        tokens = "max_completion_tokens" if "max_tokens" in left_out else "max_tokens"  # o1 and later know the former
        json_schema = {"name": "reply", "strict": True, "schema": dict(schema or {})}
        parameters = {
            "temperature": settings.temperature,
            "seed": settings.seed,
            tokens: settings.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": json_schema} if schema else None,
        }
        sent = {name: value for name, value in parameters.items() if value is not None and name not in left_out}
        turns = _without_system(messages) if "system" in left_out else [dict(message) for message in messages]
        return {"model": self.model, "messages": turns, **sent}

    def _ask(self, request: Mapping[str, Any]) -> _ChatReply:
        """The reply to this request, asked again while the endpoint is busy."""
        for attempt in range(RETRIES):
            try:
                return self._ask_once(request)
            except StatusError as error:
                wait = float(2**attempt) if error.wait is None else error.wait
                if error.status not in _BUSY or wait > LONGEST_WAIT or _refused_parameter(error, request):
                    raise
                time.sleep(wait)
        return self._ask_once(request)

    def _ask_once(self, request: Mapping[str, Any]) -> _ChatReply:
        return _read_reply(self._endpoint.exchange("POST", "chat/completions", request), self.settings)


def _refused_parameter(error: StatusError, request: Mapping[str, Any]) -> str:
    """The parameter of the request that the error names first, "" where it names none."""
    if error.status not in _REFUSALS | {200}:
        return ""
    message = message_of(error.body, error.status)
    positions = {name: match.start() for name, pattern in _NAMES.items() if (match := pattern.search(message))}
    names = {*request, *("system" for message in request["messages"] if message["role"] == "system")}
    return min((name for name in positions if name in names), key=positions.__getitem__, default="")


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The messages with what the system says at the head of the next turn, as Gemma and o1 want it."""
    turns, said = list[Message](), ""
    for message in messages:
        if message["role"] == "system":
            said += message["content"] + "\n\n"
        else:
            turns.append({**message, "content": said + message["content"]})
            said = ""
    return turns


def _model_names(body: bytes) -> list[str]:
    """The names in a list of models, by OpenAI's key or Ollama's; none where the body is no such list."""
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if isinstance(listed, Mapping):
        listed = listed.get("data") or listed.get("models")
    models = [model for model in listed if isinstance(model, Mapping)] if isinstance(listed, list) else []
    names = [model.get("id") or model.get("name") for model in models]
    return [name for name in names if isinstance(name, str) and name]


_NOT_SAID = frozenset({"thinking", "reasoning", "redacted_thinking", "reasoning_text", "thought"})
"""Types of blocks in which a model speaks to itself."""

_ENDS = (".", "!", "?", "}", "]", ")", "`", '"', "”")
"""What a whole reply may end with, where a stream does not say that it has ended."""


@dataclass(frozen=True, slots=True)
class _ChatReply:
    """What the model said, and the name that the endpoint gives it, "" where it gives none."""

    text: str
    model: str


def _read_reply(body: bytes, settings: LlmSettings) -> _ChatReply:
    """The text of the first choice, also where it comes in blocks, as JSON values or as a stream.

    StatusError for an error that comes with status 200; ReplyError where the model said nothing, with the reason that
    the reply gives; GeneratorError for anything that is no reply of the chat API.

    >>> _read_reply(b'{"model": "m", "choices": [{"message": {"content": [{"type": "text", "text": "Yes."}]}}]}',
    ...            LlmSettings())
    _ChatReply(text='Yes.', model='m')
    """
    reply = _parsed(body, settings)
    choice = _choice(reply)
    message = _first_mapping(choice.get("message"), choice.get("delta"), choice)
    error = reply.get("error") or choice.get("error")
    said = choice.get("message")
    contents = (message.get("content"), choice.get("text"), said if isinstance(said, str) else None)
    text = next(filter(str.strip, map(_text, contents)), "")
    if error and not text:
        raise StatusError(_status(error), json.dumps({"error": error}).encode())
    if text:
        return _ChatReply(text, str(reply.get("model") or ""))
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
    texts = [_block_text(block) for block in content]
    if None in texts:
        try:
            return json.dumps(content[0] if len(content) == 1 else content)  # the endpoint has read the model's JSON
        except RecursionError:
            return ""
    return "".join(filter(None, texts))


def _block_text(block: Any) -> str | None:
    """What a block of content says, "" where the model speaks to itself in it; None where it is no block of text."""
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping) or not (
        isinstance(block.get("type"), str) or block.keys() <= {"text", "thought"}
    ):
        return None
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
