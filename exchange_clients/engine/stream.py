"""One WebSocket, many topics: connect, log in, subscribe, confirm, keep alive, notice gaps, start over, tell.

            ┌────────── back-off (jittered) ◄──────────┐
 subscribe ─► connecting ─► logging in ─► subscribing ─┴► live ──► Lost(reason) to every topic
                                             confirmed: Connected, later Resumed

Connectivity goes to readers as ordinary events. What concerns one topic (a gap, a refusal, silence on a living socket, a frame that
can't be read) stays with that topic: it alone is told, asked for again at its own pace, or ended. Only the transport's failures
reconnect. A frame that a handler can't make sense of, whatever Python calls that, is the venue's word that we do not know: readers
are told what could not be read, and that they should fetch what matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.endpoint import Channel
from exchange_clients.engine.live_topic import UNREADABLE, LiveTopic
from exchange_clients.engine.retry import backoff_s
from exchange_clients.engine.stream_dialect import Answer, Confirmed, Denied, LoginDenied, StreamDialect, Topic
from exchange_clients.engine.subscription import Subscription
from exchange_clients.engine.transport import Socket, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import ExchangeError, NotSent, OutcomeUnknown, RateLimited, StaleData

CONFIRM_WITHIN_S = 10.0
BACKOFF_S_FIRST = 0.05
BACKOFF_S_MAX = 15.0
AGAIN_S_MAX = 60.0
CALM_S = 5.0
NAMES_WITHIN_S = 0.5
LOGINS_MAX = 3
FRAME_SHOWN_BYTES = 200


@dataclass(slots=True)
class _Route:
    """Every topic behind one token."""

    decode: Callable[[bytes], Any]
    channel: Channel
    mark: bytes
    is_lazy: bool
    topics: dict[str | bytes, tuple[LiveTopic, ...]] = field(default_factory=dict)

    def all(self) -> list[LiveTopic]:
        return [live for lives in self.topics.values() for live in lives]


class Stream:
    """A venue's socket for one account. Opens with the first subscription, closes with the last (a little later)."""

    def __init__(self, venue: str, wiring: Wiring, dialect: StreamDialect) -> None:
        self._venue = venue
        self._wiring = wiring
        self._dialect = dialect
        self._token = dialect.token
        self._key = None if type(dialect).key is StreamDialect.key else dialect.key  # most tell nothing apart so
        self._is_numbered = dialect.numbers_frames
        self._observer = wiring.observer
        self._routes: dict[bytes, _Route] = {}
        self._socket: Socket | None = None
        self._gone: asyncio.Future[str] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._last_frame_at = 0.0
        self._heard = False
        self._last_number: int | None = None
        self._is_deaf = False
        self._is_serving = False
        self._connection = 0
        self._is_logged_in = False
        self._logins_denied = 0
        self._is_stranger = False
        self._unnamed: list[ExchangeError] = []
        self._in_question: LiveTopic | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop_time: Callable[[], float] = lambda: 0.0

    def subscribe(self, *topics: Topic, depth: int | None = None) -> Subscription:
        """Start reading `topics` as one sequence of events. `depth`: levels a side, where they are books.

        Several readers may read a topic of the same name; the venue is asked once. A single topic of a conflated channel is
        conflated; several together never are, since none stands for the others.
        """
        lives: list[LiveTopic] = []
        reader = Subscription(
            venue=self._venue,
            topics=[topic.name for topic in topics],
            conflate=len(topics) == 1 and topics[0].channel.conflate,
            depth=depth,
            on_close=lambda: self._leave(lives, reader),
        )
        new: list[LiveTopic] = []
        for topic in topics:
            live = next((live for live in self._shared(topic) if live.topic.name == topic.name), None)
            if live is None:
                live = self._add(topic)
                new.append(live)
            lives.append(live)
            live.join(reader)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run(), name=f"stream {self._venue}")
        elif self._is_serving and self._socket is not None and new:
            if any(live.topic.channel.private for live in new) and not self._is_logged_in:
                self._start(self._enter_and_ask(self._socket, new))
            else:
                for live in new:
                    self._ask(live)
        return reader

    async def close(self) -> None:
        """End every reader's iteration and the socket."""
        for live in self._lives():
            for reader in live.readers:
                reader.end()
            self._calm(live)
        self._routes.clear()
        tasks = [*self._tasks, *([self._runner] if self._runner is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runner = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _lives(self) -> list[LiveTopic]:
        return [live for route in self._routes.values() for live in route.all()]

    def _shared(self, topic: Topic) -> tuple[LiveTopic, ...]:
        """What reads the frames of `topic` already."""
        route = self._routes.get(topic.token)
        return () if route is None else route.topics.get(_key(topic), ())

    def _add(self, topic: Topic) -> LiveTopic:
        route = self._routes.get(topic.token)
        if route is None:
            route = self._routes[topic.token] = _Route(
                self._dialect.decoder(topic.channel),
                topic.channel,
                topic.channel.keyed_by,
                topic.channel.conflate and topic.state is None and topic.snapshot is None,
            )
        live = LiveTopic(topic, route.decode, self._on_trouble)
        route.topics[_key(topic)] = (*route.topics.get(_key(topic), ()), live)
        return live

    def _leave(self, lives: Iterable[LiveTopic], reader: Subscription) -> None:
        for live in lives:
            if live.leave(reader) and self._forget(live) and self._socket is not None and live.topic.unsubscribe:
                self._socket.send(live.topic.unsubscribe)

    def _forget(self, live: LiveTopic) -> bool:
        """Its frames go nowhere any more. False when others still read the same frames, or it was forgotten before."""
        self._calm(live)
        topic, route = live.topic, self._routes.get(live.topic.token)
        key = _key(topic)
        if route is None or live not in route.topics.get(key, ()):
            return False
        others = tuple(other for other in route.topics[key] if other is not live)
        if others:
            route.topics[key] = others
            return False
        del route.topics[key]
        if not route.topics:
            del self._routes[topic.token]
        return True

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
        self._is_deaf = self._is_logged_in = False
        self._last_number = None
        self._connection += 1
        self._unnamed.clear()
        try:
            socket = self._socket = await self._wiring.websocket.connect(
                await self._dialect.address(self._wiring.websocket_url),
                self._dialect.headers(),
                self._on_frame,
                lambda reason: _settle(gone, reason),
            )
        except TransportFailure as failure:
            return failure.reason
        except ExchangeError as error:
            return self._no_way_in(error)
        self._last_frame_at = loop.time()
        if any(live.topic.channel.private for live in self._lives()):
            await self._enter(socket)
        return None

    def _no_way_in(self, error: ExchangeError) -> str:
        """No address to dial: what can pass is waited for, what can't ends every reader."""
        if not _may_pass(error):
            for live in self._lives():
                self._end(live, error)
        return error.detail

    async def _enter(self, socket: Socket) -> None:
        """Log in, once per connection. A refusal ends private topics only."""
        self._is_logged_in = True
        try:
            await self._dialect.login(socket)
        except ExchangeError as error:
            if _may_pass(error):
                self._drop_socket(f"login failed: {error.detail}")
                return
            self._end_private(error)

    async def _enter_and_ask(self, socket: Socket, lives: list[LiveTopic]) -> None:
        await self._enter(socket)
        if self._socket is socket:
            for live in lives:
                if live.readers:
                    self._ask(live)

    def _end_private(self, error: ExchangeError) -> None:
        self._is_logged_in = False
        for live in self._lives():
            if live.topic.channel.private:
                self._end(live, error)

    async def _serve(self) -> str:
        """Subscribe everything and stay until the socket is gone; returns why it is."""
        self._is_serving = True
        for live in self._lives():
            live.tries = 0
            self._ask(live)
        assert self._gone is not None
        keeper = asyncio.get_running_loop().create_task(self._keep_alive())
        try:
            return await self._gone
        finally:
            keeper.cancel()
            self._socket, self._is_serving = None, False

    async def _keep_alive(self) -> None:
        """Heartbeats out; silence or a missing confirmation is noticed; leases are renewed."""
        loop, dialect = asyncio.get_running_loop(), self._dialect
        last_beat = last_renewal = loop.time()
        while self._socket is not None:
            silences = [live.topic.channel.silence_s_max / 2 for live in self._lives()]
            await asyncio.sleep(
                min(dialect.heartbeat_every_s, dialect.silence_s_max / 2, CONFIRM_WITHIN_S, dialect.renew_every_s, *silences)
            )
            now = loop.time()
            if self._heard:
                self._heard, self._last_frame_at = False, now
            if not self._routes:
                self._drop_socket("nobody reads any more")
            elif now - self._last_frame_at > dialect.silence_s_max:
                self._drop_socket(f"silent for {now - self._last_frame_at:.0f} s")
            else:
                self._look_at_topics(now)
            if dialect.heartbeat is not None and self._socket is not None and now - last_beat >= dialect.heartbeat_every_s:
                self._socket.send(dialect.heartbeat)
                last_beat = now
            if self._socket is not None and now - last_renewal >= dialect.renew_every_s:
                last_renewal = now
                try:
                    await dialect.renew()
                except ExchangeError as error:
                    self._drop_socket(f"the lease could not be renewed: {error.detail}")

    def _look_at_topics(self, now: float) -> None:
        """What is not confirmed in time, and what has gone silent while the socket lives."""
        lives = [live for live in self._lives() if live.asked_at >= 0]
        late = [live for live in lives if not live.confirmed and live.again is None and now - live.asked_at > CONFIRM_WITHIN_S]
        if late and not any(live.confirmed for live in lives):
            names = ", ".join(live.topic.name for live in late)
            self._drop_socket(f"no confirmation of {names} within {CONFIRM_WITHIN_S:g} s")
            return
        for live in late:
            self._start_over(live, f"no confirmation within {CONFIRM_WITHIN_S:g} s")
        for live in lives:
            if live.heard:
                live.heard, live.heard_at = False, now
            quiet = now - live.heard_at
            if live.confirmed and live.again is None and quiet > live.topic.channel.silence_s_max:
                self._start_over(live, f"silent for {quiet:.0f} s while the socket lives")

    def _ask(self, live: LiveTopic, *, again: bool = False) -> None:
        """What is asked for in the same words as a topic that shares its frames is asked once, unless something is wrong with it."""
        self._calm(live)
        topic, now = live.topic, self._loop_time()
        twins = [other for other in self._shared(topic) if other is not live and other.connection == self._connection]
        live.start()
        live.asked_at = live.heard_at = now
        live.connection = self._connection
        if topic.snapshot is not None:
            self._start(self._splice(live))
        if self._socket is None:
            return
        frame = topic.subscribe() if callable(topic.subscribe) else topic.subscribe
        if frame and (again or not twins):
            self._socket.send(frame)
        if topic.confirms_as is None or any(twin.confirmed for twin in twins):
            live.tell_live()

    def _calm(self, live: LiveTopic) -> None:
        if live.again is not None:
            live.again.cancel()
            live.again = None

    async def _splice(self, live: LiveTopic) -> None:
        """Frames wait until the state that they continue has been read."""
        waiting, snapshot = live.waiting, live.topic.snapshot
        assert snapshot is not None
        try:
            events = await snapshot()
        except ExchangeError as error:
            if live.waiting is waiting:
                self._on_trouble(live, Gap(f"no snapshot: {error.detail}") if _may_pass(error) else error, b"")
            return
        if live.waiting is not waiting or waiting is None:
            return  # started over meanwhile
        live.waiting = None
        live.tell_live()
        try:
            live.hand_over(events)
        except Gap as gap:
            self._on_trouble(live, gap, b"")
            return
        for frame in waiting:
            if live.waiting is None and live.again is None:
                live.deliver(frame)

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
            self._calm(live)
            live.tell_lost(reason)

    def _on_frame(self, frame: bytes) -> None:
        if self._is_deaf:
            return
        self._heard = True
        if self._is_numbered and not self._is_next(frame):
            return
        route = self._routes.get(self._token(frame))
        if route is None:
            self._on_control(frame)
            return
        if self._observer is not None:
            self._observer.frame(route.channel, frame)
        mark, lives = route.mark, None
        if mark:
            start = frame.find(mark) + len(mark)
            lives = route.topics.get(frame[start : frame.find(b'"', start)], ())
            if route.is_lazy or not lives:
                for live in lives:
                    live.offer(frame)
                return
        try:
            decoded = route.decode(frame)
        except UNREADABLE as error:
            for live in route.all():
                self._on_trouble(live, error, frame)
            return
        if lives is None:
            lives = route.topics.get("" if self._key is None else self._key(route.channel, decoded), ())
        for live in lives:
            live.deliver(decoded)

    def _is_next(self, frame: bytes) -> bool:
        """Whether a frame's number on this connection follows the one before; otherwise the connection is of no use."""
        number, last = self._dialect.number(frame), self._last_number
        if number is None:
            return True
        self._last_number = number
        if last is None or number == last + 1:
            return True
        self._drop_socket(f"frame {last + 1} of this connection is missing, {number} came")
        return False

    def _on_trouble(self, live: LiveTopic, trouble: BaseException, frame: bytes) -> None:
        """Something of one topic could not be read. A state is asked for again; of events it is told that some were missed."""
        reason = trouble.detail if isinstance(trouble, ExchangeError) else str(trouble)
        if isinstance(trouble, UNREADABLE):
            reason = f"a frame does not fit the protocol: {type(trouble).__name__} {reason} in {frame[:FRAME_SHOWN_BYTES]!r}"
        if isinstance(trouble, (Gap, StaleData)) or (isinstance(trouble, UNREADABLE) and live.topic.channel.conflate):
            self._start_over(live, reason)
        elif isinstance(trouble, UNREADABLE):
            for reader in live.readers:
                reader.missed(reason)
        else:
            self._end(live, trouble)

    def _end(self, live: LiveTopic, error: BaseException) -> None:
        """The topic is over for everybody who reads it, and may be asked for afresh."""
        live.fail(error)
        self._forget(live)

    def _start_over(self, live: LiveTopic, reason: str) -> None:
        """This topic alone is asked for again, everything else goes on: at once, or later and later when that does not help."""
        if live.again is not None:
            return
        now = self._loop_time()
        live.tell_lost(reason)
        if self._socket is not None and live.topic.unsubscribe:
            self._socket.send(live.topic.unsubscribe)
        live.tries = live.tries + 1 if live.tries and now - live.asked_at < max(CALM_S, 2 * self._patience(live)) else 1
        if live.tries == 1:
            self._ask(live, again=True)
            return
        pause = backoff_s(live.tries - 1, self._wiring.random, 1.0, AGAIN_S_MAX)
        live.again = asyncio.get_running_loop().call_later(pause, self._ask_again, live)

    def _patience(self, live: LiveTopic) -> float:
        limit = live.topic.channel.silence_s_max
        return CONFIRM_WITHIN_S if limit == float("inf") else max(limit, CONFIRM_WITHIN_S)

    def _ask_again(self, live: LiveTopic) -> None:
        live.again = None
        if self._socket is not None and live.readers:
            self._ask(live, again=True)

    def _on_control(self, frame: bytes) -> None:
        try:
            control = self._dialect.control(frame)
        except UNREADABLE:
            return  # words that nobody knows; topics that they were meant for are asked for again when they stay unconfirmed
        if isinstance(control, Answer):
            if self._socket is not None:
                self._socket.send(control.frame)
        elif isinstance(control, Confirmed):
            self._logins_denied = 0
            for live in self._lives():
                if live.topic.confirms_as == control.key and live.asked_at >= 0:
                    live.tell_live()
        elif isinstance(control, LoginDenied):
            self._is_stranger = True  # what it refuses meanwhile for want of a login is not the topics' fault
            self._start(self._on_login_denied(control.error))
        elif control is not None:
            self._on_denied(control)

    async def _on_login_denied(self, error: ExchangeError) -> None:
        self._logins_denied += 1
        if self._logins_denied <= LOGINS_MAX and await self._dialect.login_again(error):
            self._drop_socket(f"the session was refused: {error.detail}")
        else:
            self._end_private(error)
        self._is_stranger = False

    def _on_denied(self, denied: Denied) -> None:
        unsure = [live for live in self._lives() if not live.confirmed and live.asked_at >= 0]
        if self._is_stranger:
            unsure = [live for live in unsure if not live.topic.channel.private]
        if denied.key:
            for live in unsure:
                if live.topic.confirms_as == denied.key:
                    self._end(live, denied.error)
        elif self._in_question is not None:
            self._end(self._in_question, denied.error)
        elif len(unsure) == 1:
            self._end(unsure[0], denied.error)
        elif unsure:
            self._unnamed.append(denied.error)
            if len(self._unnamed) == 1:
                self._start(self._find_denied())

    async def _find_denied(self) -> None:
        """The venue refused something without saying what: what it does not confirm meanwhile is asked for again, one by one."""
        await asyncio.sleep(NAMES_WITHIN_S)
        errors = self._unnamed.copy()
        self._unnamed.clear()
        unsure = [live for live in self._lives() if not live.confirmed and live.asked_at >= 0 and live.again is None]
        if len(unsure) <= len(errors):
            for live, error in zip(unsure, errors, strict=False):
                self._end(live, error)
            return
        try:
            for live in unsure:
                self._in_question = live
                self._ask(live, again=True)
                for _ in range(int(CONFIRM_WITHIN_S / NAMES_WITHIN_S)):
                    await asyncio.sleep(NAMES_WITHIN_S)
                    if live.confirmed or not live.readers or live not in self._shared(live.topic):
                        break
        finally:
            self._in_question = None


def _key(topic: Topic) -> str | bytes:
    """Topics that are told apart in undecoded frames are kept by bytes."""
    return topic.key.encode() if topic.channel.keyed_by else topic.key


def _may_pass(error: ExchangeError) -> bool:
    """Whether the same may work a moment later."""
    return isinstance(error, (NotSent, OutcomeUnknown, RateLimited, StaleData))


def _settle(gone: asyncio.Future[str], reason: str) -> None:
    if not gone.done():
        gone.set_result(reason)
