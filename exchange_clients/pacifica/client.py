"""Trading on Pacifica. Reads go by account address and need no key; acting calls are signed and never repeated blindly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from exchange_clients import errors
from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, wire_text
from exchange_clients.domain.market import MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRequest, OrderStatus
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.channel_frames import ChannelFrames, DataFrame
from exchange_clients.engine.endpoint import Call, Channel, Endpoint, Retry
from exchange_clients.engine.merge import Merged
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream import Confirmed, Control, Denied
from exchange_clients.engine.subscription import Subscription
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, signed_text
from exchange_clients.venue_client import VenueClient

MARKET_SLIPPAGE_PERCENT = "5"
HISTORY_PAGES_MAX = 20
NOBODYS_ORDER = str(UUID(int=0))


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
            raise errors.Misconfigured(wire.VENUE, "credentials", "private_key is not 64 bytes in base58") from error
        account = wiring.credentials.get("account") or self._signer.address
        agent = {} if account == self._signer.address else {"agent_wallet": self._signer.address}
        self._who = {"account": account, **agent}

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if not call.endpoint.private:
            return request
        if self._signer is None:
            raise errors.Misconfigured(wire.VENUE, call.endpoint.name, "acting needs the credential private_key")
        now_ms, window_ms = self._clock.now_ms(), self._clock.wire_ms(common.EXPIRY_WINDOW_MS)
        signature = self._signer.sign(signed_text(call.endpoint.operation, now_ms, window_ms, call.payload))
        header = {**self._who, "signature": signature, "timestamp": now_ms, "expiry_window": window_ms}
        return request.with_json({**header, **call.payload})

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        operation, acting = call.endpoint.name, call.endpoint.retry is Retry.ACT
        if response.status == 429 and not acting:
            wait_s = _reset_s(response.headers.get("ratelimit", ""))
            return errors.RateLimited(wire.VENUE, operation, f"the credits are spent; waiting {wait_s:g} s", wait_s)
        if response.status == 429 or response.status >= 500:
            return None  # nobody says that nothing happened
        try:
            said = msgspec.json.decode(response.body, type=wire.Refusal)
        except msgspec.MsgspecError:
            return None
        if said.success:
            return None
        default = common.CODES.get(said.code, errors.OrderRejected if acting else errors.Refused)
        if response.status == 403:
            default = errors.AuthenticationFailed
        error = refused(wire.VENUE, operation, said.error or said.error_id, common.WORDS, default=default)
        error.code = str(said.code)
        return error


def _reset_s(header: str) -> float:
    """Seconds until the credits are back, from `"credits";r=1200;t=32`."""
    fields = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    return float(fields["t"]) if fields.get("t", "").isdigit() else 1.0


class PacificaStreams(ChannelFrames):
    """No channel needs a login: what an account does is public."""

    heartbeat_every_s = 25.0
    asked_in, channel_key, market_key, account_key = "params", "source", "symbol", "account"

    def key(self, channel: Channel, frame: Any) -> str:
        return str(frame.data.s) if channel is common.BOOK_CHANNEL else ""

    def control(self, frame: bytes) -> Control:
        message = msgspec.json.decode(frame)
        if message.get("channel") == "subscribe":
            return Confirmed(self.identity(message["data"]))
        if "channel" not in message and message.get("code", 200) != 200:
            error = errors.Refused(wire.VENUE, "subscribe", str(message.get("err", message)), str(message["code"]))
            return Denied("", error)
        return None


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
            await self.cancel_order(anywhere, client_order_id=NOBODYS_ORDER)

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

    async def cancel_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> None:
        which = {"order_id": int(venue_order_id)} if venue_order_id is not None else {"client_order_id": client_order_id}
        await self._session.call(common.CANCEL_ORDER, payload={"symbol": instrument.venue_symbol, **which})

    async def amend_order(self, order: Order, instrument: Instrument, *, price: Decimal, size: Decimal) -> Order:
        """The venue puts a new order of the amount sent in the place of the old one, so what filled already is left out of it.

        A fill that happens on the way there is not: the two orders together can then fill more than `size`.
        """
        which = {"symbol": instrument.venue_symbol, "order_id": int(order.venue_order_id)}
        edit = {**which, "price": wire_text(price), "amount": wire_text(size - order.filled)}
        reply = await self._session.call(common.EDIT_ORDER, payload=edit)
        new_id, state, now_ms = str(reply.data.order_id), OrderStatus.PENDING, self._clock.now_ms()
        return msgspec.structs.replace(order, venue_order_id=new_id, price=price, size=size, status=state, updated_ms=now_ms)

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
        raise errors.OrderNotFound(
            self.venue, "fetch_order", f"the venue knows no order {venue_order_id or client_order_id} now"
        )

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

        def on_frame(frame: DataFrame[wire.Book]) -> Iterable[BookEvent]:
            nonlocal newest
            if frame.data.li < newest:  # overtaken by a younger snapshot
                return ()
            newest = frame.data.li
            full = wire.to_book(frame.data, symbol, provenance)
            if full.is_crossed():
                raise Gap("the book crosses")
            return (BookEvent(full.top(depth)),)

        which, name = {"symbol": instrument.venue_symbol, "agg_level": 1}, f"book {symbol}"
        return self._stream.subscribe(self._streams.topic(common.BOOK_CHANNEL, name, which, on_frame, on_start))

    def stream_orders(self) -> AsyncIterator[OrderEvent | Connectivity]:
        def on_frame(frame: DataFrame[list[wire.OrderRow]]) -> list[OrderEvent]:
            return [OrderEvent(wire.to_order(row)) for row in frame.data]

        return self._of_account_channel(common.ORDERS_CHANNEL, "orders", on_frame)

    def stream_fills(self) -> AsyncIterator[FillEvent | Connectivity]:
        def on_frame(frame: DataFrame[list[wire.FillRow]]) -> list[FillEvent]:
            return [FillEvent(wire.to_fill(row)) for row in frame.data]

        return self._of_account_channel(common.FILLS_CHANNEL, "fills", on_frame)

    def stream_account(self) -> AsyncIterator[AccountEvent | Connectivity]:
        def on_positions(frame: DataFrame[list[wire.PositionRow]]) -> tuple[AccountEvent]:
            return (AccountEvent(self.venue, tuple(wire.to_position(row) for row in frame.data if row.amount), None),)

        def on_account(frame: DataFrame[wire.AccountUpdate]) -> tuple[AccountEvent]:
            new = frame.data
            balance = Balance(self.venue, wire.QUOTE, new.balance, new.equity, new.spendable, new.updated_at)
            return (AccountEvent(self.venue, None, balance),)

        positions = self._of_account_channel(common.POSITIONS_CHANNEL, "positions", on_positions)
        return Merged(positions, self._of_account_channel(common.ACCOUNT_CHANNEL, "account", on_account))

    def _of_account_channel(self, channel: Channel, name: str, handler: Callable[[Any], Iterable[Any]]) -> Subscription:
        return self._stream.subscribe(self._streams.topic(channel, name, {"account": self._account()}, handler))

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
