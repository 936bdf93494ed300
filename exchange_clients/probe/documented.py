"""What a venue's replies and frames hold as far as is known here: as its sandbox, which speaks as the documents do, shows them."""

from __future__ import annotations

import asyncio
from functools import cache
from random import Random
from uuid import UUID

from exchange_clients.base import BaseExchangeClient
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import LoopClock
from exchange_clients.errors import ExchangeError
from exchange_clients.probe.fields import Kinds
from exchange_clients.probe.walk import Walk
from exchange_clients.probe.watcher import Watcher
from exchange_clients.sandbox.sandbox import Sandbox
from exchange_clients.sandbox.virtual_loop import run_virtual

START_MS = 1_767_400_000_000 // 3_600_000 * 3_600_000 + 3_540_000  # a minute before funding is booked
TURN_S = 1.0
WATCHED_S = 20.0


@cache
def documented_fields(venue: str) -> dict[str, Kinds]:
    """Fields by row of the venue's table. Takes a minute of virtual time; not to be called on a running loop."""
    return run_virtual(lambda: _walk_sandbox(venue))


async def _walk_sandbox(venue: str) -> dict[str, Kinds]:
    clock = LoopClock(START_MS)
    watcher = Watcher(clock.now_ms, asyncio.get_running_loop().time)
    async with Sandbox([venue], clock=clock, latency_s=0.01, tick_s=TURN_S, observer=watcher) as world:
        network = world.network
        client, adapter = network.client(venue, world.enrol(venue, "probe")), network.adapter(venue)
        walk = Walk(client, adapter, clock)
        await walk.public()
        if walk.market is not None:
            await _trade(client, walk.market, Side.BUY, 1)
            await asyncio.sleep(90)
            watching = asyncio.create_task(walk.watch(WATCHED_S, with_account=True))
            await asyncio.sleep(1)
            await walk.place_and_cancel(UUID(int=Random(venue).getrandbits(128), version=4))
            await _trade(client, walk.market, Side.BUY, 2)
            await watching
        await walk.account()
        return {name: row.fields.kinds for name, row in watcher.rows.items()}


async def _trade(client: BaseExchangeClient, market: Instrument, side: Side, number: int) -> None:
    """So that there is a position, an execution and a payment to read."""
    book = await client.fetch_order_book(market)
    if book.best_ask is None:
        return
    price = market.round_price(book.best_ask * 1.01, side)
    size = market.round_size(1_000 / book.best_ask)
    try:
        await client.place_order(OrderRequest(str(UUID(int=number)), market, side, size, price, TimeInForce.IOC))
    except ExchangeError:
        return
