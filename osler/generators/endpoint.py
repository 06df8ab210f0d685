"""One exchange with an endpoint: JSON out, bytes in, bounded in time and size; and what its failures mean to a user.

Nothing goes out but what is written here: no variable of the environment adds a header, and the key goes nowhere else.
A failure becomes one sentence that names the endpoint and what to set. Knows HTTP; knows nothing of chats.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.client import responses
from typing import TYPE_CHECKING, Any, Literal

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError, require

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 16 * 2**20
"""Of a reply, unpacked; a million tokens fit in."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_KEY = "none"  # some proxies insist on a header, a local endpoint ignores it
_HEADER = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class StatusError(Exception):
    """A reply that reports an error: its status, its body, and the seconds after which it may be asked again."""

    def __init__(self, status: int, body: bytes, wait: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self.wait = wait


class _Deadline:
    """Ends a connection when its time is up, whatever it does: a timeout of the client begins anew with every byte."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Takes the socket that the client reports to have opened, plain or secured."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _end(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


class Endpoint:
    """The endpoint of the settings. `http_client` replaces the connection."""

    def __init__(self, settings: LlmSettings, http_client: httpx2.Client | None = None) -> None:
        self.settings = settings
        self._http_client = http_client

    def exchange(self, method: Literal["GET", "POST"], path: str, request: Mapping[str, Any] | None = None) -> bytes:
        """The body of the reply to `request`, sent as JSON to `path` below the address of the endpoint.

        StatusError for a status other than 2xx. GeneratorError where there is no whole reply in time; ReplyError where
        it is longer than `MOST_BYTES`.
        """
        httpx = require("httpx2")
        # Escaped, so that half a surrogate pair of a command line that is no UTF-8 can be sent too.
        content = None if request is None else json.dumps(request).encode()
        deadline = _Deadline(self.settings.timeout)
        try:
            address = self._address(path)
            headers = {**self._headers, "Content-Type": "application/json"}
            timeout, watched = self.settings.timeout, {"trace": deadline.watch}
            stream = self._client.stream(
                method, address, content=content, headers=headers, timeout=timeout, extensions=watched
            )
            with deadline, stream as response:
                body = self._body(response)
        except (httpx.RequestError, httpx.InvalidURL, OSError, UnicodeError) as error:  # a name too long for DNS
            late = httpx.ReadTimeout("the reply drips") if deadline.passed else error
            raise _connection_failure(late, self.settings) from error
        if not response.is_success:
            raise StatusError(response.status_code, body, _seconds_to_wait(response.headers.get("retry-after", "")))
        return body

    def _address(self, path: str) -> httpx2.URL:
        """A URL that was copied with the path of the chat counts as the base; its query stays."""
        from httpx2 import URL

        base = URL(self.settings.url)
        return base.copy_with(path=f"{base.path.rstrip('/').removesuffix('/chat/completions')}/{path}")

    @property
    def _headers(self) -> dict[str, str]:
        key, variables = self.settings.key or _NO_KEY, self.settings.variables
        if not _HEADER.fullmatch(key):
            raise GeneratorError(
                f"{self.settings.shown_url}: the key in {variables}_KEY holds a line end, a blank at an end or a "
                f"character that is not ASCII; set {variables}_KEY to the key alone."
            )
        return {"Authorization": f"Bearer {key}", "Accept": "application/json", "User-Agent": "osler"}

    @cached_property
    def _client(self) -> httpx2.Client:
        from httpx2 import Client, InvalidURL, Limits

        if self._http_client:
            return self._http_client
        # A proxy from the environment cannot reach this machine's own ports. A connection ends with its reply: seconds
        # of writing outweigh a handshake, and nothing is left open that somebody would have to close.
        loopback = self._address("").host in _LOOPBACK
        try:
            return Client(
                trust_env=not loopback,
                follow_redirects=True,
                limits=Limits(max_keepalive_connections=0),
                event_hooks={"request": [self._check_host]},
            )
        except (InvalidURL, ValueError) as error:  # what it says may hold a password
            raise GeneratorError(
                f"{self.settings.shown_url}: the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names has no address "
                "that can be used; mend the variable, or unset it."
            ) from error

    def _check_host(self, request: httpx2.Request) -> None:
        """GeneratorError where a redirect would take the question and its passages to a host that nobody named."""
        if request.url.host != self._address("").host:
            raise GeneratorError(
                f"{self.settings.shown_url}: the endpoint passes the question on to another host, "
                f"{request.url.host[:100]}; if you trust it, set {self.settings.variables}_URL to its address there."
            )

    def _body(self, response: httpx2.Response) -> bytes:
        """The body, unpacked; ReadTimeout where it drips so slowly that the whole takes longer than a wait may."""
        from httpx2 import ReadTimeout

        deadline = time.monotonic() + self.settings.timeout
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                settings = self.settings
                raise ReplyError(
                    f"{settings.shown_url}: the reply has more than {MOST_BYTES // 2**20} MB; "
                    f"set {settings.variables}_URL to an endpoint that keeps to {settings.variables}_MAX_TOKENS."
                )
            if time.monotonic() > deadline:
                raise ReadTimeout("the reply drips", request=response.request)
        with suppress(LookupError, UnicodeError):  # an encoding that is none, or another than it says
            return body.decode(response.charset_encoding or "utf-8").encode()
        return bytes(body)


def _seconds_to_wait(retry_after: str) -> float | None:
    """What a Retry-After asks for, in seconds or as a date; None where it asks for nothing that can be read."""
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", retry_after):
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


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


def _connection_failure(error: Exception, settings: LlmSettings) -> GeneratorError:
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
        key = f"the key in {variables}_KEY was refused" if settings.key else "a key is needed"
        return f"{key} ({message}); set {variables}_KEY to a valid one."
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
    # The key, user and password of the URL, and the values of its query are secret.
    users = [part for user in re.findall(r"//([^/?#]*)@", settings.url) for part in (user, *user.split(":"))]
    values = re.findall(r"[?&#][^=&#]*=([^&#]+)", settings.url)
    for secret in sorted((settings.key, *users, *values), key=len, reverse=True):
        if len(secret) >= (_SHORTEST_WORD if secret.isalpha() else _SHORTEST_SECRET):
            text = text.replace(secret, "***")
    if len(settings.key) >= 2 * _SHORTEST_WORD:  # endpoints repeat the beginning of a key, or its end
        begin, end = re.escape(settings.key[:_SHORTEST_WORD]), re.escape(settings.key[-_SHORTEST_WORD:])
        text = re.sub(rf"{begin}[^\s,;)'\"]*|[^\s,;('\"]*{end}", "***", text)
    text = _USER.sub("***", _CREDENTIALS.sub(r"\1 ***", _QUERY.sub(r"\1***", text)))
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split()).rstrip(".")
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE].rstrip() + "…"


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
