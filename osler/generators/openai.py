"""A language model behind an OpenAI-compatible endpoint. Knows the chat API; knows nothing of passages or prompts.

The `openai` client is slow to import, so it is loaded with the first request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError
from osler.generators.failures import explain
from osler.protocols import Message

if TYPE_CHECKING:
    import httpx2
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses that go away by waiting."""

RETRIES = 2
LONGEST_WAIT = 20.0
"""Seconds; an endpoint that asks for more is better asked again by the user."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_KEY = "none"  # the client insists on a key, a local endpoint ignores it


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
        self._http_client = http_client
        self._honours_schemas = True

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The model's reply: JSON that fits `schema` where the endpoint honours schemas, else free text.

        An endpoint that rejects schemas is asked once more without one, and without one from then on.
        GeneratorError when it cannot be reached or refuses; ReplyError where it refuses this request alone, or replies
        with nothing.
        """
        import openai

        try:
            reply = self._reply(messages, schema)
        except openai.OpenAIError as error:
            raise explain(error, self.settings) from error
        self.replied_by = str(getattr(reply, "model", None) or self.model)
        return _text(reply, self.settings)

    @cached_property
    def model(self) -> str:
        """The model asked for; without one in the settings, the first that the endpoint offers."""
        import openai

        if self.settings.model:
            return self.settings.model
        try:
            offered = list(self._client.models.list())
        except openai.OpenAIError as error:
            raise explain(error, self.settings) from error
        if not offered:
            raise GeneratorError(
                f"{self.settings.url}: offers no model; load one there or set {self.settings.variables}_MODEL."
            )
        return offered[0].id

    @cached_property
    def _client(self) -> OpenAI:
        from httpx2 import Limits
        from openai import DefaultHttpxClient, OpenAI

        loopback = urlsplit(self.settings.url).hostname in _LOOPBACK
        # A proxy from the environment cannot reach this machine's own ports. A connection ends with its reply: seconds
        # of writing outweigh a handshake, and nothing is left open that somebody would have to close.
        client = self._http_client or DefaultHttpxClient(
            trust_env=not loopback, limits=Limits(max_keepalive_connections=0)
        )
        return OpenAI(
            base_url=self.settings.url,
            api_key=self.settings.key or _NO_KEY,
            timeout=self.settings.timeout,
            max_retries=0,
            http_client=client,
        )

    def _reply(self, messages: Sequence[Message], schema: Mapping[str, Any] | None) -> ChatCompletion:
        import openai

        if schema is None or not self._honours_schemas:
            return self._ask(messages)
        try:
            return self._ask(messages, response_format=_response_format(schema))
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            reply = self._ask(messages)  # a request that is wrong for another reason fails here again
            self._honours_schemas = False
            return reply

    def _ask(self, messages: Sequence[Message], **extra: Any) -> ChatCompletion:
        import openai

        request: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages],
            "temperature": self.settings.temperature,
            "seed": self.settings.seed,
            "max_tokens": self.settings.max_tokens,
            **extra,
        }
        for attempt in range(RETRIES):
            try:
                return self._create(request)
            except openai.APIStatusError as error:
                wait = _seconds_to_wait(error, attempt)
                if error.status_code not in BUSY or wait > LONGEST_WAIT:
                    raise
                time.sleep(wait)
        return self._create(request)

    def _create(self, request: Mapping[str, Any]) -> ChatCompletion:
        reply: ChatCompletion = self._client.chat.completions.create(**request)
        return reply


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": dict(schema)}}


def _seconds_to_wait(error: Any, attempt: int) -> float:
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):  # none given, or a date
        return float(2**attempt)


def _text(reply: ChatCompletion, settings: LlmSettings) -> str:
    choices = getattr(reply, "choices", None)
    if not choices:
        raise GeneratorError(
            f"{settings.url}: did not reply as an OpenAI-compatible endpoint does; "
            f"set {settings.variables}_URL to its base address, which usually ends in /v1."
        )
    text = choices[0].message.content
    if text and text.strip():
        return str(text)
    reason, variables = choices[0].finish_reason, settings.variables
    raise ReplyError(
        f"{settings.url}: {reply.model} replied with nothing (it stopped for {reason!r}); "
        f"raise {variables}_MAX_TOKENS above {settings.max_tokens} or set {variables}_MODEL to another model."
    )
