"""Trading on Paradex. A session token opens private calls, orders carry a Stark signature besides, and replies are not outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.base import EventStream
from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import ByClientId, ByVenueId, Fill, Order, OrderRef, OrderRequest, OrderStatus
from exchange_clients.engine.account_stream import AccountStream
from exchange_clients.engine.book_builder import BookBuilder
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.json_rpc import RpcFrame
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.stream_dialect import Topic
from exchange_clients.engine.wiring import Wiring
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.dialect import ParadexDialect, ParadexStreams
from exchange_clients.venue_client import VenueClient

ROWS_PER_PAGE = 1000
ORDER_LIVES_MS = 10_000  # how long a signed order may be under way; the venue takes none that is older


class ParadexClient(VenueClient):
    """One account, by its own key or by a subkey (then `account_address` is still the main account's)."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._dialect = ParadexDialect(wiring)
        self._streams = ParadexStreams(self._dialect)
        super().__init__(wiring, self._dialect, self._streams)

    async def close(self) -> None:
        await super().close()
        await self._dialect.token.close()

    async def fetch_instruments(self) -> Sequence[Instrument]:
        markets = await self._session.call(common.MARKETS)
        return [wire.to_instrument(market) for market in markets.results if wire.is_listed(market)]

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        path = {"market": instrument.venue_symbol}
        book = await self._session.call(common.BOOK, path=path, query={"depth": depth})
        return wire.to_book(book, instrument.symbol, depth, self._provenance)

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        query = {"market": instrument.venue_symbol, "page_size": min(limit, ROWS_PER_PAGE)}
        page = await self._session.call(common.TRADES, query=query)
        return [wire.to_trade(row, self._provenance) for row in _oldest_first(page.results)][-limit:]

    async def fetch_stats(self) -> Sequence[MarketStats]:
        markets, page = await asyncio.gather(
            self._session.call(common.MARKETS), self._session.call(common.SUMMARIES, query={"market": "ALL"})
        )
        listed = {market.symbol for market in markets.results if wire.is_listed(market)}
        return [wire.to_stats(row, self._provenance) for row in page.results if row.symbol in listed]

    async def _place(self, request: OrderRequest) -> Order:
        """The reply is nearly always PENDING: the venue checks risk later; `stream_orders` or `fetch_order` tell the outcome."""
        order: dict[str, Any] = {
            "market": request.instrument.venue_symbol,
            "side": wire.SIDE_WORDS[request.side],
            "type": "MARKET" if request.price is None else "LIMIT",
            "size": wire_text(request.size),
            "price": wire_text(request.price or Decimal(0)),
            "instruction": "IOC" if request.price is None else wire.INSTRUCTIONS[request.time_in_force],
            "recv_window": self._clock.wire_ms(ORDER_LIVES_MS),
        }
        if request.client_order_id:
            order["client_id"] = request.client_order_id
        if request.reduce_only:
            order["flags"] = ["REDUCE_ONLY"]
        placed = wire.to_order(await self._session.call(common.PLACE, payload=order))
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
        return wire.to_order(await self._session.call(common.MODIFY, path=path, payload={**which, **terms}))

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        await self._session.call(common.CANCEL_ALL, query=_of_market(instrument))

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        margin = {"leverage": leverage, "margin_type": "CROSS"}
        await self._session.call(common.SET_MARGIN, path={"market": instrument.venue_symbol}, payload=margin)

    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """The venue answers by id for what is open and may have forgotten the rest; then its history is asked (newest 1,000)."""
        try:
            if isinstance(ref, ByVenueId):
                row = await self._session.call(common.ORDER, path={"order_id": ref.id})
            else:
                row = await self._session.call(common.ORDER_BY_CLIENT_ID, path={"client_id": ref.id})
        except errors.OrderNotFound:
            name = ref.id if isinstance(ref, ByClientId) else None
            query = {"market": instrument.venue_symbol, "client_id": name, "page_size": ROWS_PER_PAGE}
            page = await self._session.call(common.ORDERS_HISTORY, query=query)
            found = [row for row in page.results if ref.id == (row.id if name is None else row.client_id)]
            if not found:
                raise
            row = found[0]
        return wire.to_order(row)

    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        page = await self._session.call(common.OPEN_ORDERS, query=_of_market(instrument))
        return [wire.to_order(row) for row in page.results if wire.is_perp(row.market)]

    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        return [wire.to_fill(row) for row in await self._since(common.FILLS, instrument, since_ms)]

    async def fetch_positions(self) -> Sequence[Position]:
        page = await self._session.call(common.POSITIONS)
        positions = [wire.to_position(row) for row in page.results if wire.is_perp(row.market)]
        return [position for position in positions if position.size]

    async def fetch_balance(self) -> Balance:
        account, balances = await asyncio.gather(self._session.call(common.ACCOUNT), self._session.call(common.BALANCE))
        wallet = sum((row.size for row in balances.results if row.token == wire.USDC), Decimal(0))
        return wire.to_balance(account, wallet)

    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        return [wire.to_payment(row) for row in await self._since(common.FUNDING_PAYMENTS, instrument, since_ms)]

    async def fetch_fee_rates(self) -> FeeRates:
        page = await self._session.call(common.ACCOUNT_INFO)
        for info in page.results:
            if int(info.account, 16) == int(self._dialect.account, 16):
                return wire.to_fee_rates(info)
        raise errors.ProtocolViolation(self.venue, "account info", "the venue does not list the account that asks")

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        builder = BookBuilder(self.venue, instrument.symbol, self._provenance, rule=common.BOOK_CHANNEL.sequence)
        put = {"BUY": builder.put_bid, "SELL": builder.put_ask}
        remove = {"BUY": builder.remove_bid, "SELL": builder.remove_ask}

        def on_frame(frame: RpcFrame[wire.BookChange]) -> bool:
            change = frame.params.data
            if change.update_type == "s":
                builder.reset(change.seq_no)
            elif not builder.advance(change.seq_no):
                return False
            for level in change.inserts:
                put[level.side](level.price, level.size)
            for level in change.updates:
                put[level.side](level.price, level.size)
            for level in change.deletes:
                remove[level.side](level.price)
            builder.time_ms = change.last_updated_at
            return True

        name, market = f"book {instrument.symbol}", instrument.venue_symbol
        topic = self._streams.topic(common.BOOK_CHANNEL, market, name, on_frame, builder.forget, builder.state)
        return self._stream.subscribe(topic, depth=depth)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        return self._stream.subscribe(self._own(common.ORDERS_CHANNEL, "orders", lambda row: OrderEvent(wire.to_order(row))))

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        return self._stream.subscribe(self._own(common.FILLS_CHANNEL, "fills", lambda row: FillEvent(wire.to_fill(row))))

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        """The wallet is the settlement token's balance, as in `fetch_balance`: one channel tells it, another what it is worth."""
        known: Balance | None = None

        async def whole() -> tuple[Sequence[Position], Balance]:
            nonlocal known
            positions, balance = await asyncio.gather(self.fetch_positions(), self.fetch_balance())
            known = balance
            return positions, balance

        def on_account(frame: RpcFrame[wire.AccountSummary]) -> tuple[Balance, ...]:
            nonlocal known
            if known is not None:
                known = wire.to_balance(frame.params.data, known.wallet)
            return () if known is None else (known,)

        def on_change(frame: RpcFrame[wire.BalanceChange]) -> tuple[Balance, ...]:
            """A new wallet is told with the account that it belongs to, which may come before or after it."""
            nonlocal known
            change = frame.params.data
            if known is None or change.settlement_asset_name != wire.USDC:
                return ()
            known = msgspec.structs.replace(known, wallet=change.settlement_asset_balance_after)
            return (known,) if known.updated_ms > change.created_at else ()

        positions = self._own(common.POSITIONS_CHANNEL, "positions", wire.to_position)
        account = self._streams.topic(common.ACCOUNT_CHANNEL, "", "account", on_account)
        change = self._streams.topic(common.BALANCE_CHANNEL, "", "balance", on_change)
        return AccountStream(self.venue, self._stream.subscribe(positions, account, change), whole)

    def _own(self, channel: Channel, name: str, to_event: Callable[[Any], Any]) -> Topic:
        """A channel of our account's rows about perpetuals."""
        self._credential("account_address")

        def on_frame(frame: RpcFrame[Any]) -> Iterable[Any]:
            row = frame.params.data
            return (to_event(row),) if wire.is_perp(row.market) else ()

        return self._streams.topic(channel, "", name, on_frame)

    async def _since(self, endpoint: Endpoint, instrument: Instrument | None, since_ms: int) -> list[Any]:
        """Rows of perpetuals since `since_ms`, oldest first, all pages."""
        query: dict[str, Any] = {**_of_market(instrument), "start_at": since_ms or None, "page_size": ROWS_PER_PAGE}

        async def fetch(cursor: str | None) -> tuple[list[Any], str | None]:
            page = await self._session.call(endpoint, query={**query, "cursor": cursor})
            return page.results, page.next

        rows = {row.id: row for row in await pages_by_cursor(fetch, self.venue, endpoint.name)}
        return _oldest_first([row for row in rows.values() if row.created_at >= since_ms and wire.is_perp(row.market)])


def _of_market(instrument: Instrument | None) -> dict[str, Any]:
    return {"market": None if instrument is None else instrument.venue_symbol}


def _oldest_first(rows: list[Any]) -> list[Any]:
    oldest_first = list(reversed(rows))  # pages come newest first, and rows share instants
    oldest_first.sort(key=lambda row: row.created_at)
    return oldest_first
