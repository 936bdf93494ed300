"""One socket, many topics: losses are told, gaps are healed, refusals end the right reader, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any

import msgspec
import pytest

from exchange_clients.domain.events import Connected, Lost, Resumed
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.endpoint import Channel, SequenceRule
from exchange_clients.engine.stream import Confirmed, Control, Denied, Stream, StreamDialect, Topic
from exchange_clients.engine.subscription import QUEUE_EVENTS_MAX
from exchange_clients.engine.transport import OnClose, OnFrame, Socket, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import AuthenticationFailed, ProtocolViolation, Refused
from exchange_clients.sandbox.virtual_loop import run_virtual


class Frame(msgspec.Struct):
    c: str
    v: int


class Talk(StreamDialect):
    """`{"c": topic, "v": number}` is data; `{"ok": topic}` confirms; `{"no": topic}` refuses."""

    heartbeat = b"ping"
    heartbeat_every_s = 20.0
    silence_s_max = 60.0
    refuses_login = False

    def token(self, frame: bytes) -> bytes:
        return frame.split(b'"')[3] if frame.startswith(b'{"c"') else b""

    def control(self, frame: bytes) -> Control:
        said = msgspec.json.decode(frame)
        if "ok" in said:
            return Confirmed(said["ok"])
        return Denied(said["no"], Refused("venue", "subscribe", "no such topic")) if "no" in said else None

    async def login(self, socket: Socket) -> None:
        if self.refuses_login:
            raise AuthenticationFailed("venue", "login", "wrong key")


class Server:
    """The venue's side, in memory: confirms what it is asked, unless told otherwise."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.connections = 0
        self.unreachable = 0
        self.confirms = True
        self.answers_pings = True

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        if self.unreachable:
            self.unreachable -= 1
            raise TransportFailure("connection refused", sent=False)
        self.connections += 1
        self.on_frame, self.on_close = on_frame, on_close
        server = self

        class End:
            def send(self, frame: bytes) -> None:
                server.sent.append(frame)
                asyncio.get_running_loop().call_soon(server.react, frame)

            def close(self) -> None:
                asyncio.get_running_loop().call_soon(on_close, "closed by us")

        return End()

    async def close(self) -> None:
        pass

    def react(self, frame: bytes) -> None:
        if frame.startswith(b"+") and self.confirms:
            self.say(ok=frame[1:].decode())
        elif frame == b"ping" and self.answers_pings:
            self.say(pong=1)

    def say(self, **message: Any) -> None:
        self.on_frame(msgspec.json.encode(message))

    def data(self, topic: str, value: int) -> None:
        self.on_frame(msgspec.json.encode({"c": topic, "v": value}))


EVENTS = Channel("events", Frame, SequenceRule.NONE)
STATES = Channel("states", Frame, SequenceRule.SNAPSHOT, conflate=True)


def topic(name: str, handler: Callable[[Frame], Any] = lambda f: (f.v,), channel: Channel = EVENTS) -> Topic:
    return Topic(channel, name, name.encode(), "", name, b"+" + name.encode(), b"-" + name.encode(), handler)


def play(story: Callable[[Stream, Server], Coroutine[Any, Any, Any]], dialect: StreamDialect | None = None) -> Any:
    """Tell a story on virtual time."""

    async def main() -> Any:
        server = Server()
        wiring = Wiring(Environment.SANDBOX, "", "ws://venue", LoopClock(0), None, server, random=Random(1))  # type: ignore[arg-type]
        stream = Stream("venue", wiring, dialect or Talk())
        try:
            return await asyncio.wait_for(story(stream, server), 10_000)
        finally:
            await stream.close()

    return run_virtual(main)


async def take(subscription: Any, count: int) -> list[Any]:
    return [await subscription.__anext__() for _ in range(count)]


def kinds(events: list[Any]) -> list[Any]:
    return [type(e) if isinstance(e, Connected | Lost | Resumed) else e for e in events]


def test_confirmed_then_data() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.data("a", 1)
        server.data("b", 9)
        server.data("a", 2)
        assert kinds(await take(reader, 3)) == [Connected, 1, 2]

    play(story)


def test_a_lost_socket_is_told_and_resumed() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader, other = stream.subscribe(topic("a")), stream.subscribe(topic("b"))
        await asyncio.sleep(1)
        server.unreachable = 3
        server.on_close("maintenance")
        await asyncio.sleep(30)
        server.data("a", 5)
        events = await take(reader, 4)
        assert kinds(events) == [Connected, Lost, Resumed, 5]
        assert events[1].reason == "maintenance" and events[1].topic == "a"
        assert kinds(await take(other, 3)) == [Connected, Lost, Resumed]
        assert server.connections == 2

    play(story)


def test_back_off_grows_and_is_bounded() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.unreachable = 40
        stream.subscribe(topic("a"))
        begin = asyncio.get_running_loop().time()
        while server.connections == 0:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.1)
        waited = asyncio.get_running_loop().time() - begin
        assert 200 < waited < 40 * 15

    play(story)


def test_a_gap_restarts_one_topic_only() -> None:
    def broken(frame: Frame) -> tuple[int]:
        if frame.v == 13:
            raise Gap("13 is missing")
        return (frame.v,)

    async def story(stream: Stream, server: Server) -> None:
        reader, other = stream.subscribe(topic("a", broken)), stream.subscribe(topic("b"))
        await asyncio.sleep(1)
        server.data("a", 13)
        await asyncio.sleep(1)
        server.data("a", 14)
        server.data("b", 1)
        assert kinds(await take(reader, 4)) == [Connected, Lost, Resumed, 14]
        assert kinds(await take(other, 2)) == [Connected, 1]
        assert server.connections == 1 and server.sent.count(b"+a") == 2 and b"-a" in server.sent

    play(story)


def test_silence_ends_the_socket() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        server.answers_pings = False
        events = await take(reader, 2)
        assert kinds(events) == [Connected, Lost] and "silent" in events[1].reason

    play(story)


def test_heartbeats_keep_a_quiet_socket() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(600)
        server.data("a", 1)
        assert kinds(await take(reader, 2)) == [Connected, 1]
        assert server.connections == 1 and server.sent.count(b"ping") >= 25

    play(story)


def test_a_missing_confirmation_is_not_waited_for_for_ever() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.confirms = False
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(30)
        assert server.connections >= 2
        server.confirms = True
        assert kinds(await take(reader, 1)) == [Connected]

    play(story)


def test_a_refused_topic_ends_its_reader_only() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.confirms = False
        bad, good = stream.subscribe(topic("bad")), stream.subscribe(topic("good"))
        await asyncio.sleep(1)
        server.say(no="bad")
        server.say(ok="good")
        with pytest.raises(Refused):
            await take(bad, 1)
        assert kinds(await take(good, 1)) == [Connected]

    play(story)


def test_a_refused_login_ends_every_reader() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        with pytest.raises(AuthenticationFailed):
            await take(reader, 1)

    dialect = Talk()
    dialect.refuses_login = True
    play(story, dialect)


def test_an_unreadable_frame_is_a_protocol_violation_not_silence() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.on_frame(b'{"c":"a","v":"many"}')
        with pytest.raises(ProtocolViolation) as violation:
            await take(reader, 2)
        assert b"many" in violation.value.raw

    play(story)


def test_a_bug_in_a_handler_is_loud() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a", lambda f: {}[f.v]))
        await asyncio.sleep(1)
        server.data("a", 1)
        with pytest.raises(KeyError):
            await take(reader, 2)

    play(story)


def test_states_are_conflated_and_connectivity_is_kept() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a", channel=STATES))
        await asyncio.sleep(1)
        for value in range(100):
            server.data("a", value)
        server.on_close("gone")
        await asyncio.sleep(5)
        for value in range(100, 200):
            server.data("a", value)
        assert kinds(await take(reader, 5)) == [Connected, 99, Lost, Resumed, 199]

    play(story)


def test_a_reader_that_sleeps_too_long_is_told() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        for value in range(QUEUE_EVENTS_MAX + 10):
            server.data("a", value)
        await asyncio.sleep(10)
        server.data("a", -1)
        events = await take(reader, 3)
        assert kinds(events) == [Lost, Resumed, -1] and "slow" in events[0].reason

    play(story)


def test_closing_ends_the_iteration() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        await reader.aclose()
        assert kinds([event async for event in reader]) == [Connected]
        await asyncio.sleep(1)
        assert server.sent[-1] == b"-a"
        again = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.data("a", 3)
        assert kinds(await take(again, 2)) == [Connected, 3]

    play(story)


def test_a_topic_has_one_reader() -> None:
    async def story(stream: Stream, server: Server) -> None:
        stream.subscribe(topic("a"))
        with pytest.raises(ValueError, match="already"):
            stream.subscribe(topic("a"))

    play(story)
