"""One reader's view of topics: a bounded queue with a stated behaviour when full."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

from exchange_clients.domain.events import Connected, Lost, Resumed

QUEUE_EVENTS_MAX = 10_000


class State:
    """Something whose newest state is built when it is read. No ABC: every event is asked whether it is one, and theirs is slower."""

    __slots__ = ()

    def read(self, depth: int | None) -> Any:
        """The event of the state now, or None when there is nothing to tell after all."""
        raise NotImplementedError


class Closing(ABC):
    """What is opened by reading is closed by leaving: `async with client.stream_book(btc) as events`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Subscription(Closing):
    """An async iterator of events. Breaking off its loop is not enough to end it: leave its block, `aclose`, or close the client.

    It tells Connected once all of its `topics` are live, Lost when the first of them is not any more, and Resumed when all are
    again. What comes before Connected waits for it.

    Conflating: of a state, a reader that comes late gets the newest only, built then. Otherwise a reader that lets QUEUE_EVENTS_MAX
    events pile up loses them and is told so by Lost and Resumed; nothing is dropped in silence.
    """

    def __init__(
        self,
        *,
        venue: str = "",
        topics: Iterable[str] = ("",),
        conflate: bool = False,
        depth: int | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.conflate = conflate
        self._venue = venue
        self._missing = set(topics)
        self._name = " and ".join(topics)
        self._depth = depth
        self._on_close = on_close
        self._queue: deque[Any] = deque()
        self._early: list[Any] | None = []
        self._is_blind = False
        self._queued_state: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._new_waiter: Callable[[], asyncio.Future[None]] | None = None
        self._error: BaseException | None = None
        self._closed = False

    def live(self, topic: str) -> None:
        """The venue sends `topic` (again)."""
        self._missing.discard(topic)
        if self._missing:
            return
        if self._early is not None:
            early, self._early = self._early, None
            self._put(Connected(self._venue, self._name))
            for event in early:
                self._put(event)
        elif self._is_blind:
            self._is_blind = False
            self._put(Resumed(self._venue, self._name))

    def lost(self, topic: str, reason: str) -> None:
        """The venue does not send `topic` any more."""
        self._missing.add(topic)
        if self._early is not None or self._is_blind:
            return
        self._is_blind = True
        self._put(Lost(self._venue, self._name, reason))

    def missed(self, reason: str) -> None:
        """Something was told that could not be understood: it counts as a loss that is over."""
        if self._early is None and not self._is_blind:
            self._put(Lost(self._venue, self._name, reason))
            self._put(Resumed(self._venue, self._name))

    def push(self, event: Any) -> None:
        """Hand over an event that must not be lost."""
        if self._early is not None:
            if len(self._early) < QUEUE_EVENTS_MAX:
                self._early.append(event)
            return
        if len(self._queue) >= QUEUE_EVENTS_MAX:
            self._queue.clear()
            self._queued_state = None
            self.missed("the reader is too slow")
        self._put(event)

    def news(self, state: State) -> None:
        """`state` has changed. It is read when this reader comes to it."""
        if self._early is not None:
            if state not in self._early:
                self._early.append(state)
            return
        if self._queued_state is not state:
            self._queue.append(state)
            self._queued_state = state
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End the iteration with `error` once the queue is read; what comes later is not taken any more."""
        if self._error is None:
            self._error = error
        self._wake()

    def end(self) -> None:
        """End the iteration once the queue is read."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        queue = self._queue
        while True:
            while queue:
                event = queue.popleft()
                if not isinstance(event, State):
                    return event
                if event is self._queued_state and not queue:
                    self._queued_state = None
                built = event.read(self._depth)
                if built is not None:
                    return built
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            if self._new_waiter is None:
                self._new_waiter = asyncio.get_running_loop().create_future  # once: CPython 3.11 asks the kernel for it
            self._waiter = waiter = self._new_waiter()
            try:
                await waiter
            finally:
                self._waiter = None

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""
        if not self._closed:
            self._on_close()
            self.end()

    def _put(self, event: Any) -> None:
        if self._error is not None:
            return
        if self._queued_state is not None:  # what follows it must not be overtaken by a newer state
            state, self._queued_state = self._queue.pop(), None
            built = state.read(self._depth)
            if built is not None:
                self._queue.append(built)
        if isinstance(event, State):
            self._queued_state = event
        self._queue.append(event)
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
