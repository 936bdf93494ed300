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
    `tries`: how often in a row it was asked for again. `waiting`: frames that wait for a snapshot.
    """

    __slots__ = (
        "_built",
        "_frame",
        "_on_trouble",
        "again",
        "asked_at",
        "confirmed",
        "decode",
        "heard_at",
        "pushes",
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
        self.heard_at = 0.0
        self.tries = 0
        self.again: asyncio.TimerHandle | None = None
        self.waiting: list[Any] | None = None
        self.pushes = False
        self._frame: bytes | None = None
        self._built: Any = None
        self._on_trouble = on_trouble

    def join(self, reader: Subscription) -> None:
        """One more reader; what is live already is told to it at once."""
        self.readers.append(reader)
        self.pushes = not all(r.conflate for r in self.readers)
        if self.confirmed:
            reader.live(self.topic.name)
            if reader.conflate and (self._frame is not None or self._built is not None or self.topic.state is not None):
                reader.news(self)

    def leave(self, reader: Subscription) -> bool:
        """One reader less; True when that was the last."""
        if reader in self.readers:
            self.readers.remove(reader)
        self.pushes = not all(r.conflate for r in self.readers)
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
        self._frame = frame
        self._news()

    def deliver(self, decoded: Any) -> None:
        """A frame that matters by itself."""
        if self.waiting is not None:
            self.waiting.append(decoded)
            if len(self.waiting) > WAITING_FRAMES_MAX:
                self._on_trouble(self, Gap(f"no snapshot within {WAITING_FRAMES_MAX} frames"), b"")
            return
        try:
            self.hand_over(self.topic.handler(decoded))
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
        try:
            if self.topic.state is not None:
                return self.topic.state(depth)
            frame, self._frame = self._frame, None
            if frame is not None:
                for event in self.topic.handler(self.decode(frame)):
                    self._built = event
        except (Gap, ExchangeError, *UNREADABLE) as trouble:
            self._on_trouble(self, trouble, frame if self.topic.state is None and frame else b"")
            return None
        return at_depth(self._built, depth)

    def _news(self) -> None:
        if not self.confirmed:
            self.tell_live()
        if self.pushes:
            for reader in self.readers:
                if not reader.conflate:
                    event = self.read(None)
                    if event is not None:
                        reader.push(event)
        for reader in self.readers:
            if reader.conflate:
                reader.news(self)


def at_depth(event: Any, depth: int | None) -> Any:
    """A book's event with at most `depth` levels a side; any other event as it is."""
    if depth is None or not isinstance(event, BookEvent):
        return event
    book = event.book
    return event if len(book.bids) <= depth and len(book.asks) <= depth else BookEvent(book.top(depth))
