"""Trading on Hyperliquid. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from exchange_clients import errors
from exchange_clients.base import EventStream
from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import ByClientId, ByVenueId, Fill, Order, OrderRef, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.dialect import HyperliquidDialect, HyperliquidStreams, stated
from exchange_clients.venue_client import VenueClient

FILLS_PER_PAGE_MAX = 2000
FUNDINGS_PER_PAGE_MAX = 500
NO_MATCH = "could not immediately match"


class HyperliquidClient(VenueClient):
    """One account (or an approved agent acting for it: then `account_address` is the master's)."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._streams, dialect = HyperliquidStreams(), HyperliquidDialect(wiring)
        self._signer_address = dialect.signer_address
        super().__init__(wiring, dialect, self._streams)

    async def verify_access(self) -> None:
        """A key that is neither the account's nor its agent's would trade for a stranger: the venue goes by the signature."""
        signer, account = self._signer_address, self._account()
        if signer == account:
            return
        role = await self._info(common.USER_ROLE, user=signer)
        if role.role != "agent" or role.data is None or role.data.user.lower() != account:
            detail = f"private_key is that of {signer or 'nobody'}, which {account} has not approved as its agent"
            raise errors.AuthenticationFailed(self.venue, "verify_access", detail)

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return wire.to_instruments(await self._info(common.META))

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        book: wire.L2Book | None = await self._info(common.L2_BOOK, coin=instrument.venue_symbol)
        if book is None:
            raise errors.Refused(self.venue, "l2Book", f"the venue knows no market {instrument.venue_symbol!r}")
        return wire.to_book(book, instrument.symbol, self._provenance).top(depth)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        newest_first = await self._info(common.RECENT_TRADES, coin=instrument.venue_symbol)
        return [wire.to_trade(trade, self._provenance) for trade in reversed(newest_first[:limit])]

    async def fetch_stats(self) -> Sequence[MarketStats]:
        meta, contexts = await self._info(common.META_AND_CONTEXTS)
        now_ms, pairs = self._clock.now_ms(), zip(meta.universe, contexts, strict=True)
        return [wire.to_stats(m, c, now_ms, self._provenance) for m, c in pairs if not m.is_delisted]

    async def _place(self, request: OrderRequest) -> Order:
        action = {"type": "order", "orders": [_order_wire(request)], "grouping": "na"}
        status, now_ms, none = await self._act(common.ORDER, action), self._clock.now_ms(), Decimal(0)
        if status.error is not None:
            if NO_MATCH in status.error:
                return request.reported(OrderStatus.CANCELLED, now_ms, venue_order_id="", filled=none, reason=status.error)
            raise stated("place_order", status.error)
        if status.filled is not None:
            filled, oid = status.filled.total_sz, str(status.filled.oid)
            state = OrderStatus.FILLED if filled >= request.size else OrderStatus.CANCELLED
            return request.reported(state, now_ms, venue_order_id=oid, filled=filled, average_price=status.filled.avg_px)
        oid = str(status.resting.oid)
        # A GTC order may have filled in part before it came to rest, which only a later read tells.
        state = OrderStatus.PENDING if request.time_in_force is TimeInForce.GTC else OrderStatus.OPEN
        return request.reported(state, now_ms, venue_order_id=oid, filled=none)

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        endpoint, asset = common.CANCEL, int(instrument.venue_id)
        which: dict[str, Any] = {"a": asset, "o": wire.to_oid(ref)}
        if isinstance(ref, ByClientId):
            endpoint, which = common.CANCEL_BY_CLOID, {"asset": asset, "cloid": wire.to_oid(ref)}
        status = await self._act(endpoint, {"type": endpoint.operation, "cancels": [which]})
        if status.error is not None:
            raise stated("cancel_order", status.error)

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        name, only = order.client_order_id or "", order.reduce_only
        changed = _order_wire(OrderRequest(name, instrument, order.side, size, price, reduce_only=only))
        modify = {"oid": int(order.venue_order_id), "order": changed}
        status = await self._act(common.BATCH_MODIFY, {"type": "batchModify", "modifies": [modify]})
        if status.error is not None:
            raise stated("amend_order", status.error)
        return await self.fetch_order(instrument, ByVenueId(str((status.resting or status.filled).oid)))

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        action = {"type": "updateLeverage", "asset": int(instrument.venue_id), "isCross": True, "leverage": leverage}
        await self._session.call(common.UPDATE_LEVERAGE, payload=action)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        oid = wire.to_oid(ref)
        reply = await self._info(common.ORDER_STATUS, user=self._account(), oid=oid)
        if reply.order is None:
            raise errors.OrderNotFound(self.venue, "fetch_order", f"the venue knows no order {oid} now", reply.status)
        try:
            return wire.to_order(reply.order.order, reply.order.status, reply.order.status_timestamp)
        except KeyError as error:
            raise errors.ProtocolViolation(self.venue, "fetch_order", f"unknown order status {error}") from error

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        rows = await self._info(common.OPEN_ORDERS, user=self._account())
        return [wire.to_order(row) for row in _of(instrument, rows)]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        rows = await self._since(common.USER_FILLS, since_ms, FILLS_PER_PAGE_MAX, lambda row: row.identity)
        return [wire.to_fill(row) for row in _of(instrument, rows)]

    async def fetch_positions(self) -> Sequence[Position]:
        return wire.to_positions(await self._info(common.CLEARINGHOUSE, user=self._account()))

    async def fetch_balance(self) -> Balance:
        state = await self._info(common.CLEARINGHOUSE, user=self._account())
        if state.margin_summary.account_value == 0 and not state.asset_positions:
            spot = await self._info(common.SPOT_STATE, user=self._account())  # unified accounts keep their USDC there
            usdc = sum((row.total for row in spot.balances if row.coin == wire.QUOTE), Decimal(0))
            return Balance(
                venue=self.venue, asset=wire.QUOTE, wallet=usdc, equity=usdc, available=usdc, updated_ms=self._clock.now_ms()
            )
        return wire.to_balance(state)

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        rows = await self._since(common.USER_FUNDING, since_ms, FUNDINGS_PER_PAGE_MAX, lambda row: (row.time, row.delta.coin))
        return wire.to_payments((r for r in rows if r.delta.coin == instrument.venue_symbol), instrument.symbol)

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> FeeRates:
        return wire.to_fee_rates(await self._info(common.USER_FEES, user=self._account()))

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        symbol, provenance = instrument.symbol, self._provenance

        def on_frame(frame: wire.L2BookFrame) -> tuple[BookEvent]:
            book = wire.to_book(frame.data, symbol, provenance)
            if book.is_crossed():
                raise Gap("the book crosses")
            return (BookEvent(book),)

        which = {"coin": instrument.venue_symbol}
        return self._stream.subscribe(self._streams.topic(common.BOOK_CHANNEL, f"book {symbol}", which, on_frame), depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        def on_frame(frame: wire.OrderUpdatesFrame) -> list[OrderEvent]:
            return [OrderEvent(wire.to_order(row.order, row.status, row.status_timestamp)) for row in frame.data]

        return self._of_user(common.ORDERS_CHANNEL, "orders", on_frame)

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        def on_frame(frame: wire.UserFillsFrame) -> list[FillEvent]:
            return [FillEvent(wire.to_fill(row)) for row in frame.data.fills if wire.is_perp(row.coin)]

        return self._of_user(common.FILLS_CHANNEL, "fills", on_frame)

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        def on_frame(frame: wire.WebData2Frame) -> tuple[AccountEvent]:
            state = frame.data.clearinghouse_state
            return (AccountEvent(self.venue, wire.to_positions(state), wire.to_balance(state)),)

        return self._of_user(common.ACCOUNT_CHANNEL, "account", on_frame)

    def _of_user(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> EventStream[Any]:
        return self._stream.subscribe(self._streams.topic(channel, name, {"user": self._account()}, handler))

    def _account(self) -> str:
        return self._credential("account_address").lower()

    async def _info(self, endpoint: Endpoint, **fields: Any) -> Any:
        return await self._session.call(endpoint, payload={"type": endpoint.operation, **fields})

    async def _since(self, endpoint: Endpoint, since_ms: int, rows_max: int, identity: Callable[[Any], Any]) -> list[Any]:
        async def fetch(start_ms: int) -> list[Any]:
            rows: list[Any] = await self._info(endpoint, user=self._account(), startTime=start_ms)
            return rows

        return await pages_by_time(fetch, since_ms, rows_max, identity, lambda row: row.time, self.venue, endpoint.name)

    async def _act(self, endpoint: Endpoint, action: dict[str, Any]) -> Any:
        """Send an action on one order and return its status entry."""
        data = (await self._session.call(endpoint, payload=action)).response.data
        if data is None or not data.statuses:
            raise errors.OutcomeUnknown(self.venue, endpoint.name, "the reply names no outcome; it may have happened")
        return wire.ActionStatus() if isinstance(data.statuses[0], str) else data.statuses[0]


def _of(instrument: Instrument | None, rows: Iterable[Any]) -> list[Any]:
    """Rows of perpetuals: of one, or of all."""
    wanted = None if instrument is None else instrument.venue_symbol
    return [row for row in rows if wire.is_perp(row.coin) and wanted in (None, row.coin)]


def _order_wire(request: OrderRequest) -> dict[str, Any]:
    """The order as it is hashed and sent; the venue hashes keys in this order."""
    order: dict[str, Any] = {
        "a": int(request.instrument.venue_id),
        "b": request.side is Side.BUY,
        "p": wire_text(request.price or Decimal(0)),
        "s": wire_text(request.size),
        "r": request.reduce_only,
        "t": {"limit": {"tif": wire.TIF[request.time_in_force]}},
    }
    if request.client_order_id:
        order["c"] = wire.to_cloid(request.client_order_id)
    return order
