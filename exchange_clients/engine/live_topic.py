"""One topic as it is asked of the venue, with everybody who reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from exchange_clients.domain.events import BookEvent
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.guarded import UNREADABLE_DATA
from exchange_clients.engine.stream_dialect import Blind, Topic
from exchange_clients.engine.subscription import State, Subscription
from exchange_clients.errors import ExchangeError, ProtocolViolation

WAITING_FRAMES_MAX = 10_000
UNREADABLE = (ProtocolViolation, RecursionError, *UNREADABLE_DATA)
Trouble = Callable[["LiveTopic", BaseException, bytes], None]


class LiveTopic(State):
    """Frames in, events out to every reader.

    `confirmed`: the venue sends it now. `asked_at`, `heard_at`: loop seconds, `asked_at` negative before it was asked for.
    `connection`: the number of the one that it was asked on.
    `heard`: a frame came since the keeper last looked. `tries`: how often in a row it was asked for again. `waiting`: frames that
    wait for a snapshot.
    """

    __slots__ = (
        "_built",
        "_frame",
        "_handler",
        "_is_queued",
        "_on_trouble",
        "_pushes",
        "_state",
        "again",
        "asked_at",
        "confirmed",
        "connection",
        "decode",
        "heard",
        "heard_at",
        "readers",
        "topic",
        "tries",
        "waiting",
    )

    def __init__(self, topic: Topic, decode: Callable[[bytes], Any], on_trouble: Trouble) -> None:
        self.topic = topic
        self.decode = decode
        self.readers: list[Subscription] = []
        self.confirmed = False
        self.asked_at = -1.0
        self.connection = 0
        self.heard_at = 0.0
        self.tries = 0
        self.again: asyncio.TimerHandle | None = None
        self.waiting: list[Any] | None = None
        self.heard = False
        self._handler, self._state = topic.handler, topic.state
        self._pushes = False
        self._is_queued = False
        self._frame: bytes | None = None
        self._built: Any = None
        self._on_trouble = on_trouble

    def join(self, reader: Subscription) -> None:
        """One more reader; what is live already is told to it at once."""
        self.readers.append(reader)
        self._is_queued = False
        self._pushes = not all(r.conflate for r in self.readers)
        if self.confirmed:
            reader.live(self.topic.name)
            if reader.conflate and (self._frame is not None or self._built is not None or self.topic.state is not None):
                reader.news(self)

    def leave(self, reader: Subscription) -> bool:
        """One reader less; True when that was the last."""
        if reader in self.readers:
            self.readers.remove(reader)
        self._pushes = not all(r.conflate for r in self.readers)
        return not self.readers

    def start(self) -> None:
        """It is asked for (again): nothing is known."""
        self.confirmed = False
        self._frame = self._built = None
        self.waiting = [] if self.topic.snapshot is not None else None
        self.topic.on_start()

    def tell_live(self) -> None:
        """It is confirmed, by word or by its first frame."""
        if not self.confirmed:
            self.confirmed = True
            for reader in self.readers:
                reader.live(self.topic.name)

    def tell_lost(self, reason: str) -> None:
        """Nobody hears of it any more."""
        self.confirmed = False
        for reader in self.readers:
            reader.lost(self.topic.name, reason)

    def fail(self, error: BaseException) -> None:
        """End every reader with `error`."""
        for reader in list(self.readers):
            reader.fail(error)

    def offer(self, frame: bytes) -> None:
        """The newest frame of a complete state: decoded if somebody comes to read it, else overwritten by the next."""
        self.heard = True
        self._frame = frame
        if not self._is_queued:
            self._news()

    def deliver(self, decoded: Any) -> None:
        """A frame that matters by itself."""
        self.heard = True
        if self.waiting is not None:
            self.waiting.append(decoded)
            if len(self.waiting) > WAITING_FRAMES_MAX:
                self._on_trouble(self, Gap(f"no snapshot within {WAITING_FRAMES_MAX} frames"), b"")
            return
        try:
            said = self._handler(decoded)
            if self._state is None:
                self.hand_over(said)
            elif said and not self._is_queued:
                self._news()
        except (Gap, ExchangeError, *UNREADABLE) as trouble:
            self._on_trouble(self, trouble, b"")

    def hand_over(self, said: Any) -> None:
        """What a handler or a snapshot gave: whether the state changed, or events."""
        if self.topic.state is not None:
            if said:
                self._news()
            return
        for event in said:
            if isinstance(event, Blind):
                for reader in self.readers:
                    reader.missed(event.reason)
                continue
            self.tell_live()
            self._built = event
            for reader in self.readers:
                if reader.conflate:
                    reader.news(self)
                else:
                    reader.push(event)

    def read(self, depth: int | None) -> Any:
        """The newest state, built now."""
        self._is_queued = False
        frame, self._frame = self._frame, None
        try:
            if self._state is not None:
                return self._state(depth)
            if frame is not None:
                for event in self._handler(self.decode(frame)):
                    self._built = event
        except (Gap, ExchangeError, *UNREADABLE) as trouble:
            self._on_trouble(self, trouble, frame or b"")
            return None
        return at_depth(self._built, depth)

    def _news(self) -> None:
        if not self.confirmed:
            self.tell_live()
        if self._pushes:
            for reader in self.readers:
                if not reader.conflate:
                    event = self.read(None)
                    if event is not None:
                        reader.push(event)
        for reader in self.readers:
            if reader.conflate:
                reader.news(self)
        self._is_queued = not self._pushes


def at_depth(event: Any, depth: int | None) -> Any:
    """A book's event with at most `depth` levels a side; any other event as it is."""
    if depth is None or not isinstance(event, BookEvent):
        return event
    book = event.book
    return event if len(book.bids) <= depth and len(book.asks) <= depth else BookEvent(book.top(depth))
