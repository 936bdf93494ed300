"""One WebSocket, many topics: connect, log in, subscribe, confirm, keep alive, notice gaps, start over, tell.

            ┌────────── back-off (jittered) ◄──────────┐
 subscribe ─► connecting ─► logging in ─► subscribing ─┴► live ──► Lost(reason) to every topic
                                             confirmed: Connected, later Resumed

Connectivity goes to readers as ordinary events. Only the transport's failures reconnect; anything else that goes wrong in a
handler ends the reader's iteration with that error, loudly.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from exchange_clients.domain.events import Connected, Lost, Resumed
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.endpoint import Channel
from exchange_clients.engine.retry import backoff_s
from exchange_clients.engine.subscription import Subscription
from exchange_clients.engine.transport import Socket, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import ExchangeError, Misconfigured, ProtocolViolation, Refused

CONFIRM_WITHIN_S = 10.0
BACKOFF_S_FIRST = 0.05
BACKOFF_S_MAX = 15.0
WAITING_FRAMES_MAX = 10_000


class Confirmed(msgspec.Struct, frozen=True):
    """The venue confirmed the topic whose `Topic.confirms_as` is `key`."""

    key: str


class Denied(msgspec.Struct, frozen=True):
    """The venue refused the topic whose `Topic.confirms_as` is `key` (empty: all that are unconfirmed)."""

    key: str
    error: ExchangeError


class Answer(msgspec.Struct, frozen=True):
    """The venue wants `frame` in reply (a pong)."""

    frame: bytes


Control = Confirmed | Denied | Answer | None


@dataclass(frozen=True)
class Topic:
    """What one subscription wants.

    `token`: what `StreamDialect.token` gives for its frames. `key`: tells topics that share a token apart, compared with
    `StreamDialect.key`. `handler`: a decoded frame → events; it may raise Gap. `on_start`: runs before every (re)subscription, to
    forget state. `subscribe`, `unsubscribe`: frames to send.
    """

    channel: Channel
    name: str
    token: bytes
    key: str
    confirms_as: str | None
    subscribe: bytes | Callable[[], bytes]
    unsubscribe: bytes
    handler: Callable[[Any], Iterable[Any]]
    on_start: Callable[[], None] = lambda: None
    snapshot: Callable[[], Awaitable[Iterable[Any]]] | None = None


class StreamDialect(ABC):
    """What differs between venues on a WebSocket."""

    heartbeat: bytes | None = None
    heartbeat_every_s: float = 20.0
    silence_s_max: float = 60.0

    @abstractmethod
    def token(self, frame: bytes) -> bytes:
        """Where a frame belongs, peeked without decoding; b"" for control frames."""

    def key(self, channel: Channel, frame: Any) -> str:
        """Tells apart topics of one token from the decoded frame."""
        return ""

    @abstractmethod
    def control(self, frame: bytes) -> Control:
        """Read a frame that belongs to no topic."""

    async def address(self, base: str) -> str:
        """Where to connect: `base`, or with a path or a key that only a call can tell. Runs before every connect."""
        return base

    async def login(self, socket: Socket) -> None:  # noqa: B027  # most venues want none
        """Send what opens the private channels. Runs after every connect."""

    def headers(self) -> dict[str, str]:
        """Headers of the handshake."""
        return {}


@dataclass(slots=True)
class _Live:
    """A topic with its reader. `push`: how its events reach the reader."""

    topic: Topic
    subscription: Subscription
    push: Callable[[Any], None]
    confirmed: bool = False
    ever_confirmed: bool = False
    blind: bool = False
    waiting: list[Any] | None = None


@dataclass(slots=True)
class _Route:
    """Every topic behind one token."""

    decode: Callable[[bytes], Any]
    channel: Channel
    topics: dict[str, list[_Live]] = field(default_factory=dict)

    def all(self) -> list[_Live]:
        return [live for lives in self.topics.values() for live in lives]


class Stream:
    """A venue's socket for one account. Opens with the first subscription, closes with the last."""

    def __init__(self, venue: str, wiring: Wiring, dialect: StreamDialect) -> None:
        self._venue = venue
        self._wiring = wiring
        self._dialect = dialect
        self._token, self._key = dialect.token, dialect.key
        self._routes: dict[bytes, _Route] = {}
        self._socket: Socket | None = None
        self._gone: asyncio.Future[str] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._last_frame_at = 0.0
        self._is_deaf = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop_time: Callable[[], float] = lambda: 0.0

    def subscribe(self, *topics: Topic) -> Subscription:
        """Start reading `topics` as one sequence of events. Raises ValueError when one of them is being read already.

        Topics of one token and key share frames (an order and its fill, say); what is asked for in the same words is asked once.

        A single topic of a conflated channel is conflated; several together never are, since none stands for the others.
        """
        for topic in topics:
            if any(live.topic.name == topic.name for live in self._shared(topic)):
                raise ValueError(f"{self._venue}: {topic.name} is being streamed already")
        subscription = Subscription(
            conflate=len(topics) == 1 and topics[0].channel.conflate,
            on_close=lambda: self._unsubscribe(lives),
            on_overflow=lambda: self._drop_socket(f"the reader of {topics[0].name} is too slow"),
        )
        lives = [self._add(topic, subscription) for topic in topics]
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run(), name=f"stream {self._venue}")
        elif self._socket is not None:
            for live in lives:
                self._ask(live)
        return subscription

    async def close(self) -> None:
        """End every reader's iteration and the socket."""
        for live in self._lives():
            live.subscription.end()
        self._routes.clear()
        for task in self._tasks:
            task.cancel()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _lives(self) -> list[_Live]:
        return [live for route in self._routes.values() for live in route.all()]

    def _shared(self, topic: Topic) -> list[_Live]:
        """Who reads the frames of `topic` already."""
        route = self._routes.get(topic.token)
        return [] if route is None else route.topics.get(topic.key, [])

    def _add(self, topic: Topic, subscription: Subscription) -> _Live:
        route = self._routes.get(topic.token)
        if route is None:
            route = self._routes[topic.token] = _Route(
                msgspec.json.Decoder(topic.channel.frame, strict=False).decode, topic.channel
            )
        push = subscription.push_state if topic.channel.conflate else subscription.push
        live = _Live(topic, subscription, push)
        route.topics.setdefault(topic.key, []).append(live)
        return live

    def _unsubscribe(self, lives: Iterable[_Live]) -> None:
        for live in lives:
            topic, route = live.topic, self._routes.get(live.topic.token)
            if route is None or live not in route.topics.get(topic.key, ()):
                continue
            route.topics[topic.key].remove(live)
            if route.topics[topic.key]:
                continue
            del route.topics[topic.key]
            if not route.topics:
                del self._routes[topic.token]
            if self._socket is not None and topic.unsubscribe:
                self._socket.send(topic.unsubscribe)

    async def _run(self) -> None:
        failures = 0
        while self._routes:
            reason = await self._connect_once()
            if reason is None:
                failures = 0
                reason = await self._serve()
            failures += 1
            self._tell_lost(reason)
            await asyncio.sleep(backoff_s(failures, self._wiring.random, BACKOFF_S_FIRST, BACKOFF_S_MAX))

    async def _connect_once(self) -> str | None:
        """Connect and log in; returns why not, or None."""
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time  # looked up once: every frame asks
        self._gone = gone = loop.create_future()
        self._is_deaf = False
        try:
            self._socket = await self._wiring.websocket.connect(
                await self._dialect.address(self._wiring.websocket_url),
                self._dialect.headers(),
                self._on_frame,
                lambda reason: _settle(gone, reason),
            )
            self._last_frame_at = loop.time()
            await self._dialect.login(self._socket)
        except TransportFailure as failure:
            return failure.reason
        except ExchangeError as refused:
            self._drop_socket("login failed")
            if isinstance(refused, (Misconfigured, ProtocolViolation, Refused)):
                for live in self._lives():
                    live.subscription.fail(refused)
                self._routes.clear()
            return refused.detail
        return None

    async def _serve(self) -> str:
        """Subscribe everything and stay until the socket is gone; returns why it is."""
        for live in self._lives():
            self._ask(live)
        assert self._gone is not None
        keeper = asyncio.get_running_loop().create_task(self._keep_alive())
        try:
            return await self._gone
        finally:
            keeper.cancel()
            self._socket = None

    async def _keep_alive(self) -> None:
        """Heartbeats out; silence or a missing confirmation ends the socket."""
        loop = asyncio.get_running_loop()
        dialect, started = self._dialect, loop.time()
        period = min(dialect.heartbeat_every_s, dialect.silence_s_max / 2, CONFIRM_WITHIN_S)
        last_beat = started
        while self._socket is not None:
            await asyncio.sleep(period)
            now = loop.time()
            waiting = [live.topic.name for live in self._lives() if not live.confirmed]
            if waiting and now - started > CONFIRM_WITHIN_S:
                self._drop_socket(f"no confirmation of {', '.join(waiting)} within {CONFIRM_WITHIN_S:g} s")
            elif now - self._last_frame_at > dialect.silence_s_max:
                self._drop_socket(f"silent for {now - self._last_frame_at:.0f} s")
            elif dialect.heartbeat is not None and self._socket is not None and now - last_beat >= dialect.heartbeat_every_s:
                self._socket.send(dialect.heartbeat)
                last_beat = now
            if not waiting:
                started = now

    def _ask(self, live: _Live) -> None:
        live.confirmed = False
        topic = live.topic
        topic.on_start()
        if topic.snapshot is not None:
            live.waiting = []
            self._start(self._splice(live, topic.snapshot))
        if self._socket is not None:
            frame = topic.subscribe() if callable(topic.subscribe) else topic.subscribe
            if frame and not any(other.confirmed for other in self._shared(topic) if other is not live):
                self._socket.send(frame)
            if topic.confirms_as is None:
                self._tell_live(live)

    async def _splice(self, live: _Live, snapshot: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        """Frames wait until the state that they continue has been read."""
        waiting = live.waiting
        try:
            events = await snapshot()
        except ExchangeError as error:
            self._drop_socket(f"no snapshot of {live.topic.name}: {error}")
            return
        if live.waiting is not waiting or waiting is None:
            return  # started over meanwhile
        live.waiting = None
        self._hand_over(live, events)
        for frame in waiting:
            if live.waiting is None:
                self._deliver(live, frame)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop_socket(self, reason: str) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            self._is_deaf = True  # what still arrives comes after a loss and must not count as a recovery
            self._tell_lost(reason)
            if self._gone is not None:
                _settle(self._gone, reason)
            socket.close()

    def _tell_lost(self, reason: str) -> None:
        for live in self._lives():
            live.confirmed = False
            if live.ever_confirmed and not live.blind:
                live.blind = True
                live.subscription.push(Lost(self._venue, live.topic.name, reason))

    def _on_frame(self, frame: bytes) -> None:
        if self._is_deaf:
            return
        self._last_frame_at = self._loop_time()
        route = self._routes.get(self._token(frame))
        if route is None:
            self._on_control(frame)
            return
        try:
            decoded = route.decode(frame)
        except msgspec.MsgspecError as error:
            detail = f"a frame does not fit the protocol: {error}"
            self._fail_route(route, ProtocolViolation(self._venue, route.channel.name, detail, frame, str(error)))
            return
        for live in route.topics.get(self._key(route.channel, decoded), ()):
            self._deliver(live, decoded)

    def _deliver(self, live: _Live, decoded: Any) -> None:
        if live.waiting is not None:
            live.waiting.append(decoded)
            if len(live.waiting) > WAITING_FRAMES_MAX:
                self._start_over(live, f"no snapshot within {WAITING_FRAMES_MAX} frames")
            return
        try:
            self._hand_over(live, live.topic.handler(decoded))
        except Gap as gap:
            self._start_over(live, str(gap))
        except (ExchangeError, ArithmeticError, LookupError, TypeError, ValueError) as bug:
            live.subscription.fail(bug)

    def _hand_over(self, live: _Live, events: Iterable[Any]) -> None:
        for event in events:
            if not live.confirmed or live.blind:
                self._tell_live(live)
            live.push(event)

    def _start_over(self, live: _Live, reason: str) -> None:
        """A gap: this topic alone is asked for again, everything else goes on."""
        if not live.blind and live.ever_confirmed:
            live.blind = True
            live.subscription.push(Lost(self._venue, live.topic.name, reason))
        if self._socket is not None and live.topic.unsubscribe:
            self._socket.send(live.topic.unsubscribe)
        self._ask(live)

    def _on_control(self, frame: bytes) -> None:
        control = self._dialect.control(frame)
        if control is None:
            return
        if isinstance(control, Answer):
            if self._socket is not None:
                self._socket.send(control.frame)
            return
        for live in self._lives():
            if isinstance(control, Confirmed):
                if live.topic.confirms_as == control.key and not live.confirmed:
                    self._tell_live(live)
            elif not live.confirmed and control.key in ("", live.topic.confirms_as):
                live.subscription.fail(control.error)

    def _tell_live(self, live: _Live) -> None:
        """The topic is confirmed (by word or by its first frame). A conflated state says so with its next frame instead."""
        live.confirmed = True
        if not live.ever_confirmed:
            live.ever_confirmed = True
            live.subscription.push(Connected(self._venue, live.topic.name))
        elif live.blind:
            live.blind = False
            live.subscription.push(Resumed(self._venue, live.topic.name))

    def _fail_route(self, route: _Route, error: ExchangeError) -> None:
        for live in route.all():
            live.subscription.fail(error)


def _settle(gone: asyncio.Future[str], reason: str) -> None:
    if not gone.done():
        gone.set_result(reason)
