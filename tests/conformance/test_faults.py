"""What every venue's client promises when something breaks: doubt stays doubt, certain is certain, and losses are told."""

from __future__ import annotations

import asyncio

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.events import BookEvent, Connected, FillEvent, Lost, Resumed
from exchange_clients.domain.orders import ByClientId, OrderStatus
from exchange_clients.errors import NotSent, OutcomeUnknown
from exchange_clients.sandbox.faults import Fault, FaultKind
from tests.support.stage import collect, eventually, stage

needs = pytest.mark.needs


@pytest.mark.parametrize("kind", [FaultKind.LOST_REPLY, FaultKind.SERVER_ERROR])
async def test_a_lost_answer_is_doubt_and_reads_resolve_it(venue: str, kind: FaultKind) -> None:
    async with stage(venue, [Fault(kind)]) as on:
        request = await on.request()
        with pytest.raises(OutcomeUnknown):
            await on.client.place_order(request)

        async def done():
            found = await on.client.fetch_order(request.instrument, ByClientId(request.client_order_id))
            return found if found.status.is_terminal else None

        order = await eventually(done)
        assert order.status is OrderStatus.FILLED and order.filled == request.size
        assert sum(f.size for f in await on.client.fetch_fills()) == request.size, "placed once, never repeated"


async def test_a_venue_that_is_not_there_is_certain(venue: str) -> None:
    async with stage(venue) as on:
        request = await on.request()
        await on.client.fetch_balance()
        await on.vanish()
        with pytest.raises(NotSent):
            await on.client.place_order(request)


@needs(Capability.STREAM_BOOK)
async def test_a_dropped_socket_is_told_and_healed(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.DROPPED_SOCKET, nth=4)]) as on:
        stream = on.client.stream_book(await on.client.instrument("BTC"))
        events = await collect(stream, lambda e: any(isinstance(x, Resumed) for x in e) and isinstance(e[-1], BookEvent))
        kinds = [type(e) for e in events if not isinstance(e, BookEvent)]
        assert kinds == [Connected, Lost, Resumed]


@needs(Capability.STREAM_BOOK)
async def test_a_withheld_book_frame_never_leaves_a_wrong_book(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.BOOK_GAP, nth=3)]) as on:
        bitcoin = await on.client.instrument("BTC")
        stream = on.client.stream_book(bitcoin, depth=10)
        await collect(stream, lambda e: bool(on.faults.fired) and sum(isinstance(x, BookEvent) for x in e) >= 8)

        async def agrees():
            book = (await collect(stream, lambda e: isinstance(e[-1], BookEvent)))[-1].book
            bids, asks, _ = on.exchange.book(bitcoin.venue_symbol, 10)
            seen = [lv.price for lv in (*book.bids[:5], *book.asks[:5])]
            return seen == [float(p) for p, _ in (*bids[:5], *asks[:5])]

        await eventually(agrees)


@needs(Capability.STREAM_FILLS)
async def test_a_duplicated_fill_is_the_same_fill(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.DUPLICATE_FRAME, nth=n) for n in range(1, 8)]) as on:
        fills = on.client.stream_fills()
        reading = asyncio.create_task(collect(fills, lambda e: any(isinstance(x, FillEvent) for x in e)))
        await asyncio.sleep(0.3)
        order = await on.trade()
        events = [e for e in await reading if isinstance(e, FillEvent)]
        assert {e.fill.fill_id for e in events} <= {f.fill_id for f in await on.client.fetch_fills()}
        assert sum(f.size for f in await on.client.fetch_fills()) == order.size
