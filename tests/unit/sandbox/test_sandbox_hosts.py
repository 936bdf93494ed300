"""Façades in memory and over loopback, with faults. The façade here is as small as one can be."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure
from exchange_clients.engine.websocket_portable import WebsocketsTransport
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer
from exchange_clients.sandbox.faults import Fault, FaultKind, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.server import SandboxServer
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.sandbox.world import World


@dataclass(eq=False)
class EchoSocket(FacadeSocket):
    """Answers `n` with n numbered frames and a book after each; `bye` closes."""

    facade: "EchoFacade"
    peer: Peer

    def on_frame(self, frame: bytes) -> None:
        if frame == b"bye":
            self.peer.send(b"last words")
            self.peer.close("as you wish")
            return
        for number in range(int(frame)):
            self.peer.send(b"note %d" % number)
            self.peer.send(b"book %d" % number)

    def on_close(self) -> None:
        self.facade.gone += 1
        self.facade.left.set()


@dataclass
class EchoFacade(Facade):
    """Counts orders and tells what it was asked."""

    orders: int = 0
    gone: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    venue = "echo"
    book_marker = b"book"

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        self.orders += self.places_order(request)
        told = [request.method, request.url, request.headers.get("X-Key"), (request.body or b"").decode()]
        return HttpResponse(201, json.dumps(told).encode(), {"x-told": "yes"})

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        peer.send(b"welcome to " + opening.url.encode())
        return EchoSocket(self, peer)

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST"

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        return {"key": name}


@dataclass
class Heard:
    """What a client's socket got."""

    frames: list[bytes] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_frame(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.news.set()

    def on_close(self, reason: str) -> None:
        self.closed.append(reason)
        self.news.set()

    async def until(self, frames: int) -> None:
        """Wait for that many frames, or for the end."""
        async with asyncio.timeout(5):
            while len(self.frames) < frames and not self.closed:
                self.news.clear()
                await self.news.wait()


URL = "http://echo.sandbox/v1/orders?a=1%202"
ORDER = HttpRequest("POST", URL, {"x-key": "k"}, b"{}", timeout_s=5)


def memory(*faults: str, latency_s: float = 0.05) -> tuple[EchoFacade, MemoryTransport, FaultPlan]:
    facade, plan = EchoFacade(), FaultPlan([Fault.parse(text) for text in faults])
    return facade, MemoryTransport({"echo.sandbox": facade}, lambda: latency_s, plan), plan


async def open_socket(transport: Any, url: str) -> tuple[Any, Heard]:
    heard = Heard()
    return await transport.connect(url, {}, heard.on_frame, heard.on_close), heard


def test_requests_take_their_time_and_arrive_as_sent() -> None:
    async def story() -> None:
        _, transport, _ = memory()
        reply = await transport.request(ORDER)
        assert (reply.status, json.loads(reply.body)) == (201, ["POST", "/v1/orders?a=1%202", "k", "{}"])
        assert asyncio.get_running_loop().time() == pytest.approx(0.1)
        with pytest.raises(TransportFailure) as caught:
            await transport.request(HttpRequest("GET", "http://other.sandbox/"))
        assert not caught.value.sent
        await transport.close()
        with pytest.raises(TransportFailure):
            await transport.request(ORDER)

    run_virtual(story)


@pytest.mark.parametrize(("fault", "handled", "sent"), [("lost_reply", 1, True), ("refused_connection", 0, False)])
def test_faults_strike_the_order_that_was_named(fault: str, handled: int, sent: bool) -> None:
    async def story() -> None:
        facade, transport, plan = memory(f"{fault}:echo:2")
        await transport.request(HttpRequest("GET", URL))
        await transport.request(ORDER)
        with pytest.raises(TransportFailure) as caught:
            await transport.request(ORDER)
        assert caught.value.sent is sent and facade.orders == 1 + handled
        assert plan.fired == [Fault(FaultKind(fault), "echo", 2)]
        assert (await transport.request(ORDER)).status == 201

    run_virtual(story)


def test_a_server_error_comes_after_acceptance() -> None:
    async def story() -> None:
        facade, transport, _ = memory("server_error")
        assert (await transport.request(ORDER)).status == 500
        assert facade.orders == 1

    run_virtual(story)


def test_what_was_sent_arrives_though_nobody_waits() -> None:
    async def story() -> None:
        facade, transport, _ = memory(latency_s=9)
        with pytest.raises(TransportFailure) as caught:
            await transport.request(ORDER)
        assert caught.value.sent and facade.orders == 0
        await asyncio.sleep(20)
        assert facade.orders == 1

    run_virtual(story)


def test_frames_stay_in_order_and_closing_reports_once() -> None:
    async def story() -> None:
        facade = EchoFacade()
        delays = iter([0.5, 0.4, 0.3, 0.2, 0.1] * 20)
        transport = MemoryTransport({"echo.sandbox": facade}, lambda: next(delays))
        socket, heard = await open_socket(transport, "ws://echo.sandbox/ws?x=1")
        socket.send(b"3")
        await asyncio.sleep(5)
        assert heard.frames == [b"welcome to /ws?x=1", b"note 0", b"book 0", b"note 1", b"book 1", b"note 2", b"book 2"]
        socket.send(b"bye")
        await asyncio.sleep(5)
        assert heard.frames[-1] == b"last words" and heard.closed == ["as you wish"] and facade.gone == 1
        socket.close()
        socket.send(b"1")
        await asyncio.sleep(5)
        assert len(heard.closed) == 1

    run_virtual(story)


def test_frame_faults() -> None:
    async def story() -> None:
        facade, transport, plan = memory("duplicate_frame:echo:2", "book_gap::2", "dropped_socket:echo:6")
        socket, heard = await open_socket(transport, "ws://echo.sandbox/ws")
        socket.send(b"9")
        await asyncio.sleep(1)
        # Frames: welcome, note 0 (twice), book 0, note 1, book 1 (withheld), note 2 (the sixth: the socket drops).
        assert [fault.kind for fault in plan.fired] == [FaultKind.DUPLICATE_FRAME, FaultKind.BOOK_GAP, FaultKind.DROPPED_SOCKET]
        assert heard.closed == ["connection lost"] and facade.gone == 1
        _, again = await open_socket(transport, "ws://echo.sandbox/ws")
        await asyncio.sleep(1)
        assert again.frames == [b"welcome to /ws"]

    run_virtual(story)


def test_a_gap_and_a_double_are_seen_by_the_client() -> None:
    async def story() -> None:
        _, transport, _ = memory("duplicate_frame:echo:2", "book_gap")
        socket, heard = await open_socket(transport, "ws://echo.sandbox/ws")
        socket.send(b"2")
        await asyncio.sleep(1)
        assert heard.frames[1:] == [b"note 0", b"note 0", b"note 1", b"book 1"]

    run_virtual(story)


def test_equal_faults_strike_one_after_the_other() -> None:
    async def story() -> None:
        facade, transport, plan = memory("server_error", "server_error")
        assert [(await transport.request(ORDER)).status for _ in range(3)] == [500, 500, 201]
        assert len(plan.fired) == 2 and facade.orders == 3

    run_virtual(story)


def test_faults_are_read_from_text() -> None:
    assert Fault.parse("lost_reply") == Fault(FaultKind.LOST_REPLY)
    assert Fault.parse("book_gap:echo:3") == Fault(FaultKind.BOOK_GAP, "echo", 3)
    assert Fault.parse("book_gap::3") == Fault(FaultKind.BOOK_GAP, None, 3)
    with pytest.raises(ValueError, match="known are lost_reply, server_error"):
        Fault.parse("explosion:echo")
    for text in ("lost_reply:echo:zero", "lost_reply:echo:0", "lost_reply:echo:-1"):
        with pytest.raises(ValueError, match="not a count"):
            Fault.parse(text)


@dataclass
class Hosted:
    facade: EchoFacade
    plan: FaultPlan
    server: SandboxServer
    port: int


@dataclass
class StillWorld:
    """A world of one façade; it only says that it was asked to move."""

    facades: dict[str, Facade]
    ticked: asyncio.Event = field(default_factory=asyncio.Event)

    def advance(self) -> None:
        self.ticked.set()


@pytest.fixture
async def hosted(request: pytest.FixtureRequest) -> AsyncIterator[Hosted]:
    facade, plan = EchoFacade(), FaultPlan([Fault.parse(text) for text in getattr(request, "param", ())])
    world: Any = StillWorld({"echo": facade})
    server = SandboxServer(world, plan, tick_s=0.01)
    ports = await server.start()
    yield Hosted(facade, plan, server, ports["echo"])
    await server.stop()


async def test_loopback_carries_requests_and_frames(hosted: Hosted) -> None:
    http, websocket = AiohttpTransport(), WebsocketsTransport()
    url = f"http://127.0.0.1:{hosted.port}/v1/orders?a=1%202"
    reply = await http.request(HttpRequest("POST", url, {"x-key": "k"}, b"{}"))
    assert (reply.status, json.loads(reply.body)) == (201, ["POST", "/v1/orders?a=1%202", "k", "{}"])
    assert reply.headers["x-told"] == "yes"
    socket, heard = await open_socket(websocket, f"ws://127.0.0.1:{hosted.port}/ws")
    socket.send(b"2")
    await heard.until(5)
    assert heard.frames == [b"welcome to /ws", b"note 0", b"book 0", b"note 1", b"book 1"]
    socket.send(b"bye")
    await heard.until(1000)
    assert heard.frames[-1] == b"last words" and len(heard.closed) == 1
    await asyncio.wait_for(hosted.facade.left.wait(), 5)
    await asyncio.wait_for(hosted.server.world.ticked.wait(), 5)  # type: ignore[attr-defined]
    await websocket.close()
    await http.close()


async def test_replies_carry_the_date_of_the_venues_clock(hosted: Hosted) -> None:
    hosted.facade.clock = SystemClock.starting_at(1_767_355_200_000, 0.001)
    http = AiohttpTransport()
    for _ in range(2):
        reply = await http.request(HttpRequest("GET", f"http://127.0.0.1:{hosted.port}/"))
        assert reply.headers["date"] == "Fri, 02 Jan 2026 12:00:00 GMT"
    await http.close()


@pytest.mark.parametrize("hosted", [["lost_reply", "server_error:echo:2", "refused_connection:echo:3"]], indirect=True)
async def test_faults_strike_over_loopback(hosted: Hosted) -> None:
    http = AiohttpTransport()
    order = HttpRequest("POST", f"http://127.0.0.1:{hosted.port}/v1/orders", {}, b"{}")
    with pytest.raises(TransportFailure) as caught:
        await http.request(order)
    assert caught.value.sent and hosted.facade.orders == 1
    assert (await http.request(order)).status == 500
    with pytest.raises(TransportFailure):
        await http.request(order)
    assert hosted.facade.orders == 2
    assert (await http.request(order)).status == 201
    await http.close()


@pytest.mark.parametrize("hosted", [["dropped_socket:echo:3"]], indirect=True)
async def test_sockets_drop_over_loopback(hosted: Hosted) -> None:
    websocket = WebsocketsTransport()
    socket, heard = await open_socket(websocket, f"ws://127.0.0.1:{hosted.port}/ws")
    socket.send(b"9")
    await heard.until(1000)
    assert heard.frames == [b"welcome to /ws", b"note 0"]
    await asyncio.wait_for(hosted.facade.left.wait(), 5)
    await websocket.close()


async def test_a_taken_port_is_said_at_once(hosted: Hosted) -> None:
    world: Any = StillWorld({"echo": EchoFacade()})
    with pytest.raises(OSError, match="in use"):
        await SandboxServer(world, ports={"echo": hosted.port}).start()


def test_a_world_needs_prices_from_its_beginning() -> None:
    clock = SystemClock.starting_at(1_767_400_000_000, 1.0)
    with pytest.raises(ValueError, match="begins at 2027"):
        World.build([], ModelPrices(1, 1_800_000_000_000), clock, 1)
    assert World.build([], ModelPrices(1, 1_700_000_000_000), clock, 1).exchanges == {}
