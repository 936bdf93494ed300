"""Wires with a will of their own, put between a client and its venue: they count, cut, muffle, or belong to another thread's habits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context

from exchange_clients.engine.transport import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    OnClose,
    OnFrame,
    Socket,
    TransportFailure,
    WebSocketTransport,
)


class CountingHttp:
    """Everything that was sent. After `only(n)`, n more requests go through and the rest is cut before it leaves."""

    def __init__(self, inner: HttpTransport) -> None:
        self._inner = inner
        self._left: int | None = None
        self.sent: list[HttpRequest] = []

    def only(self, requests: int) -> None:
        self._left, self.sent = requests, []

    async def request(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        if self._left is not None:
            if self._left == 0:
                raise TransportFailure("cut", sent=False)
            self._left -= 1
        return await self._inner.request(request)

    async def close(self) -> None:
        """The wire belongs to whoever made it."""


class OtherSocket:
    """A socket whose frames go another way."""

    def __init__(self, inner: Socket, send: Callable[[bytes], None]) -> None:
        self._inner = inner
        self._send = send

    def send(self, frame: bytes) -> None:
        self._send(frame)

    def close(self) -> None:
        self._inner.close()


class MuffledSockets:
    """Sockets on which frames that hold `marker` get lost while `is_muffled`; the rest lives on. `sent`: all that was said.

    Saying the same words again unmuffles: a venue that forgot a topic remembers when it is asked anew.
    """

    def __init__(self, inner: WebSocketTransport, marker: bytes) -> None:
        self._inner = inner
        self._marker = marker
        self.is_muffled = False
        self.connections = 0
        self.sent: list[bytes] = []

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        self.connections += 1

        def hear(frame: bytes) -> None:
            if not (self.is_muffled and self._marker in frame):
                on_frame(frame)

        socket = await self._inner.connect(url, headers, hear, on_close, timeout_s)

        def say(frame: bytes) -> None:
            self._say(frame)
            socket.send(frame)

        return OtherSocket(socket, say)

    async def close(self) -> None:
        """The wire belongs to whoever made it."""

    def _say(self, frame: bytes) -> None:
        self.sent.append(frame)
        if b"ubscribe" in frame and b"unsubscribe" not in frame.lower() and self._marker in frame:
            self.is_muffled = False


class ForeignHabits:
    """A wire whose far end lives in `home` (its decimal habits, say) while the client lives in `abroad`."""

    def __init__(self, http: HttpTransport, websocket: WebSocketTransport, home: Context, abroad: Context) -> None:
        self._http = http
        self._websocket = websocket
        self._home = home
        self._abroad = abroad

    async def request(self, request: HttpRequest) -> HttpResponse:
        return await asyncio.get_running_loop().create_task(self._http.request(request), context=self._home.copy())

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        def hear(frame: bytes) -> None:
            self._abroad.copy().run(on_frame, frame)

        opening = self._websocket.connect(url, headers, hear, on_close, timeout_s)
        socket = await asyncio.get_running_loop().create_task(opening, context=self._home.copy())
        return OtherSocket(socket, lambda frame: self._home.copy().run(socket.send, frame))

    async def close(self) -> None:
        """The wire belongs to whoever made it."""
