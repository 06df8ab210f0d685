"""One exchange with an endpoint: JSON out, bytes in, bounded in time and size. Knows HTTP; knows nothing of chats.

Nothing goes out but what is written here: no variable of the environment adds a header, and the key goes nowhere else.
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
from typing import TYPE_CHECKING, Any, Literal

from osler.config import LlmSettings
from osler.errors import GeneratorError, ReplyError, require
from osler.generators.failures import connection_failure

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
            raise connection_failure(late, self.settings) from error
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
