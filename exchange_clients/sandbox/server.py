"""Façades on loopback, over real HTTP and WebSockets, one port per venue. `python -m exchange_clients.sandbox.server --help`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from exchange_clients.engine.transport import HttpRequest
from exchange_clients.sandbox.facade import Facade
from exchange_clients.sandbox.faults import FaultKind, FaultPlan, FrameAction
from exchange_clients.sandbox.transport import INTERNAL_ERROR
from exchange_clients.sandbox.world import World

_FRAMES_QUEUED_MAX = 10_000
_HOST = "127.0.0.1"


class SandboxServer:
    """Hosts a world. `tick_s`: loop seconds between two advances. `ports`: fixed ports by venue; any free one for the others.

    Faults strike as in memory, except that a refused connection is one that is cut before the venue handles the request: on a
    connection that is open already, nothing can be refused.
    """

    def __init__(
        self, world: World, faults: FaultPlan | None = None, tick_s: float = 0.1, ports: Mapping[str, int] | None = None
    ) -> None:
        self.world = world
        self.ports: dict[str, int] = {}  # of each venue, once started
        self._faults = faults or FaultPlan()
        self._tick_s = tick_s
        self._fixed_ports = dict(ports or {})
        self._runners: list[web.AppRunner] = []
        self._peers: set[_LoopbackPeer] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, int]:
        """Listen and let the world move. Returns the port of each venue. Raises OSError when a port is taken."""
        try:
            for venue, facade in self.world.facades.items():
                self.ports[venue] = await self._listen(facade, self._fixed_ports.get(venue, 0))
        except OSError:
            await self.stop()
            raise
        self._ticking = asyncio.create_task(self._tick(), name="sandbox ticks")
        return dict(self.ports)

    async def wait(self) -> None:
        """Return when the server was stopped; raise what broke the world, if something did."""
        if self._ticking is not None:
            await asyncio.wait({self._ticking})
            if not self._ticking.cancelled():
                self._ticking.result()

    async def stop(self) -> None:
        """Close sockets and ports. Idempotent."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait({self._ticking})
        for peer in list(self._peers):
            peer.close("the sandbox stops")
        runners, self._runners = self._runners, []
        for runner in runners:
            await runner.cleanup()

    async def _listen(self, facade: Facade, port: int) -> int:
        app = web.Application(client_max_size=4 * 2**20)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(facade, request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, _HOST, port).start()
        bound: int = runner.addresses[0][1]
        return bound

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            self.world.advance()

    async def _handle(self, facade: Facade, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(facade, request)
        asked = HttpRequest(request.method, request.raw_path, CIMultiDict(request.headers), await request.read() or None)
        fault = self._faults.on_request(facade, asked)
        if fault is FaultKind.REFUSED_CONNECTION:
            return _cut(request)
        response = facade.dated(facade.handle(asked, request.remote or _HOST))
        if fault is FaultKind.LOST_REPLY:
            return _cut(request)
        if fault is FaultKind.SERVER_ERROR:
            response = INTERNAL_ERROR
        return web.Response(status=response.status, body=response.body, headers=dict(response.headers))

    async def _serve_socket(self, facade: Facade, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        peer = _LoopbackPeer(facade, self._faults)
        self._peers.add(peer)
        end = facade.connect(HttpRequest("GET", request.raw_path, CIMultiDict(request.headers)), peer)
        sending = asyncio.create_task(peer.send_to(socket, request))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    end.on_frame(message.data.encode() if isinstance(message.data, str) else message.data)
        finally:
            self._peers.discard(peer)
            end.on_close()
            sending.cancel()
            await asyncio.wait({sending})
        return socket


class _LoopbackPeer:
    """What the façade holds of a socket. A client that does not keep up with 10,000 frames loses the connection."""

    def __init__(self, facade: Facade, faults: FaultPlan) -> None:
        self._facade = facade
        self._faults = faults
        self._queue: asyncio.Queue[bytes | FrameAction | str] = asyncio.Queue(_FRAMES_QUEUED_MAX + 1)
        self._is_open = True

    def send(self, frame: bytes) -> None:
        for action in self._faults.on_frame(self._facade, frame) if self._is_open else ():
            self._put(frame if action is FrameAction.DELIVER else action)

    def close(self, reason: str) -> None:
        if self._is_open:
            self._put(reason)
            self._is_open = False

    async def send_to(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        """Send what was queued, in order, until one side closes."""
        with suppress(ConnectionError):
            while True:
                item = await self._queue.get()
                if item is FrameAction.DROP_SOCKET:
                    self._is_open = False
                    _abort(request)
                    return
                if isinstance(item, str):
                    await socket.close(message=item.encode()[:120])
                    return
                if item[:1] in (b"{", b"["):
                    await socket.send_str(item.decode())
                else:
                    await socket.send_bytes(item)

    def _put(self, item: bytes | FrameAction | str) -> None:
        if self._queue.qsize() < _FRAMES_QUEUED_MAX:
            self._queue.put_nowait(item)
        elif self._is_open:
            self._is_open = False
            self._queue.put_nowait(FrameAction.DROP_SOCKET)


def _cut(request: web.Request) -> web.Response:
    """Drop the connection; the response that is returned goes nowhere."""
    _abort(request)
    return web.Response(status=500)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


if __name__ == "__main__":
    from exchange_clients.sandbox.command import main

    raise SystemExit(main())
