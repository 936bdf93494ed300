"""One venue's sandbox and a client in front of it: in memory on the loop's time (virtual in the suite), or on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid5

import msgspec

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByVenueId, Order, OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.wiring import Wiring
from exchange_clients.sandbox.client import loopback_wiring, memory_wiring
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.faults import Fault, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.server import SandboxServer
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import World
from exchange_clients.spec import VenueSpec

START_MS = 1_767_400_000_000 // 3_600_000 * 3_600_000 + 60_000
DEPOSIT = Decimal(10_000)
TICK_S = 0.05
LATENCY_S = (0.001, 0.01)
_NAMES = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class SteppedClock(LoopClock):
    """The loop's pace from a fixed start, and it can jump."""

    def __init__(self, start_ms: int = START_MS) -> None:
        super().__init__(start_ms)

    def jump(self, duration_ms: int) -> None:
        self._epoch_ms += duration_ms

    def jump_to(self, market_ms: int) -> None:
        self.jump(market_ms - self.now_ms())


@dataclass
class Stage:
    """What a conformance test works with. `vanish()`: from now on nothing answers at the venue's address."""

    spec: VenueSpec
    clock: SteppedClock
    world: World
    faults: FaultPlan
    wiring: Wiring
    client: BaseExchangeClient
    adapter: BaseFundingAdapter
    vanish: Callable[[], Awaitable[None]]
    ids: int = 0

    @property
    def exchange(self) -> SandboxExchange:
        return self.world.exchanges[self.spec.name]

    @property
    def account(self) -> str:
        """The name that the exchange knows the client's account by: it was the first to be opened."""
        return self.exchange.accounts()[0]

    @property
    def credentials(self) -> Credentials:
        assert self.wiring.credentials is not None
        return self.wiring.credentials

    def another_client(self, **changes: Any) -> BaseExchangeClient:
        """A second client at the same address; `changes`: what its wiring has otherwise (credentials, http, websocket …)."""
        client: BaseExchangeClient = self.spec.client_class()(replace(self.wiring, **changes))
        return client

    def another_adapter(self, **changes: Any) -> BaseFundingAdapter:
        """A second adapter, likewise."""
        adapter: BaseFundingAdapter = self.spec.adapter_class()(replace(self.wiring, credentials=None, **changes))
        return adapter

    def client_order_id(self) -> str:
        self.ids += 1
        return str(uuid5(_NAMES, f"stage {self.ids}"))

    async def request(self, symbol: str = "BTC", side: Side = Side.BUY, size: float = 0.01, **changes: Any) -> OrderRequest:
        """A marketable IOC, unless `changes` say otherwise."""
        instrument = await self.client.instrument(symbol)
        price = changes.pop("price", "marketable")
        if price == "marketable":
            book = await self.client.fetch_order_book(instrument)
            touch = book.best_ask if side is Side.BUY else book.best_bid
            assert touch is not None
            price = instrument.round_price(touch * (1 + 0.01 * side.sign), side)
        request = OrderRequest(
            self.client_order_id(), instrument, side, instrument.round_size(size), price, TimeInForce.IOC, reduce_only=False
        )
        return msgspec.structs.replace(request, **changes)

    async def resting_price(self, instrument: Instrument, side: Side, away: float = 0.02) -> Decimal:
        """A price that far from the touch on the passive side."""
        book = await self.client.fetch_order_book(instrument)
        touch = book.best_bid if side is Side.BUY else book.best_ask
        assert touch is not None
        return instrument.round_price(touch * (1 - away * side.sign), side)

    async def settled(self, order: Order, instrument: Instrument) -> Order:
        """The order once the venue has decided: terminal, or resting."""

        async def decided() -> Order | None:
            found = await self.client.fetch_order(instrument, ByVenueId(order.venue_order_id))
            return found if found.status.value != "pending" else None

        if not order.venue_order_id:
            return order
        return await eventually(decided)

    async def trade(self, symbol: str = "BTC", side: Side = Side.BUY, size: float = 0.01, **changes: Any) -> Order:
        request = await self.request(symbol, side, size, **changes)
        return await self.settled(await self.client.place_order(request), request.instrument)


async def eventually(check: Callable[[], Any], within_s: float = 5.0) -> Any:
    """Ask `check` (sync or async) until it gives something true; its last answer. Fails after `within_s`."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"it did not happen within {within_s} s")
        await asyncio.sleep(0.02)


async def collect(stream: Any, until: Callable[[list[Any]], bool], within_s: float = 5.0) -> list[Any]:
    """Events of a stream until `until(events)` holds."""
    events: list[Any] = []

    async def read() -> None:
        async for event in stream:
            events.append(event)
            if until(events):
                return

    try:
        await asyncio.wait_for(read(), within_s)
    except TimeoutError:
        raise AssertionError(f"within {within_s} s only came: {events}") from None
    return events


@asynccontextmanager
async def stage(
    venue: str, faults: Iterable[Fault] = (), prices: PriceSource | None = None, clock: SteppedClock | None = None
) -> AsyncIterator[Stage]:
    """The venue in memory, a few milliseconds away, at the pace of whatever loop runs."""
    clock = clock or SteppedClock()
    world = World.build([venue], prices or ModelPrices(7, START_MS), clock, seed=7)
    plan, random = FaultPlan(faults), Random(7)
    transport = MemoryTransport(world.hosts(), lambda: random.uniform(*LATENCY_S), plan)
    wiring = memory_wiring(registry.spec(venue), transport, clock, world.enrol(venue, "stage", DEPOSIT))
    turning = asyncio.create_task(world.run(TICK_S))
    try:
        async with _acting(clock, world, plan, wiring, transport.close) as found:
            yield found
    finally:
        turning.cancel()
        await transport.close()


@asynccontextmanager
async def loopback_stage(venue: str, faults: Iterable[Fault] = ()) -> AsyncIterator[Stage]:
    """The same over real HTTP and WebSocket frames on this machine."""
    clock = SteppedClock()
    world = World.build([venue], ModelPrices(7, START_MS), clock, seed=7)
    plan = FaultPlan(faults)
    server = SandboxServer(world, plan, TICK_S)
    ports = await server.start()
    http, websocket = AiohttpTransport(), PicowsTransport()
    credentials = world.enrol(venue, "stage", DEPOSIT)
    wiring = loopback_wiring(registry.spec(venue), ports[venue], clock, http, websocket, credentials)
    try:
        async with _acting(clock, world, plan, wiring, server.stop) as found:
            yield found
    finally:
        await http.close()
        await server.stop()


@asynccontextmanager
async def _acting(
    clock: SteppedClock, world: World, plan: FaultPlan, wiring: Wiring, vanish: Callable[[], Awaitable[None]]
) -> AsyncIterator[Stage]:
    (venue,) = world.exchanges
    spec = registry.spec(venue)
    async with spec.client_class()(wiring) as client, spec.adapter_class()(replace(wiring, credentials=None)) as adapter:
        yield Stage(spec, clock, world, plan, wiring, client, adapter, vanish)
