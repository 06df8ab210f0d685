"""What an endpoint's failure means to a user, and what to set. Knows the client's errors, not what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError

_LONGEST_MESSAGE = 200

_REFUSED = frozenset({400, 413, 422})
"""Statuses of a request that is wrong in itself: too long for the model, mostly."""


def explain(error: Exception, settings: LlmSettings) -> GeneratorError:
    """The error as one sentence that names the endpoint and the remedy.

    >>> print(explain(Exception("broken"), LlmSettings(url="http://localhost:1/v1")))
    http://localhost:1/v1: broken; check OSLER_LLM_URL.
    """
    import openai

    url, variables = settings.url, settings.variables
    if isinstance(error, openai.APITimeoutError):
        wait = f"{settings.timeout:g}"
        return GeneratorError(f"{url}: no reply within {wait} seconds; raise {variables}_TIMEOUT above {wait}.")
    if isinstance(error, openai.APIConnectionError):
        return GeneratorError(
            f"{url}: nothing answers there; start the endpoint or set {variables}_URL to one that runs."
        )
    if isinstance(error, openai.APIStatusError):
        kind = ReplyError if error.status_code in _REFUSED else GeneratorError
        return kind(f"{url}: {_refusal(error.status_code, _message(error), settings)}")
    return GeneratorError(f"{url}: {_one_line(str(error))}; check {variables}_URL.")


def _refusal(status: int, message: str, settings: LlmSettings) -> str:
    variables = settings.variables
    if status in (401, 403):
        given = f"the key in {variables}_KEY was refused" if settings.key else "a key is needed"
        return f"{given} ({message}); set {variables}_KEY to a valid one."
    if status == 404:
        return f"no model {settings.model!r} there ({message}); set {variables}_MODEL, or end {variables}_URL in /v1."
    if status == 429:
        return f"too many requests ({message}); ask again later, or set {variables}_URL to another endpoint."
    if status >= 500:
        return f"the endpoint failed with status {status} ({message}); look at its log, then ask again."
    return (
        f"the request was refused with status {status} ({message}); "
        f"lower OSLER_ANSWER_PASSAGE_TOKENS or set {variables}_MODEL to another model."
    )


def _message(error: Any) -> str:
    """The endpoint's own words: OpenAI's {"message"}, FastAPI's {"detail"}, Ollama's text, or else the client's."""
    body = error.body
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or body.get("error")
    return _one_line(body if isinstance(body, str) and body.strip() else str(error))


def _one_line(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE].rstrip() + "…"
