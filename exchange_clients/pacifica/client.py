"""Trading on Pacifica. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from exchange_clients import errors
from exchange_clients.base import EventStream
from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import ByClientId, ByVenueId, Fill, Order, OrderRef, OrderRequest, OrderStatus
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.stream_dialect import Topic
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.dialect import PacificaDialect, PacificaStreams
from exchange_clients.venue_client import VenueClient

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

    async def verify_access(self) -> None:
        """No call tells whether a key may act; cancelling an order that can't exist does, and changes nothing."""
        anywhere = (await self.fetch_instruments())[0]
        with suppress(errors.OrderNotFound):
            await self.cancel_order(anywhere, ByClientId(NOBODYS_ORDER))

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return wire.to_instruments((await self._session.call(common.INFO)).data)

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        query = {"symbol": instrument.venue_symbol, "agg_level": 1}
        reply = await self._session.call(common.BOOK, query=query)
        return wire.to_book(reply.data, instrument.symbol, self._provenance).top(depth)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        rows = (await self._session.call(common.TRADES, query={"symbol": instrument.venue_symbol})).data
        trades = [wire.to_trade(row, instrument.symbol, self._provenance) for row in rows]
        return sorted(trades, key=lambda trade: trade.time_ms)[-limit:]

    async def fetch_stats(self) -> Sequence[MarketStats]:
        perpetuals, rows = await self._perpetuals(), (await self._session.call(common.PRICES)).data
        return [wire.to_stats(row, self._provenance) for row in rows if row.symbol in perpetuals]

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
            reply = await self._session.call(common.CREATE_MARKET_ORDER, payload=order)
        else:
            order |= {"price": wire_text(request.price), "tif": wire.TIF[request.time_in_force]}
            reply = await self._session.call(common.CREATE_ORDER, payload=order)
        now_ms = self._clock.now_ms()  # the answer names the order and nothing else; it is matched a moment later
        return request.reported(OrderStatus.PENDING, now_ms, venue_order_id=str(reply.data.order_id), filled=Decimal(0))

    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        which = {"order_id": wire.to_order_id(ref)} if isinstance(ref, ByVenueId) else {"client_order_id": ref.id}
        await self._session.call(common.CANCEL_ORDER, payload={"symbol": instrument.venue_symbol, **which})

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        """The venue puts a new order of the amount sent in the place of the old one, so what filled already is left out of it.

        A fill that happens on the way there is not: the two orders together can then fill more than `size`.
        """
        which = {"symbol": instrument.venue_symbol, "order_id": int(order.venue_order_id)}
        edit = {**which, "price": wire_text(price), "amount": wire_text(size - order.filled)}
        reply = await self._session.call(common.EDIT_ORDER, payload=edit)
        new_id, state, now_ms = str(reply.data.order_id), OrderStatus.PENDING, self._clock.now_ms()
        return msgspec.structs.replace(order, venue_order_id=new_id, price=price, size=size, status=state, updated_ms=now_ms)

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        which = {"all_symbols": True} if instrument is None else {"all_symbols": False, "symbol": instrument.venue_symbol}
        await self._session.call(common.CANCEL_ALL_ORDERS, payload={**which, "exclude_reduce_only": False})

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        """The venue lets leverage only rise while a position is open."""
        payload = {"symbol": instrument.venue_symbol, "leverage": leverage}
        await self._session.call(common.UPDATE_LEVERAGE, payload=payload)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """By client id the venue has no lookup: the open orders are searched, then the latest HISTORY_PAGES_MAX pages of all."""
        if isinstance(ref, ByVenueId):
            events = (await self._session.call(common.ORDER_EVENTS, query={"order_id": wire.to_order_id(ref)})).data
            if events:
                return wire.to_order_of(events)
        elif (row := await self._find(ref.id)) is not None:
            return wire.to_order(row)
        raise errors.OrderNotFound(self.venue, "fetch_order", f"the venue knows no order {ref.id} now")

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        rows = (await self._of_account(common.ORDERS)).data
        wanted = await self._perpetuals() if instrument is None else {instrument.venue_symbol}
        return [wire.to_order(row) for row in rows if row.symbol in wanted]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        symbol = None if instrument is None else instrument.venue_symbol
        rows = await self._pages(common.TRADES_HISTORY, since_ms, symbol=symbol, start_time=since_ms or None)
        wanted = await self._perpetuals() if instrument is None else {instrument.venue_symbol}
        return [wire.to_fill(row) for row in rows if row.symbol in wanted]

    async def fetch_positions(self) -> Sequence[Position]:
        rows = (await self._of_account(common.POSITIONS)).data
        if not rows:
            return []
        marks = {row.symbol: row.mark for row in (await self._session.call(common.MARKS)).data}
        settings = (await self._of_account(common.SETTINGS)).data
        changed = settings.margin_settings if isinstance(settings, wire.Settings) else settings
        leverages = {i.venue_symbol: i.max_leverage for i in await self.fetch_instruments()}  # what holds until changed
        leverages |= {setting.symbol: setting.leverage for setting in changed}
        return [wire.to_position(row, marks.get(row.symbol), leverages.get(row.symbol)) for row in rows if row.amount]

    async def fetch_balance(self) -> Balance:
        return wire.to_balance((await self._of_account(common.ACCOUNT)).data)

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        rows = await self._pages(common.FUNDING_HISTORY, since_ms)
        return [wire.to_payment(row) for row in rows if row.symbol == instrument.venue_symbol]

    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> FeeRates:
        return wire.to_fee_rates((await self._of_account(common.ACCOUNT)).data)

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        symbol, provenance, newest = instrument.symbol, self._provenance, 0

        def on_start() -> None:
            nonlocal newest
            newest = 0

        def on_frame(frame: DataFrame[wire.Book]) -> Iterable[BookEvent]:
            nonlocal newest
            if frame.data.li < newest:  # overtaken by a younger snapshot
                return ()
            newest = frame.data.li
            full = wire.to_book(frame.data, symbol, provenance)
            if full.is_crossed():
                raise Gap("the book crosses")
            return (BookEvent(full),)

        which, name = {"symbol": instrument.venue_symbol, "agg_level": 1}, f"book {symbol}"
        topic = self._streams.topic(common.BOOK_CHANNEL, name, which, on_frame, on_start)
        return self._stream.subscribe(topic, depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        def on_frame(frame: DataFrame[list[wire.OrderRow]]) -> list[OrderEvent]:
            return [OrderEvent(wire.to_order(row)) for row in frame.data]

        return self._stream.subscribe(self._own(common.ORDERS_CHANNEL, "orders", on_frame))

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        def on_frame(frame: DataFrame[list[wire.FillRow]]) -> list[FillEvent]:
            return [FillEvent(wire.to_fill(row)) for row in frame.data]

        return self._stream.subscribe(self._own(common.FILLS_CHANNEL, "fills", on_frame))

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        def on_positions(frame: DataFrame[list[wire.PositionRow]]) -> tuple[AccountEvent]:
            return (AccountEvent(self.venue, tuple(wire.to_position(row) for row in frame.data if row.amount), None),)

        def on_account(frame: DataFrame[wire.AccountUpdate]) -> tuple[AccountEvent]:
            new = frame.data
            balance = Balance(
                venue=self.venue,
                asset=wire.QUOTE,
                wallet=new.balance,
                equity=new.equity,
                available=new.spendable,
                updated_ms=new.updated_at,
            )
            return (AccountEvent(self.venue, None, balance),)

        return self._stream.subscribe(
            self._own(common.POSITIONS_CHANNEL, "positions", on_positions),
            self._own(common.ACCOUNT_CHANNEL, "account", on_account),
        )

    def _own(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> Topic:
        return self._streams.topic(channel, name, {"account": self._account()}, handler)

    def _account(self) -> str:
        return self._credential("account")

    async def _perpetuals(self) -> set[str]:
        """Spot markets share the account's lists with perpetuals."""
        return {i.venue_symbol for i in await self.fetch_instruments()}

    async def _of_account(self, endpoint: Endpoint, **query: Any) -> Any:
        return await self._session.call(endpoint, query={"account": self._account(), **query})

    async def _pages(self, endpoint: Endpoint, since_ms: int, **query: Any) -> list[Any]:
        """Rows at or after `since_ms`, oldest first; the venue lists the newest first."""

        async def fetch(cursor: str | None) -> tuple[list[Any], str | None]:
            page = await self._of_account(endpoint, **query, cursor=cursor)
            return page.data, page.cursor_back_to(since_ms)

        rows = {row.history_id: row for row in await pages_by_cursor(fetch, self.venue, endpoint.name)}.values()
        return sorted((r for r in rows if r.created_at >= since_ms), key=lambda r: (r.created_at, r.history_id))

    async def _find(self, client_order_id: str | None) -> wire.OrderRow | None:
        page, cursor = await self._of_account(common.ORDERS), None
        for _ in range(HISTORY_PAGES_MAX):
            found: list[wire.OrderRow] = [row for row in page.data if row.client_order_id == client_order_id]
            if found:
                return max(found, key=lambda row: row.order_id)  # an edited order left its id to its successor
            if cursor == "":
                return None
            page = await self._of_account(common.ORDERS_HISTORY, cursor=cursor)
            cursor = (page.next_cursor or "") if page.has_more else ""
        return None
