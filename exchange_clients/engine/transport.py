"""The seam between the engine and the wire. Real sockets, in-memory sandboxes and recordings all stand behind these protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec


class HttpRequest(msgspec.Struct, frozen=True):
    """One request. `url` is absolute, with its query. `timeout_s` counts seconds of the event loop for the whole exchange."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        """Without query, header values and body: keys, sessions and signatures travel there."""
        return f"HttpRequest({self.method} {self.url.partition('?')[0]}, headers {sorted(self.headers)}, {len(self.body or b'')} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("url", self.url.partition("?")[0])]

    def with_headers(self, **headers: str) -> HttpRequest:
        return msgspec.structs.replace(self, headers={**self.headers, **headers})

    def with_json(self, body: Any) -> HttpRequest:
        return msgspec.structs.replace(self, body=msgspec.json.encode(body)).with_headers(
            **{"Content-Type": "application/json"}
        )


class HttpResponse(msgspec.Struct, frozen=True):
    """One complete reply. Header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class TransportFailure(Exception):
    """No reply. `sent`: False only if it is certain that no byte of the request left this machine."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


def refused_opening(status: int, detail: str) -> str:
    """Why a WebSocket was not opened, in words; `status` is the HTTP status that came instead of 101."""
    if 300 <= status < 400:
        return f"the venue redirects its WebSocket elsewhere (HTTP {status}), which is never followed; check the address"
    return f"the venue refused the WebSocket (HTTP {status}: {detail})" if status else detail


class HttpTransport(Protocol):
    """Sends requests. Raises TransportFailure, never an error of the library behind it."""

    async def request(self, request: HttpRequest) -> HttpResponse: ...

    async def close(self) -> None: ...


OnFrame = Callable[[bytes], None]
OnClose = Callable[[str], None]


class Socket(Protocol):
    """An open WebSocket. `send` and `close` never block and never raise; a dead socket reports through `on_close`."""

    def send(self, frame: bytes) -> None:
        """Queue one text frame."""

    def close(self) -> None:
        """Close; `on_close` follows once."""


class WebSocketTransport(Protocol):
    """Opens sockets. `on_frame` gets every data frame as bytes, in order, on the event loop's thread; `on_close` comes once."""

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        """Open a socket. Raises TransportFailure(sent=False) when that fails."""

    async def close(self) -> None: ...
