"""One reader's view of one topic: a bounded queue with a stated behaviour when full."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

QUEUE_EVENTS_MAX = 10_000


class Closing:
    """What is opened by reading is closed by leaving: `async with client.stream_book(btc) as events`."""

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Subscription(Closing):
    """An async iterator of events. Breaking off its loop is not enough to end it: leave its block, `aclose`, or close the client.

    Conflating: a new state takes the place of an older one that nobody has read yet. Otherwise a reader that lets
    QUEUE_EVENTS_MAX events pile up is told through `on_overflow`; nothing is dropped in silence.
    """

    def __init__(self, *, conflate: bool, on_close: Callable[[], None], on_overflow: Callable[[], None]) -> None:
        self._queue: deque[Any] = deque()
        self._conflate = conflate
        self._state_queued = False
        self._on_close = on_close
        self._on_overflow = on_overflow
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._closed = False

    def push(self, event: Any) -> None:
        """Hand over an event that must not be lost."""
        queue = self._queue
        if self._error is not None:
            return
        if len(queue) >= QUEUE_EVENTS_MAX:
            queue.clear()
            self._on_overflow()
            return
        self._state_queued = False
        queue.append(event)
        if self._waiter is not None:
            self._wake()

    def push_state(self, event: Any) -> None:
        """Hand over a state; if the newest unread event is a state too, it is replaced."""
        if not self._conflate:
            self.push(event)
            return
        queue = self._queue
        if self._state_queued and queue:
            queue[-1] = event
        else:
            queue.append(event)
            self._state_queued = True
        if self._waiter is not None:
            self._wake()

    def fail(self, error: BaseException) -> None:
        """End the iteration with `error` once the queue is read; what comes later is not taken any more."""
        self._error = error
        self._wake()

    def end(self) -> None:
        """End the iteration once the queue is read."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Any:
        queue = self._queue
        while not queue:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return queue.popleft()

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""
        if not self._closed:
            self._on_close()
            self.end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
