"""Both WebSocket transports and the HTTP transport against real servers on loopback: what arrives, and what is known when it does not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSCloseCode, web

from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.transport import HttpRequest, TransportFailure, WebSocketTransport
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.websocket_portable import WebsocketsTransport

Handler = Callable[[web.Request], Any]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# HTTP


async def test_a_reply_comes_back_whole(http: AiohttpTransport) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=418, body=await request.read(), headers={"X-Seen": request.raw_path})

    async with serving(echo) as port:
        reply = await http.request(HttpRequest("POST", f"http://127.0.0.1:{port}/a?b=%20c", {"X": "1"}, b"body"))
    assert (reply.status, reply.body, reply.headers["x-seen"]) == (418, b"body", "/a?b=%20c")


async def test_nobody_listening_is_certain(http: AiohttpTransport, closed_port: int) -> None:
    with pytest.raises(TransportFailure) as failure:
        await http.request(HttpRequest("POST", f"http://127.0.0.1:{closed_port}/", {}, b"{}"))
    assert failure.value.sent is False


async def test_a_connection_cut_after_sending_is_doubt(http: AiohttpTransport) -> None:
    async def cut(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(cut) as port:
        with pytest.raises(TransportFailure) as failure:
            await http.request(HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}"))
    assert failure.value.sent is True


async def test_silence_is_doubt(http: AiohttpTransport) -> None:
    async def sleep(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with serving(sleep) as port:
        with pytest.raises(TransportFailure) as failure:
            await http.request(HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}", timeout_s=0.1))
    assert failure.value.sent is True and "0.1 s" in failure.value.reason


async def test_redirects_are_not_followed_with_a_signed_body(http: AiohttpTransport) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/other")

    async with serving(elsewhere) as port:
        assert (await http.request(HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}"))).status == 307


# WebSockets


@pytest.fixture(params=[PicowsTransport, WebsocketsTransport])
def websocket(request: pytest.FixtureRequest) -> WebSocketTransport:
    transport: WebSocketTransport = request.param()
    return transport


class Ends:
    """What a socket's owner sees."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closings = 0

    def on_close(self, reason: str) -> None:
        self.closings += 1
        if not self.closed.done():
            self.closed.set_result(reason)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.frames) < count:  # noqa: ASYNC110  # frames come from a callback, not from a task
                await asyncio.sleep(0.005)


async def _echoing(request: web.Request) -> web.WebSocketResponse:
    server = web.WebSocketResponse()
    await server.prepare(request)
    async for message in server:
        if message.data == "close":
            await server.close(code=WSCloseCode.GOING_AWAY, message=b"maintenance")
        elif message.data == "abort":
            assert request.transport is not None
            request.transport.abort()
        else:
            await server.send_str(f"{request.headers.get('X-Key', '')}{message.data}")
    return server


async def test_frames_arrive_in_order_and_complete(websocket: WebSocketTransport) -> None:
    ends = Ends()
    async with serving(_echoing) as port:
        url = f"ws://127.0.0.1:{port}/ws"
        opened = await websocket.connect(url, {"X-Key": "k"}, ends.frames.append, ends.on_close)
        sent = [f"{n}:{'x' * (n * 997 % 70_000)}" for n in range(60)]
        for text in sent:
            opened.send(text.encode())
        await ends.until(60)
        assert ends.frames == [f"k{text}".encode() for text in sent]
        opened.close()
        await asyncio.wait_for(ends.closed, 5)
        assert ends.closings == 1


@pytest.mark.parametrize("how", [b"close", b"abort"])
async def test_the_end_of_a_socket_is_told_once(websocket: WebSocketTransport, how: bytes) -> None:
    ends = Ends()
    async with serving(_echoing) as port:
        opened = await websocket.connect(f"ws://127.0.0.1:{port}/ws", {}, ends.frames.append, ends.on_close)
        opened.send(how)
        reason = await asyncio.wait_for(ends.closed, 5)
        assert reason
        opened.send(b"into the void")
        opened.close()
        await asyncio.sleep(0.05)
        assert ends.closings == 1


async def test_no_server_is_certain(websocket: WebSocketTransport, closed_port: int) -> None:
    ends = Ends()
    with pytest.raises(TransportFailure) as failure:
        await websocket.connect(f"ws://127.0.0.1:{closed_port}/ws", {}, ends.frames.append, ends.on_close)
    assert failure.value.sent is False


async def test_a_refused_handshake_is_certain(websocket: WebSocketTransport) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403)

    ends = Ends()
    async with serving(refuse) as port:
        with pytest.raises(TransportFailure) as failure:
            await websocket.connect(f"ws://127.0.0.1:{port}/ws", {}, ends.frames.append, ends.on_close)
    assert failure.value.sent is False


async def test_fragments_are_put_together(websocket: WebSocketTransport) -> None:
    """A raw server that sends one text message in three frames."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import base64
        import hashlib

        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        writer.write(bytes([0x01, 3]) + b"one" + bytes([0x00, 3]) + b"two" + bytes([0x80, 5]) + b"three")
        await writer.drain()
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ends = Ends()
    async with server:
        port = server.sockets[0].getsockname()[1]
        opened = await websocket.connect(f"ws://127.0.0.1:{port}/ws", {}, ends.frames.append, ends.on_close)
        await ends.until(1)
        assert ends.frames == [b"onetwothree"]
        opened.close()
        await asyncio.wait_for(ends.closed, 5)
