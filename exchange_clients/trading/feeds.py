"""From a client's streams to the inbox, until cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from exchange_clients.base import BaseExchangeClient, Capability, EventStream
from exchange_clients.domain.events import (
    AccountEvent,
    BookEvent,
    Connected,
    Connectivity,
    FillEvent,
    Lost,
    OrderEvent,
    Resumed,
)
from exchange_clients.domain.instruments import Instrument
from exchange_clients.errors import ExchangeError
from exchange_clients.trading.events import AccountHint, FeedLost, FeedResumed
from exchange_clients.trading.inbox import Item
from exchange_clients.trading.records import FillSeen, OrderSeen

StreamEvent = BookEvent | OrderEvent | FillEvent | AccountEvent | Connectivity

StreamOf = (
    EventStream[BookEvent | Connectivity]
    | EventStream[OrderEvent | Connectivity]
    | EventStream[FillEvent | Connectivity]
    | EventStream[AccountEvent | Connectivity]
)

Wait = Callable[[], Awaitable[None]]
"""Pauses before a stream that ended is opened again."""


async def pump(stream: StreamOf, put: Callable[[Item], None], venue: str, feed: str, symbol: str | None = None) -> None:
    """Hand on every event of one stream. `feed`: book, orders, fills or account. Errors of the stream pass through."""
    async with stream as events:
        async for event in events:
            item = translate(event, venue, feed, symbol)
            if item is not None:
                put(item)
    put(FeedLost(venue, feed, symbol, "the stream ended"))


def translate(event: StreamEvent, venue: str, feed: str, symbol: str | None) -> Item | None:
    """A stream's event as the bot's; None when it says nothing that the bot uses."""
    match event:
        case Connected() | Resumed():
            return FeedResumed(venue, feed, symbol)
        case Lost(reason=reason):
            return FeedLost(venue, feed, symbol, reason)
        case OrderEvent(order=order):
            return OrderSeen(order)
        case FillEvent(fill=fill):
            return FillSeen(fill)
        case AccountEvent(positions=positions):
            return AccountHint(venue, positions) if positions is not None else None
        case BookEvent():
            return event


class Feeds:
    """The streams of all venues as tasks of one group. A stream that the venue refuses is tried again after `wait`."""

    def __init__(
        self, clients: Mapping[str, BaseExchangeClient], put: Callable[[Item], None], group: asyncio.TaskGroup, wait: Wait
    ) -> None:
        self._clients = clients
        self._put = put
        self._group = group
        self._wait = wait
        self._account_tasks: list[asyncio.Task[None]] = []
        self._books: dict[tuple[str, str], tuple[asyncio.Task[None], int]] = {}

    def start(self) -> None:
        """Orders, executions and accounts of every venue that streams them."""
        for venue, client in self._clients.items():
            offered: tuple[tuple[Capability, str, Callable[[], StreamOf]], ...] = (
                (Capability.STREAM_ORDERS, "orders", client.stream_orders),
                (Capability.STREAM_FILLS, "fills", client.stream_fills),
                (Capability.STREAM_ACCOUNT, "account", client.stream_account),
            )
            for capability, feed, stream in offered:
                if capability in client.capabilities:
                    self._account_tasks.append(self._group.create_task(self._keep(stream, venue, feed, None)))

    def watch(self, instrument: Instrument) -> None:
        """Stream a book; counted, so each `watch` needs its `unwatch`."""
        client, market = self._clients[instrument.venue], (instrument.venue, instrument.symbol)
        if Capability.STREAM_BOOK not in client.capabilities:
            return
        if market in self._books:
            task, count = self._books[market]
            self._books[market] = (task, count + 1)
            return
        stream = partial(client.stream_book, instrument)
        self._books[market] = (self._group.create_task(self._keep(stream, instrument.venue, "book", instrument.symbol)), 1)

    def unwatch(self, instrument: Instrument) -> None:
        """One watcher less."""
        market = (instrument.venue, instrument.symbol)
        task, count = self._books.pop(market, (None, 0))
        if task is not None and count > 1:
            self._books[market] = (task, count - 1)
        elif task is not None:
            task.cancel()

    def stop(self) -> None:
        """End every stream."""
        for task in (*self._account_tasks, *(task for task, _ in self._books.values())):
            task.cancel()

    async def _keep(self, stream: Callable[[], StreamOf], venue: str, feed: str, symbol: str | None) -> None:
        while True:
            try:
                await pump(stream(), self._put, venue, feed, symbol)
            except ExchangeError as error:
                self._put(FeedLost(venue, feed, symbol, str(error)))
            await self._wait()
