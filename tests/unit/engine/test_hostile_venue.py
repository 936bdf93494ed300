"""A venue that is broken or hostile: what it sends is bounded, and what is meant for it goes nowhere else."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from exchange_clients.engine import bounds, safe_address
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.transport import HttpRequest, TransportFailure, WebSocketTransport
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.websocket_portable import WebsocketsTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]
MIB = 2**20


@asynccontextmanager
async def raw_server(serve: Serve) -> AsyncIterator[int]:
    """`serve(reader, writer, head)` answers one connection, byte by byte as it likes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def http() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture(params=[PicowsTransport, WebsocketsTransport])
def websocket(request: pytest.FixtureRequest) -> WebSocketTransport:
    transport: WebSocketTransport = request.param()
    return transport


async def failure_of(http: AiohttpTransport, serve: Serve) -> TransportFailure:
    async with raw_server(serve) as port:
        with pytest.raises(TransportFailure) as failure:
            await http.request(HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}"))
    return failure.value


# Sizes


async def test_a_body_without_end_is_given_up(http: AiohttpTransport) -> None:
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _chunk in range(200):
            writer.write(b"100000\r\n" + bytes(MIB) + b"\r\n")
            await writer.drain()
            sent += MIB

    failure = await failure_of(http, endless)
    assert failure.sent and "larger than 16 MiB" in failure.reason
    assert sent < 64 * MIB


async def test_a_body_that_announces_too_much_is_not_read(http: AiohttpTransport) -> None:
    async def announce(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(5)

    failure = await asyncio.wait_for(failure_of(http, announce), 2)
    assert failure.sent and "larger than 16 MiB" in failure.reason


async def test_a_small_body_that_unpacks_to_a_large_one_is_given_up(http: AiohttpTransport) -> None:
    bomb = gzip.compress(bytes(100 * MIB), 1)
    assert len(bomb) < MIB

    async def explode(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
        await writer.drain()

    assert "larger than 16 MiB" in (await failure_of(http, explode)).reason


async def test_a_packed_body_of_ordinary_size_comes_whole(http: AiohttpTransport) -> None:
    packed = gzip.compress(b"[1]" * 100_000)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
        await writer.drain()

    async with raw_server(answer) as port:
        reply = await http.request(HttpRequest("GET", f"http://127.0.0.1:{port}/"))
    assert reply.body == b"[1]" * 100_000


def switching(head: bytes) -> bytes:
    """The answer that opens a WebSocket."""
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@pytest.mark.parametrize("part_bytes", [MIB, 0])
async def test_a_message_in_endless_fragments_ends_the_socket(websocket: WebSocketTransport, part_bytes: int) -> None:
    part = (b"\x7f" + part_bytes.to_bytes(8)) if part_bytes else b"\x00"
    count = 64 if part_bytes else MIB

    async def fragments(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(switching(head))
        writer.write(b"\x01" + part + bytes(part_bytes))
        batch = 1 if part_bytes else 65_536
        for _ in range(count // batch):
            writer.write((b"\x00" + part + bytes(part_bytes)) * batch)
            await writer.drain()
        await reader.read()

    if not part_bytes and isinstance(websocket, WebsocketsTransport):
        pytest.skip("the library keeps empty fragments; they cost it nothing")
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    frames: list[bytes] = []
    async with raw_server(fragments) as port:
        await websocket.connect(f"ws://127.0.0.1:{port}/", {}, frames.append, closed.set_result)
        reason = await asyncio.wait_for(closed, 20)
    assert not frames
    assert "larger than 16 MiB" in reason or "too big" in reason


# Where things go


async def test_a_redirected_socket_is_not_followed(websocket: WebSocketTransport) -> None:
    reached: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        reached.append(head)

    async with raw_server(trap) as elsewhere:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
            writer.write(f"HTTP/1.1 307 Temporary Redirect\r\nLocation: ws://127.0.0.1:{elsewhere}/\r\n".encode())
            writer.write(b"Content-Length: 0\r\n\r\n")
            await writer.drain()

        async with raw_server(redirect) as port:
            with pytest.raises(TransportFailure, match=r"redirects its WebSocket elsewhere \(HTTP 307\)") as failure:
                await websocket.connect(f"ws://127.0.0.1:{port}/", {"Authorization": "Bearer x"}, print, print)
    assert not reached and failure.value.sent is False


async def test_proxies_of_the_environment_are_not_used(
    websocket: WebSocketTransport, http: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        reached.append(head)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(trap) as proxy, raw_server(refuse) as port:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert (await http.request(HttpRequest("GET", f"http://127.0.0.1:{port}/"))).status == 403
        with pytest.raises(TransportFailure, match="403"):
            await websocket.connect(f"ws://127.0.0.1:{port}/", {}, print, print)
    assert not reached


@pytest.mark.parametrize("url", ["http://venue.example/v1", "http://10.0.0.7:80/", "ftp://127.0.0.1/", "/v1", "http://[::"])
async def test_plain_http_is_for_this_machine_only(http: AiohttpTransport, url: str) -> None:
    with pytest.raises(TransportFailure) as failure:
        await http.request(HttpRequest("GET", url, {"Authorization": "Bearer x"}))
    assert failure.value.sent is False


@pytest.mark.parametrize("url", ["ws://venue.example/ws", "http://127.0.0.1/ws", "ws:///ws"])
async def test_plain_sockets_are_for_this_machine_only(websocket: WebSocketTransport, url: str) -> None:
    with pytest.raises(TransportFailure) as failure:
        await websocket.connect(url, {}, print, print)
    assert failure.value.sent is False


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "https://venue.example/"])
def test_loopback_and_encrypted_addresses_are_safe(url: str) -> None:
    safe_address.require_safe(url, "https")


def test_session_keys_are_written_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = safe_address.tls.__wrapped__()
    assert context.keylog_filename is None
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


def test_the_bounds_leave_room_for_real_venues() -> None:
    assert bounds.BODY_BYTES_MAX >= 8 * MIB and bounds.FRAME_BYTES_MAX >= 8 * MIB
