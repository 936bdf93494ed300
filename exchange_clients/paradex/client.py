"""Trading on Paradex. A session token opens private calls, orders carry a Stark signature besides, and replies are not outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from exchange_clients import domain, errors
from exchange_clients.base import EventStream
from exchange_clients.domain import (
    AccountEvent,
    BookEvent,
    ByVenueId,
    Connectivity,
    Fill,
    FillEvent,
    Instrument,
    Order,
    OrderEvent,
    OrderRef,
    OrderRequest,
    OrderStatus,
    wire_text,
)
from exchange_clients.engine.account_stream import AccountStream, BalanceInParts
from exchange_clients.engine.book_builder import BookBuilder
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.handlers import each_row
from exchange_clients.engine.json_rpc import RpcFrame, content
from exchange_clients.engine.order_sides import OrderSides
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.rows import every, readable, row_of
from exchange_clients.engine.stream import Stream
from exchange_clients.engine.stream_dialect import Topic
from exchange_clients.engine.wiring import Wiring
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.dialect import ParadexBooks, ParadexDialect, ParadexStreams
from exchange_clients.venue_client import VenueClient

Row = TypeVar("Row")
ROWS_PER_PAGE = 1000
ORDER_LIVES_MS = 10_000  # how long a signed order may be under way; the venue takes none that is older
FILL_BEFORE_PAYMENT_MS = 60_000


class ParadexClient(VenueClient):
    """One account, by its own key or by a subkey (then `account_address` is still the main account's)."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._dialect = ParadexDialect(wiring)
        self._streams = ParadexStreams(self._dialect)
        self._sides, self._balance = OrderSides(self.venue), BalanceInParts()
        super().__init__(wiring, self._dialect, self._streams)
        self._books = ParadexBooks(wire.VENUE)
        self._public = Stream(self.venue, wiring, self._books)

    async def close(self) -> None:
        await super().close()
        await self._public.close()
        await self._dialect.token.close()

    async def check_open(self) -> None:
        state: wire.SystemState = await self._session.call(common.SYSTEM_STATE)
        if state.status != "ok":
            raise errors.VenueClosed(self.venue, "system state", f"it says {state.status}: wait", state.status)

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return readable((await self._session.call(common.MARKETS)).results, wire.to_instrument)

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> domain.OrderBook:
        path = {"market": instrument.venue_symbol}
        book = await self._session.call(common.BOOK, path=path, query={"depth": depth})
        return wire.to_book(book, instrument.symbol, depth, self._provenance)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[domain.Trade]:
        query = {"market": instrument.venue_symbol, "page_size": min(limit, ROWS_PER_PAGE)}
        page = await self._session.call(common.TRADES, query=query)
        rows = readable(page.results, lambda row: row_of(row, wire.PublicTrade))
        return [wire.to_trade(row, self._provenance) for row in _oldest_first(rows)][-limit:]

    async def fetch_stats(self) -> Sequence[domain.MarketStats]:
        listed = await common.fetch_figures(self._session)
        return [wire.to_stats(figures, self._provenance, self._clock.now_ms()) for _, figures in listed]

    async def _place(self, request: OrderRequest) -> Order:
        """The reply is nearly always PENDING: the venue checks risk later; `stream_orders` or `fetch_order` tell the outcome."""
        order: dict[str, Any] = {
            "market": request.instrument.venue_symbol,
            "side": wire.SIDE_WORDS[request.side],
            "size": wire_text(request.size),
            "recv_window": self._clock.wire_ms(ORDER_LIVES_MS),
        }
        if request.price is None:  # a price is refused here (ccxt PR 28204)
            order |= {"type": "MARKET", "instruction": "IOC"}
        else:
            tif = wire.INSTRUCTIONS[request.time_in_force]
            order |= {"type": "LIMIT", "instruction": tif, "price": wire_text(request.price)}
        if request.client_order_id:
            order["client_id"] = request.client_order_id
        if request.reduce_only:
            order["flags"] = ["REDUCE_ONLY"]
        placed = self._seen(await self._session.call(common.PLACE, payload=order, urgent=request.urgent))
        if placed.status is OrderStatus.REJECTED:
            raise refused(self.venue, "place order", placed.reason, common.REFUSALS)
        return placed

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        if isinstance(ref, ByVenueId):
            await self._session.call(common.CANCEL, path={"order_id": ref.id})
            return
        query = {"market": instrument.venue_symbol}
        await self._session.call(common.CANCEL_BY_CLIENT_ID, path={"client_id": ref.id}, query=query)

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        terms = {"type": "LIMIT", "size": wire_text(size), "price": wire_text(price)}
        which = {"id": order.venue_order_id, "market": instrument.venue_symbol, "side": wire.SIDE_WORDS[order.side]}
        path = {"order_id": order.venue_order_id}
        return self._seen(await self._session.call(common.MODIFY, path=path, payload={**which, **terms}))

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        await self._session.call(common.CANCEL_ALL, query=_of_market(instrument))

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        margin = {"leverage": leverage, "margin_type": "CROSS"}
        await self._session.call(common.SET_MARGIN, path={"market": instrument.venue_symbol}, payload=margin)

    async def fetch_leverage(self, instrument: Instrument) -> int | None:
        margins: wire.Margins = await self._session.call(common.MARGIN, query=_of_market(instrument))
        mine = (c for c in margins.configs or () if (c.market, c.margin_type) == (instrument.venue_symbol, "CROSS"))
        return next((config.leverage for config in mine), None)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """The venue answers by id for what is open and may have forgotten the rest; then its history is asked (newest 1,000)."""
        try:
            if isinstance(ref, ByVenueId):
                return self._seen(await self._session.call(common.ORDER, path={"order_id": ref.id}))
            return self._seen(await self._session.call(common.ORDER_BY_CLIENT_ID, path={"client_id": ref.id}))
        except errors.OrderNotFound:
            is_named = not isinstance(ref, ByVenueId)
            for order in await self._history(instrument, client_id=ref.id if is_named else None):
                if ref.id == (order.client_order_id if is_named else order.venue_order_id):
                    return order
            raise

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        return [self._seen(row) for row in await self._rows(common.OPEN_ORDERS, wire.ORDER, **_of_market(instrument))]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        rows = await self._since(common.FILLS, wire.FILL, instrument, since_ms)
        if any(row.liquidity == "MAKER" and not self._sides.knows(row.order_id) for row in rows):
            await self._history(instrument)
        return [self._own_fill(row) for row in rows]

    async def fetch_positions(self) -> Sequence[domain.Position]:
        rows = await self._rows(common.POSITIONS, wire.POSITION)
        return [position for position in map(wire.to_position, rows) if position.size]

    async def fetch_balance(self) -> domain.Balance:
        account, sizes = await asyncio.gather(self._session.call(common.ACCOUNT), self._rows(common.BALANCE, wire.to_usdc))
        return self._balance.read(wire.to_balance(account, domain.total(sizes)))

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[domain.FundingPayment]:
        """Raises ProtocolViolation where a payment and the fill that settled it disagree about who paid: nothing is booked then."""
        rows = await self._since(common.FUNDING_PAYMENTS, wire.PAYMENT, instrument, since_ms)
        by_fill = {row.fill_id: row for row in rows if row.fill_id and row.payment}
        if by_fill:
            first_ms = max(0, min(row.created_at for row in by_fill.values()) - FILL_BEFORE_PAYMENT_MS)
            for fill in await self._since(common.FILLS, wire.FILL, instrument, first_ms):
                wire.check_payment(by_fill.get(fill.id), fill)
        return [wire.to_payment(row) for row in rows]

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> domain.FeeRates:
        accounts = await self._rows(common.ACCOUNT_INFO, lambda row: row_of(row, wire.AccountInfo))
        markets: list[wire.Market] = []
        if instrument is not None:
            markets = readable((await self._session.call(common.MARKETS, query=_of_market(instrument))).results, wire.to_market)
        for info in accounts:
            if int(info.account, 16) == int(self._dialect.account, 16):
                return wire.to_fee_rates(info.fees, *markets)
        raise errors.ProtocolViolation(self.venue, "account info", "the venue does not list the account that asks")

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        rule, unit = common.BOOK_CHANNEL.sequence, wire.SBE_UNIT
        builder = BookBuilder(self.venue, instrument.symbol, self._provenance, rule=rule, unit=unit)

        def on_change(change: wire.BookChange) -> bool:
            return builder.take(change.seq_no, change.time_ms, change.is_whole, change.bids, change.asks)

        name, market = f"book {instrument.symbol}", instrument.venue_symbol
        on_start, state, token = builder.forget, builder.state, market.encode()
        topic = self._books.topic(common.BOOK_CHANNEL, market, name, on_change, on_start, state, token)
        return self._public.subscribe(topic, depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        orders = self._own(common.ORDERS_CHANNEL, "orders", wire.ORDER, lambda row: OrderEvent(self._seen(row)))
        return self._stream.subscribe(orders)

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        fills = self._own(common.FILLS_CHANNEL, "fills", wire.FILL, lambda row: FillEvent(self._own_fill(row)))
        return self._stream.subscribe(fills)

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        """The wallet is the settlement token's balance, as in `fetch_balance`: one channel tells it, another what it is worth."""

        async def whole() -> tuple[Sequence[domain.Position], domain.Balance]:
            return await asyncio.gather(self.fetch_positions(), self.fetch_balance())

        def on_account(frame: RpcFrame[wire.AccountSummary]) -> Iterable[domain.Balance]:
            return self._balance.worth(lambda wallet: wire.to_balance(frame.params.data, wallet))

        def on_change(frame: RpcFrame[wire.BalanceChange]) -> Iterable[domain.Balance]:
            change = frame.params.data
            is_ours = change.settlement_asset_name == wire.USDC
            return self._balance.wallet(change.settlement_asset_balance_after, change.created_at) if is_ours else ()

        positions = self._own(common.POSITIONS_CHANNEL, "positions", wire.POSITION, wire.to_position)
        account = self._streams.topic(common.ACCOUNT_CHANNEL, "", "account", on_account)
        change = self._streams.topic(common.BALANCE_CHANNEL, "", "balance", on_change)
        return AccountStream(self.venue, self._stream.subscribe(positions, account, change), whole)

    def _own(self, channel: Channel, name: str, read: Callable[[msgspec.Raw], Any], to_event: Callable[[Any], Any]) -> Topic:
        """A channel of our account's rows about perpetuals."""
        self._credential("account_address")
        return self._streams.topic(channel, "", name, each_row(to_event, read, content))

    def _seen(self, row: wire.OrderRow) -> Order:
        """An order, whose side is remembered: what a fill calls `side` is documented as the taker's, everybody reads it as ours."""
        return self._sides.seen(wire.to_order(row))

    def _own_fill(self, row: wire.FillRow) -> Fill:
        return self._sides.checked(wire.to_fill(row))

    async def _rows(self, endpoint: Endpoint, read: Callable[[msgspec.Raw], Row | None], **query: Any) -> list[Row]:
        """Rows about our own money: all of them can be read, or it is an error."""
        return every((await self._session.call(endpoint, query=query)).results, read, self.venue, endpoint.name)

    async def _history(self, instrument: Instrument | None, client_id: str | None = None) -> list[Order]:
        """The newest orders, open and done."""
        query = {**_of_market(instrument), "client_id": client_id, "page_size": ROWS_PER_PAGE}
        return [self._seen(row) for row in await self._rows(common.ORDERS_HISTORY, wire.ORDER, **query)]

    async def _since(
        self, endpoint: Endpoint, read: Callable[[msgspec.Raw], Any], instrument: Instrument | None, since_ms: int
    ) -> list[Any]:
        """Rows of perpetuals since `since_ms`, oldest first, all pages."""
        query: dict[str, Any] = {**_of_market(instrument), "start_at": since_ms or None, "page_size": ROWS_PER_PAGE}

        async def fetch(cursor: str | None) -> tuple[list[msgspec.Raw], str | None]:
            page = await self._session.call(endpoint, query={**query, "cursor": cursor})
            return page.results or [], page.next

        raws = await pages_by_cursor(fetch, self.venue, endpoint.name)
        rows = {row.id: row for row in every(raws, read, self.venue, endpoint.name)}
        return _oldest_first([row for row in rows.values() if row.created_at >= since_ms])


def _of_market(instrument: Instrument | None) -> dict[str, Any]:
    return {"market": None if instrument is None else instrument.venue_symbol}


def _oldest_first(rows: list[Any]) -> list[Any]:
    oldest_first = list(reversed(rows))  # pages come newest first, and rows share instants
    oldest_first.sort(key=lambda row: row.created_at)
    return oldest_first
