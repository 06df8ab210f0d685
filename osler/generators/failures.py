"""What an endpoint's failure means to a user, and what to set. Knows errors and their words, not what was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http.client import responses
from typing import Any

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError

_LONGEST_MESSAGE = 200
_SHORTEST_SECRET = 4
_SHORTEST_WORD = 8
"""Characters of a secret of letters alone; a shorter key ("none", "ollama") is a word of many messages."""

# What an endpoint or a client repeats of a request, whatever its length.
_USER = re.compile(r"(?<=//)[^\s/@]+(?=@)")
_QUERY = re.compile(r"(://[^\s?#]*[?#][^\s=]*=)[^\s)'\"]+")
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+(?=\S*[\d_=]|\S{16})[^\s,;)'\"]+")

_DEEPEST = 8
_MOST_LISTED = 9
_OF_THIS_REQUEST = frozenset({400, 413, 422})
"""Statuses of a request that is wrong in itself: too long for the model, mostly."""

_COME_BACK = frozenset({408, 409, 425, 429})
_MESSAGES = ("message", "error", "detail", "msg", "error_description", "errors", "title", "reason")


def connection_failure(error: Exception, settings: LlmSettings) -> GeneratorError:
    """The error of a connection as one sentence that names the endpoint and the remedy."""
    from httpx2 import (
        ConnectError,
        InvalidURL,
        NetworkError,
        RemoteProtocolError,
        TimeoutException,
        UnsupportedProtocol,
    )

    url, variables = settings.shown_url, settings.variables
    reason = quoted(str(error) or type(error).__name__, settings)
    if isinstance(error, TimeoutException):
        wait = f"{settings.timeout:g}"
        return GeneratorError(f"{url}: no reply within {wait} seconds; raise {variables}_TIMEOUT above {wait}.")
    if isinstance(error, InvalidURL | UnsupportedProtocol):
        return GeneratorError(f"{url}: no address of an endpoint ({reason}); set {variables}_URL to one.")
    if isinstance(error, ConnectError) and "ssl" in reason.lower():
        return GeneratorError(
            f"{url}: no secure connection ({reason}); set {variables}_URL to one whose certificate is trusted here."
        )
    if isinstance(error, ConnectError):
        return GeneratorError(
            f"{url}: nothing answers there ({reason}); start the endpoint or set {variables}_URL to one that runs."
        )
    if isinstance(error, NetworkError | RemoteProtocolError):
        return GeneratorError(
            f"{url}: the connection broke off before the reply was whole ({reason}); look at the endpoint's log, then "
            f"ask again, or set {variables}_URL to another."
        )
    return GeneratorError(f"{url}: {reason}; check {variables}_URL.")


def refusal(status: int, message: str, settings: LlmSettings) -> GeneratorError:
    """An error status as one sentence; ReplyError where it may be a matter of this request alone.

    >>> print(refusal(503, "loading", LlmSettings(url="http://localhost:1/v1")))
    http://localhost:1/v1: the endpoint failed with status 503 (loading); look at its log, then ask again.
    """
    kind = ReplyError if status in _OF_THIS_REQUEST else GeneratorError
    return kind(f"{settings.shown_url}: {_meaning(status, quoted(message, settings), settings)}")


def _meaning(status: int, message: str, settings: LlmSettings) -> str:
    variables = settings.variables
    if status in (401, 403):
        given = f"the key in {variables}_KEY was refused" if settings.key else "a key is needed"
        return f"{given} ({message}); set {variables}_KEY to a valid one."
    if status == 402:
        return (
            f"it is to be paid for ({message}); see to the account there, or set {variables}_URL to another endpoint."
        )
    if status == 404:
        return f"no model {settings.model!r} there ({message}); set {variables}_MODEL, or end {variables}_URL in /v1."
    if status == 429:
        return f"too many requests ({message}); ask again later, or set {variables}_URL to another endpoint."
    if status in _COME_BACK:
        return f"the endpoint was too slow or too busy, status {status} ({message}); ask again later."
    if status >= 500:
        return f"the endpoint failed with status {status} ({message}); look at its log, then ask again."
    if status < 300:
        return f"the endpoint replied with an error ({message}); look at its log, then ask again."
    refused = f"the request was refused with status {status} ({message})"
    if status in _OF_THIS_REQUEST:
        return f"{refused}; lower OSLER_ANSWER_PASSAGE_TOKENS or set {variables}_MODEL to another model."
    return f"{refused}; set {variables}_URL to an endpoint that speaks the OpenAI chat API, usually ending in /v1."


def message_of(body: bytes, status: int) -> str:
    """The endpoint's own words: a message at any of the places where endpoints put one, the text of a page, or else
    what its status means.

    >>> message_of(b'{"detail": [{"loc": ["body", "seed"], "msg": "extra inputs are not permitted"}]}', 422)
    'seed: extra inputs are not permitted'
    >>> message_of(b"<html><title>Bad Gateway</title></html>", 502)
    'Bad Gateway'
    """
    text = body.decode(errors="replace")
    try:
        message = _message(json.loads(text))
    except (ValueError, RecursionError):
        message = re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(script|style).*?</\1>|.*?(?=<title>)", " ", text, count=1))
    return message.strip() or responses.get(status, "no reason given")


def quoted(text: str, settings: LlmSettings) -> str:
    """Words from outside for a sentence of ours: on one line, short, without control characters and our secrets."""
    for secret in _secrets(settings):
        text = text.replace(secret, "***")
    if len(settings.key) >= 2 * _SHORTEST_WORD:  # endpoints repeat the beginning of a key, or its end
        begin, end = re.escape(settings.key[:_SHORTEST_WORD]), re.escape(settings.key[-_SHORTEST_WORD:])
        text = re.sub(rf"{begin}[^\s,;)'\"]*|[^\s,;('\"]*{end}", "***", text)
    text = _USER.sub("***", _CREDENTIALS.sub(r"\1 ***", _QUERY.sub(r"\1***", text)))
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split()).rstrip(".")
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE].rstrip() + "…"


def _secrets(settings: LlmSettings) -> list[str]:
    """What no sentence may hold: the key, the user and password of the URL, the values of its query."""
    users = [part for user in re.findall(r"//([^/?#]*)@", settings.url) for part in (user, *user.split(":"))]
    values = re.findall(r"[?&#][^=&#]*=([^&#]+)", settings.url)
    secrets = sorted((settings.key, *users, *values), key=len, reverse=True)
    return [secret for secret in secrets if len(secret) >= (_SHORTEST_WORD if secret.isalpha() else _SHORTEST_SECRET)]


def _message(value: Any, depth: int = 0) -> str:
    """The first message within the value, with the name of the field that it is about where it stands beside."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):  # an endpoint may refuse several parameters at once
        return "; ".join(dict.fromkeys(filter(None, (_message(item, depth + 1) for item in value[:_MOST_LISTED]))))
    if not isinstance(value, Mapping):
        return ""
    message = next(filter(None, (_message(value.get(name), depth + 1) for name in _MESSAGES)), "")
    if message and isinstance(where := value.get("loc") or value.get("param"), str | list) and where:
        name = where if isinstance(where, str) else str(where[-1])
        message = message if name in message else f"{name}: {message}"
    metadata = value.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{message}: {raw}" if message and isinstance(raw, str) else message  # OpenRouter: its provider's words
