"""Pacifica's protocol in front of a sandbox exchange: signatures, windows and credits are checked, refusals use its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import base58
import msgspec

from exchange_clients.domain.assets import identify
from exchange_clients.domain.instruments import Instrument, PriceRule, wire_text
from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, is_signed_by, signed_text
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.prices import MarketState
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules

CREDITS = Meter("credits per IP", capacity=125, window_s=60)
BIND_AGENT = Endpoint("bind_agent_wallet", "POST", "/agent/bind", None, CREDITS, operation="bind_agent_wallet")
ENDPOINTS = {(e.method, e.path): e for e in (*vars(common).values(), BIND_AGENT) if isinstance(e, Endpoint)}
BOOK_LEVELS = 10
ROWS_DEFAULT, ROWS_MAX = 100, 4000
HISTORY_DELAY_MS = 4_122  # the documented payment is booked about four seconds after the hour
SILENCE_MS_MAX = 60_000
TIF = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "ALO": TimeInForce.POST_ONLY}
SIDE = {"bid": Side.BUY, "ask": Side.SELL}
WORD = {Side.BUY: "bid", Side.SELL: "ask"}
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
_PRICE = Context(prec=12)


def text(number: Decimal | float | None) -> str | None:
    """A derived number as the venue writes it; None stays null."""
    if number is None:
        return None
    return wire_text(_PRICE.plus(number if isinstance(number, Decimal) else Decimal(repr(round(number, 6)))))


def exact(number: Decimal | None) -> str | None:
    """A number with every digit it came with."""
    return None if number is None else format(number, "f")


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


class PacificaSandbox(Facade):
    """One exchange, the REST tree under `/api/v1` and one WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"channel":"book"'

    @classmethod
    def rules(cls) -> VenueRules:
        funding = DiscreteFunding(interval_hours=Decimal(1), cap=Decimal("0.04"))
        terms = (cls.venue, common.SPEC.fees, funding, Decimal("0.000001"), Decimal(10))
        return VenueRules(*terms, price_band=Decimal("0.9"), decide_later=True)

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        asset, figures = identify(name), first_price.adjusted()
        tick, lot = Decimal(1).scaleb(figures - 4), min(Decimal(1), Decimal(1).scaleb(-figures - 1))
        identity = (cls.venue, asset.base, name, name, asset.multiplier, wire.QUOTE)
        return Listing(name, Instrument(*identity, PriceRule(tick), lot, lot, Decimal(10), Decimal(50)), max_leverage=50)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        self.exchange = exchange
        self.sockets: set[_Socket] = set()
        self.last_id = 0
        """The exchange-wide event number (`li`)."""
        self._history_ids = count(1)
        self._meter = SpentMeter(CREDITS, exchange.clock)
        self._agents: dict[str, set[str]] = {}
        self._market_orders: set[int] = set()
        self._events: dict[int, list[dict[str, Any]]] = {}
        exchange.subscribe(self._publish)
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
        """A throw-away key made from `name`: worthless anywhere else."""
        signer = Signer.from_seed(sha256(f"sandbox account {name}".encode()).digest())
        self.exchange.open_account(signer.address, Decimal(balance))
        return {"account": signer.address, "private_key": signer.private_key}

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url.startswith("/api/v1/orders/create")

    def connect(self, path: str, peer: Peer) -> FacadeSocket:
        socket = _Socket(self, peer)
        self.sockets.add(socket)
        return socket

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(common.SPEC.rest_path) if parts.path.startswith(common.SPEC.rest_path) else ""
        endpoint = ENDPOINTS.get((request.method, path))
        if endpoint is None:
            known = any(path == other for _, other in ENDPOINTS)
            return HttpResponse(405 if known else 404, b"")
        try:
            if not self._meter.spend(address, endpoint.weight):
                raise _Refused(429, 429, "Rate limit exceeded")
            is_read = request.method == "GET"
            fields = dict(parse_qsl(parts.query) if is_read else msgspec.json.decode(request.body or b""))
            account = str(fields.get("account"))
            try:
                reply = self._reads[path](fields) if is_read else _data(self.act(endpoint.operation, fields))
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

    def act(self, operation: str, data: dict[str, Any]) -> Any:
        """A signed action; its reply's `data`. What is left of `data` without the header counts as signed."""
        account, signature, timestamp = str(data.pop("account")), str(data.pop("signature")), data.pop("timestamp")
        window_ms = data.pop("expiry_window", self.exchange.clock.wire_ms(30_000))
        signer = account if operation == "bind_agent_wallet" else str(data.pop("agent_wallet", account))
        if not is_signed_by(signer, signed_text(operation, timestamp, window_ms, data), signature):
            raise _Refused(400, 400, NOT_VERIFIED, "signature_verification_failed")
        if self.exchange.clock.now_ms() > timestamp + window_ms:
            raise _Refused(400, 400, "Message expired")
        if signer != account and signer not in self._agents.get(account, ()):
            raise _Refused(400, 400, "Agent not authorized for account")
        if not self.exchange.has_account(account):
            raise _Refused(403, 403, "Beta access required. Signer must redeem a valid beta code.")
        return self._acts[operation](account, data)

    def _create(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        if data["tif"] not in TIF:  # TOB, which slides to the top of the book, is not simulated
            raise _Refused(422, 51, "Unsupported operation")
        return self._place(account, data, Decimal(data["price"]), TIF[data["tif"]], is_market=False)

    def _create_market(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        """The slippage bounds the price from the touch; without a counterpart there is no touch."""
        symbol, side = data["symbol"], SIDE[data["side"]]
        bids, asks, _ = self.exchange.book(symbol, 1)
        touch = asks if side is Side.BUY else bids
        if not touch:
            raise world.Rejected(Reason.NO_LIQUIDITY, symbol)
        bound = touch[0][0] * (1 + side.sign * Decimal(data["slippage_percent"]) / 100)
        price = self.exchange.listings[symbol].instrument.round_price(bound, side)
        return self._place(account, data, price, TimeInForce.IOC, is_market=True)

    def _place(
        self, account: str, data: dict[str, Any], price: Decimal, tif: TimeInForce, *, is_market: bool
    ) -> dict[str, int]:
        """A post-only order that would cross gets its id first and is rejected in an event; everything else is refused at once."""
        client_id, exchange = data.get("client_order_id"), self.exchange
        if client_id is not None and str(UUID(client_id)) != client_id.lower():
            raise ValueError("client_order_id is not a full UUID")
        side, size, reduce_only = SIDE[data["side"]], Decimal(data["amount"]), data["reduce_only"]
        order = exchange.place(account, data["symbol"], side, size, price, tif, reduce_only, client_id)
        if is_market:
            self._market_orders.add(order.order_id)
        exchange.flush()
        judged = exchange.order(account, order_id=order.order_id)
        if judged is not None and not _is_public(judged):
            raise world.Rejected(Reason(judged.reason), "")
        return {"order_id": order.order_id}

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
        rule, price = listing.instrument, self._price(listing.venue_symbol)
        return {
            "symbol": listing.venue_symbol,
            "tick_size": wire_text(rule.price_rule.tick),
            "min_tick": "0",
            "max_tick": "1000000",
            "lot_size": wire_text(rule.lot_size),
            "max_leverage": listing.max_leverage,
            "isolated_only": False,
            "min_order_size": wire_text(rule.min_notional),
            "max_order_size": "5000000",
            "funding_rate": price["funding"] if price else None,
            "next_funding_rate": price["next_funding"] if price else None,
            "created_at": self.exchange.prices.start_ms,
            "instrument_type": "perpetual",
            "base_asset": listing.venue_symbol,
        }

    def prices(self, symbols: Iterable[str]) -> list[dict[str, Any]]:
        """A market without prices (yet) is not in the list."""
        return [row for symbol in symbols if (row := self._price(symbol)) is not None]

    def _price(self, symbol: str) -> dict[str, Any] | None:
        now_ms = self.exchange.clock.now_ms()
        try:
            state, rate = self.exchange.state(symbol), self.exchange.funding_rate(symbol)
        except world.Rejected:
            return None
        interest, yesterday = state.open_interest_usd, self._state_at(symbol, now_ms - 24 * MS_PER_HOUR)
        return {
            "funding": exact(self._rate_at(symbol, now_ms // MS_PER_HOUR * MS_PER_HOUR - 1)),
            "mark": text(state.mark),
            "mid": text(state.mark),
            "next_funding": exact(rate),
            "open_interest": None if interest is None else text(interest / float(state.mark)),
            "oracle": text(state.index),
            "symbol": symbol,
            "timestamp": now_ms,
            "volume_24h": text(state.volume_24h_usd),
            "yesterday_price": text(yesterday.mark) if yesterday else None,
        }

    def _rate_at(self, symbol: str, at_ms: int) -> Decimal | None:
        state = self._state_at(symbol, at_ms)
        return None if state is None else self.exchange.markets.funding_rate(symbol, at_ms)

    def _state_at(self, symbol: str, at_ms: int) -> MarketState | None:
        try:
            return self.exchange.markets.state(symbol, at_ms)
        except world.Rejected:
            return None

    def book(self, symbol: str) -> dict[str, Any]:
        bids, asks, _ = self.exchange.book(symbol, BOOK_LEVELS)
        levels = [[{"p": wire_text(p), "a": wire_text(a), "n": 1} for p, a in side] for side in (bids, asks)]
        return {"s": symbol, "l": levels, "t": self.exchange.clock.now_ms()}

    def _rate_rows(self, symbol: str) -> Iterable[tuple[int, dict[str, Any]]]:
        self.exchange.state(symbol)
        now_ms, start_ms = self.exchange.clock.now_ms(), self.exchange.prices.start_ms
        for hour_ms in range((now_ms - HISTORY_DELAY_MS) // MS_PER_HOUR * MS_PER_HOUR, start_ms, -MS_PER_HOUR):
            settled, then = self._rate_at(symbol, hour_ms - 1), self._state_at(symbol, hour_ms)
            if settled is None or then is None:
                continue
            row = {
                "oracle_price": text(then.index),
                "bid_impact_price": text(then.mark),
                "ask_impact_price": text(then.mark),
                "funding_rate": exact(settled),
                "next_funding_rate": exact(self._rate_at(symbol, hour_ms)),
                "created_at": hour_ms + HISTORY_DELAY_MS,
            }
            yield hour_ms, row

    def account(self, account: str) -> dict[str, Any]:
        exchange, free = self.exchange, wire_text(self.exchange.available(account))
        return {
            "balance": wire_text(exchange.wallet(account)),
            "fee_level": 0,
            "maker_fee": wire_text(exchange.rules.fees.maker),
            "taker_fee": wire_text(exchange.rules.fees.taker),
            "account_equity": wire_text(exchange.equity(account)),
            "available_to_spend": free,
            "available_to_withdraw": free,
            "pending_balance": "0",
            "pending_interest": "0",
            "total_margin_used": wire_text(exchange.initial_margin(account)),
            "cross_mmr": wire_text(exchange.maintenance_margin(account)),
            "positions_count": len(exchange.positions(account)),
            "orders_count": len(exchange.orders(account)),
            "stop_orders_count": 0,
            "updated_at": exchange.clock.now_ms(),
        }

    def _settings(self, account: str) -> dict[str, Any]:
        chosen = {s: self.exchange.leverage(account, s) for s in self.exchange.listings}
        changed = [s for s, leverage in chosen.items() if leverage != self.exchange.listings[s].max_leverage]
        rows = [{"symbol": s, "isolated": False, "leverage": chosen[s]} for s in changed]
        return {"auto_lend_disabled": None, "margin_settings": rows, "spot_settings": []}

    def positions(self, account: str) -> list[dict[str, Any]]:
        return [
            {
                "symbol": symbol,
                "side": "bid" if held.size > 0 else "ask",
                "amount": wire_text(abs(held.size)),
                "entry_price": text(held.entry_price),
                "margin": "0",
                "funding": wire_text(held.funding_since_open),
                "isolated": False,
                "liquidation_price": text(self.exchange.liquidation_price(account, symbol)),
                "created_at": held.opened_ms,
                "updated_at": held.updated_ms,
            }
            for symbol, held in self.exchange.positions(account).items()
        ]

    def order(self, order: world.SandboxOrder) -> dict[str, Any]:
        cancelled = order.remaining if order.status.is_terminal else Decimal(0)
        return {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "symbol": order.venue_symbol,
            "side": WORD[order.side],
            "price": text(order.price),
            "initial_amount": wire_text(order.size),
            "filled_amount": wire_text(order.filled),
            "cancelled_amount": wire_text(cancelled),
            "stop_price": None,
            "order_type": self._order_type(order),
            "stop_parent_order_id": None,
            "trigger_price_type": None,
            "reduce_only": order.reduce_only,
            "created_at": order.created_ms,
            "updated_at": order.updated_ms,
        }

    def _order_type(self, order: world.SandboxOrder) -> str:
        return "market" if order.order_id in self._market_orders or order.price is None else "limit"

    def _order_rows(self, account: str) -> Iterable[tuple[int, dict[str, Any]]]:
        for order in reversed(self.exchange.orders(account, open_only=False)):
            if not _is_public(order):
                continue
            row = self.order(order)
            row["initial_price"], row["amount"] = row.pop("price"), row.pop("initial_amount")
            row |= {"average_filled_price": text(order.average_price or Decimal(0)), "order_status": _word(order)}
            yield order.order_id, row | {"reason": _event(order, "") if order.status.is_terminal else None}

    def _order_events(self, query: dict[str, str]) -> dict[str, Any]:
        events = self._events.get(int(query["order_id"]))
        if not events:
            raise _Refused(404, 404, f"Order history not found for order ID: {query['order_id']}")
        return _data(list(reversed(events)))

    def _fill_rows(self, account: str, query: dict[str, str]) -> Iterable[tuple[int, dict[str, Any]]]:
        for fill in reversed(self.exchange.fills(account, int(query.get("start_time", 0)))):
            if query.get("symbol", fill.venue_symbol) == fill.venue_symbol:
                yield fill.fill_id, self.fill(fill)

    def fill(self, fill: world.SandboxFill) -> dict[str, Any]:
        closing = fill.position_before * fill.side.sign < 0
        entry = fill.price + fill.side.sign * fill.realised_pnl / fill.size if closing else fill.price
        direction = "long" if (fill.side is Side.BUY) != closing else "short"
        return {
            "history_id": fill.fill_id,
            "order_id": fill.order_id,
            "client_order_id": fill.client_order_id,
            "symbol": fill.venue_symbol,
            "amount": wire_text(fill.size),
            "price": wire_text(fill.price),
            "entry_price": text(entry),
            "fee": wire_text(fill.fee),
            "pnl": wire_text(fill.realised_pnl),
            "event_type": "fulfill_taker" if fill.liquidity is Liquidity.TAKER else "fulfill_maker",
            "side": f"{'close' if closing else 'open'}_{direction}",
            "created_at": fill.time_ms,
            "cause": "market_liquidation" if fill.liquidation else "normal",
        }

    def _payment_rows(self, account: str) -> Iterable[tuple[int, dict[str, Any]]]:
        for paid in reversed(self.exchange.funding_payments(account)):
            row = {
                "history_id": paid.payment_id,
                "symbol": paid.venue_symbol,
                "side": "bid" if paid.position_size > 0 else "ask",
                "amount": wire_text(abs(paid.position_size)),
                "payout": wire_text(paid.amount),
                "rate": exact(paid.rate),
                "created_at": paid.time_ms,
            }
            yield paid.payment_id, row

    def _publish(self, event: world.SandboxEvent) -> None:
        self.last_id += 1
        if isinstance(event, world.OrderChanged) and _is_public(event.order):
            order, events = event.order, self._events.setdefault(event.order.order_id, [])
            row = {"history_id": next(self._history_ids), **self.order(order), "order_status": _word(order)}
            row["event_type"], row["created_at"] = _event(order, self._order_type(order)), order.updated_ms
            del row["trigger_price_type"], row["updated_at"]
            events.append(row)
        for socket in tuple(self.sockets):
            socket.publish(event)


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
    if not 0 < limit <= ROWS_MAX:
        raise ValueError(f"limit {limit}")
    before = int.from_bytes(base58.b58decode(query["cursor"])) if "cursor" in query else None
    page: list[tuple[int, dict[str, Any]]] = []
    for position, row in rows:
        if before is not None and position >= before:
            continue
        if len(page) == limit:
            cursor = base58.b58encode(page[-1][0].to_bytes(8)).decode()
            return {"success": True, "data": [row for _, row in page], "next_cursor": cursor, "has_more": True}
        page.append((position, row))
    return {"success": True, "data": [row for _, row in page], "next_cursor": None, "has_more": False}


def _trade(trade: world.SandboxTrade) -> dict[str, Any]:
    return {
        "event_type": "fulfill_taker",
        "price": wire_text(trade.price),
        "amount": wire_text(trade.size),
        "side": "open_long" if trade.side is Side.BUY else "open_short",
        "cause": "normal",
        "created_at": trade.time_ms,
    }


class _Socket(FacadeSocket):
    """One client's subscriptions, by (source, symbol or account)."""

    def __init__(self, facade: PacificaSandbox, peer: Peer) -> None:
        self._facade = facade
        self._peer = peer
        self._topics: dict[tuple[str, str], None] = {}
        self._heard_ms = facade.exchange.clock.now_ms()

    def on_frame(self, frame: bytes) -> None:
        clock = self._facade.exchange.clock
        self._heard_ms = clock.now_ms()
        try:
            message = msgspec.json.decode(frame)
            method = message.get("method")
            if method == "ping":
                self._send({"channel": "pong"})
            elif method in ("subscribe", "unsubscribe"):
                self._subscription(method, message["params"])
            else:
                raise ValueError(f"unknown method {method}")
        except (AttributeError, LookupError, TypeError, ValueError):
            self._send({"code": 400, "err": "Invalid request", "t": clock.now_ms()})

    def on_close(self) -> None:
        for source, which in self._topics:
            if source == "book":
                self._facade.exchange.unwatch(which)
        self._facade.sockets.discard(self)

    def publish(self, event: world.SandboxEvent) -> None:
        clock = self._facade.exchange.clock
        if clock.now_ms() - self._heard_ms > clock.wire_ms(SILENCE_MS_MAX):
            self._peer.close("no message within 60 s")
            return
        match event:
            case world.BookChanged(which):
                sources = ["book", "prices"]
            case world.TradePrinted(trade):
                which, sources = trade.venue_symbol, ["trades"]
            case world.OrderChanged(order) if _is_public(order):
                which, sources = order.account, ["account_order_updates"]
            case world.Filled(fill):
                which, sources = fill.account, ["account_trades"]
            case world.AccountChanged(which):
                sources = ["account_positions", "account_info"]
            case _:
                return
        for source in sources:
            if (source, which) in self._topics or (source == "prices" and (source, "") in self._topics):
                self._push(source, which, event)

    def _subscription(self, method: str, params: dict[str, Any]) -> None:
        source = params["source"]
        which = params["account"] if source.startswith("account_") else "" if source == "prices" else params["symbol"]
        exchange, topic = self._facade.exchange, (source, which)
        public = source in ("book", "trades") and which in exchange.listings
        if not public and source not in ("prices", *_SNAPSHOTS, "account_order_updates", "account_trades"):
            raise ValueError(f"unknown source {source}")
        self._send({"channel": method, "data": params})
        if method == "subscribe" and topic not in self._topics:
            if source == "book":
                exchange.watch(which)
            self._topics[topic] = None
        elif method == "unsubscribe" and topic in self._topics:
            del self._topics[topic]
            if source == "book":
                exchange.unwatch(which)
            return
        is_account_known = which in exchange.listings or not which or exchange.has_account(which)
        if method == "subscribe" and is_account_known and source in ("book", "prices", *_SNAPSHOTS):
            self._push(source, which, None)

    def _push(self, source: str, which: str, event: world.SandboxEvent | None) -> None:
        facade, li = self._facade, self._facade.last_id
        beside: dict[str, Any] = {}
        data: Any
        match source:
            case "book":
                data = {**facade.book(which), "li": li}
            case "prices":
                data = facade.prices([which] if which else facade.exchange.listings)
            case "account_info":
                row = facade.account(which)
                data = {short: row[long] for short, long in _ACCOUNT.items()}
            case "account_positions":
                data, beside = [_short(row, _POSITION) for row in facade.positions(which)], {"li": li}
            case _:
                data = [self._event(event, li)]
        self._send({"channel": source, "data": data, **beside})

    def _event(self, event: world.SandboxEvent | None, li: int) -> dict[str, Any]:
        """One row of a channel that has no snapshot."""
        facade = self._facade
        if isinstance(event, world.TradePrinted):
            trade, row = event.trade, _trade(event.trade)
            own = {"u": "", "h": trade.trade_id, "s": trade.venue_symbol, "tc": "normal", "li": li}
            return own | {"a": row["amount"], "p": row["price"], "d": row["side"], "t": trade.time_ms}
        if isinstance(event, world.Filled):
            return {**_short(facade.fill(event.fill), _FILL), "u": event.fill.account, "li": li}
        if not isinstance(event, world.OrderChanged):
            raise TypeError(f"{event!r} is nobody's row")
        order, row = event.order, facade.order(event.order)
        average, last = text(order.average_price or Decimal(0)), text(order.average_price or order.price)
        said = {"u": order.account, "p": average, "ip": row["price"], "lp": last, "os": _word(order), "si": None, "li": li}
        said |= {"oe": _event(order, row["order_type"]), "r": order.reduce_only, "ct": order.created_ms, "ut": order.updated_ms}
        return {key: value for key, value in _short(row, _ORDER).items() if key not in ("c", "t", "ro", "p")} | said

    def _send(self, message: dict[str, Any]) -> None:
        self._peer.send(msgspec.json.encode(message))


def _short(row: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    return {short: row[long] for short, long in words.items()}


def _words(text_of_pairs: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text_of_pairs.split())


_SNAPSHOTS = ("account_info", "account_positions")
_ACCOUNT = _words(
    "ae=account_equity as=available_to_spend aw=available_to_withdraw b=balance f=fee_level mu=total_margin_used cm=cross_mmr "
    "oc=orders_count pb=pending_balance pc=positions_count sc=stop_orders_count t=updated_at"
)
_POSITION = _words("s=symbol d=side a=amount p=entry_price m=margin f=funding i=isolated l=liquidation_price t=updated_at")
_ORDER = _words(
    "i=order_id I=client_order_id s=symbol d=side p=price a=initial_amount f=filled_amount c=cancelled_amount t=created_at "
    "ot=order_type sp=stop_price ro=reduce_only"
)
_FILL = _words(
    "h=history_id i=order_id I=client_order_id s=symbol p=price o=entry_price a=amount te=event_type ts=side tc=cause f=fee "
    "n=pnl t=created_at"
)
