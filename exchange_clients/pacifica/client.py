"""Trading on Pacifica. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients.base import BaseExchangeClient
from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.endpoint import Call, Channel, Endpoint, Retry
from exchange_clients.engine.merge import Merged
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream import Confirmed, Control, Denied, Stream, StreamDialect, Topic
from exchange_clients.engine.transport import HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import (
    AuthenticationFailed,
    BelowMinimum,
    ExchangeError,
    InsufficientMargin,
    Misconfigured,
    OrderNotFound,
    OrderRejected,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyViolated,
    Refused,
    WouldCross,
)
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, signed_text

TIF = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "ALO"}
MARKET_SLIPPAGE_PERCENT = "5"
HISTORY_PAGES_MAX = 20

# Words count before codes: code 5 is said of an empty account and of a cancellation that failed (venue sheet section 7).
WORDS: dict[str, type[Refused]] = {
    "Failed to cancel order": OrderNotFound,
    "not found for order": OrderNotFound,
    "Order not found": OrderNotFound,
    "amount too low": BelowMinimum,
    "post only": WouldCross,
    "signature": AuthenticationFailed,
    "not authorized": AuthenticationFailed,
    "Beta access": AuthenticationFailed,
    "expired": AuthenticationFailed,
}
CODES: dict[int | None, type[Refused]] = {
    5: InsufficientMargin,
    6: OrderNotFound,
    7: BelowMinimum,
    21: ReduceOnlyViolated,
    22: ReduceOnlyViolated,
    23: ReduceOnlyViolated,
    28: InsufficientMargin,
    30: PriceOutOfBand,
    37: OrderNotFound,
    401: AuthenticationFailed,
    402: AuthenticationFailed,
    403: AuthenticationFailed,
}


class PacificaDialect(Dialect):
    """Signs acting calls; a refusal carries `success: false`, whatever its HTTP status."""

    def __init__(self, wiring: Wiring) -> None:
        self._clock = wiring.clock
        self._who: dict[str, str] = {}
        self._signer: Signer | None = None
        key = wiring.credentials.get("private_key") if wiring.credentials is not None else ""
        if not key or wiring.credentials is None:
            return
        try:
            self._signer = Signer(key)
        except ValueError as error:
            raise Misconfigured(wire.VENUE, "credentials", "private_key is not 64 bytes in base58") from error
        account = wiring.credentials.get("account") or self._signer.address
        agent = {} if account == self._signer.address else {"agent_wallet": self._signer.address}
        self._who = {"account": account, **agent}

    def sign(self, call: Call) -> tuple[dict[str, str], bytes | None]:
        if not call.endpoint.private:
            return {}, None
        if self._signer is None:
            raise Misconfigured(wire.VENUE, call.endpoint.name, "acting needs the credential private_key")
        now_ms, window_ms = self._clock.now_ms(), self._clock.wire_ms(common.EXPIRY_WINDOW_MS)
        signature = self._signer.sign(signed_text(call.endpoint.operation, now_ms, window_ms, call.payload))
        header = {**self._who, "signature": signature, "timestamp": now_ms, "expiry_window": window_ms}
        return {"Content-Type": "application/json"}, msgspec.json.encode({**header, **call.payload})

    def refusal(self, call: Call, response: HttpResponse) -> ExchangeError | None:
        operation, acting = call.endpoint.name, call.endpoint.retry is Retry.ACT
        if response.status == 429 and not acting:
            wait_s = _reset_s(response.headers.get("ratelimit", ""))
            return RateLimited(wire.VENUE, operation, f"the credits are spent; waiting {wait_s:g} s", wait_s)
        if response.status == 429 or response.status >= 500:
            return None  # nobody says that nothing happened
        try:
            said = msgspec.json.decode(response.body, type=wire.Refusal)
        except msgspec.MsgspecError:
            return None
        if said.success:
            return None
        default = CODES.get(said.code, OrderRejected if acting else Refused)
        if response.status == 403:
            default = AuthenticationFailed
        error = refused(wire.VENUE, operation, said.error or said.error_id, WORDS, default=default)
        error.code = str(said.code)
        return error


def _reset_s(header: str) -> float:
    """Seconds until the credits are back, from `"credits";r=1200;t=32`."""
    fields = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    return float(fields["t"]) if fields.get("t", "").isdigit() else 1.0


class PacificaStreams(StreamDialect):
    """`{"channel": …, "data": …}` frames; subscriptions are confirmed by an echo. No channel needs a login."""

    heartbeat = b'{"method":"ping"}'
    heartbeat_every_s = 25.0

    def token(self, frame: bytes) -> bytes:
        start = frame.find(b'"channel":"')
        return b"" if start < 0 else frame[start + 11 : frame.find(b'"', start + 11)]

    def key(self, channel: Channel, frame: Any) -> str:
        return str(frame.data.s) if channel is common.BOOK_CHANNEL else ""

    def control(self, frame: bytes) -> Control:
        message = msgspec.json.decode(frame)
        if message.get("channel") == "subscribe":
            return Confirmed(_identity(message["data"]))
        if "channel" not in message and message.get("code", 200) != 200:
            return Denied("", Refused(wire.VENUE, "subscribe", str(message.get("err", message)), str(message["code"])))
        return None


def _identity(params: dict[str, Any]) -> str:
    return f"{params['source']}:{params.get('symbol') or params.get('account', '')}"


class PacificaClient(BaseExchangeClient):
    """One account. `private_key` is its wallet's, or that of an agent which the wallet has bound; `account` is always the wallet."""

    venue = wire.VENUE
    capabilities = common.SPEC.capabilities

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._provenance = wiring.environment.provenance
        self._session = Session(self.venue, wiring, PacificaDialect(wiring))
        self._stream = Stream(self.venue, wiring, PacificaStreams())
        self._address = wiring.credentials.get("account") if wiring.credentials is not None else ""

    async def close(self) -> None:
        await self._stream.close()

    async def fetch_instruments(self) -> Sequence[Instrument]:
        return wire.to_instruments((await self._session.call(common.INFO)).data)

    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        query = {"symbol": instrument.venue_symbol, "agg_level": 1}
        full = wire.to_book((await self._session.call(common.BOOK, query=query)).data, instrument.symbol, self._provenance)
        return msgspec.structs.replace(full, bids=full.bids[:depth], asks=full.asks[:depth])

    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        rows = (await self._session.call(common.TRADES, query={"symbol": instrument.venue_symbol})).data
        trades = [wire.to_trade(row, instrument.symbol, self._provenance) for row in rows]
        return sorted(trades, key=lambda trade: trade.time_ms)[-limit:]

    async def fetch_stats(self) -> Sequence[MarketStats]:
        perpetuals = {instrument.venue_symbol for instrument in await self.fetch_instruments()}
        rows = (await self._session.call(common.PRICES)).data
        return [wire.to_stats(row, self._provenance) for row in rows if row.symbol in perpetuals]

    async def place_order(self, request: OrderRequest) -> Order:
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
            order |= {"price": wire_text(request.price), "tif": TIF[request.time_in_force]}
            reply = await self._session.call(common.CREATE_ORDER, payload=order)
        now_ms = self._wiring.clock.now_ms()  # the answer names the order and nothing else; it is matched a moment later
        return request.reported(OrderStatus.PENDING, now_ms, venue_order_id=str(reply.data.order_id), filled=Decimal(0))

    async def cancel_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> None:
        which = {"order_id": int(venue_order_id)} if venue_order_id is not None else {"client_order_id": client_order_id}
        await self._session.call(common.CANCEL_ORDER, payload={"symbol": instrument.venue_symbol, **which})

    async def amend_order(self, order: Order, instrument: Instrument, *, price: Decimal, size: Decimal) -> Order:
        """The venue puts a new order of the amount sent in the place of the old one, so what filled already is left out of it.

        A fill that happens on the way there is not: the two orders together can then fill more than `size`.
        """
        edit = {
            "symbol": instrument.venue_symbol,
            "price": wire_text(price),
            "amount": wire_text(size - order.filled),
            "order_id": int(order.venue_order_id),
        }
        reply = await self._session.call(common.EDIT_ORDER, payload=edit)
        return msgspec.structs.replace(
            order,
            venue_order_id=str(reply.data.order_id),
            price=price,
            size=size,
            status=OrderStatus.PENDING,
            updated_ms=self._wiring.clock.now_ms(),
        )

    async def cancel_all_orders(self, instrument: Instrument | None = None) -> None:
        which = {"all_symbols": True} if instrument is None else {"all_symbols": False, "symbol": instrument.venue_symbol}
        await self._session.call(common.CANCEL_ALL_ORDERS, payload={**which, "exclude_reduce_only": False})

    async def set_leverage(self, instrument: Instrument, leverage: int) -> None:
        """The venue lets leverage only rise while a position is open."""
        payload = {"symbol": instrument.venue_symbol, "leverage": leverage}
        await self._session.call(common.UPDATE_LEVERAGE, payload=payload)

    async def fetch_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> Order:
        """By client id the venue has no lookup: the open orders are searched, then the latest HISTORY_PAGES_MAX pages of all."""
        if venue_order_id is not None:
            events = (await self._session.call(common.ORDER_EVENTS, query={"order_id": int(venue_order_id)})).data
            if events:
                return wire.to_order_of(events)
        elif (row := await self._find(client_order_id)) is not None:
            return wire.to_order(row)
        raise OrderNotFound(self.venue, "fetch_order", f"the venue knows no order {venue_order_id or client_order_id} now")

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

    async def fetch_fee_rates(self) -> FeeRates:
        return wire.to_fee_rates((await self._of_account(common.ACCOUNT)).data)

    def stream_book(self, instrument: Instrument, depth: int = 20) -> AsyncIterator[BookEvent | Connectivity]:
        symbol, provenance, newest = instrument.symbol, self._provenance, 0

        def on_start() -> None:
            nonlocal newest
            newest = 0

        def on_frame(frame: wire.Frame[wire.Book]) -> Iterable[BookEvent]:
            nonlocal newest
            if frame.data.li < newest:  # overtaken by a younger snapshot
                return ()
            newest = frame.data.li
            full = wire.to_book(frame.data, symbol, provenance)
            if full.is_crossed():
                raise Gap("the book crosses")
            return (BookEvent(msgspec.structs.replace(full, bids=full.bids[:depth], asks=full.asks[:depth])),)

        params = {"source": "book", "symbol": instrument.venue_symbol, "agg_level": 1}
        return self._stream.subscribe(_topic(common.BOOK_CHANNEL, f"book {symbol}", params, on_frame, on_start))

    def stream_orders(self) -> AsyncIterator[OrderEvent | Connectivity]:
        def on_frame(frame: wire.Frame[list[wire.OrderUpdate]]) -> list[OrderEvent]:
            return [OrderEvent(wire.to_order(update.row())) for update in frame.data]

        return self._stream.subscribe(self._account_topic(common.ORDERS_CHANNEL, "orders", on_frame))

    def stream_fills(self) -> AsyncIterator[FillEvent | Connectivity]:
        def on_frame(frame: wire.Frame[list[wire.FillUpdate]]) -> list[FillEvent]:
            return [FillEvent(wire.to_fill(update.row())) for update in frame.data]

        return self._stream.subscribe(self._account_topic(common.FILLS_CHANNEL, "fills", on_frame))

    def stream_account(self) -> AsyncIterator[AccountEvent | Connectivity]:
        def on_positions(frame: wire.Frame[list[wire.PositionUpdate]]) -> tuple[AccountEvent]:
            held = tuple(wire.to_position(update.row()) for update in frame.data if update.a)
            return (AccountEvent(self.venue, held, None),)

        def on_account(frame: wire.Frame[wire.AccountUpdate]) -> tuple[AccountEvent]:
            a = frame.data
            return (AccountEvent(self.venue, None, Balance(self.venue, wire.QUOTE, a.b, a.ae, a.spendable, a.t)),)

        positions = self._stream.subscribe(self._account_topic(common.POSITIONS_CHANNEL, "positions", on_positions))
        return Merged(positions, self._stream.subscribe(self._account_topic(common.ACCOUNT_CHANNEL, "account", on_account)))

    def _account_topic(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> Topic:
        return _topic(channel, name, {"source": channel.name, "account": self._account()}, handler)

    def _account(self) -> str:
        if not self._address:
            raise Misconfigured(self.venue, "credentials", "reading an account needs the credential account")
        return self._address

    async def _perpetuals(self) -> set[str]:
        """Spot markets share the account's lists with perpetuals."""
        return {i.venue_symbol for i in await self.fetch_instruments()}

    async def _of_account(self, endpoint: Endpoint, **query: Any) -> Any:
        return await self._session.call(endpoint, query={"account": self._account(), **query})

    async def _pages(self, endpoint: Endpoint, since_ms: int, **query: Any) -> list[Any]:
        """Rows at or after `since_ms`, oldest first; the venue lists the newest first."""

        async def fetch(cursor: str | None) -> tuple[list[Any], str | None]:
            page = await self._of_account(endpoint, **query, cursor=cursor)
            goes_on = page.has_more and page.data and page.data[-1].created_at >= since_ms
            return page.data, page.next_cursor if goes_on else None

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


def _topic(
    channel: Channel,
    name: str,
    params: dict[str, Any],
    handler: Callable[[Any], Iterable[Any]],
    on_start: Callable[[], None] = lambda: None,
) -> Topic:
    return Topic(
        channel=channel,
        name=name,
        token=channel.name.encode(),
        key=params.get("symbol", ""),
        confirms_as=_identity(params),
        subscribe=msgspec.json.encode({"method": "subscribe", "params": params}),
        unsubscribe=msgspec.json.encode({"method": "unsubscribe", "params": params}),
        handler=handler,
        on_start=on_start,
    )
