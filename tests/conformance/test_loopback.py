"""Each venue once over real sockets: that bytes, headers and handshakes survive the way the machine carries them."""

from __future__ import annotations

import asyncio

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.events import BookEvent, Connected, FillEvent
from exchange_clients.domain.orders import ByVenueId, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import NotSent, OutcomeUnknown
from tests.support.stage import collect, eventually, loopback_stage


async def test_a_day_in_short(venue: str) -> None:
    """Instruments, book, stream, an order that rests and is cancelled, one that fills, its fills; then the venue is gone."""
    async with loopback_stage(venue) as on:
        listed = await on.client.fetch_instruments()
        assert {i.venue_symbol for i in listed} == set(on.exchange.listings)
        bitcoin = await on.client.instrument("BTC")
        fills, book = on.client.stream_fills(), on.client.stream_book(bitcoin, depth=10)
        filling = asyncio.create_task(collect(fills, lambda e: any(isinstance(x, FillEvent) for x in e)))
        events = await collect(book, lambda e: sum(isinstance(x, BookEvent) for x in e) >= 2)
        assert isinstance(events[0], Connected)

        kind = TimeInForce.POST_ONLY if Capability.POST_ONLY in on.spec.capabilities else TimeInForce.GTC
        resting = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=kind)
        assert resting.status is OrderStatus.OPEN
        await on.client.cancel_order(bitcoin, ByVenueId(resting.venue_order_id))
        await eventually(lambda: _none_open(on))

        order = await on.trade(size=0.02)
        assert order.status is OrderStatus.FILLED
        told = [e.fill.venue_order_id for e in await filling if isinstance(e, FillEvent)]
        assert set(told) == {order.venue_order_id}
        assert sum(f.size for f in await on.client.fetch_fills()) == order.size
        assert {o.venue_symbol for o in await on.adapter.current_rates()} == set(on.exchange.listings)

        request = await on.request()
        await on.client.close()  # a server that stops waits for sockets that are open
        await on.vanish()
        with pytest.raises((NotSent, OutcomeUnknown)):
            await on.client.place_order(request)


async def test_a_book_is_watched_left_and_watched_200_times(venue: str) -> None:
    async with loopback_stage(venue) as on:
        bitcoin = await on.client.instrument("BTC")
        for _ in range(200):
            async with on.client.stream_book(bitcoin) as events:
                assert isinstance(await events.__anext__(), Connected)
                assert isinstance(await events.__anext__(), BookEvent)


async def _none_open(on) -> bool:
    return not await on.client.fetch_open_orders()
