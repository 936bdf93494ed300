"""The tour of one venue: every verb that only reads, each public stream for a while, and, where allowed, one order placed and cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Sized
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar
from uuid import UUID

import msgspec

from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter, Capability, EventStream
from exchange_clients.domain.events import BookEvent, Connected, Lost, Resumed
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByClientId, Order, OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import Clock
from exchange_clients.engine.redaction import redact_text
from exchange_clients.errors import ExchangeError, Misconfigured

Found = TypeVar("Found")

MARKETS_PREFERRED = ("BTC", "ETH", "SOL")
ACCOUNT_DAYS = 7
SETTLES_WITHIN_S = 5.0
BELOW_THE_BID = 0.03
ERROR_CHARS_MAX = 300


class Step(msgspec.Struct):
    """One verb and what came of it: how many rows, or the error."""

    verb: str
    rows: int = 0
    error: str = ""


class Watched(msgspec.Struct):
    """One stream. `ages_ms`: this clock at arrival minus the venue's stamp. `jumps`: numbers of states that went backwards."""

    verb: str
    events: int = 0
    confirmed_s: float | None = None
    lost: list[str] = []
    resumed: int = 0
    ages_ms: list[int] = []
    jumps: int = 0
    error: str = ""


class Walk:
    """One venue, by one client and one adapter. `market`: a base asset; "" for a well-known one. `hidden`: texts that no
    message may repeat. `steps`, `streams`: what was found."""

    def __init__(
        self,
        client: BaseExchangeClient,
        adapter: BaseFundingAdapter,
        clock: Clock,
        market: str = "",
        hidden: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._adapter = adapter
        self._clock = clock
        self._market = market
        self._hidden = hidden
        self.steps: list[Step] = []
        self.streams: list[Watched] = []
        self.market: Instrument | None = None

    async def public(self) -> None:
        """What needs no account."""
        client, adapter = self._client, self._adapter
        listed = await self._step("fetch_instruments", client.fetch_instruments)
        if listed:
            by_symbol = {instrument.symbol: instrument for instrument in reversed(listed)}
            wanted = (self._market,) if self._market else MARKETS_PREFERRED
            self.market = next((by_symbol[symbol] for symbol in wanted if symbol in by_symbol), None)
            if self.market is None and self._market:
                raise Misconfigured(client.venue, "probe", f"{self._market!r} is not listed")
            self.market = self.market or listed[0]
        await self._step("snapshot", adapter.snapshot)
        await self._step("fetch_stats", client.fetch_stats)
        market = self.market
        if market is None:
            return
        await self._step("fetch_order_book", lambda: client.fetch_order_book(market))
        await self._step("fetch_trades", lambda: client.fetch_trades(market))
        now = self._clock.now()
        await self._step("rate_history", lambda: adapter.rate_history(market, now - timedelta(days=1), now))

    async def account(self) -> None:
        """What an account's owner may read. Whether the key may act is not tried: some venues tell only when something signed is sent."""
        client, since_ms = self._client, self._clock.now_ms() - ACCOUNT_DAYS * 86_400_000
        await self._step("fetch_balance", client.fetch_balance)
        await self._step("fetch_positions", client.fetch_positions)
        await self._step("fetch_open_orders", client.fetch_open_orders)
        await self._step("fetch_fills", lambda: client.fetch_fills(None, since_ms))
        await self._step("fetch_fee_rates", client.fetch_fee_rates)
        market = self.market
        if market is not None:
            await self._step("fetch_funding_payments", lambda: client.fetch_funding_payments(market, since_ms))

    async def watch(self, seconds: float, with_account: bool) -> None:
        """The streams, all at once, for `seconds` of the event loop."""
        client, market = self._client, self.market
        opened: list[tuple[str, Callable[[], EventStream[object]]]] = []
        if market is not None and Capability.STREAM_BOOK in client.capabilities:
            opened.append(("stream_book", lambda: client.stream_book(market)))
        if with_account:
            for capability, verb, stream in (
                (Capability.STREAM_ORDERS, "stream_orders", client.stream_orders),
                (Capability.STREAM_FILLS, "stream_fills", client.stream_fills),
                (Capability.STREAM_ACCOUNT, "stream_account", client.stream_account),
            ):
                if capability in client.capabilities:
                    opened.append((verb, stream))
        await asyncio.gather(*(self._watch(verb, stream, seconds) for verb, stream in opened))

    async def place_and_cancel(self, client_order_id: UUID) -> None:
        """The smallest order that may rest, 3 % below the best bid, post-only; read, amended where that is possible, cancelled."""
        client, market = self._client, self.market
        if market is None:
            return
        await self._step("verify_access", client.verify_access)
        book = await self._step("fetch_order_book", lambda: client.fetch_order_book(market))
        if book is None or book.best_bid is None:
            self.steps.append(Step("place_order", error="the book shows no bid to stay away from"))
            return
        price = market.round_price(book.best_bid * (1 - BELOW_THE_BID), Side.BUY)
        size = smallest_size(market, price)
        request = OrderRequest(str(client_order_id), market, Side.BUY, size, price, TimeInForce.POST_ONLY)
        placed = await self._step("place_order", lambda: client.place_order(request))
        if placed is None:  # refused, or perhaps placed all the same
            asked = ByClientId(request.client_order_id)
            placed = await self._step("fetch_order", lambda: client.fetch_order(market, asked))
            if placed is None:
                return
        order = await self._settled(market, placed)
        if order is not None and Capability.AMEND in client.capabilities and not order.status.is_terminal:
            resting, lower = order, market.round_price(book.best_bid * (1 - BELOW_THE_BID * 1.1), Side.BUY)
            amended = await self._step("amend_order", lambda: client.amend_order(resting, market, price=lower, size=size))
            order = await self._settled(market, amended or order)
        reference = (order or placed).ref
        await self._step("cancel_order", lambda: client.cancel_order(market, reference))
        left = await self._settled(market, order or placed, until_terminal=True)
        if left is None or not left.status.is_terminal:
            said = "nothing" if left is None else left.status.value
            self.steps.append(Step("after cancel_order", error=f"the order may still rest (the venue says: {said}): look"))

    async def _settled(self, market: Instrument, order: Order, until_terminal: bool = False) -> Order | None:
        """The order once the venue has decided, or as it was last seen."""
        loop = asyncio.get_running_loop()
        deadline, seen = loop.time() + SETTLES_WITHIN_S, order
        while loop.time() < deadline:
            found = await self._step("fetch_order", partial(self._client.fetch_order, market, seen.ref))
            if found is None:
                return None
            seen = found
            if seen.status.is_terminal or (seen.status.value == "open" and not until_terminal):
                break
            await asyncio.sleep(0.5)
        return seen

    async def _step(self, verb: str, ask: Callable[[], Awaitable[Found]]) -> Found | None:
        """Ask once; what goes wrong is noted, and the tour goes on."""
        try:
            found = await ask()
        except ExchangeError as error:
            self.steps.append(Step(verb, error=self._told(f"{type(error).__name__}: {error}")))
            return None
        self.steps.append(Step(verb, rows=len(found) if isinstance(found, Sized) else 1))
        return found

    async def _watch(self, verb: str, open_stream: Callable[[], EventStream[object]], seconds: float) -> None:
        watched, loop = Watched(verb), asyncio.get_running_loop()
        self.streams.append(watched)
        started, number = loop.time(), -1
        try:
            async with open_stream() as events:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        async for event in events:
                            if isinstance(event, Connected):
                                watched.confirmed_s = loop.time() - started
                            elif isinstance(event, Lost):
                                watched.lost.append(self._told(event.reason))
                            elif isinstance(event, Resumed):
                                watched.resumed += 1
                                number = -1
                            else:
                                watched.events += 1
                            if isinstance(event, BookEvent):
                                watched.ages_ms.append(self._clock.now_ms() - event.book.time_ms)
                                sequence = event.book.sequence
                                if sequence is not None:
                                    watched.jumps += sequence < number
                                    number = sequence
        except ExchangeError as error:
            watched.error = self._told(str(error))

    def _told(self, text: str) -> str:
        """A message without secrets, and without what the venue repeats of the account."""
        return redact_text(text, self._hidden)[:ERROR_CHARS_MAX]


def smallest_size(market: Instrument, price: Decimal) -> Decimal:
    """The least that the venue takes at `price`, with a tenth to spare, in whole lots."""
    wanted = max(market.min_size, market.min_notional / price * Decimal("1.1"))
    lots = -(-wanted // market.lot_size)
    return lots * market.lot_size
