"""One socket, many topics: losses are told, gaps are healed, refusals end the right reader, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from exchange_clients.domain.events import Connected, Lost, Resumed
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.endpoint import Channel, SequenceRule
from exchange_clients.engine.stream import Stream
from exchange_clients.engine.stream_dialect import Blind, Confirmed, Control, Denied, LoginDenied, StreamDialect, Topic
from exchange_clients.engine.subscription import QUEUE_EVENTS_MAX
from exchange_clients.engine.transport import OnClose, OnFrame, Socket, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import AuthenticationFailed, ExchangeError, Refused
from exchange_clients.sandbox.virtual_loop import run_virtual


class Frame(msgspec.Struct):
    c: str
    v: int


class Body(msgspec.Struct):
    v: int


class Wrapped(msgspec.Struct):
    data: Body


class Talk(StreamDialect):
    """`{"c": topic, "v": number}` is data; `{"ok": topic}` confirms; `{"no": topic}` refuses."""

    heartbeat = b"ping"
    heartbeat_every_s = 20.0
    silence_s_max = 60.0
    refuses_login = False
    can_log_in_again = False
    logins = 0

    def token(self, frame: bytes) -> bytes:
        return frame.split(b'"')[3] if frame.startswith(b'{"c"') else b""

    def control(self, frame: bytes) -> Control:
        said = msgspec.json.decode(frame)
        if "ok" in said:
            return Confirmed(said["ok"])
        if "stranger" in said:
            return LoginDenied(AuthenticationFailed("venue", "login", "unknown session"))
        return Denied(said["no"], Refused("venue", "subscribe", "no such topic")) if "no" in said else None

    async def login_again(self, error: ExchangeError) -> bool:
        return self.can_log_in_again

    async def login(self, socket: Socket) -> None:
        self.logins += 1
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
        self.refuses_unnamed: set[str] = set()
        self.is_slow = False

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
        name = frame[1:].decode()
        if frame.startswith(b"+") and name in self.refuses_unnamed:
            self.say(no="")
        elif frame.startswith(b"+") and self.confirms and not self.is_slow:
            self.say(ok=name)
        elif frame.startswith(b"+") and self.confirms:
            asyncio.get_running_loop().call_later(3, lambda: self.say(ok=name))
        elif frame == b"ping" and self.answers_pings:
            self.say(pong=1)

    def say(self, **message: Any) -> None:
        self.on_frame(msgspec.json.encode(message))

    def data(self, topic: str, value: int) -> None:
        self.on_frame(msgspec.json.encode({"c": topic, "v": value}))


EVENTS = Channel("events", Frame, SequenceRule.NONE)
PRIVATE = Channel("events", Frame, SequenceRule.NONE, private=True)
KEYED = Channel("states", Frame, SequenceRule.SNAPSHOT, conflate=True, keyed_by=b'"c":"')
PACED = Channel("states", Frame, SequenceRule.SNAPSHOT, conflate=True, silence_s_max=4.0)
STATES = Channel("states", Frame, SequenceRule.SNAPSHOT, conflate=True)


def topic(name: str, handler: Callable[[Frame], Any] = lambda f: (f.v,), channel: Channel = EVENTS) -> Topic:
    key = name if channel is KEYED else ""
    return Topic(channel, name, name.encode(), key, name, b"+" + name.encode(), b"-" + name.encode(), handler)


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


def test_a_refused_login_ends_private_readers_only() -> None:
    async def story(stream: Stream, server: Server) -> None:
        public, private = stream.subscribe(topic("a")), stream.subscribe(topic("mine", channel=PRIVATE))
        with pytest.raises(AuthenticationFailed):
            await take(private, 1)
        server.data("a", 1)
        assert kinds(await take(public, 2)) == [Connected, 1]
        again = stream.subscribe(topic("mine", channel=PRIVATE))
        dialect.refuses_login = False
        assert kinds(await take(again, 1)) == [Connected]

    dialect = Talk()
    dialect.refuses_login = True
    play(story, dialect)


def test_nobody_logs_in_for_public_topics() -> None:
    async def story(stream: Stream, server: Server) -> None:
        first = stream.subscribe(topic("a"))
        await take(first, 1)
        assert dialect.logins == 0
        second = stream.subscribe(topic("mine", channel=PRIVATE))
        await take(second, 1)
        assert dialect.logins == 1

    dialect = Talk()
    play(story, dialect)


def test_a_login_that_the_venue_denies_later_is_tried_with_a_fresh_token() -> None:
    async def story(stream: Stream, server: Server) -> None:
        public, private = stream.subscribe(topic("a")), stream.subscribe(topic("mine", channel=PRIVATE))
        await asyncio.sleep(1)
        server.say(stranger=1)
        await asyncio.sleep(5)
        server.data("mine", 1)
        assert kinds(await take(private, 4)) == [Connected, Lost, Resumed, 1]
        assert server.connections == 2 and dialect.logins == 2
        dialect.can_log_in_again = False
        server.say(stranger=1)
        with pytest.raises(AuthenticationFailed):
            await take(private, 1)
        assert kinds(await take(public, 3)) == [Connected, Lost, Resumed]

    dialect = Talk()
    dialect.can_log_in_again = True
    play(story, dialect)


def test_an_unreadable_frame_is_told_and_the_topic_lives_on() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.on_frame(b'{"c":"a","v":"many"}')
        server.data("a", 2)
        events = await take(reader, 4)
        assert kinds(events) == [Connected, Lost, Resumed, 2] and "many" in events[1].reason

    play(story)


def test_a_word_that_a_handler_does_not_know_is_told_and_the_topic_lives_on() -> None:
    async def story(stream: Stream, server: Server) -> None:
        words = {2: "two"}
        reader = stream.subscribe(topic("a", lambda f: [words[f.v]]))
        await asyncio.sleep(1)
        server.data("a", 1)
        server.data("a", 2)
        events = await take(reader, 4)
        assert kinds(events) == [Connected, Lost, Resumed, "two"] and "KeyError" in events[1].reason

    play(story)


def test_a_row_that_can_not_be_read_is_told_and_the_others_come() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a", lambda f: [1, Blind("row 2 has no size"), 3]))
        await asyncio.sleep(1)
        server.data("a", 0)
        assert kinds(await take(reader, 5)) == [Connected, 1, Lost, Resumed, 3]

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


def test_a_reader_that_sleeps_too_long_is_told_and_harms_no_other() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader, brisk = stream.subscribe(topic("a")), stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        await take(brisk, 1)
        for value in range(QUEUE_EVENTS_MAX + 10):
            server.data("a", value)
            assert await take(brisk, 1) == [value]
        events = await take(reader, 3)
        assert kinds(events)[:2] == [Lost, Resumed] and "slow" in events[0].reason
        assert server.connections == 1

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


def test_readers_share_a_topic() -> None:
    async def story(stream: Stream, server: Server) -> None:
        first = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        second = stream.subscribe(topic("a"))
        server.data("a", 1)
        assert kinds(await take(first, 2)) == kinds(await take(second, 2)) == [Connected, 1]
        await first.aclose()
        server.data("a", 2)
        assert await take(second, 1) == [2] and server.sent.count(b"+a") == 1 and b"-a" not in server.sent
        await second.aclose()
        assert server.sent.count(b"-a") == 1

    play(story)


def test_a_late_reader_of_a_state_gets_it_at_once() -> None:
    async def story(stream: Stream, server: Server) -> None:
        first = stream.subscribe(topic("a", channel=STATES))
        await asyncio.sleep(1)
        server.data("a", 7)
        assert kinds(await take(first, 2)) == [Connected, 7]
        async with stream.subscribe(topic("a", channel=STATES)) as second:
            assert kinds(await take(second, 2)) == [Connected, 7]

    play(story)


def test_a_state_that_nobody_reads_is_not_decoded() -> None:
    """1,000 frames arrive in one turn of the loop: the newest is decoded, once, for both readers."""
    decoded = []

    def read(frame: Frame) -> tuple[int]:
        decoded.append(frame.v)
        return (frame.v,)

    async def story(stream: Stream, server: Server) -> None:
        readers = [stream.subscribe(topic("a", read, KEYED)) for _ in range(2)]
        await asyncio.sleep(1)
        for value in range(1000):
            server.data("a", value)
        for reader in readers:
            assert kinds(await take(reader, 2)) == [Connected, 999]
        assert decoded == [999]

    play(story)


def test_changes_are_all_applied_and_the_state_is_built_when_read() -> None:
    total, built = [0], []

    def change(frame: Frame) -> bool:
        total[0] += frame.v
        return True

    def state(depth: int | None) -> int:
        built.append(depth)
        return total[0]

    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(replace(topic("a", change, STATES), state=state), depth=5)
        await asyncio.sleep(1)
        for _ in range(1000):
            server.data("a", 1)
        assert kinds(await take(reader, 2)) == [Connected, 1000] and built == [5]

    play(story)


def test_watched_left_and_watched_again() -> None:
    async def story(stream: Stream, server: Server) -> None:
        for turn in range(200):
            async with stream.subscribe(topic("a", channel=STATES)) as reader:
                await asyncio.sleep(0.01)
                server.data("a", turn)
                assert kinds(await take(reader, 2)) == [Connected, turn]
        assert server.connections == 1 and server.sent.count(b"+a") == server.sent.count(b"-a") == 200

    play(story)


def test_a_refused_topic_can_be_asked_for_again() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.confirms = False
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.say(no="a")
        with pytest.raises(Refused):
            await take(reader, 1)
        server.confirms = True
        assert kinds(await take(stream.subscribe(topic("a")), 1)) == [Connected]

    play(story)


def test_a_refusal_without_a_name_finds_its_topic() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.refuses_unnamed = {"bad"}
        good, bad, better = (stream.subscribe(topic(name)) for name in ("good", "bad", "better"))
        with pytest.raises(Refused):
            await take(bad, 1)
        assert kinds([*await take(good, 1), *await take(better, 1)]) == [Connected, Connected]
        assert server.connections == 1

    play(story)


def test_a_refusal_without_a_name_among_the_unconfirmed_is_found_by_asking_one_by_one() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.refuses_unnamed, server.is_slow = {"bad"}, True
        good, bad = stream.subscribe(topic("good")), stream.subscribe(topic("bad"))
        with pytest.raises(Refused):
            await take(bad, 1)
        assert kinds(await take(good, 1)) == [Connected]

    play(story)


def test_a_dead_topic_on_a_living_socket_is_told_and_asked_for_again_at_its_own_pace() -> None:
    async def story(stream: Stream, server: Server) -> None:
        reader, other = stream.subscribe(topic("a", channel=PACED)), stream.subscribe(topic("b"))
        await asyncio.sleep(0.1)
        server.data("a", 1)
        assert kinds(await take(reader, 2)) == [Connected, 1]
        events = await take(reader, 1)
        assert kinds(events) == [Lost] and "socket lives" in events[0].reason
        await asyncio.sleep(300)
        assert 4 < server.sent.count(b"+a") < 40  # again and again, but later and later
        server.data("a", 2)
        assert kinds(await take(other, 1)) == [Connected] and server.connections == 1
        assert 2 in await take(reader, 2 * server.sent.count(b"+a"))

    play(story)


def test_frames_numbered_through_the_connection() -> None:
    class Numbered(Talk):
        numbers_frames = True

        def number(self, frame: bytes) -> int | None:
            return msgspec.json.decode(frame).get("v")

    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.data("a", 1)
        server.data("a", 2)
        server.data("a", 4)
        assert kinds(await take(reader, 5)) == [Connected, 1, 2, Lost, Resumed]
        assert server.connections == 2

    play(story, Numbered())


def test_a_lease_is_renewed_and_a_lost_one_dials_again() -> None:
    class Leased(Talk):
        renew_every_s = 1800.0
        renewals = 0

        async def renew(self) -> None:
            self.renewals += 1
            if self.renewals == 3:
                raise Refused("venue", "listen key", "it has ended")

    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a"))
        await asyncio.sleep(3 * 1800 + 60)
        assert kinds(await take(reader, 3)) == [Connected, Lost, Resumed]
        assert dialect.renewals == 3 and server.connections == 2

    dialect = Leased()
    play(story, dialect)


def test_several_topics_are_one_stream_that_connects_once() -> None:
    async def story(stream: Stream, server: Server) -> None:
        server.confirms = False
        reader = stream.subscribe(topic("a"), topic("b"))
        await asyncio.sleep(1)
        server.say(ok="a")
        server.data("a", 1)
        server.say(ok="b")
        server.data("b", 2)
        assert kinds(await take(reader, 3)) == [Connected, 1, 2]
        server.confirms = True
        server.on_close("gone")
        await asyncio.sleep(5)
        server.data("b", 3)
        assert kinds(await take(reader, 3)) == [Lost, Resumed, 3]

    play(story)


def test_the_body_alone_is_decoded_whatever_the_order_of_the_envelope() -> None:
    channel = Channel("events", Wrapped, SequenceRule.NONE, body=Body)

    async def story(stream: Stream, server: Server) -> None:
        reader = stream.subscribe(topic("a", channel=channel))
        await asyncio.sleep(1)
        server.on_frame(b'{"c":"a","data":{"v":1}}')
        server.on_frame(b'{"c":"a","data":{"v":2},"sent":"now"}')
        server.on_frame(b'{"c":"a","data":{"v":"three"},"sent":"now"}')
        events = await take(reader, 5)
        assert kinds(events) == [Connected, 1, 2, Lost, Resumed] and "$.data.v" in events[3].reason

    play(story)


def test_topics_of_the_same_frames_are_asked_for_once_on_every_connection() -> None:
    """An order's frame holds its fill: two topics, one subscription."""

    def own(name: str) -> Topic:
        return replace(topic("a", lambda f: (f"{name} {f.v}",)), name=name)

    async def story(stream: Stream, server: Server) -> None:
        orders, fills = stream.subscribe(own("orders")), stream.subscribe(own("fills"))
        await asyncio.sleep(1)
        server.data("a", 1)
        assert kinds(await take(orders, 2)) == [Connected, "orders 1"] and kinds(await take(fills, 2)) == [Connected, "fills 1"]
        server.on_close("gone")
        await asyncio.sleep(5)
        server.data("a", 2)
        assert kinds(await take(orders, 3)) == [Lost, Resumed, "orders 2"]
        assert kinds(await take(fills, 3)) == [Lost, Resumed, "fills 2"]
        assert server.connections == 2 and server.sent.count(b"+a") == 2
        await orders.aclose()
        assert b"-a" not in server.sent
        await fills.aclose()
        assert server.sent.count(b"-a") == 1

    play(story)


def test_a_topic_that_comes_while_the_login_is_under_way_is_asked_for_once() -> None:
    class Slow(Talk):
        async def login(self, socket: Socket) -> None:
            await asyncio.sleep(2)

    async def story(stream: Stream, server: Server) -> None:
        mine = stream.subscribe(topic("mine", channel=PRIVATE))
        await asyncio.sleep(1)
        public = stream.subscribe(topic("a"))
        await asyncio.sleep(5)
        assert kinds([*await take(mine, 1), *await take(public, 1)]) == [Connected, Connected]
        assert server.sent.count(b"+a") == server.sent.count(b"+mine") == 1

    play(story, Slow())
