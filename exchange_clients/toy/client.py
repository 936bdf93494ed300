"""Trading on Toy. Every call about an account is signed; acting calls tell the order as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from exchange_clients.base import EventStream
from exchange_clients.domain import (
    AccountEvent,
    Balance,
    BookEvent,
    ByVenueId,
    Connectivity,
    FeeRates,
    Fill,
    FillEvent,
    FundingPayment,
    Instrument,
    MarketStats,
    Order,
    OrderBook,
    OrderEvent,
    OrderRef,
    OrderRequest,
    Position,
    Trade,
    wire_text,
)
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.handlers import WholeBooks, each_row
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.engine.rows import every, readable, row_of
from exchange_clients.engine.wiring import Wiring
from exchange_clients.toy import common, wire
from exchange_clients.toy.dialect import ToyDialect, ToyStreams
from exchange_clients.venue_client import VenueClient

Row = TypeVar("Row")


class ToyClient(VenueClient):
    """One account, known by its `api_key`."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        dialect = ToyDialect(wiring)
        self._streams = ToyStreams(dialect)
        super().__init__(wiring, dialect, self._streams)

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return readable(await self._get(common.MARKETS), wire.INSTRUMENT)

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        book = await self._get(common.BOOK, symbol=instrument.venue_symbol, depth=depth)
        return wire.to_book(book, instrument.symbol, self._provenance)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        rows = await self._get(common.TRADES, symbol=instrument.venue_symbol, limit=limit)
        return readable(rows, lambda row: wire.to_trade(row_of(row, wire.TradeRow), instrument.symbol, self._provenance))

    async def fetch_stats(self) -> Sequence[MarketStats]:
        rows = readable(await self._get(common.FIGURES), wire.FIGURES)
        return [wire.to_stats(row, self._provenance) for row in rows]

    async def _place(self, request: OrderRequest) -> Order:
        order = {
            "symbol": request.instrument.venue_symbol,
            "side": wire.SIDE_WORDS[request.side],
            "size": wire_text(request.size),
            "price": None if request.price is None else wire_text(request.price),
            "tif": wire.TIF[request.time_in_force],
            "reduceOnly": request.reduce_only,
            "clientId": request.client_order_id or None,
        }
        reply = await self._session.call(common.PLACE, payload=order, urgent=request.urgent)
        return wire.to_order(reply.result)

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        await self._session.call(common.CANCEL, query=_which(ref))

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        """The order keeps its id, and `size` is the total, what has filled included."""
        change = {"id": order.venue_order_id, "price": wire_text(price), "size": wire_text(size)}
        return wire.to_order((await self._session.call(common.AMEND, payload=change)).result)

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        await self._session.call(common.CANCEL_ALL, query=_of(instrument))

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        payload = {"symbol": instrument.venue_symbol, "leverage": leverage}
        await self._session.call(common.SET_LEVERAGE, payload=payload)

    async def fetch_leverage(self, instrument: Instrument) -> int | None:
        leverage: int = await self._get(common.LEVERAGE, symbol=instrument.venue_symbol)
        return leverage

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        return wire.to_order(await self._get(common.ORDER, **_which(ref)))

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        return await self._rows(common.ORDERS, wire.ORDER, **_of(instrument))

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        return await self._pages(common.FILLS, wire.FILL, since_ms, instrument)

    async def fetch_positions(self) -> Sequence[Position]:
        return await self._rows(common.POSITIONS, wire.POSITION)

    async def fetch_balance(self) -> Balance:
        return wire.to_balance(await self._get(common.BALANCE))

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        return await self._pages(common.PAYMENTS, wire.PAYMENT, since_ms, instrument)

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> FeeRates:
        return wire.to_fee_rates(await self._get(common.FEES))

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        """{"topic":"book","market":"BTC-PERP","data":{"bids":[["89999","1.2"]],"asks":[["90001","0.4"]],"seq":7,"time":1}}"""
        books = WholeBooks(lambda book: wire.to_book(book, instrument.symbol, self._provenance))
        topic = self._streams.topic(common.BOOK_CHANNEL, instrument.venue_symbol, books, books.forget)
        return self._stream.subscribe(topic, depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        """{"topic":"orders","data":[{"id":"7","symbol":"BTC-PERP","status":"OPEN",…}]}"""
        return self._own(common.ORDERS_CHANNEL, each_row(OrderEvent, wire.ORDER))

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        """{"topic":"fills","data":[{"id":"3","orderId":"7","size":"0.01","price":"90001",…}]}"""
        return self._own(common.FILLS_CHANNEL, each_row(FillEvent, wire.FILL))

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        """{"topic":"account","data":{"positions":[{"symbol":"BTC-PERP",…}],"balance":{"wallet":"10000",…}}}"""

        def on_frame(frame: DataFrame[wire.AccountRow]) -> tuple[AccountEvent]:
            positions = every(frame.data.positions, wire.POSITION, self.venue, "account")
            return (AccountEvent(self.venue, tuple(positions), wire.to_balance(frame.data.balance)),)

        return self._own(common.ACCOUNT_CHANNEL, on_frame)

    def _own(self, channel: Channel, handler: Callable[[Any], Iterable[Any]]) -> EventStream[Any]:
        self._credential("api_key")
        return self._stream.subscribe(self._streams.topic(channel, "", handler))

    async def _get(self, endpoint: Endpoint, **query: Any) -> Any:
        return (await self._session.call(endpoint, query=query)).result

    async def _rows(self, endpoint: Endpoint, read: Callable[[msgspec.Raw], Row | None], **query: Any) -> list[Row]:
        """Rows about our own money: all of them can be read, or it is an error."""
        return every(await self._get(endpoint, **query), read, self.venue, endpoint.name)

    async def _pages(
        self, endpoint: Endpoint, read: Callable[[msgspec.Raw], Row | None], since_ms: int, instrument: Instrument | None
    ) -> list[Row]:
        """The same at or after `since_ms`, oldest first, all pages."""

        async def fetch(from_ms: int) -> list[msgspec.Raw]:
            query = {**_of(instrument), "since": from_ms, "limit": common.ROWS_MAX}
            rows: list[msgspec.Raw] = await self._get(endpoint, **query)
            return rows

        found = await pages_by_time(
            fetch,
            since_ms,
            common.ROWS_MAX,
            lambda row: row_of(row, wire.Stamped).id,
            lambda row: row_of(row, wire.Stamped).time,
            self.venue,
            endpoint.name,
        )
        return every(found, read, self.venue, endpoint.name)


def _which(ref: OrderRef) -> dict[str, str]:
    return {"id" if isinstance(ref, ByVenueId) else "clientId": ref.id}


def _of(instrument: Instrument | None) -> dict[str, str]:
    return {} if instrument is None else {"symbol": instrument.venue_symbol}
