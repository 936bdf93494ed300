"""A client that calls a sandbox exchange directly, through a wire of seeded misfortune: no protocol, but every outcome of one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from exchange_clients.base import BaseExchangeClient, Capability, EventStream
from exchange_clients.domain.account import Balance, FeeRates, Position
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
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.market import Level, MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRef, OrderRequest
from exchange_clients.domain.provenance import Provenance
from exchange_clients.engine.subscription import Closing
from exchange_clients.errors import NotSent, OrderNotFound, OrderRejected, OutcomeUnknown
from exchange_clients.sandbox.exchange import (
    AccountChanged,
    BookChanged,
    Filled,
    OrderChanged,
    Rejected,
    SandboxEvent,
    SandboxExchange,
    SandboxFill,
    SandboxOrder,
)

ACCOUNT = "ours"


@dataclass(frozen=True)
class Misfortune:
    """Chances, per occurrence. `faults_max`: how many may strike in all, after
    `passes` occasions of that kind went well. `failed_read` strikes once trading has
    begun. `anonymous_fills`: executions carry no client order id.
    """

    lost_reply: float = 0.0
    never_arrived: float = 0.0
    late_arrival: float = 0.0
    refused_connection: float = 0.0
    unfilled: float = 0.0
    failed_read: float = 0.0
    duplicate: float = 0.0
    dropped_stream: float = 0.0
    faults_max: int = 1_000_000
    passes: int = 0
    latency_s: tuple[float, float] = (0.02, 0.2)
    anonymous_fills: bool = False


class Opened(Closing):
    """A generator of events that ends with its block."""

    def __init__(self, events: Any) -> None:
        self._events = events

    def __aiter__(self) -> Opened:
        return self

    async def __anext__(self) -> Any:
        return await self._events.__anext__()

    async def aclose(self) -> None:
        await self._events.aclose()


class DirectClient(BaseExchangeClient):
    """One account called `ours`. Waiting happens on the loop only; `random` decides latency and misfortune."""

    venue = ""
    capabilities = frozenset(
        {
            Capability.IOC,
            Capability.REDUCE_ONLY,
            Capability.FETCH_BY_CLIENT_ID,
            Capability.STREAM_BOOK,
            Capability.STREAM_ACCOUNT,
            Capability.STREAM_ORDERS,
            Capability.STREAM_FILLS,
            Capability.SET_LEVERAGE,
        }
    )

    def __init__(self, exchange: SandboxExchange, random: Random, misfortune: Misfortune | None = None) -> None:
        self.exchange = exchange
        self.misfortune = misfortune or Misfortune()
        self.struck: Counter[str] = Counter()
        self._occasions: Counter[str] = Counter()
        self.venue = exchange.rules.venue  # type: ignore[misc]
        self._random = random
        self._by_symbol = {listing.venue_symbol: listing.instrument for listing in exchange.listings.values()}

    async def close(self) -> None:
        return

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return tuple(self._by_symbol.values())

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        await self._read("order book")
        return self._book(instrument, depth)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        return ()

    async def fetch_stats(self) -> Sequence[MarketStats]:
        return ()

    async def _place(self, request: OrderRequest) -> Order:
        await self._latency()
        if self._strikes("refused_connection"):
            raise NotSent(self.venue, "place_order", "connection refused")
        if self._strikes("never_arrived"):
            raise OutcomeUnknown(self.venue, "place_order", "no reply, and it never arrived")
        if self._strikes("late_arrival"):
            asyncio.get_running_loop().call_later(self._random.uniform(0.5, 3.0), self._try_place, request)
            raise OutcomeUnknown(self.venue, "place_order", "no reply yet")
        lost = self._strikes("lost_reply")
        try:
            order = self._enter(request)
        except Rejected as refusal:
            if lost:
                raise OutcomeUnknown(self.venue, "place_order", "reply lost") from refusal
            raise OrderRejected(self.venue, "place_order", str(refusal), refusal.reason.value) from refusal
        await self._latency()
        if lost:
            raise OutcomeUnknown(self.venue, "place_order", "reply lost")
        return self._order(order)

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        await self._latency()
        try:
            self.exchange.cancel(ACCOUNT, client_order_id=ref.id)
        except Rejected as refusal:
            raise OrderNotFound(self.venue, "cancel_order", str(refusal)) from refusal

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        await self._read("order")
        order = self.exchange.order(ACCOUNT, client_order_id=ref.id)
        if order is None:
            raise OrderNotFound(self.venue, "fetch_order", f"{ref.id} is not known")
        return self._order(order)

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        await self._read("open orders")
        return [self._order(order) for order in self.exchange.orders(ACCOUNT)]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        await self._read("fills")
        fills = (self._fill(fill) for fill in self.exchange.fills(ACCOUNT, since_ms))
        return [fill for fill in fills if instrument is None or fill.symbol == instrument.symbol]

    async def fetch_positions(self) -> Sequence[Position]:
        await self._read("positions")
        return self._positions()

    async def fetch_balance(self) -> Balance:
        await self._read("balance")
        exchange = self.exchange
        cash, equity, free = exchange.wallet(ACCOUNT), exchange.equity(ACCOUNT), exchange.available(ACCOUNT)
        return Balance(
            venue=self.venue, asset="USD", wallet=cash, equity=equity, available=free, updated_ms=exchange.clock.now_ms()
        )

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        await self._read("funding")
        return [
            FundingPayment(
                venue=self.venue,
                symbol=instrument.symbol,
                payment_id=str(p.payment_id),
                amount=p.amount,
                rate=p.rate,
                position_size=p.position_size,
                paid_at_ms=p.time_ms,
            )
            for p in self.exchange.funding_payments(ACCOUNT, since_ms)
            if self._by_symbol[p.venue_symbol] == instrument
        ]

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> FeeRates:
        return self.exchange.rules.fees

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        await self._latency()
        self.exchange.set_leverage(ACCOUNT, instrument.venue_symbol, leverage)

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        def pick(event: SandboxEvent) -> Any:
            mine = isinstance(event, BookChanged) and event.venue_symbol == instrument.venue_symbol
            return BookEvent(self._book(instrument, depth)) if mine else None

        self.exchange.watch(instrument.venue_symbol)
        first = lambda: [BookEvent(self._book(instrument, depth))]  # noqa: E731
        return Opened(self._stream("book", pick, first))

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        def pick(event: SandboxEvent) -> Any:
            return OrderEvent(self._order(event.order)) if isinstance(event, OrderChanged) else None

        return Opened(self._stream("orders", pick, list))

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        def pick(event: SandboxEvent) -> Any:
            return FillEvent(self._fill(event.fill)) if isinstance(event, Filled) else None

        return Opened(self._stream("fills", pick, list))

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        def pick(event: SandboxEvent) -> Any:
            return AccountEvent(self.venue, tuple(self._positions()), None) if isinstance(event, AccountChanged) else None

        return Opened(self._stream("account", pick, list))

    # The wire

    async def _stream(
        self, topic: str, pick: Callable[[SandboxEvent], Any], first: Callable[[], list[Any]]
    ) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        loop, blind = asyncio.get_running_loop(), [False]

        def resume() -> None:
            blind[0] = False
            for frame in [Resumed(self.venue, topic), *first()]:
                queue.put_nowait(frame)

        def listen(event: SandboxEvent) -> None:
            frame = pick(event)
            if frame is None or blind[0]:
                return
            if self._strikes("dropped_stream"):
                blind[0] = True
                queue.put_nowait(Lost(self.venue, topic, "socket dropped"))
                loop.call_later(self._random.uniform(0.5, 4.0), resume)
                return
            for _ in range(2 if topic != "book" and self._strikes("duplicate") else 1):
                queue.put_nowait(frame)

        leave = self.exchange.subscribe(listen)
        try:
            for frame in [Connected(self.venue, topic), *first()]:
                yield frame
            while True:
                frame = await queue.get()
                await self._latency()
                yield frame
        finally:
            leave()

    async def _latency(self) -> None:
        await asyncio.sleep(self._random.uniform(*self.misfortune.latency_s))

    async def _read(self, what: str) -> None:
        await self._latency()
        if self.exchange.orders(ACCOUNT, open_only=False) and self._strikes("failed_read"):
            raise OutcomeUnknown(self.venue, f"fetch {what}", "no reply")
        self.exchange.advance()

    def _strikes(self, kind: str) -> bool:
        self._occasions[kind] += getattr(self.misfortune, kind) > 0
        if self._occasions[kind] <= self.misfortune.passes:
            return False
        if self.struck.total() >= self.misfortune.faults_max or self._random.random() >= getattr(self.misfortune, kind):
            return False
        self.struck[kind] += 1
        return True

    def _try_place(self, request: OrderRequest) -> None:
        try:
            self._enter(request)
        except Rejected:
            return

    def _enter(self, request: OrderRequest) -> SandboxOrder:
        price = request.price
        if self._strikes("unfilled") and price is not None:  # everyone else was quicker
            price = request.instrument.round_price(price * (1 - request.side.sign * Decimal("0.02")), request.side)
        symbol = request.instrument.venue_symbol
        return self.exchange.place(
            ACCOUNT,
            symbol,
            request.side,
            request.size,
            price,
            request.time_in_force,
            request.reduce_only,
            request.client_order_id,
        )

    # Its words in ours

    def _book(self, instrument: Instrument, depth: int) -> OrderBook:
        bids, asks, sequence = self.exchange.book(instrument.venue_symbol, depth)
        sides = [[Level(float(price), float(size)) for price, size in side] for side in (bids, asks)]
        now_ms = self.exchange.clock.now_ms()
        return OrderBook(self.venue, instrument.symbol, *sides, now_ms, Provenance.SANDBOX, sequence)

    def _order(self, order: SandboxOrder) -> Order:
        return Order(
            venue=self.venue,
            symbol=self._by_symbol[order.venue_symbol].symbol,
            venue_order_id=str(order.order_id),
            client_order_id=order.client_order_id,
            side=order.side,
            size=order.size,
            filled=order.filled,
            price=order.price,
            average_price=order.average_price,
            status=order.status,
            reduce_only=order.reduce_only,
            reason=str(order.reason),
            updated_ms=order.updated_ms,
        )

    def _fill(self, fill: SandboxFill) -> Fill:
        return Fill(
            venue=self.venue,
            symbol=self._by_symbol[fill.venue_symbol].symbol,
            fill_id=str(fill.fill_id),
            venue_order_id=str(fill.order_id),
            client_order_id=None if self.misfortune.anonymous_fills else fill.client_order_id,
            side=fill.side,
            size=fill.size,
            price=fill.price,
            fee=fill.fee,
            fee_asset="USD",
            liquidity=fill.liquidity,
            time_ms=fill.time_ms,
        )

    def _positions(self) -> list[Position]:
        now_ms = self.exchange.clock.now_ms()
        return [
            Position(
                venue=self.venue,
                symbol=self._by_symbol[name].symbol,
                size=position.size,
                entry_price=position.entry_price,
                unrealised_pnl=None,
                liquidation_price=self.exchange.liquidation_price(ACCOUNT, name),
                leverage=Decimal(position.leverage),
                updated_ms=now_ms,
            )
            for name, position in self.exchange.positions(ACCOUNT).items()
        ]


def instrument(venue: str, name: str, tick: str, lot: str, multiplier: int = 1) -> Instrument:
    """A market of a made-up venue."""
    return Instrument(
        venue=venue,
        symbol=name.removeprefix("k"),
        venue_symbol=f"{name}-PERP",
        venue_id=name,
        multiplier=Decimal(multiplier),
        quote="USD",
        price_rule=PriceRule(Decimal(tick)),
        lot_size=Decimal(lot),
        min_size=Decimal(lot),
        min_notional=Decimal(10),
        max_leverage=Decimal(20),
    )
