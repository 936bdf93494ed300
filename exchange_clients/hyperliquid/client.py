"""Trading on Hyperliquid. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

from exchange_clients import domain, errors
from exchange_clients.base import EventStream
from exchange_clients.domain import Instrument, Order, OrderRef, OrderRequest, OrderStatus, TimeInForce, wire_text
from exchange_clients.domain.numbers import EXACT
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.generations import Generations
from exchange_clients.engine.handlers import WholeBooks, each_row
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.engine.rows import every, readable, row_of
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.dialect import HyperliquidDialect, HyperliquidStreams, stated
from exchange_clients.venue_client import VenueClient

FILLS_PER_PAGE_MAX = 2000
FUNDINGS_PER_PAGE_MAX = 500
MODE_KNOWN_FOR_MS = 60_000
NO_MATCH = "could not immediately match"


class HyperliquidClient(VenueClient):
    """One account: the key's own, one that approved it as its agent, or a vault or sub-account that either acts for."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._streams, self._dialect = HyperliquidStreams(), HyperliquidDialect(wiring)
        self._is_pooled, self._mode_until_ms, self._generations = False, 0, Generations()
        super().__init__(wiring, self._dialect, self._streams)

    async def verify_access(self) -> None:
        """A key that is neither the account's nor acts for it would trade for a stranger: the venue goes by the signature."""
        signer, account = self._dialect.signer_address, self._account()
        if signer == account:
            return
        said, wanted = await self._dialect.role(signer), await self._dialect.role(account)
        acts_for, leader = (said.data or {}).get("user", signer) if said.role == "agent" else signer, account
        if wanted.role == "subAccount":
            leader = (wanted.data or {}).get("master", "")
        elif wanted.role == "vault":
            leader = (await self._info(common.VAULT_DETAILS, vaultAddress=account)).leader
        if acts_for.lower() != leader.lower():
            detail = f"private_key is that of {signer or 'nobody'}, which may not act for {account} ({wanted.role} of {leader})"
            raise errors.AuthenticationFailed(self.venue, "verify_access", detail)
        self._dialect.account_role = wanted

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return wire.to_instruments(await self._info(common.META))

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> domain.OrderBook:
        book: wire.L2Book | None = await self._info(common.L2_BOOK, coin=instrument.venue_symbol)
        if book is None:
            raise errors.Refused(self.venue, "l2Book", f"the venue knows no market {instrument.venue_symbol!r}")
        return wire.to_book(book, instrument.symbol, self._provenance).top(depth)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[domain.Trade]:
        newest_first = await self._info(common.RECENT_TRADES, coin=instrument.venue_symbol)
        return readable(reversed(newest_first[:limit]), lambda row: wire.to_trade(row, self._provenance))

    async def fetch_stats(self) -> Sequence[domain.MarketStats]:
        meta, contexts = await self._info(common.META_AND_CONTEXTS)
        now_ms = self._clock.now_ms()
        return [wire.to_stats(m, ctx, now_ms, self._provenance) for _, m, ctx in wire.markets_of(meta, contexts)]

    async def _place(self, request: OrderRequest) -> Order:
        action = {"type": "order", "orders": [_order_wire(request)], "grouping": "na"}
        status = await self._act(common.ORDER, action, urgent=request.urgent)
        now_ms, none = self._clock.now_ms(), Decimal(0)
        if status.error is not None:
            if NO_MATCH in status.error:
                return request.reported(OrderStatus.CANCELLED, now_ms, venue_order_id="", filled=none, reason=status.error)
            raise stated("place_order", status.error)
        is_over, may_fill = request.time_in_force is TimeInForce.IOC, request.time_in_force is TimeInForce.GTC
        if status.filled is not None:
            filled, oid = status.filled.total_sz, str(status.filled.oid)
            rest = OrderStatus.CANCELLED if is_over else OrderStatus.PENDING  # only an IOC order's rest is surely gone
            state = OrderStatus.FILLED if filled >= request.size else rest
            return request.reported(state, now_ms, venue_order_id=oid, filled=filled, average_price=status.filled.avg_px)
        # A GTC order may have filled in part before it came to rest, which only a later read tells.
        state = OrderStatus.PENDING if may_fill else OrderStatus.OPEN
        return request.reported(state, now_ms, venue_order_id=str(status.resting.oid), filled=none)

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        endpoint, asset = common.CANCEL, int(instrument.venue_id)
        which: dict[str, Any] = {"a": asset, "o": wire.to_oid(ref)}
        if isinstance(ref, domain.ByClientId):
            endpoint, which = common.CANCEL_BY_CLOID, {"asset": asset, "cloid": wire.to_oid(ref)}
        status = await self._act(endpoint, {"type": endpoint.operation, "cancels": [which]}, "success")
        if status.error is not None:
            raise stated("cancel_order", status.error)

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        """The venue cancels the order and takes what is sent as a fresh one: so what is left is sent, on the same terms."""
        tif, left = order.time_in_force, EXACT.subtract(size, order.filled)
        if tif is None:
            detail = "the order's time in force is not known, and another would be sent; fetch_order tells it; nothing was sent"
            raise errors.Misconfigured(self.venue, "amend_order", detail)
        name, only = order.client_order_id or "", order.reduce_only
        changed = _order_wire(OrderRequest(name, instrument, order.side, left, price, tif, reduce_only=only))
        modify = {"oid": wire.to_oid(order.ref), "order": changed}
        with self._generations.replacing(order):
            status = await self._act(common.BATCH_MODIFY, {"type": "batchModify", "modifies": [modify]})
            if status.error is not None:
                raise stated("amend_order", status.error)
            placed = status.filled or status.resting
            self._generations.replaced(order, str(placed.oid))
        filled = EXACT.add(order.filled, placed.total_sz)
        state = OrderStatus.FILLED if filled >= size else OrderStatus.PENDING
        now = {"status": state, "filled": filled, "updated_ms": self._clock.now_ms()}
        return msgspec.structs.replace(order, venue_order_id=str(placed.oid), price=price, size=size, **now)

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        terms = {"isCross": not instrument.isolated_only, "leverage": leverage}
        action = {"type": "updateLeverage", "asset": int(instrument.venue_id), **terms}
        await self._session.call(common.UPDATE_LEVERAGE, payload=action)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """While an order rests, its status tells what had filled when it came to rest; what rests now is told by the list."""
        order = await self._order_status(ref)
        if order.status is not OrderStatus.OPEN:
            return order
        listed = {resting.venue_order_id: resting for resting in await self.fetch_open_orders(instrument)}
        return listed.get(order.venue_order_id) or await self._order_status(ref)

    async def _order_status(self, ref: OrderRef) -> Order:
        oid = wire.to_oid(ref)
        reply = await self._info(common.ORDER_STATUS, user=self._account(), oid=oid)
        if reply.order is None:
            raise errors.OrderNotFound(self.venue, "fetch_order", f"the venue knows no order {oid} now", reply.status)
        return self._generations.whole(wire.to_order(reply.order.order, reply.order.status, reply.order.status_timestamp))

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        rows, coin = await self._info(common.OPEN_ORDERS, user=self._account()), _coin(instrument)
        orders = every(rows, lambda row: wire.order_of(row, coin), self.venue, "fetch_open_orders")
        return [self._generations.whole(order) for order in orders]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[domain.Fill]:
        rows, coin = await self._since(common.USER_FILLS, since_ms, FILLS_PER_PAGE_MAX), _coin(instrument)
        return every(rows, lambda row: wire.fill_of(row, coin), self.venue, "fetch_fills")

    async def fetch_positions(self) -> Sequence[domain.Position]:
        return wire.to_positions(await self._info(common.CLEARINGHOUSE, user=self._account()))

    async def fetch_balance(self) -> domain.Balance:
        return wire.to_balance(*await self._money())

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[domain.FundingPayment]:
        rows, coin = await self._since(common.USER_FUNDING, since_ms, FUNDINGS_PER_PAGE_MAX), _coin(instrument)
        return every(rows, lambda row: wire.payment_of(row, coin, instrument.symbol), self.venue, "fetch_funding_payments")

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> domain.FeeRates:
        return wire.to_fee_rates(await self._info(common.USER_FEES, user=self._account()))

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[domain.BookEvent | domain.Connectivity]:
        """Five levels a side every half second; twenty come every five seconds only, too seldom to trade on (read those).

        {"channel":"l2Book","data":{"coin":"BTC","time":…,"levels":[[{"px":"90000","sz":"1","n":1}],[…]],"fast":true}}
        """
        symbol, which = instrument.symbol, {"coin": instrument.venue_symbol, "fast": True}
        books = WholeBooks(lambda frame: wire.to_book(frame.data, symbol, self._provenance))
        return self._stream.subscribe(self._streams.topic(common.BOOK_CHANNEL, f"book {symbol}", which, books), depth=depth)

    def stream_orders(self) -> EventStream[domain.OrderEvent | domain.Connectivity]:
        """{"channel":"orderUpdates","data":[{"order":{"coin":"BTC","oid":1,…},"status":"open","statusTimestamp":…}]}"""

        def read(row: msgspec.Raw) -> Order | None:
            order = wire.update_of(row)
            return None if order is None else self._generations.now(order)

        updates = each_row(domain.OrderEvent, read)
        return self._stream.subscribe(self._of_user(common.ORDERS_CHANNEL, "orders", updates))

    def stream_fills(self) -> EventStream[domain.FillEvent | domain.Connectivity]:
        """{"channel":"userFills","data":{"user":"0x…","isSnapshot":true,"fills":[{"coin":"BTC","px":"90000",…}]}}"""
        fills = each_row(domain.FillEvent, wire.fill_of, lambda frame: frame.data.fills)
        return self._stream.subscribe(self._of_user(common.FILLS_CHANNEL, "fills", fills))

    def stream_account(self) -> EventStream[domain.AccountEvent | domain.Connectivity]:
        known: list[wire.ClearinghouseState] = []

        def told(state: wire.ClearinghouseState, spot: wire.SpotState | None) -> tuple[domain.AccountEvent]:
            known[:] = [state]
            balance = None if spot is None and self._is_pooled else wire.to_balance(state, spot)
            return (domain.AccountEvent(self.venue, wire.to_positions(state), balance),)

        async def begin() -> tuple[domain.AccountEvent]:
            return told(*await self._money())

        def on_frame(frame: wire.UserFrame) -> tuple[domain.AccountEvent, ...]:
            """{"channel":"clearinghouseState","data":{"dex":"","user":"0x…","clearinghouseState":{"assetPositions":[…],…}}} or
            {"channel":"spotState","data":{"user":"0x…","spotState":{"balances":[{"coin":"USDC","total":"1","hold":"0",…}]}}}"""
            state = frame.data.clearinghouse_state or (known[0] if known and self._is_pooled else None)
            return () if state is None else told(state, frame.data.spot_state)

        perps = self._of_user(common.PERPS_CHANNEL, "perpetual account", on_frame)
        spot = self._of_user(common.SPOT_CHANNEL, "spot account", on_frame)
        return self._stream.subscribe(replace(perps, snapshot=begin, on_start=known.clear), spot)

    def _of_user(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> Any:
        return self._streams.topic(channel, name, {"user": self._account()}, handler)

    def _account(self) -> str:
        return self._credential("account_address").lower()

    async def _money(self) -> tuple[wire.ClearinghouseState, wire.SpotState | None]:
        """The perpetual state, and the spot state where the account's USDC lies there. An account can be switched over."""
        if self._clock.now_ms() >= self._mode_until_ms:
            self._is_pooled = await self._info(common.USER_ABSTRACTION, user=self._account()) in wire.POOLED
            self._mode_until_ms = self._clock.now_ms() + self._clock.wire_ms(MODE_KNOWN_FOR_MS)
        spot = await self._info(common.SPOT_STATE, user=self._account()) if self._is_pooled else None
        return await self._info(common.CLEARINGHOUSE, user=self._account()), spot

    async def _info(self, endpoint: Endpoint, **fields: Any) -> Any:
        return await self._session.call(endpoint, payload={"type": endpoint.operation, **fields})

    async def _since(self, endpoint: Endpoint, since_ms: int, rows_max: int) -> list[Raw]:
        """Rows of all pages as they came: foreign ones count where a page ends."""

        async def fetch(start_ms: int) -> list[Raw]:
            rows: list[Raw] = await self._info(endpoint, user=self._account(), startTime=start_ms)
            return rows

        told = (self.venue, endpoint.name)
        return await pages_by_time(fetch, since_ms, rows_max, bytes, lambda row: row_of(row, wire.Mark).time, *told)

    async def _act(self, endpoint: Endpoint, action: dict[str, Any], done: str = "", urgent: bool = False) -> Any:
        """Send an action on one order and return its status entry: what rests, what filled, an error, or nothing for `done`."""
        data = (await self._session.call(endpoint, payload=action, urgent=urgent)).response.data or {}
        status = next(iter(data.get("statuses", ())), None)
        if status == done:
            return wire.ActionStatus()
        if not isinstance(status, wire.ActionStatus) or (status.resting or status.filled or status.error) is None:
            raise errors.OutcomeUnknown(self.venue, endpoint.name, f"the reply says {status!r} of it; it may have happened")
        return status


def _coin(instrument: Instrument | None) -> str:
    return "" if instrument is None else instrument.venue_symbol


def _order_wire(request: OrderRequest) -> dict[str, Any]:
    """The order as it is hashed and sent; the venue hashes keys in this order."""
    order: dict[str, Any] = {
        "a": int(request.instrument.venue_id),
        "b": request.side is domain.Side.BUY,
        "p": wire_text(request.price or Decimal(0)),
        "s": wire_text(request.size),
        "r": request.reduce_only,
        "t": {"limit": {"tif": wire.TIF[request.time_in_force]}},
    }
    if request.client_order_id:
        order["c"] = wire.to_cloid(request.client_order_id)
    return order
