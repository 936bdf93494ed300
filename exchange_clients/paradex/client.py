"""Trading on Paradex. A session token opens private calls, orders carry a Stark signature besides, and replies are not outcomes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from exchange_clients.base import BaseExchangeClient
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
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.engine.book_builder import BookBuilder
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Session
from exchange_clients.engine.stream import Confirmed, Control, Denied, Stream, StreamDialect, Topic
from exchange_clients.engine.subscription import Subscription
from exchange_clients.engine.transport import Socket
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import (
    AuthenticationFailed,
    Misconfigured,
    NotSent,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolViolation,
    RateLimited,
    Refused,
)
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.signing import ParadexDialect

INSTRUCTIONS = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "POST_ONLY"}
ROWS_PER_PAGE = 1000
ORDER_LIVES_MS = 10_000  # how long a signed order may be under way; the venue takes none that is older
STATE_AGAIN_S = 1.0
LOGIN_ID = 0


class ParadexStreams(StreamDialect):
    """JSON-RPC: every request carries an id, its answer carries it back. Data frames name their channel.

    The venue has no heartbeat of its own; the transport's pings tell whether the other end lives, so silence means nothing.
    """

    silence_s_max = math.inf
    _channel_starts = b'"params":{"channel":"'

    def __init__(self, dialect: ParadexDialect) -> None:
        self._dialect = dialect

    def token(self, frame: bytes) -> bytes:
        start = frame.find(self._channel_starts)
        if start < 0:
            return b""
        start += len(self._channel_starts)
        return frame[start : frame.find(b'"', start)]

    def control(self, frame: bytes) -> Control:
        answer = msgspec.json.decode(frame, type=wire.RpcAnswer)
        if answer.error is None:
            return Confirmed(str(answer.id))
        text = f"{answer.error.message} {answer.error.data or ''}".strip()
        if answer.id == LOGIN_ID:
            return Denied("", AuthenticationFailed(wire.VENUE, "stream login", text, str(answer.error.code)))
        return Denied(str(answer.id or ""), Refused(wire.VENUE, "subscribe", text, str(answer.error.code)))

    async def login(self, socket: Socket) -> None:
        if self._dialect.account:
            socket.send(_rpc("auth", {"bearer": await self._dialect.token()}, LOGIN_ID))


def _rpc(method: str, params: dict[str, str], number: int) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params, "id": number})


class ParadexClient(BaseExchangeClient):
    """One account, by its own key or by a subkey (then `account_address` is still the main account's)."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._provenance = wiring.environment.provenance
        self._dialect = ParadexDialect(wiring)
        self._session = Session(self.venue, wiring, self._dialect)
        self._stream = Stream(self.venue, wiring, ParadexStreams(self._dialect))
        self._request_ids = count(LOGIN_ID + 1)

    async def close(self) -> None:
        await self._stream.close()
        await self._dialect.close()

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
        page = await self._session.call(common.SUMMARIES, query={"market": "ALL"})
        return [wire.to_stats(row, self._provenance) for row in page.results if wire.is_perp(row.symbol)]

    async def place_order(self, request: OrderRequest) -> Order:
        """The reply is nearly always PENDING: the venue checks risk later; `stream_orders` or `fetch_order` tell the outcome."""
        order: dict[str, Any] = {
            "market": request.instrument.venue_symbol,
            "side": wire.SIDE_WORDS[request.side],
            "type": "MARKET" if request.price is None else "LIMIT",
            "size": wire_text(request.size),
            "price": wire_text(request.price or Decimal(0)),
            "instruction": "IOC" if request.price is None else INSTRUCTIONS[request.time_in_force],
            "recv_window": self._wiring.clock.wire_ms(ORDER_LIVES_MS),
        }
        if request.client_order_id:
            order["client_id"] = request.client_order_id
        if request.reduce_only:
            order["flags"] = ["REDUCE_ONLY"]
        placed = wire.to_order(await self._session.call(common.PLACE, payload=order))
        if placed.status is OrderStatus.REJECTED:
            raise refused(self.venue, "place order", placed.reason, common.REFUSALS)
        return placed

    async def cancel_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> None:
        if venue_order_id is not None:
            await self._session.call(common.CANCEL, path={"order_id": venue_order_id})
            return
        query = {"market": instrument.venue_symbol}
        await self._session.call(common.CANCEL_BY_CLIENT_ID, path={"client_id": client_order_id or ""}, query=query)

    async def amend_order(self, order: Order, instrument: Instrument, *, price: Decimal, size: Decimal) -> Order:
        change = {
            "id": order.venue_order_id,
            "market": instrument.venue_symbol,
            "side": wire.SIDE_WORDS[order.side],
            "type": "LIMIT",
            "size": wire_text(size),
            "price": wire_text(price),
        }
        return wire.to_order(await self._session.call(common.MODIFY, path={"order_id": order.venue_order_id}, payload=change))

    async def cancel_all_orders(self, instrument: Instrument | None = None) -> None:
        await self._session.call(common.CANCEL_ALL, query=_of_market(instrument))

    async def set_leverage(self, instrument: Instrument, leverage: int) -> None:
        margin = {"leverage": leverage, "margin_type": "CROSS"}
        await self._session.call(common.SET_MARGIN, path={"market": instrument.venue_symbol}, payload=margin)

    async def fetch_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> Order:
        """The venue answers by id for what is open and may have forgotten the rest; then its history is asked (newest 1,000)."""
        try:
            if venue_order_id is not None:
                row = await self._session.call(common.ORDER, path={"order_id": venue_order_id})
            else:
                row = await self._session.call(common.ORDER_BY_CLIENT_ID, path={"client_id": client_order_id or ""})
        except OrderNotFound:
            query = {"market": instrument.venue_symbol, "client_id": client_order_id, "page_size": ROWS_PER_PAGE}
            page = await self._session.call(common.ORDERS_HISTORY, query=query)
            found = [row for row in page.results if client_order_id == row.client_id or venue_order_id == row.id]
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
        return [wire.to_position(row) for row in page.results if wire.is_open(row)]

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
        raise ProtocolViolation(self.venue, "account info", "the venue does not list the account that asks")

    def stream_book(self, instrument: Instrument, depth: int = 20) -> AsyncIterator[BookEvent | Connectivity]:
        builder = BookBuilder(self.venue, instrument.symbol, self._provenance, depth)
        put = {"BUY": builder.put_bid, "SELL": builder.put_ask}
        remove = {"BUY": builder.remove_bid, "SELL": builder.remove_ask}

        def on_frame(frame: wire.Frame[wire.BookChange]) -> tuple[BookEvent, ...]:
            change = frame.params.data
            if change.update_type == "s":
                builder.reset(change.seq_no)
            elif not builder.advance(change.seq_no):
                return ()
            for level in change.inserts:
                put[level.side](level)
            for level in change.updates:
                put[level.side](level)
            for level in change.deletes:
                remove[level.side](level.price)
            return (BookEvent(builder.book(change.last_updated_at)),)

        channel, market = common.BOOK_CHANNEL, instrument.venue_symbol
        return self._stream.subscribe(self._topic(channel, f"book {instrument.symbol}", on_frame, market, builder.forget))

    def stream_orders(self) -> AsyncIterator[OrderEvent | Connectivity]:
        def on_frame(frame: wire.Frame[wire.OrderRow]) -> list[OrderEvent]:
            row = frame.params.data
            return [OrderEvent(wire.to_order(row))] if wire.is_perp(row.market) else []

        return self._stream.subscribe(self._topic(common.ORDERS_CHANNEL, "orders", on_frame))

    def stream_fills(self) -> AsyncIterator[FillEvent | Connectivity]:
        def on_frame(frame: wire.Frame[wire.FillRow]) -> list[FillEvent]:
            row = frame.params.data
            return [FillEvent(wire.to_fill(row))] if wire.is_perp(row.market) else []

        return self._stream.subscribe(self._topic(common.FILLS_CHANNEL, "fills", on_frame))

    def stream_account(self) -> AsyncIterator[AccountEvent | Connectivity]:
        def on_frame(frame: wire.Frame[Any]) -> tuple[Any]:
            return (frame.params.data,)

        positions = self._topic(common.POSITIONS_CHANNEL, "positions", on_frame)
        balance = self._topic(common.ACCOUNT_CHANNEL, "balance", on_frame)
        return AccountStream(self, self._stream.subscribe(positions, balance))

    def _topic(
        self,
        channel: Channel,
        name: str,
        handler: Callable[[Any], Iterable[Any]],
        market: str = "",
        on_start: Callable[[], None] = lambda: None,
    ) -> Topic:
        if channel.private and not self._dialect.account:
            raise Misconfigured(self.venue, name, "streaming an account needs its credentials")
        number, wanted = next(self._request_ids), channel.name.format(market=market)
        return Topic(
            channel=channel,
            name=name,
            token=wanted.encode(),
            key="",
            confirms_as=str(number),
            subscribe=_rpc("subscribe", {"channel": wanted}, number),
            unsubscribe=_rpc("unsubscribe", {"channel": wanted}, next(self._request_ids)),
            handler=handler,
            on_start=on_start,
        )

    async def _since(self, endpoint: Endpoint, instrument: Instrument | None, since_ms: int) -> list[Any]:
        """Rows of perpetuals since `since_ms`, oldest first, all pages."""
        query: dict[str, Any] = {**_of_market(instrument), "start_at": since_ms or None, "page_size": ROWS_PER_PAGE}

        async def fetch(cursor: str | None) -> tuple[list[Any], str | None]:
            page = await self._session.call(endpoint, query={**query, "cursor": cursor})
            return page.results, page.next

        rows = {row.id: row for row in await pages_by_cursor(fetch, self.venue, endpoint.name)}
        return _oldest_first([row for row in rows.values() if row.created_at >= since_ms and wire.is_perp(row.market)])


class AccountStream:
    """Positions and balance. The venue streams positions one at a time, so the whole is read once whenever the stream (re)starts,
    after the subscription is confirmed: whatever changes meanwhile waits in the queue and is applied on top.
    """

    def __init__(self, client: ParadexClient, changes: Subscription) -> None:
        self._client = client
        self._changes = changes
        self._positions: dict[str, Position] = {}
        self._is_stale = False

    def __aiter__(self) -> AccountStream:
        return self

    async def __anext__(self) -> AccountEvent | Connectivity:
        while self._is_stale:
            try:
                return await self._whole()
            except (NotSent, OutcomeUnknown, RateLimited):
                await asyncio.sleep(STATE_AGAIN_S)
        while True:
            change = await anext(self._changes)
            if isinstance(change, (Connected, Lost, Resumed)):
                self._is_stale = not isinstance(change, Lost)
                return change
            if isinstance(change, wire.AccountSummary):
                return AccountEvent(self._client.venue, None, wire.to_balance(change, change.total_collateral))
            if self._apply(change):
                return AccountEvent(self._client.venue, tuple(self._positions.values()), None)

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""
        await self._changes.aclose()

    async def _whole(self) -> AccountEvent:
        positions, balance = await asyncio.gather(self._client.fetch_positions(), self._client.fetch_balance())
        self._positions, self._is_stale = {position.symbol: position for position in positions}, False
        return AccountEvent(self._client.venue, tuple(positions), balance)

    def _apply(self, row: wire.PositionRow) -> bool:
        """Take in one change; False for what is not a perpetual or older than what is known."""
        if not wire.is_perp(row.market):
            return False
        position = wire.to_position(row)
        known = self._positions.get(position.symbol)
        if known is not None and known.updated_ms > position.updated_ms:
            return False
        if wire.is_open(row):
            self._positions[position.symbol] = position
        else:
            self._positions.pop(position.symbol, None)
        return True


def _of_market(instrument: Instrument | None) -> dict[str, Any]:
    return {"market": None if instrument is None else instrument.venue_symbol}


def _oldest_first(rows: list[Any]) -> list[Any]:
    oldest_first = list(reversed(rows))  # pages come newest first, and rows share instants
    oldest_first.sort(key=lambda row: row.created_at)
    return oldest_first
