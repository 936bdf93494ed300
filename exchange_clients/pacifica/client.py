"""Trading on Pacifica. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

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
    Position,
    wire_text,
)
from exchange_clients.domain.numbers import EXACT
from exchange_clients.engine.account_stream import AccountStream, Changed
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.generations import Generations
from exchange_clients.engine.handlers import WholeBooks, each_row
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.rows import every, member, readable, row_of
from exchange_clients.engine.stream_dialect import Blind, Topic
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.dialect import PacificaDialect, PacificaStreams
from exchange_clients.venue_client import VenueClient

Row = TypeVar("Row")
MARKET_SLIPPAGE_PERCENT = "5"
HISTORY_PAGES_MAX = 20
NOBODYS_ORDER = str(UUID(int=0))


class PacificaClient(VenueClient):
    """One account. `private_key` is its wallet's, or that of an agent which the wallet has bound; `account` is always the wallet."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._streams = PacificaStreams()
        super().__init__(wiring, PacificaDialect(wiring), self._streams)
        self._listed: dict[str, Instrument | None] = {}
        self._leverages: dict[str, Decimal] = {}
        self._spot = Decimal(0)
        self._generations = Generations()

    async def verify_access(self) -> None:
        """No call tells whether a key may act; cancelling an order that can't exist does, and changes nothing."""
        for anywhere in (await self.fetch_instruments())[:1]:
            with suppress(errors.OrderNotFound):
                await self.cancel_order(anywhere, domain.ByClientId(NOBODYS_ORDER))

    async def fetch_instruments(self) -> Sequence[Instrument]:
        rows = (await self._session.call(common.INFO)).data
        found, names = readable(rows, wire.instrument_of), readable(rows, wire.reader(wire.Named))
        self._listed = {row.symbol: None for row in names} | {i.venue_symbol: i for i in found}
        return found

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> domain.OrderBook:
        query = {"symbol": instrument.venue_symbol, "agg_level": 1}
        reply = await self._session.call(common.BOOK, query=query)
        return wire.to_book(reply.data, instrument.symbol, self._provenance).top(depth)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[domain.Trade]:
        rows = (await self._session.call(common.TRADES, query={"symbol": instrument.venue_symbol})).data
        trades = [wire.to_trade(row, instrument.symbol, self._provenance) for row in readable(rows, wire.reader(wire.TradeRow))]
        return sorted(trades, key=lambda trade: trade.time_ms)[-limit:] if limit > 0 else []

    async def fetch_stats(self) -> Sequence[domain.MarketStats]:
        rows, now_ms = wire.price_rows((await self._session.call(common.PRICES)).data), self._clock.now_ms()
        ours = await self._ours(row.symbol for row in rows)
        return [wire.to_stats(row, now_ms, self._provenance) for row in rows if row.symbol in ours]

    async def _place(self, request: OrderRequest) -> Order:
        order: dict[str, Any] = {
            "symbol": request.instrument.venue_symbol,
            "side": wire.BOOK_SIDES[request.side],
            "amount": wire_text(request.size),
            "reduce_only": request.reduce_only,
        }
        if request.client_order_id:
            order["client_order_id"] = request.client_order_id
        if request.price is None:
            order["slippage_percent"] = MARKET_SLIPPAGE_PERCENT
            reply = await self._session.call(common.CREATE_MARKET_ORDER, payload=order, urgent=request.urgent)
        else:
            order |= {"price": wire_text(request.price), "tif": wire.TIF[request.time_in_force]}
            reply = await self._session.call(common.CREATE_ORDER, payload=order, urgent=request.urgent)
        now_ms = self._clock.now_ms()  # the answer names the order and nothing else; it is matched a moment later
        placed = request.reported(OrderStatus.PENDING, now_ms, venue_order_id=str(reply.data.order_id), filled=Decimal(0))
        self._generations.followed([placed])
        return placed

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        which = {"order_id": wire.to_order_id(ref)} if isinstance(ref, ByVenueId) else {"client_order_id": ref.id}
        await self._session.call(common.CANCEL_ORDER, payload={"symbol": instrument.venue_symbol, **which})

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        """The venue cancels the order and puts a new one, always post-only, of the amount sent in its place.

        What filled already is left out of that amount. A fill that happens on the way there is not: the two together can then fill
        more than `size`. An amendment across the book cancels the order and then refuses the new one: ask how it ended.
        """
        which = {"symbol": instrument.venue_symbol, "order_id": wire.to_order_id(ByVenueId(order.venue_order_id))}
        edit = {**which, "price": wire_text(price), "amount": wire_text(EXACT.subtract(size, order.filled))}
        with self._generations.replacing(order):
            new_id = str((await self._session.call(common.EDIT_ORDER, payload=edit)).data.order_id)
            self._generations.replaced(order, new_id)
        return msgspec.structs.replace(
            order,
            venue_order_id=new_id,
            price=price,
            size=size,
            status=OrderStatus.PENDING,
            time_in_force=domain.TimeInForce.POST_ONLY,
            updated_ms=self._clock.now_ms(),
        )

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        which = {"all_symbols": True} if instrument is None else {"all_symbols": False, "symbol": instrument.venue_symbol}
        await self._session.call(common.CANCEL_ALL_ORDERS, payload={**which, "exclude_reduce_only": False})

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        """The venue lets leverage only rise while a position is open."""
        payload = {"symbol": instrument.venue_symbol, "leverage": leverage}
        await self._session.call(common.UPDATE_LEVERAGE, payload=payload)
        self._leverages[instrument.venue_symbol] = Decimal(leverage)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """By client id the venue has no lookup: the open orders are searched, then the latest HISTORY_PAGES_MAX pages of all."""
        found = await self._by_id(wire.to_order_id(ref)) if isinstance(ref, ByVenueId) else await self._by_name(ref.id)
        if found is None:
            raise errors.OrderNotFound(self.venue, "fetch_order", f"the venue knows no order {ref.id} now")
        for earlier in self._generations.unsettled(found.venue_order_id):
            if (before := await self._by_id(int(earlier))) is not None:
                self._generations.whole(before)
        return self._generations.whole(found)

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        rows = await self._own_rows(common.ORDERS, wire.OrderRow, (await self._of_account(common.ORDERS)).data)
        orders = [wire.to_order(row) for row in rows if instrument is None or row.symbol == instrument.venue_symbol]
        return [self._generations.whole(order) for order in orders]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        symbol = None if instrument is None else instrument.venue_symbol
        rows = await self._pages(common.TRADES_HISTORY, wire.FillRow, since_ms, symbol=symbol, start_time=since_ms or None)
        return [wire.to_fill(row) for row in rows if symbol in (None, row.symbol)]

    async def fetch_positions(self) -> Sequence[Position]:
        """Three calls, or one when nothing is held: the list of positions knows neither mark nor leverage."""
        rows = await self._own_rows(common.POSITIONS, wire.PositionRow, (await self._of_account(common.POSITIONS)).data)
        if not rows:
            return []
        prices = wire.price_rows((await self._session.call(common.PRICES)).data)
        marks = {row.symbol: domain.said_number(row.mark) for row in prices}
        await self._read_leverages()
        return [self._position(row, marks.get(row.symbol)) for row in rows if row.amount]

    async def fetch_balance(self) -> domain.Balance:
        account = (await self._of_account(common.ACCOUNT)).data
        self._spot = account.spot
        return wire.to_balance(account, account.spot)

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[domain.FundingPayment]:
        rows = await self._pages(common.FUNDING_HISTORY, wire.PaymentRow, since_ms)
        return [wire.to_payment(row) for row in rows if row.symbol == instrument.venue_symbol]

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> domain.FeeRates:
        return wire.to_fee_rates((await self._of_account(common.ACCOUNT)).data)

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        symbol, which = instrument.symbol, {"symbol": instrument.venue_symbol, "agg_level": 1}
        books = WholeBooks(lambda frame: wire.to_book(frame.data, symbol, self._provenance))
        topic = self._streams.topic(common.BOOK_CHANNEL, f"book {symbol}", which, books, books.forget)
        return self._stream.subscribe(topic, depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        orders = self._each(OrderEvent, wire.OrderUpdate, lambda row: self._generations.now(wire.to_order(row)))
        return self._stream.subscribe(self._own(common.ORDERS_CHANNEL, "orders", orders))

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        fills = self._each(FillEvent, wire.FillUpdate, wire.to_fill)
        return self._stream.subscribe(self._own(common.FILLS_CHANNEL, "fills", fills))

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        """The channels know no mark, so the result of a position is known when the stream (re)starts and not between."""
        read_positions = self._each(lambda position: position, wire.PositionUpdate, self._position)

        def on_positions(frame: DataFrame[list[msgspec.Raw]]) -> Iterable[Any]:
            told = list(read_positions(frame))
            odd = [event for event in told if isinstance(event, Blind)]
            return odd or (tuple(position for position in told if position.size),)

        def on_leverage(frame: DataFrame[wire.LeverageUpdate]) -> Iterable[Any]:
            self._leverages[frame.data.symbol] = frame.data.leverage
            return (Changed(domain.identify(frame.data.symbol).base, {"leverage": frame.data.leverage}),)

        def on_account(frame: DataFrame[wire.AccountUpdate]) -> Iterable[Any]:
            return (wire.to_balance(frame.data, self._spot),)

        changes = self._stream.subscribe(
            self._own(common.POSITIONS_CHANNEL, "positions", on_positions),
            self._own(common.LEVERAGE_CHANNEL, "leverages", on_leverage),
            self._own(common.ACCOUNT_CHANNEL, "account", on_account),
        )
        return AccountStream(self.venue, changes, self._whole)

    async def _whole(self) -> tuple[Sequence[Position], domain.Balance]:
        positions = await self.fetch_positions()
        if not positions:
            await self._read_leverages()
        return positions, await self.fetch_balance()

    def _each(self, event: Callable[[Any], Any], kind: type[Row], make: Callable[[Row], Any]) -> Callable[[Any], Iterator[Any]]:
        """An event of what is made of each row about a perpetual, where it makes anything."""

        def read(raw: msgspec.Raw) -> Any:
            return make(row_of(raw, kind)) if self._is_ours(member(raw, "s", str)) else None

        return each_row(event, read)

    def _own(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> Topic:
        return self._streams.topic(channel, name, {"account": self._account()}, handler)

    def _account(self) -> str:
        return self._credential("account")

    def _is_ours(self, symbol: str) -> bool:
        """Spot shares the account's lists and channels with perpetuals."""
        if symbol in self._listed:
            return self._listed[symbol] is not None
        return not wire.is_spot_name(symbol)

    async def _ours(self, symbols: Iterable[str]) -> set[str]:
        """The perpetuals among `symbols`; the list of markets is read again for a name that it did not have."""
        wanted = set(symbols)
        if not wanted <= self._listed.keys():
            await self.fetch_instruments()
        return {symbol for symbol in wanted if self._listed.get(symbol) is not None}

    async def _own_rows(self, endpoint: Endpoint, kind: type[Row], rows: list[msgspec.Raw]) -> list[Row]:
        """The account's rows about perpetuals. Raises ProtocolViolation for one of them that can't be read."""
        await self._ours(row.symbol for row in readable(rows, wire.reader(wire.Named)))
        return every(rows, wire.reader(kind, lambda raw: self._is_ours(member(raw, "symbol", str))), self.venue, endpoint.name)

    async def _read_leverages(self) -> None:
        """Only markets whose setting was changed are listed; the others have their highest."""
        settings = (await self._of_account(common.SETTINGS)).data
        changed = settings.margin_settings if isinstance(settings, wire.Settings) else settings
        self._leverages = {row.symbol: row.leverage for row in changed}

    def _position(self, row: wire.PositionRow, mark: Decimal | None = None) -> Position:
        listed = self._listed.get(row.symbol)
        highest = listed.max_leverage if listed is not None else None
        return wire.to_position(row, mark, self._leverages.get(row.symbol, highest))

    async def _of_account(self, endpoint: Endpoint, **query: Any) -> Any:
        return await self._session.call(endpoint, query={"account": self._account(), **query})

    async def _pages(self, endpoint: Endpoint, kind: type[Row], since_ms: int, **query: Any) -> list[Row]:
        """Rows at or after `since_ms`, oldest first; the venue lists the newest first."""

        async def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            page = await self._of_account(endpoint, **query, cursor=cursor)
            oldest_ms = min(readable(page.data, lambda row: member(row, "created_at", int)), default=0)
            return await self._own_rows(endpoint, kind, page.data), page.cursor if oldest_ms >= since_ms else None

        pages: list[Any] = await pages_by_cursor(fetch, self.venue, endpoint.name)
        rows = {row.history_id: row for row in pages if row.created_at >= since_ms}.values()
        return sorted(rows, key=lambda row: (row.created_at, row.history_id))

    async def _by_id(self, order_id: int) -> Order | None:
        events = (await self._session.call(common.ORDER_EVENTS, query={"order_id": order_id})).data
        rows = every(events, wire.reader(wire.OrderRow), self.venue, common.ORDER_EVENTS.name)
        return wire.to_order_of(rows) if rows else None

    async def _by_name(self, client_order_id: str) -> Order | None:
        """The newest of that name: an amended order leaves its name to its successor."""
        page, cursor = await self._of_account(common.ORDERS), None
        for _ in range(HISTORY_PAGES_MAX):
            if found := self._of_name(page, client_order_id):
                newest = max(found, key=lambda row: row.order_id)
                if not self._generations.knows(str(newest.order_id)):
                    # It is from before this client: the latest page tells of others.
                    page = await self._of_account(common.ORDERS_HISTORY)
                    self._generations.followed([wire.to_order(row) for row in (newest, *self._of_name(page, client_order_id))])
                return wire.to_order(newest)
            if cursor == "":
                return None
            page = await self._of_account(common.ORDERS_HISTORY, cursor=cursor)
            cursor = page.cursor or ""
        return None

    def _of_name(self, page: wire.Rows, client_order_id: str) -> list[wire.OrderRow]:
        mine = wire.reader(wire.OrderRow, lambda row: row_of(row, wire.OrderRef).client_order_id == client_order_id)
        return every(page.data, mine, self.venue, "fetch_order")
