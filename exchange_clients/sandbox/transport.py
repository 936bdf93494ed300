"""Façades behind the engine's transport protocols, in memory: latency and faults included, sockets not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from multidict import CIMultiDict

from exchange_clients.engine.transport import HttpRequest, HttpResponse, OnClose, OnFrame, TransportFailure
from exchange_clients.sandbox.facade import Facade, FacadeSocket
from exchange_clients.sandbox.faults import FaultKind, FaultPlan, FrameAction

_ADDRESS = "127.0.0.1"
INTERNAL_ERROR = HttpResponse(500, b"internal server error", {"content-type": "text/plain"})


class MemoryTransport:
    """An HttpTransport and a WebSocketTransport in one. `facades`: by host name; `latency()`: seconds of one way.

    What was sent arrives, whether or not the sender still waits. Frames of one socket stay in order.
    """

    def __init__(self, facades: Mapping[str, Facade], latency: Callable[[], float], faults: FaultPlan | None = None) -> None:
        self._facades = dict(facades)
        self._latency = latency
        self._faults = faults or FaultPlan()
        self._sockets: set[_MemorySocket] = set()
        self._under_way: set[asyncio.Task[HttpResponse]] = set()
        self._is_closed = False

    async def request(self, request: HttpRequest) -> HttpResponse:
        """One request. Raises TransportFailure(sent=True) when no reply comes in time, sent=False when nothing listens there."""
        facade, inner = self._route(request)
        fault = self._faults.on_request(facade, inner)
        if fault is FaultKind.REFUSED_CONNECTION:
            await asyncio.sleep(self._latency())
            raise TransportFailure(f"connection to {facade.venue} refused", sent=False)
        under_way = asyncio.create_task(self._carry(facade, inner, fault))
        self._under_way.add(under_way)
        under_way.add_done_callback(self._finish)
        try:
            async with asyncio.timeout(request.timeout_s):
                return await asyncio.shield(under_way)
        except TimeoutError as failure:
            raise TransportFailure(f"no reply from {facade.venue} within {request.timeout_s:g} s", sent=True) from failure

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> _MemorySocket:
        """Open a socket. Raises TransportFailure(sent=False) when nothing listens there or it takes too long."""
        facade, inner = self._route(HttpRequest("GET", url, headers))
        latency_s = self._latency()
        await asyncio.sleep(min(latency_s, timeout_s))
        if latency_s > timeout_s:
            raise TransportFailure(f"no connection to {facade.venue} within {timeout_s:g} s", sent=False)
        socket = _MemorySocket(facade, self._faults, self._latency, on_frame, on_close, self._sockets.discard)
        self._sockets.add(socket)
        socket.open(inner)
        return socket

    async def close(self) -> None:
        """Close every socket; nothing can be sent any more."""
        self._is_closed = True
        for socket in list(self._sockets):
            socket.close()
        await asyncio.sleep(0)

    def _route(self, request: HttpRequest) -> tuple[Facade, HttpRequest]:
        parts = urlsplit(request.url)
        facade = self._facades.get(parts.hostname or "")
        if self._is_closed or facade is None:
            why = "the transport is closed" if self._is_closed else f"nothing listens at {parts.hostname}"
            raise TransportFailure(why, sent=False)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return facade, HttpRequest(request.method, path, CIMultiDict(request.headers), request.body, request.timeout_s)

    async def _carry(self, facade: Facade, request: HttpRequest, fault: FaultKind | None) -> HttpResponse:
        await asyncio.sleep(self._latency())
        response = facade.dated(facade.handle(request, _ADDRESS))
        await asyncio.sleep(self._latency())
        if fault is FaultKind.LOST_REPLY:
            raise TransportFailure(f"{facade.venue} closed the connection before it replied", sent=True)
        return INTERNAL_ERROR if fault is FaultKind.SERVER_ERROR else response

    def _finish(self, under_way: asyncio.Task[HttpResponse]) -> None:
        self._under_way.discard(under_way)
        error = None if under_way.cancelled() else under_way.exception()
        if error is not None and not isinstance(error, TransportFailure):
            raise error  # a façade is broken: say so even when nobody waits for the reply any more


class _MemorySocket:
    """Both ends of one WebSocket: the client's Socket and the façade's Peer share its fate."""

    def __init__(
        self,
        facade: Facade,
        faults: FaultPlan,
        latency: Callable[[], float],
        on_frame: OnFrame,
        on_close: OnClose,
        forget: Callable[[_MemorySocket], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._facade = facade
        self._faults = faults
        self._on_close = on_close
        self._forget = forget
        self._end: FacadeSocket | None = None
        self._is_open = True
        self._to_client = _Pipe(self._loop, latency, on_frame)
        self._to_venue = _Pipe(self._loop, latency, self._arrive)

    def open(self, opening: HttpRequest) -> None:
        self._end = self._facade.connect(opening, _MemoryPeer(self))

    def send(self, frame: bytes) -> None:
        if self._is_open:
            self._to_venue.put(frame)

    def close(self) -> None:
        self.drop("closed by this side")

    def push(self, frame: bytes) -> None:
        """The venue sends; faults decide what arrives."""
        if not self._is_open:
            return
        for action in self._faults.on_frame(self._facade, frame):
            if action is FrameAction.DELIVER:
                self._to_client.put(frame)
            else:
                self.drop("connection lost")

    def hang_up(self, reason: str) -> None:
        """The venue closes: what it sent before still arrives."""
        if self._is_open:
            self._to_client.finish(lambda: self.drop(reason))

    def drop(self, reason: str) -> None:
        """Both ends lose the connection. They learn of it on the loop, not in the middle of what they are doing."""
        if not self._is_open:
            return
        self._is_open = False
        self._to_client.stop()
        self._to_venue.stop()
        self._forget(self)
        self._loop.call_soon(self._report, reason)

    def _report(self, reason: str) -> None:
        if self._end is not None:
            self._end.on_close()
        self._on_close(reason)

    def _arrive(self, frame: bytes) -> None:
        if self._end is not None:
            self._end.on_frame(frame)


class _MemoryPeer:
    """What the façade holds of a socket."""

    def __init__(self, socket: _MemorySocket) -> None:
        self._socket = socket

    def send(self, frame: bytes) -> None:
        self._socket.push(frame)

    def close(self, reason: str) -> None:
        self._socket.hang_up(reason)


class _Pipe:
    """One direction: frames arrive after the latency and never overtake each other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, latency: Callable[[], float], deliver: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._latency = latency
        self._deliver = deliver
        self._queue: deque[bytes | Callable[[], None]] = deque()
        self._last_at = 0.0
        self._is_stopped = False

    def put(self, frame: bytes) -> None:
        self._enqueue(frame)

    def finish(self, then: Callable[[], None]) -> None:
        """Call `then` behind everything that is under way."""
        self._enqueue(then)

    def stop(self) -> None:
        """What is under way is lost."""
        self._is_stopped = True
        self._queue.clear()

    def _enqueue(self, item: bytes | Callable[[], None]) -> None:
        # Timers of the same instant may fire in any order, so each takes whatever is first in the queue.
        self._queue.append(item)
        self._last_at = max(self._last_at, self._loop.time() + self._latency())
        self._loop.call_at(self._last_at, self._take)

    def _take(self) -> None:
        if self._is_stopped or not self._queue:
            return
        item = self._queue.popleft()
        if isinstance(item, bytes):
            self._deliver(item)
        else:
            item()
