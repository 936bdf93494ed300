"""What waits to be handled, in order of arrival. Books are replaced by newer ones; nothing else is ever dropped."""

from __future__ import annotations

import asyncio
from collections import deque

from exchange_clients.domain.events import BookEvent
from exchange_clients.trading.events import Event
from exchange_clients.trading.records import Record

Item = Record | Event


class InboxFull(Exception):
    """More waits than any sound rate of events explains; the bot stops."""


class Inbox:
    """Many writers, one reader. `items_max` bounds what may wait, books aside (one per market)."""

    def __init__(self, items_max: int = 20_000) -> None:
        self._items: deque[Item | tuple[str, str]] = deque()
        self._books: dict[tuple[str, str], BookEvent] = {}
        self._waiting = asyncio.Event()
        self._items_max = items_max

    def put(self, item: Item) -> None:
        """Add one item. Raises InboxFull."""
        if len(self._items) >= self._items_max:
            raise InboxFull(f"{self._items_max} events wait to be handled")
        if isinstance(item, BookEvent):
            market = (item.book.venue, item.book.symbol)
            if market not in self._books:
                self._items.append(market)
            self._books[market] = item
        else:
            self._items.append(item)
        self._waiting.set()

    async def get(self) -> Item:
        """The oldest item, waiting for one if need be."""
        while not self._items:
            self._waiting.clear()
            await self._waiting.wait()
        return self._pop()

    def get_nowait(self) -> Item | None:
        """The oldest item; None when nothing waits."""
        return self._pop() if self._items else None

    def _pop(self) -> Item:
        item = self._items.popleft()
        return self._books.pop(item) if isinstance(item, tuple) else item
