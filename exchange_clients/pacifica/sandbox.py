"""Pacifica's protocol in front of a sandbox exchange: signatures, windows and credits are checked, refusals use its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from itertools import count
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import base58
import msgspec

from exchange_clients.domain.assets import identify
from exchange_clients.domain.instruments import Instrument, PriceRule, wire_text
from exchange_clients.domain.orders import OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.short_names import words
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, is_signed_by, signed_text
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.pages import page_below
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.streams import StreamingFacade, TopicSocket
from exchange_clients.sandbox.texts import exact, texts

CREDITS = Meter("credits per IP", capacity=125, window_s=60)
BIND_AGENT = Endpoint("bind_agent_wallet", "POST", "/agent/bind", None, CREDITS, operation="bind_agent_wallet")
ENDPOINTS = {(e.method, e.path): e for e in (*vars(common).values(), BIND_AGENT) if isinstance(e, Endpoint)}
BOOK_LEVELS = 10
LEVERAGE_MAX = 50
ROWS_DEFAULT, ROWS_MAX = 100, 4000
HISTORY_DELAY_MS = 4_122  # the documented payment is booked about four seconds after the hour
SILENCE_MS_MAX = 60_000
TIF = {word: tif for tif, word in wire.TIF.items()}
NOT_VERIFIED = "Verification failed: signature does not match signer and canonical payload."
Reason = world.RejectReason
REFUSALS: dict[str, tuple[int, str]] = {
    Reason.INSUFFICIENT_MARGIN: (5, "Insufficient balance"),
    Reason.BELOW_MINIMUM_NOTIONAL: (0, "Order amount too low for {account}: {detail}"),
    Reason.BAD_TICK: (52, "Invalid tick size: {detail}"),
    Reason.BAD_LOT: (59, "Invalid amount: {detail}"),
    Reason.ZERO_SIZE: (59, "Invalid amount: {detail}"),
    Reason.REDUCE_ONLY: (23, "No position for reduce only order"),
    Reason.PRICE_OUT_OF_BAND: (30, "Price too far from mark price"),
    Reason.NO_LIQUIDITY: (25, "No reasonable price found"),
    Reason.UNKNOWN_MARKET: (3, "Book not found"),
    Reason.DUPLICATE_CLIENT_ID: (36, "Duplicate client order id"),
    Reason.UNKNOWN_ORDER: (6, "Order not found"),
    Reason.LEVERAGE: (11, "Invalid leverage"),
}
ENDED = {Reason.INSUFFICIENT_MARGIN: "force_cancel", Reason.REDUCE_ONLY: "adjust"}
EVENT_CHANNELS = ("trades", "account_order_updates", "account_trades")
SNAPSHOT_CHANNELS = ("book", "prices", "account_info", "account_positions")
ACCOUNT_WORDS = words(
    "ae=account_equity as=available_to_spend aw=available_to_withdraw b=balance f=fee_level mu=total_margin_used cm=cross_mmr "
    "oc=orders_count pb=pending_balance pc=positions_count sc=stop_orders_count t=updated_at"
)
POSITION_WORDS = wire.POSITION_WORDS | words("m=margin f=funding i=isolated")
ORDER_WORDS = wire.ORDER_WORDS | words("sp=stop_price")
FILL_WORDS = wire.FILL_WORDS | words("o=entry_price tc=cause n=pnl")
MARKET_TERMS = {"min_tick": "0", "max_tick": "1000000", "max_order_size": "5000000", "isolated_only": False}
NOT_SIMULATED = {"fee_level": 0, "pending_balance": "0", "pending_interest": "0", "stop_orders_count": 0}
CROSS = {"margin": "0", "isolated": False}
NOTHING_SPECIAL = {"stop_price": None, "stop_parent_order_id": None, "trigger_price_type": None}
_PRICE = Context(prec=12)


def text(number: Decimal | None) -> str | None:
    """A derived number as the venue writes it; None stays null."""
    return None if number is None else wire_text(_PRICE.plus(number))


def measured(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(repr(round(number, 6)))


class _Refused(Exception):
    """The venue says no: HTTP status, code, words and, sometimes, an id of the error."""

    def __init__(self, status: int, code: int, words: str, error_id: str = "") -> None:
        super().__init__(words)
        self.status = status
        said = {"error_id": error_id} if error_id else {}
        self.body = {"success": False, "data": None, "error": words, "code": code, **said}

    @classmethod
    def by_exchange(cls, refusal: world.Rejected, account: str) -> _Refused:
        code, words = REFUSALS[refusal.reason]
        error_id = "invalid_amount" if refusal.reason is Reason.BELOW_MINIMUM_NOTIONAL else ""
        return cls(422, code, words.format(account=account, detail=refusal.detail), error_id)


class PacificaSandbox(StreamingFacade):
    """One exchange, the REST tree under `/api/v1` and one WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"channel":"book"'
    book_channel: ClassVar[str] = "book"

    @classmethod
    def rules(cls) -> VenueRules:
        funding = DiscreteFunding(interval_hours=Decimal(1), cap=Decimal("0.04"))
        terms = (cls.venue, common.SPEC.fees, funding, Decimal("0.000001"), Decimal(10))
        return VenueRules(*terms, price_band=Decimal("0.9"), decide_later=True)

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        figures = first_price.adjusted()
        rule, lot = PriceRule(Decimal(1).scaleb(figures - 4)), min(Decimal(1), Decimal(1).scaleb(-figures - 1))
        terms = (wire.QUOTE, rule, lot, Decimal(10), Decimal(LEVERAGE_MAX))
        return Listing(name, Instrument.perpetual(cls.venue, name, identify(name), *terms), LEVERAGE_MAX)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        super().__init__(exchange)
        self.last_id = 0
        """The exchange-wide event number (`li`)."""
        self._history_ids = count(1)
        self._meter = SpentMeter(CREDITS, exchange.clock)
        self._agents: dict[str, set[str]] = {}
        self._market_orders: set[int] = set()
        self._events: dict[int, list[dict[str, Any]]] = {}
        self._reads: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
            "/info": lambda _: _data([self._market(listing) for listing in exchange.listings.values()]),
            "/info/prices": lambda _: _data(self.prices(exchange.listings)),
            "/book": lambda q: _data(self.book(q["symbol"])),
            "/trades": lambda q: _data([_trade(t) for t in reversed(exchange.trades(q["symbol"], 100))]),
            "/funding_rate/history": lambda q: _page(self._rate_rows(q["symbol"]), q),
            "/account": lambda q: _data(self.account(self._known(q))),
            "/account/settings": lambda q: _data(self._settings(self._known(q))),
            "/positions": lambda q: self._state(self.positions(self._known(q))),
            "/orders": lambda q: self._state([self.order(o) for o in exchange.orders(self._known(q))]),
            "/orders/history": lambda q: _page(self._order_rows(self._known(q)), q),
            "/orders/history_by_id": self._order_events,
            "/trades/history": lambda q: _page(self._fill_rows(self._known(q), q), q),
            "/funding/history": lambda q: _page(self._payment_rows(self._known(q)), q),
        }
        self._acts: dict[str, Callable[[str, dict[str, Any]], Any]] = {
            "create_order": self._create,
            "create_market_order": self._create_market,
            "edit_order": self._edit,
            "cancel_order": self._cancel,
            "cancel_all_orders": self._cancel_all,
            "update_leverage": self._leverage,
            "bind_agent_wallet": lambda account, data: self._agents.setdefault(account, set()).add(data["agent_wallet"]),
        }

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        signer = Signer.from_seed(account_seed(name))
        self.exchange.open_account(signer.address, Decimal(balance))
        return {"account": signer.address, "private_key": signer.private_key}

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url.startswith("/api/v1/orders/create")

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return _Socket(self, peer)

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(common.SPEC.rest_path) if parts.path.startswith(common.SPEC.rest_path) else ""
        endpoint = ENDPOINTS.get((request.method, path))
        if endpoint is None:
            return HttpResponse(405 if any(path == other for _, other in ENDPOINTS) else 404, b"")
        try:
            if not self._meter.spend(address, endpoint.weight):
                raise _Refused(429, 429, "Rate limit exceeded")
            is_read = request.method == "GET"
            fields = dict(parse_qsl(parts.query) if is_read else msgspec.json.decode(request.body or b""))
            account = str(fields.get("account"))
            try:
                reply = self._reads[path](fields) if is_read else _data(self._act(endpoint.operation, fields))
            except world.Rejected as refusal:
                raise _Refused.by_exchange(refusal, account) from refusal
        except _Refused as refusal:
            return self._response(refusal.status, refusal.body, address)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return self._response(400, _Refused(400, 400, "Failed to deserialize the request").body, address)
        return self._response(200, reply, address)

    def _response(self, status: int, body: dict[str, Any], address: str) -> HttpResponse:
        left = self._meter.left(address)
        reset_s = round((CREDITS.capacity - left) * CREDITS.window_s / CREDITS.capacity)
        headers = {
            "content-type": "application/json",
            "ratelimit": f'"credits";r={int(left * 10)};t={max(1, reset_s)}',
            "ratelimit-policy": f'"credits";q={int(CREDITS.capacity * 10)};w={int(CREDITS.window_s)}',
        }
        return HttpResponse(status, msgspec.json.encode(body), headers)

    def _act(self, operation: str, data: dict[str, Any]) -> Any:
        """A signed action; its reply's `data`. What is left of `data` without the header counts as signed."""
        account, signature, timestamp = str(data.pop("account")), str(data.pop("signature")), data.pop("timestamp")
        window_ms = data.pop("expiry_window", self.clock.wire_ms(30_000))
        signer = account if operation == "bind_agent_wallet" else str(data.pop("agent_wallet", account))
        if not is_signed_by(signer, signed_text(operation, timestamp, window_ms, data), signature):
            raise _Refused(400, 400, NOT_VERIFIED, "signature_verification_failed")
        if self.clock.now_ms() > timestamp + window_ms:
            raise _Refused(400, 400, "Message expired")
        if signer != account and signer not in self._agents.get(account, ()):
            raise _Refused(400, 400, "Agent not authorized for account")
        if not self.exchange.has_account(account):
            raise _Refused(403, 403, "Beta access required. Signer must redeem a valid beta code.")
        return self._acts[operation](account, data)

    def _create(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        if data["tif"] not in TIF:  # TOB, which slides to the top of the book, is not simulated
            raise _Refused(422, 51, "Unsupported operation")
        return {"order_id": self._place(account, data, Decimal(data["price"]), TIF[data["tif"]])}

    def _create_market(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        """The slippage bounds the price from the touch; without a counterpart there is no touch."""
        symbol, side = data["symbol"], wire.SIDES[data["side"]]
        bids, asks, _ = self.exchange.book(symbol, 1)
        touch = asks if side is Side.BUY else bids
        if not touch:
            raise world.Rejected(Reason.NO_LIQUIDITY, symbol)
        bound = touch[0][0] * (1 + side.sign * Decimal(data["slippage_percent"]) / 100)
        price = self.exchange.listings[symbol].instrument.round_price(bound, side)
        return {"order_id": self._place(account, data, price, TimeInForce.IOC, is_market=True)}

    def _place(self, account: str, data: dict[str, Any], price: Decimal, tif: TimeInForce, *, is_market: bool = False) -> int:
        """A post-only order that would cross gets its id first and is rejected in an event; everything else is refused at once."""
        client_id, exchange = data.get("client_order_id"), self.exchange
        if client_id is not None and str(UUID(client_id)) != client_id.lower():
            raise ValueError("client_order_id is not a full UUID")
        terms = (wire.SIDES[data["side"]], Decimal(data["amount"]), price, tif, data["reduce_only"], client_id)
        order = exchange.place(account, data["symbol"], *terms)
        if is_market:
            self._market_orders.add(order.order_id)
        exchange.flush()
        judged = exchange.order(account, order_id=order.order_id)
        if judged is not None and not _is_public(judged):
            raise world.Rejected(Reason(judged.reason), "")
        return order.order_id

    def _edit(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        """`amount` is the new order's own; the exchange counts what filled before in."""
        old = self._find(account, data)
        if old is None:
            raise world.Rejected(Reason.UNKNOWN_ORDER, "")
        amount = old.filled + Decimal(data["amount"])
        return {"order_id": self.exchange.amend(account, old.order_id, Decimal(data["price"]), amount).order_id}

    def _cancel(self, account: str, data: dict[str, Any]) -> None:
        old = self._find(account, data)
        if old is None or old.status.is_terminal:
            raise _Refused(422, 5, "Failed to cancel order")
        self.exchange.cancel(account, order_id=old.order_id)

    def _find(self, account: str, data: dict[str, Any]) -> world.SandboxOrder | None:
        which = {"order_id": data["order_id"]} if "order_id" in data else {"client_order_id": data["client_order_id"]}
        order = self.exchange.order(account, **which)
        return order if order is not None and order.venue_symbol == data["symbol"] else None

    def _cancel_all(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        symbol = None if data["all_symbols"] else data["symbol"]
        chosen = [o for o in self.exchange.orders(account) if symbol in (None, o.venue_symbol)]
        chosen = [o for o in chosen if not (o.reduce_only and data["exclude_reduce_only"])]
        for order in chosen:
            self.exchange.cancel(account, order_id=order.order_id)
        return {"cancelled_count": len(chosen)}

    def _leverage(self, account: str, data: dict[str, Any]) -> None:
        symbol, leverage = data["symbol"], data["leverage"]
        if symbol in self.exchange.positions(account) and leverage < self.exchange.leverage(account, symbol):
            raise world.Rejected(Reason.LEVERAGE, symbol)
        self.exchange.set_leverage(account, symbol, leverage)

    def _known(self, query: dict[str, str]) -> str:
        if not self.exchange.has_account(query["account"]):
            raise _Refused(422, 1, "Account not found")
        return query["account"]

    def _state(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {**_data(rows), "last_order_id": self.last_id}

    def _market(self, listing: Listing) -> dict[str, Any]:
        terms, price = listing.instrument, self._price(listing.venue_symbol) or {}
        return {
            **dict.fromkeys(("symbol", "base_asset"), listing.venue_symbol),
            **texts(wire_text, tick_size=terms.price_rule.tick, lot_size=terms.lot_size, min_order_size=terms.min_notional),
            **MARKET_TERMS,
            "max_leverage": listing.max_leverage,
            "instrument_type": "perpetual",
            "funding_rate": price.get("funding"),
            "next_funding_rate": price.get("next_funding"),
            "created_at": self.exchange.prices.start_ms,
        }

    def prices(self, symbols: Iterable[str]) -> list[dict[str, Any]]:
        """A market without prices (yet) is not in the list."""
        return [row for symbol in symbols if (row := self._price(symbol)) is not None]

    def _price(self, symbol: str) -> dict[str, Any] | None:
        now_ms, exchange = self.clock.now_ms(), self.exchange
        state, before = exchange.find_state(symbol), exchange.find_state(symbol, now_ms - 24 * MS_PER_HOUR)
        if state is None:
            return None
        interest = None if state.open_interest_usd is None else measured(state.open_interest_usd / float(state.mark))
        return {
            "symbol": symbol,
            "timestamp": now_ms,
            "funding": exact(exchange.rate_at(symbol, now_ms // MS_PER_HOUR * MS_PER_HOUR - 1)),
            "next_funding": exact(exchange.funding_rate(symbol)),
            **texts(text, mark=state.mark, mid=state.mark, oracle=state.index, open_interest=interest),
            **texts(text, volume_24h=measured(state.volume_24h_usd), yesterday_price=before.mark if before else None),
        }

    def book(self, symbol: str) -> dict[str, Any]:
        bids, asks, _ = self.exchange.book(symbol, BOOK_LEVELS)
        levels = [[{"p": wire_text(p), "a": wire_text(a), "n": 1} for p, a in side] for side in (bids, asks)]
        return {"s": symbol, "l": levels, "t": self.clock.now_ms()}

    def _rate_rows(self, symbol: str) -> Iterable[tuple[int, dict[str, Any]]]:
        exchange = self.exchange
        exchange.state(symbol)
        newest_ms = (self.clock.now_ms() - HISTORY_DELAY_MS) // MS_PER_HOUR * MS_PER_HOUR
        for hour_ms in range(newest_ms, exchange.prices.start_ms, -MS_PER_HOUR):
            settled, then = exchange.rate_at(symbol, hour_ms - 1), exchange.find_state(symbol, hour_ms)
            if settled is None or then is None:
                continue
            prices = texts(text, oracle_price=then.index, bid_impact_price=then.mark, ask_impact_price=then.mark)
            rates = texts(exact, funding_rate=settled, next_funding_rate=exchange.rate_at(symbol, hour_ms))
            yield hour_ms, {**prices, **rates, "created_at": hour_ms + HISTORY_DELAY_MS}

    def account(self, account: str) -> dict[str, Any]:
        exchange, free, fees = self.exchange, self.exchange.available(account), self.exchange.rules.fees
        used, maintenance = exchange.initial_margin(account), exchange.maintenance_margin(account)
        return {
            **texts(wire_text, balance=exchange.wallet(account), account_equity=exchange.equity(account)),
            **texts(wire_text, available_to_spend=free, available_to_withdraw=free),
            **texts(wire_text, maker_fee=fees.maker, taker_fee=fees.taker, total_margin_used=used, cross_mmr=maintenance),
            **NOT_SIMULATED,
            "positions_count": len(exchange.positions(account)),
            "orders_count": len(exchange.orders(account)),
            "updated_at": self.clock.now_ms(),
        }

    def _settings(self, account: str) -> dict[str, Any]:
        chosen = {s: (self.exchange.leverage(account, s), most.max_leverage) for s, most in self.exchange.listings.items()}
        rows = [{"symbol": s, "isolated": False, "leverage": now} for s, (now, most) in chosen.items() if now != most]
        return {"auto_lend_disabled": None, "margin_settings": rows, "spot_settings": []}

    def positions(self, account: str) -> list[dict[str, Any]]:
        exchange = self.exchange
        return [
            {
                "symbol": symbol,
                "side": "bid" if held.size > 0 else "ask",
                **CROSS,
                **texts(wire_text, amount=abs(held.size), funding=held.funding_since_open),
                **texts(text, entry_price=held.entry_price, liquidation_price=exchange.liquidation_price(account, symbol)),
                "created_at": held.opened_ms,
                "updated_at": held.updated_ms,
            }
            for symbol, held in exchange.positions(account).items()
        ]

    def order(self, order: world.SandboxOrder) -> dict[str, Any]:
        """An order as the list of open ones tells it."""
        cancelled = order.remaining if order.status.is_terminal else Decimal(0)
        return {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "symbol": order.venue_symbol,
            "side": wire.BOOK_SIDES[order.side],
            "price": text(order.price),
            **texts(wire_text, initial_amount=order.size, filled_amount=order.filled, cancelled_amount=cancelled),
            **NOTHING_SPECIAL,
            "order_type": "market" if order.order_id in self._market_orders or order.price is None else "limit",
            "reduce_only": order.reduce_only,
            "created_at": order.created_ms,
            "updated_at": order.updated_ms,
        }

    def past_order(self, order: world.SandboxOrder) -> dict[str, Any]:
        """An order as the history tells it."""
        row = self.order(order)
        row["initial_price"], row["amount"] = row.pop("price"), row.pop("initial_amount")
        return row | {"average_filled_price": text(order.average_price or Decimal(0)), "order_status": _word(order)}

    def _order_rows(self, account: str) -> Iterable[tuple[int, dict[str, Any]]]:
        for order in reversed(self.exchange.orders(account, open_only=False)):
            if _is_public(order):
                reason = _event(order, "") if order.status.is_terminal else None
                yield order.order_id, self.past_order(order) | {"reason": reason}

    def _order_events(self, query: dict[str, str]) -> dict[str, Any]:
        events = self._events.get(int(query["order_id"]))
        if not events:
            raise _Refused(404, 404, f"Order history not found for order ID: {query['order_id']}")
        return _data(list(reversed(events)))

    def _fill_rows(self, account: str, query: dict[str, str]) -> Iterable[tuple[int, dict[str, Any]]]:
        for fill in reversed(self.exchange.fills(account, int(query.get("start_time", 0)))):
            if query.get("symbol", fill.venue_symbol) == fill.venue_symbol:
                yield fill.fill_id, fill_row(fill)

    def _payment_rows(self, account: str) -> Iterable[tuple[int, dict[str, Any]]]:
        for paid in reversed(self.exchange.funding_payments(account)):
            about = {"history_id": paid.payment_id, "symbol": paid.venue_symbol, "created_at": paid.time_ms}
            numbers = texts(exact, amount=abs(paid.position_size), payout=paid.amount, rate=paid.rate)
            yield paid.payment_id, {**about, **numbers, "side": "bid" if paid.position_size > 0 else "ask"}

    def on_event(self, event: world.SandboxEvent) -> None:
        self.last_id += 1
        for socket in tuple(self.sockets):
            if isinstance(socket, _Socket):
                socket.close_if_silent()
        li = {"li": self.last_id}
        match event:
            case world.BookChanged(symbol):
                self._tell("book", symbol, lambda: self.snapshot("book", symbol))
                self._tell("prices", "", lambda: {"data": self.prices([symbol])})
            case world.TradePrinted(trade):
                self._tell("trades", trade.venue_symbol, lambda: {"data": [_short_trade(trade) | li]})
            case world.OrderChanged(order) if _is_public(order):
                self._record(order)
                self._tell("account_order_updates", order.account, lambda: {"data": [self._order_update(order) | li]})
            case world.Filled(fill):
                row = {"u": fill.account, **li}
                self._tell("account_trades", fill.account, lambda: {"data": [_short(fill_row(fill), FILL_WORDS) | row]})
            case world.AccountChanged(account):
                for channel in ("account_positions", "account_info"):
                    self._tell(channel, account, lambda: self.snapshot(channel, account))  # noqa: B023  # called at once
            case _:
                return

    def _tell(self, channel: str, which: str, content: Callable[[], dict[str, Any]]) -> None:
        self.publish((channel, which), lambda: {"channel": channel, **content()})

    def snapshot(self, channel: str, which: str) -> dict[str, Any]:
        """What a channel of SNAPSHOT_CHANNELS tells of a market or an account now."""
        match channel:
            case "book":
                return {"data": {**self.book(which), "li": self.last_id}}
            case "prices":
                return {"data": self.prices(self.exchange.listings)}
            case "account_info":
                return {"data": _short(self.account(which), ACCOUNT_WORDS)}
            case _:
                return {"data": [_short(row, POSITION_WORDS) for row in self.positions(which)], "li": self.last_id}

    def _record(self, order: world.SandboxOrder) -> None:
        """Keep the event for the history of its order."""
        row = {"history_id": next(self._history_ids), **self.order(order), "order_status": _word(order)}
        row["event_type"], row["created_at"] = _event(order, row["order_type"]), order.updated_ms
        del row["trigger_price_type"], row["updated_at"]
        self._events.setdefault(order.order_id, []).append(row)

    def _order_update(self, order: world.SandboxOrder) -> dict[str, Any]:
        row = self.past_order(order)
        row["event_type"] = _event(order, row["order_type"])
        last = text(order.average_price or order.price)
        return {**_short(row, ORDER_WORDS), "u": order.account, "lp": last, "si": None}


def _is_public(order: world.SandboxOrder) -> bool:
    """What was refused in the reply has no life of its own; nor has what is not judged yet."""
    rejected = order.status is OrderStatus.REJECTED and order.reason is not Reason.WOULD_CROSS
    return order.status is not OrderStatus.PENDING and not rejected


def _word(order: world.SandboxOrder) -> str:
    return "partially_filled" if order.status is OrderStatus.OPEN and order.filled else order.status.value


def _event(order: world.SandboxOrder, order_type: str) -> str:
    if order.status is OrderStatus.REJECTED:
        return "post_only_rejected"
    if order.status is OrderStatus.CANCELLED:
        return ENDED.get(order.reason, "cancel") if order.reason else "cancel"
    return f"fulfill_{order_type or 'limit'}" if order.filled else "make"


def _data(data: Any) -> dict[str, Any]:
    return {"success": True, "data": data, "error": None, "code": None}


def _page(rows: Iterable[tuple[int, dict[str, Any]]], query: dict[str, str]) -> dict[str, Any]:
    """`rows`: (position, row), newest first. A cursor names the position of the last row that was given."""
    limit = int(query.get("limit", ROWS_DEFAULT))
    if limit > ROWS_MAX:
        raise ValueError(f"limit {limit}")
    before = int.from_bytes(base58.b58decode(query["cursor"])) if "cursor" in query else None
    page, last = page_below(rows, lambda row: row[0], before, limit)
    cursor = None if last is None else base58.b58encode(last.to_bytes(8)).decode()
    return {"success": True, "data": [row for _, row in page], "next_cursor": cursor, "has_more": last is not None}


def _trade(trade: world.SandboxTrade) -> dict[str, Any]:
    said = {"event_type": "fulfill_taker", "cause": "normal", "created_at": trade.time_ms}
    side = "open_long" if trade.side is Side.BUY else "open_short"
    return {**said, **texts(wire_text, price=trade.price, amount=trade.size), "side": side}


def _short_trade(trade: world.SandboxTrade) -> dict[str, Any]:
    row = _short(_trade(trade), {"a": "amount", "p": "price", "d": "side", "t": "created_at", "tc": "cause"})
    return {**row, "u": "", "h": trade.trade_id, "s": trade.venue_symbol}


def fill_row(fill: world.SandboxFill) -> dict[str, Any]:
    """An own fill as REST tells it."""
    gained = fill.side.sign * fill.realised_pnl / fill.size if fill.is_closing else Decimal(0)
    return {
        "history_id": fill.fill_id,
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id,
        "symbol": fill.venue_symbol,
        **texts(wire_text, amount=fill.size, price=fill.price, fee=fill.fee, pnl=fill.realised_pnl),
        "entry_price": text(fill.price + gained),
        "event_type": f"fulfill_{fill.liquidity}",
        "side": f"{'close' if fill.is_closing else 'open'}_{'long' if fill.is_of_long else 'short'}",
        "created_at": fill.time_ms,
        "cause": "market_liquidation" if fill.liquidation else "normal",
    }


def _short(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {short: row[long] for short, long in names.items()}


class _Socket(TopicSocket[PacificaSandbox]):
    """Topics are (source, symbol or account)."""

    def __init__(self, facade: PacificaSandbox, peer: Peer) -> None:
        super().__init__(facade, peer)
        self._heard_ms = facade.clock.now_ms()

    def close_if_silent(self) -> None:
        """Drop a client that said nothing for a minute."""
        if self.facade.clock.now_ms() - self._heard_ms > self.facade.clock.wire_ms(SILENCE_MS_MAX):
            self.peer.close("no message within 60 s")

    def on_frame(self, frame: bytes) -> None:
        self._heard_ms = self.facade.clock.now_ms()
        try:
            message = msgspec.json.decode(frame)
            if message.get("method") == "ping":
                self.send({"channel": "pong"})
            else:
                self._subscription(message["method"], message["params"])
        except (AttributeError, LookupError, TypeError, ValueError):
            self.send({"code": 400, "err": "Invalid request", "t": self._heard_ms})

    def _subscription(self, method: str, params: dict[str, Any]) -> None:
        source, exchange = params["source"], self.facade.exchange
        is_own, is_listed = source.startswith("account_"), params.get("symbol") in exchange.listings
        which = params["account"] if is_own else "" if source == "prices" else params["symbol"]
        known = source in (*SNAPSHOT_CHANNELS, *EVENT_CHANNELS) and (is_own or source == "prices" or is_listed)
        if not known or method not in ("subscribe", "unsubscribe"):
            raise ValueError(f"unknown {method} {source}")
        self.send({"channel": method, "data": params})
        if method == "unsubscribe":
            self.leave((source, which))
            return
        self.join((source, which))
        if source in SNAPSHOT_CHANNELS and (not is_own or exchange.has_account(which)):
            self.send({"channel": source, **self.facade.snapshot(source, which)})
