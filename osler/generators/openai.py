"""A language model behind an OpenAI-compatible endpoint. Knows the chat API; knows nothing of passages or prompts.

Endpoints differ in what they accept, so what one refuses is left out. The HTTP client is loaded with the first request.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from osler.config import LlmSettings
from osler.errors import GeneratorError
from osler.generators.endpoint import Endpoint, StatusError
from osler.generators.failures import message_of, refusal
from osler.generators.replies import ChatReply, read_reply
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

    def _reply(self, messages: Sequence[Message], schema: Mapping[str, Any] | None) -> ChatReply:
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
        parameters = {
            "temperature": settings.temperature,
            "seed": settings.seed,
            tokens: settings.max_tokens,
            "response_format": _response_format(schema) if schema else None,
        }
        sent = {name: value for name, value in parameters.items() if value is not None and name not in left_out}
        turns = _without_system(messages) if "system" in left_out else [dict(message) for message in messages]
        return {"model": self.model, "messages": turns, **sent}

    def _ask(self, request: Mapping[str, Any]) -> ChatReply:
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

    def _ask_once(self, request: Mapping[str, Any]) -> ChatReply:
        return read_reply(self._endpoint.exchange("POST", "chat/completions", request), self.settings)


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": dict(schema)}}


def _refused_parameter(error: StatusError, request: Mapping[str, Any]) -> str:
    """The parameter of the request that the error names first, "" where it names none."""
    if error.status not in _REFUSALS | {200}:
        return ""
    message = message_of(error.body, error.status)
    places = {name: match.start() for name, pattern in _NAMES.items() if (match := pattern.search(message))}
    names = {*request, *("system" for message in request["messages"] if message["role"] == "system")}
    return min((name for name in places if name in names), key=places.__getitem__, default="")


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
