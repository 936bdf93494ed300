"""Paradex's protocol in front of a sandbox exchange: Stark signatures, tokens, windows and budgets are checked, refusals use its words."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

import msgspec

from exchange_clients.domain.assets import identify
from exchange_clients.domain.instruments import Instrument, PriceRule, wire_text
from exchange_clients.domain.orders import OrderStatus, TimeInForce
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.signing import CURVE_ORDER, Messages, Signer, account_address, is_signed_by
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.rules import ContinuousFunding, Listing, VenueRules

CHAIN = "PRIVATE_SN_SANDBOX"  # a chain of its own: nothing signed for it is worth anything elsewhere
PROXY_HASH = "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9"
ACCOUNT_HASH = "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e"
TOKEN_KEY = b"sandbox tokens"
TOKEN_LIVES_MS = 300_000
LOGIN_LIVES_MAX_MS = 7 * 86_400_000
ORDER_LIVES_MS = 300_000
CLOCKS_DIFFER_MS = 10_000
FUNDING_GRID_MS = 300_000
ROWS_MAX = 5000
PERIOD_HOURS = Decimal(8)
TIF = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "POST_ONLY": TimeInForce.POST_ONLY}
INSTRUCTIONS = {tif: word for word, tif in TIF.items()}
STATUS = {OrderStatus.PENDING: "NEW", OrderStatus.OPEN: "OPEN"}
Reason = world.RejectReason
REFUSED = {
    Reason.BELOW_MINIMUM_NOTIONAL: "INVALID_ORDER_SIZE",
    Reason.ZERO_SIZE: "INVALID_ORDER_SIZE",
    Reason.UNKNOWN_MARKET: "MARKET_NOT_FOUND",
    Reason.DUPLICATE_CLIENT_ID: "DUPLICATED_CLIENT_ID",
}
CANCEL_REASONS = {
    Reason.WOULD_CROSS: "POST_ONLY_WOULD_CROSS",
    Reason.INSUFFICIENT_MARGIN: "NOT_ENOUGH_MARGIN",
    Reason.REDUCE_ONLY: "REDUCE_ONLY_WILL_INCREASE",
    Reason.PRICE_OUT_OF_BAND: "PRICE_BAND_EXCEEDED",
    Reason.NO_LIQUIDITY: "NO_LIQUIDITY",
}


CONFIG = {
    "environment": "sandbox",
    "starknet_chain_id": CHAIN,
    "l1_chain_id": "11155111",
    "paraclear_decimals": 8,
    "paraclear_account_hash": ACCOUNT_HASH,
    "paraclear_account_proxy_hash": PROXY_HASH,
    "bridged_tokens": [],
}
# What every market has in common, as the venue writes it.
MARKET_TERMS = msgspec.json.decode(
    b'{"quote_currency":"USD","settlement_currency":"USDC","open_at":0,"expiry_at":0,"asset_kind":"PERP","market_kind":"cross",'
    b'"trading_mode":"STANDARD","price_bands_width":"0.05","max_open_orders":150,"max_funding_rate":"0.05","price_feed_id":"",'
    b'"max_funding_rate_change":"0.0005","funding_period_hours":8,"funding_multiplier":1,"interest_rate":"0.0001",'
    b'"clamp_rate":"0.0005","oracle_ewma_factor":"0.2","max_tob_spread":"0.2","tags":[]}'
)
MARGIN_TERMS = {"imf_shift": "0", "imf_factor": "0", "mmf_factor": "0.5"}


class OrderBody(msgspec.Struct, frozen=True):
    """`POST /orders` and, with `id`, `PUT /orders/{id}`. Vendors' clients send nulls for what they leave open."""

    market: str
    side: wire.SideWord
    type: str
    size: Decimal
    signature: str
    signature_timestamp: int
    price: Decimal | None = None
    instruction: str | None = None
    client_id: str | None = None
    flags: list[str] | None = None
    recv_window: int | None = None
    id: str | None = None


class Refusal(Exception):
    """The venue says no: HTTP status, code and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reply = {"error": code, "message": message, "data": None}


@dataclass(frozen=True)
class Ask:
    """One request taken apart. `name`: the last part of the path where that varies. `account`: who the token belongs to."""

    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    account: str = ""


Handler = Callable[[Ask], Any]


class ParadexSandbox(Facade):
    """One exchange, the REST paths that clients use and one JSON-RPC WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"params":{"channel":"order_book.'

    @classmethod
    def rules(cls) -> VenueRules:
        funding, quantum = ContinuousFunding(PERIOD_HOURS, cap=Decimal("0.05")), Decimal("1e-8")
        fees, band = common.SPEC.fees, Decimal("0.05")
        return VenueRules(cls.venue, fees, funding, quantum, Decimal(10), price_band=band, decide_later=True)

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        base, magnitude = name.removesuffix(wire.PERP), first_price.adjusted()
        asset, symbol, leverage = identify(base), f"{base}{wire.PERP}", 50 if base in ("BTC", "ETH") else 20
        tick, lot = (Decimal(1).scaleb(max(-8, power)) for power in (magnitude - 5, -magnitude - 1))
        identity = (cls.venue, asset.base, symbol, symbol, asset.multiplier, wire.USDC)
        return Listing(symbol, Instrument(*identity, PriceRule(tick), lot, lot, Decimal(10), Decimal(leverage)), leverage)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.sockets: set[_Socket] = set()
        self._public_keys: dict[str, str] = {}
        self._messages: dict[str, Messages] = {}
        self._ids: dict[int, str] = {}
        self._current: dict[str, int] = {}
        self._amending: tuple[int, str] | None = None
        self._updates = count(1)
        self._meters: dict[Meter, SpentMeter] = {
            meter: SpentMeter(meter, exchange.clock)
            for meter in (common.PER_ADDRESS, common.LOGINS, common.READS, common.ORDERS)
        }
        self._logins: dict[str, Handler] = {
            "POST /v1/auth": self._auth,
            "POST /v1/auth/*": self._auth,
            "POST /v1/onboarding": self._onboarding,
        }
        self._open: dict[str, Handler] = {
            "GET /v1/system/config": lambda _: CONFIG,
            "GET /v1/system/state": lambda _: {"status": "ok"},
            "GET /v1/system/time": lambda _: {"server_time": str(self.clock.now_ms())},
            "GET /v1/markets": lambda ask: {"results": [_market(listing) for listing in self._listings(ask)]},
            "GET /v1/markets/summary": self._summaries,
            "GET /v1/orderbook/*": self._orderbook,
            "GET /v1/trades": self._trades,
            "GET /v1/funding/data": self._funding_data,
        }
        self._private: dict[str, Handler] = {
            "POST /v1/orders": self._place,
            "PUT /v1/orders/*": self._modify,
            "DELETE /v1/orders/*": self._cancel,
            "DELETE /v1/orders/by_client_id/*": self._cancel_by_client_id,
            "DELETE /v1/orders": self._cancel_all,
            "GET /v1/orders": self._open_orders,
            "GET /v1/orders/*": self._order_by_id,
            "GET /v1/orders/by_client_id/*": self._order_by_client_id,
            "GET /v1/orders-history": self._orders_history,
            "GET /v1/fills": self._fills,
            "GET /v1/funding/payments": self._payments,
            "GET /v1/positions": lambda ask: {"results": self._positions(ask.account)},
            "GET /v1/balance": self._balance,
            "GET /v1/account": lambda ask: self.summary(ask.account),
            "GET /v1/account/info": self._account_info,
            "POST /v1/account/margin/*": self._set_margin,
        }
        exchange.subscribe(self._publish)

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        """A throw-away key made from `name`: worthless anywhere else."""
        key = hex(int(sha256(f"sandbox account {name}".encode()).hexdigest(), 16) % (CURVE_ORDER - 1) + 1)
        public_key = Signer(key).public_key
        account = account_address(public_key, PROXY_HASH, ACCOUNT_HASH)
        self._introduce(account, public_key, Decimal(balance))
        return {"private_key": key, "account_address": account}

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url.partition("?")[0] == "/v1/orders"

    def connect(self, path: str, peer: Peer) -> FacadeSocket:
        socket = _Socket(self, peer)
        self.sockets.add(socket)
        return socket

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        headers = {"content-type": "application/json; charset=utf-8"}
        try:
            reply = self._answer(request, address, headers)
            status = 201 if self.places_order(request) else 200
        except Refusal as refusal:
            status, reply = refusal.status, refusal.reply
        except world.Rejected as rejected:
            status, reply = 400, _rejection(rejected)
        except (msgspec.MsgspecError, KeyError, ValueError, ArithmeticError) as error:
            status, reply = 400, Refusal(400, "VALIDATION_ERROR", str(error)).reply
        if reply is None:
            return HttpResponse(204 if "/orders/" in request.url else 200, b"", headers)  # cancelling all answers 200
        return HttpResponse(status, msgspec.json.encode(reply), headers)

    def who(self, token: str) -> str:
        """The account that a session token belongs to. Raises Refusal."""
        head, _, signature = token.rpartition(".")
        if hmac.compare_digest(_token_signature(head), signature.encode()):
            claims = msgspec.json.decode(urlsafe_b64decode(head.split(".")[1] + "=="))
            if claims["exp"] > self.clock.now_ms() / 1000:
                return str(claims["sub"])
        raise Refusal(401, "INVALID_TOKEN", "invalid bearer jwt: token is malformed, forged or expired")

    def _answer(self, request: HttpRequest, address: str, headers: dict[str, str]) -> Any:
        path, _, query = request.url.partition("?")
        parent, _, name = path.rpartition("/")
        ask = Ask(unquote(name), dict(parse_qsl(query)), request.headers, request.body or b"")
        for table, meter in ((self._logins, common.LOGINS), (self._open, common.PER_ADDRESS), (self._private, common.READS)):
            handler = table.get(f"{request.method} {path}") or table.get(f"{request.method} {parent}/*")
            if handler is None:
                continue
            key = address
            if table is self._private:
                key = self.who(request.headers.get("Authorization", "").removeprefix("Bearer "))
                meter = common.READS if request.method == "GET" else common.ORDERS
                ask = Ask(ask.name, ask.query, ask.headers, ask.body, key)
            self._spend(meter, key, headers)
            return handler(ask)
        raise Refusal(404, "NOT_FOUND", f"no route for {request.method} {path}")

    def _spend(self, meter: Meter, key: str, headers: dict[str, str]) -> None:
        allowed = self._meters[meter].spend(key, 1)
        headers["x-ratelimit-limit"] = str(int(meter.capacity))
        headers["x-ratelimit-remaining"] = str(int(self._meters[meter].left(key)))
        headers["x-ratelimit-window"] = str(int(meter.window_s))
        if not allowed:
            raise Refusal(429, "RATE_LIMIT_EXCEEDED", "rate limit exceeded")

    # Sessions

    def _introduce(self, account: str, public_key: str, balance: Decimal) -> None:
        self._public_keys[account] = public_key
        self._messages[account] = Messages(CHAIN, account)
        self.exchange.open_account(account, balance)

    def _onboarding(self, ask: Ask) -> None:
        account, public_key = ask.headers["PARADEX-STARKNET-ACCOUNT"], str(msgspec.json.decode(ask.body)["public_key"])
        if int(ask.headers["PARADEX-ETHEREUM-ACCOUNT"], 16) >> 160:
            raise Refusal(400, "INVALID_ETHEREUM_ADDRESS", "not an ethereum address")
        signature = ask.headers["PARADEX-STARKNET-SIGNATURE"]
        if not is_signed_by(public_key, Messages(CHAIN, account).onboarding(), signature):
            raise Refusal(401, "STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by the public key")
        if int(account, 16) != int(account_address(public_key, PROXY_HASH, ACCOUNT_HASH), 16):
            raise Refusal(400, "INVALID_STARKNET_ADDRESS", "the address does not belong to the public key")
        if _canonical(account) not in self._public_keys:
            self._introduce(_canonical(account), public_key, Decimal(0))

    def _auth(self, ask: Ask) -> dict[str, str]:
        now_ms, headers = self.clock.now_ms(), ask.headers
        account = _canonical(headers["PARADEX-STARKNET-ACCOUNT"])
        public_key = self._public_keys.get(account)
        if public_key is None:
            raise Refusal(400, "NOT_ONBOARDED", "User has never called /onboarding endpoint")
        if ask.name != "auth" and int(ask.name, 16) != int(public_key, 16):
            raise Refusal(401, "PUBLIC_KEY_INVALID", "the public key belongs to no active key of the account")
        signed_s = int(headers["PARADEX-TIMESTAMP"])
        until_s = int(headers.get("PARADEX-SIGNATURE-EXPIRATION") or signed_s + self.clock.wire_ms(1_800_000) // 1000)
        life_ms, ahead_ms = (until_s - signed_s) * 1000, signed_s * 1000 - now_ms
        if now_ms >= until_s * 1000 or life_ms > self._wire(LOGIN_LIVES_MAX_MS) or ahead_ms > self._wire(CLOCKS_DIFFER_MS):
            raise Refusal(400, "INVALID_TIMESTAMP", "the signature is expired, too long-lived or from the future")
        message = self._messages[account].auth(signed_s, until_s)
        if not is_signed_by(public_key, message, headers["PARADEX-STARKNET-SIGNATURE"]):
            raise Refusal(401, "STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by the account's key")
        exp = (now_ms + self._wire(TOKEN_LIVES_MS)) // 1000
        claims = {"typ": "at+JWT", "exp": exp, "iat": now_ms // 1000, "iss": "Paradex sandbox", "sub": account}
        head = b".".join(_base64(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims)).decode()
        return {"jwt_token": f"{head}.{_token_signature(head).decode()}"}

    def _wire(self, duration_ms: int) -> int:
        return self.clock.wire_ms(duration_ms)

    # Orders

    def _checked(self, ask: Ask, order_id: str | None = None) -> OrderBody:
        """The order in a request's body, once its signature and its age are right."""
        body = msgspec.json.decode(ask.body, type=OrderBody, strict=False)
        now_ms, window_ms = self.clock.now_ms(), body.recv_window or self._wire(ORDER_LIVES_MS)
        if window_ms < 10 or not -self._wire(CLOCKS_DIFFER_MS) <= now_ms - body.signature_timestamp <= window_ms:
            raise Refusal(400, "INVALID_TIMESTAMP", "the signature timestamp is outside the receive window")
        terms = (body.signature_timestamp, body.market, wire.SIDES[body.side], body.type, body.size, body.price or Decimal(0))
        messages = self._messages[ask.account]
        message = messages.order(*terms) if order_id is None else messages.modify(*terms, order_id)
        if not is_signed_by(self._public_keys[ask.account], message, body.signature):
            raise Refusal(400, "INVALID_ORDER_SIGNATURE", "the order is not signed by the account's key")
        if body.type not in ("LIMIT", "MARKET") or (body.type == "LIMIT") != bool(body.price):
            raise Refusal(400, "VALIDATION_ERROR", f"{body.type} at {body.price} is not an order that is taken here")
        return body

    def _place(self, ask: Ask) -> dict[str, Any]:
        body = self._checked(ask)
        terms = (body.market, wire.SIDES[body.side], body.size, body.price or None, TIF[body.instruction or "GTC"])
        order = self.exchange.place(ask.account, *terms, "REDUCE_ONLY" in (body.flags or ()), body.client_id or None)
        reply = self.order(order)
        self.exchange.flush()  # the reply says NEW all the same: on the venue, risk checks come after it
        return reply

    def _modify(self, ask: Ask) -> dict[str, Any]:
        order = self._find(ask)
        body = self._checked(ask, ask.name)
        if (body.id, body.market, wire.SIDES[body.side]) != (ask.name, order.venue_symbol, order.side) or body.price is None:
            raise Refusal(400, "VALIDATION_ERROR", "id, market and side must be the order's own")
        if order.status is not OrderStatus.OPEN:
            raise Refusal(400, "ORDER_IS_NOT_OPEN", "only open orders can be modified")
        self._amending = (order.order_id, ask.name)
        try:
            changed = self.exchange.amend(ask.account, order.order_id, body.price, body.size)
        finally:
            self._amending = None
        info = {"id": ask.name, "request_type": "MODIFY_ORDER", "status": "SUCCESS", "message": ""}
        return {**self.order(changed), "request_info": info}

    def _cancel(self, ask: Ask) -> None:
        self._end(ask.account, self._find(ask))

    def _cancel_by_client_id(self, ask: Ask) -> None:
        order = self.exchange.order(ask.account, client_order_id=ask.name)
        if order is None:
            raise Refusal(400, "CLIENT_ORDER_ID_NOT_FOUND", f"no order with client id {ask.name}")
        self._end(ask.account, order)

    def _end(self, account: str, order: world.SandboxOrder) -> None:
        try:
            self.exchange.cancel(account, order_id=order.order_id)
        except world.Rejected as rejected:
            raise Refusal(400, "ORDER_IS_CLOSED", f"order {self.venue_id(order)} is closed") from rejected

    def _cancel_all(self, ask: Ask) -> None:
        for order in self._wanted(ask, self.exchange.orders(ask.account)):
            self._end(ask.account, order)

    def _find(self, ask: Ask) -> world.SandboxOrder:
        order_id = self._current.get(ask.name)
        order = None if order_id is None else self.exchange.order(ask.account, order_id=order_id)
        if order is None:
            raise Refusal(400, "ORDER_ID_NOT_FOUND", f"no order with id {ask.name}")
        return order

    def _open_orders(self, ask: Ask) -> dict[str, Any]:
        return {"results": [self.order(order) for order in self._wanted(ask, self.exchange.orders(ask.account))]}

    def _order_by_id(self, ask: Ask) -> dict[str, Any]:
        return self.order(self._find(ask))

    def _order_by_client_id(self, ask: Ask) -> dict[str, Any]:
        order = self.exchange.order(ask.account, client_order_id=ask.name)
        if order is None or order.status is not OrderStatus.OPEN:  # only open ones are found this way (OpenAPI)
            raise Refusal(400, "CLIENT_ORDER_ID_NOT_FOUND", f"no open order with client id {ask.name}")
        return self.order(order)

    def _orders_history(self, ask: Ask) -> dict[str, Any]:
        orders = self._wanted(ask, self.exchange.orders(ask.account, open_only=False))
        wanted = ask.query.get("client_id")
        rows = [self.order(order) for order in orders if wanted in (None, order.client_order_id)]
        return _page(rows, ask)

    def _wanted(self, ask: Ask, orders: list[world.SandboxOrder]) -> list[world.SandboxOrder]:
        """Those of the market asked for, without what an amendment replaced."""
        market = ask.query.get("market")
        return [o for o in orders if self._current[self.venue_id(o)] == o.order_id and market in (None, o.venue_symbol)]

    def venue_id(self, order: world.SandboxOrder) -> str:
        """The id that clients know an order by; unlike the exchange's it survives amendments."""
        known = self._ids.get(order.order_id)
        if known is None:
            known = self._amending[1] if self._amending else _long_id(order.created_ms, order.order_id)
            self._ids[order.order_id] = known
            self._current[known] = order.order_id
        return known

    def is_replaced(self, order: world.SandboxOrder) -> bool:
        """Whether this is the old half of an amendment under way."""
        return self._amending is not None and order.order_id == self._amending[0]

    # What the venue says

    def order(self, order: world.SandboxOrder) -> dict[str, Any]:
        reason = CANCEL_REASONS.get(order.reason, "") if order.reason else ""
        if order.status is OrderStatus.CANCELLED and not reason:
            reason = "NO_LIQUIDITY" if order.time_in_force is TimeInForce.IOC else "USER_CANCELED"
        average, flags = order.average_price, ["REDUCE_ONLY"] if order.reduce_only else []
        return {
            "id": self.venue_id(order),
            "account": order.account,
            "market": order.venue_symbol,
            "side": wire.SIDE_WORDS[order.side],
            "type": "LIMIT" if order.price else "MARKET",
            "instruction": INSTRUCTIONS[order.time_in_force],
            "flags": flags,
            "stp": "EXPIRE_TAKER",
            **_texts(
                size=order.size, remaining_size=order.remaining, price=order.price or Decimal(0), trigger_price=Decimal(0)
            ),
            "avg_fill_price": "" if average is None else _text(average),
            "client_id": order.client_order_id or "",
            "status": STATUS.get(order.status, "CLOSED"),
            "cancel_reason": reason,
            **dict.fromkeys(("timestamp", "created_at", "received_at"), order.created_ms),
            "published_at": self.clock.now_ms(),
            "last_updated_at": order.updated_ms,
            "seq_no": self._next_update(),
        }

    def fill(self, fill: world.SandboxFill) -> dict[str, Any]:
        index, order = self.exchange.state(fill.venue_symbol).index, self.exchange.order(fill.account, order_id=fill.order_id)
        return {
            "id": _long_id(fill.time_ms, fill.fill_id),
            "account": fill.account,
            "order_id": "" if order is None else self.venue_id(order),
            "client_id": fill.client_order_id or "",
            "market": fill.venue_symbol,
            "flags": [],
            "side": wire.SIDE_WORDS[fill.side],
            "liquidity": fill.liquidity.value.upper(),
            **_texts(price=fill.price, size=fill.size, remaining_size=fill.order_remaining, underlying_price=index),
            **_texts(fee=fill.fee, realized_pnl=fill.realised_pnl, realized_funding=fill.realised_funding),
            "fee_currency": wire.USDC,
            "fill_type": "LIQUIDATION" if fill.liquidation else "FILL",
            "created_at": fill.time_ms,
        }

    def position(self, account: str, market: str) -> dict[str, Any]:
        """A position, open or (all zero) closed."""
        exchange, held = self.exchange, self.exchange.positions(account).get(market)
        size, cost, since_ms = (held.size, held.cost, held.opened_ms) if held else (Decimal(0), Decimal(0), self.clock.now_ms())
        funding, limit = exchange.unrealised_funding(account, market), exchange.liquidation_price(account, market)
        fills = [fill for fill in exchange.fills(account) if fill.venue_symbol == market]
        realised = sum(
            (f.realised_pnl for f in fills if f.time_ms >= since_ms), held.funding_since_open if held else Decimal(0)
        )
        return {
            "id": f"{account}-{market}",
            "account": account,
            "market": market,
            "status": "OPEN" if held else "CLOSED",
            "side": "SHORT" if size < 0 else "LONG",
            "size": wire_text(size),
            **dict.fromkeys(("average_entry_price", "average_entry_price_usd"), _text(held.entry_price) if held else "0"),
            **dict.fromkeys(("cost", "cost_usd"), _text(cost)),
            **_texts(realized_pnl=realised if held else Decimal(0), unrealized_funding_pnl=funding),
            "unrealized_pnl": _text(size * exchange.state(market).mark - cost + funding),
            "leverage": str(exchange.leverage(account, market)),
            "cached_funding_index": wire_text((held.funding_index if held else None) or Decimal(0)),
            "created_at": since_ms,
            "last_updated_at": held.updated_ms if held else since_ms,
            "last_fill_id": _long_id(fills[-1].time_ms, fills[-1].fill_id) if fills else "",
            "liquidation_price": "" if limit is None else wire_text(limit),
            "seq_no": self._next_update(),
        }

    def summary(self, account: str) -> dict[str, Any]:
        exchange, equity = self.exchange, self.exchange.equity(account)
        initial, maintenance = exchange.initial_margin(account), exchange.maintenance_margin(account)
        return {
            "account": account,
            "settlement_asset": wire.USDC,
            "status": "ACTIVE",
            **_texts(account_value=equity, free_collateral=exchange.available(account), margin_cushion=equity - maintenance),
            **_texts(initial_margin_requirement=initial, maintenance_margin_requirement=maintenance),
            "total_collateral": wire_text(exchange.wallet(account)),
            "updated_at": self.clock.now_ms(),
            "seq_no": self._next_update(),
        }

    def payment(self, paid: world.SandboxFunding) -> dict[str, Any]:
        return {
            "id": _long_id(paid.time_ms, paid.payment_id),
            "account": paid.account,
            "market": paid.venue_symbol,
            **_texts(payment=paid.amount, index=paid.index or Decimal(0)),
            "fill_id": "" if paid.fill_id is None else _long_id(paid.time_ms, paid.fill_id),
            "created_at": paid.time_ms,
        }

    def _positions(self, account: str) -> list[dict[str, Any]]:
        return [self.position(account, market) for market in self.exchange.positions(account)]

    def _fills(self, ask: Ask) -> dict[str, Any]:
        return _page([self.fill(fill) for fill in self.exchange.fills(ask.account)], ask)

    def _payments(self, ask: Ask) -> dict[str, Any]:
        if "market" not in ask.query:
            raise Refusal(400, "INVALID_REQUEST_PARAMETER", "market is required")
        return _page([self.payment(paid) for paid in self.exchange.funding_payments(ask.account)], ask)

    def _balance(self, ask: Ask) -> dict[str, Any]:
        size = wire_text(self.exchange.wallet(ask.account))
        return {"results": [{"token": wire.USDC, "size": size, "last_updated_at": self.clock.now_ms()}]}

    def _account_info(self, ask: Ask) -> dict[str, Any]:
        fees = self.exchange.rules.fees
        rates = {"maker_rate": wire_text(fees.maker), "taker_rate": wire_text(fees.taker)}
        public_key = self._public_keys[ask.account]
        return {"results": [{"account": ask.account, "kind": "main", "public_key": public_key, "fees": rates}]}

    def _set_margin(self, ask: Ask) -> dict[str, Any]:
        wanted = msgspec.json.decode(ask.body)
        if wanted.get("margin_type") != "CROSS":
            raise Refusal(400, "VALIDATION_ERROR", "only CROSS margin exists here")
        self.exchange.set_leverage(ask.account, ask.name, int(wanted["leverage"]))
        return {"account": ask.account, "market": ask.name, **wanted}

    # Markets

    def _listings(self, ask: Ask) -> list[Listing]:
        wanted = ask.query.get("market", "ALL")
        if wanted != "ALL" and wanted not in self.exchange.listings:
            raise Refusal(404, "MARKET_NOT_FOUND", f"market {wanted} is not listed")
        return [listing for symbol, listing in self.exchange.listings.items() if wanted in ("ALL", symbol)]

    def _summaries(self, ask: Ask) -> dict[str, Any]:
        if "market" not in ask.query:
            raise Refusal(400, "INVALID_REQUEST_PARAMETER", "market is required")
        rows = (self._summary(listing.venue_symbol) for listing in self._listings(ask))
        return {"results": [row for row in rows if row is not None]}

    def _summary(self, market: str) -> dict[str, Any] | None:
        """None for a market that has no prices (yet). A rate that nobody knows is left empty, as it is for options."""
        try:
            state, rate = self.exchange.state(market), self.exchange.funding_rate(market)
        except world.Rejected:
            return None
        bids, asks, _ = self.exchange.book(market, 1)
        (bid, bid_size), (ask, ask_size) = (tuple(map(wire_text, side[0])) if side else ("", "") for side in (bids, asks))
        trades, interest, volume = self.exchange.trades(market, 1), state.open_interest_usd, state.volume_24h_usd
        return {
            "symbol": market,
            "bid": bid,
            "bid_size": bid_size,
            "ask": ask,
            "ask_size": ask_size,
            **_texts(oracle_price=state.mark, mark_price=state.mark, underlying_price=state.index),
            **dict.fromkeys(("volume_24h", "total_volume"), "" if volume is None else repr(volume)),
            "open_interest": "" if interest is None else repr(interest / float(state.mark)),
            "last_traded_price": wire_text(trades[-1].price) if trades else "",
            "funding_rate": "" if rate is None else format(rate, "f"),
            "price_change_rate_24h": "",
            "created_at": self.clock.now_ms(),
        }

    def _orderbook(self, ask: Ask) -> dict[str, Any]:
        bids, asks, sequence = self.exchange.book(ask.name, int(ask.query.get("depth", 20)))
        levels = {side: [[*map(wire_text, level)] for level in rows] for side, rows in (("asks", asks), ("bids", bids))}
        best = {f"best_{side[:3]}_api": rows[0] if rows else [] for side, rows in levels.items()}
        return {"market": ask.name, "seq_no": sequence, "last_updated_at": self.clock.now_ms(), **levels, **best}

    def _trades(self, ask: Ask) -> dict[str, Any]:
        return _page([trade_row(trade) for trade in self.exchange.trades(ask.query["market"], ROWS_MAX)], ask)

    def _funding_data(self, ask: Ask) -> dict[str, Any]:
        """One observation per five minutes (the venue: one per second or so), as far back as prices go.

        The index walks back from its value now by the rate and price of each row.
        """
        market, exchange, now_ms = ask.query["market"], self.exchange, self.clock.now_ms()
        start_ms = max(int(ask.query.get("start_at", 0)), exchange.prices.start_ms, now_ms - ROWS_MAX * FUNDING_GRID_MS)
        rows, index, later_ms = [], exchange.funding_index(market), now_ms
        for at_ms in range(now_ms // FUNDING_GRID_MS * FUNDING_GRID_MS, start_ms - 1, -FUNDING_GRID_MS):
            state, rate = exchange.markets.state(market, at_ms), exchange.markets.funding_rate(market, at_ms)
            if rate is None:
                continue
            premium = rate * state.index
            index -= premium * (later_ms - at_ms) / (PERIOD_HOURS * 3_600_000)
            later_ms = at_ms
            row = {
                "market": market,
                "funding_period_hours": int(PERIOD_HOURS),
                "created_at": at_ms,
                "funding_premium": f"{premium:f}",
            }
            rows.append(
                {**row, "funding_index": f"{index:.18f}", **dict.fromkeys(("funding_rate", "funding_rate_8h"), f"{rate:f}")}
            )
        return _page(rows[::-1], ask, key="created_at")

    def _next_update(self) -> int:
        return self.clock.now_ms() * 1_000_000 + next(self._updates) % 1_000_000

    def _publish(self, event: world.SandboxEvent) -> None:
        for socket in tuple(self.sockets):
            socket.publish(event)


def _rejection(rejected: world.Rejected) -> dict[str, Any]:
    return Refusal(400, REFUSED.get(rejected.reason, "VALIDATION_ERROR"), rejected.detail).reply


def _page(oldest_first: list[dict[str, Any]], ask: Ask, key: str = "id") -> dict[str, Any]:
    """The rows asked for, newest first. A cursor is opaque to clients and names the last row of the page before."""
    query, size = ask.query, int(ask.query.get("page_size", 100))
    if not 1 <= size <= ROWS_MAX:
        raise Refusal(400, "INVALID_REQUEST_PARAMETER", f"page_size must lie between 1 and {ROWS_MAX}")
    first, last = int(query.get("start_at", 0)), int(query.get("end_at", 2**62))
    rows = [r for r in reversed(oldest_first) if r["market"] == query.get("market", r["market"])]
    rows = [row for row in rows if first <= row["created_at"] <= last]
    start = 0
    if "cursor" in query:
        start = [str(row[key]) for row in rows].index(urlsafe_b64decode(query["cursor"]).decode()) + 1
    page = rows[start : start + size]
    more = start + size < len(rows)
    return {"next": urlsafe_b64encode(str(page[-1][key]).encode()).decode() if more else None, "prev": None, "results": page}


def _canonical(address: str) -> str:
    return hex(int(address, 16))


def _long_id(time_ms: int, number: int) -> str:
    """Ids that look like the venue's: an instant and a number."""
    return f"{time_ms}{number:015d}"


def _texts(**numbers: Decimal) -> dict[str, str]:
    return {name: wire_text(number) for name, number in numbers.items()}


def _text(number: Decimal) -> str:
    """Eight decimals, as the venue keeps them."""
    return wire_text(number.quantize(Decimal("1e-8")))


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _token_signature(head: str) -> bytes:
    return _base64(hmac.digest(TOKEN_KEY, head.encode(), "sha256"))


def _market(listing: Listing) -> dict[str, Any]:
    instrument, lot = listing.instrument, listing.instrument.lot_size
    return {
        **MARKET_TERMS,
        "symbol": listing.venue_symbol,
        "base_currency": listing.venue_symbol.removesuffix(wire.PERP),
        **_texts(order_size_increment=lot, price_tick_size=instrument.price_rule.tick, min_notional=instrument.min_notional),
        **_texts(position_limit=lot * 10**9, max_order_size=lot * 10**8),
        "delta1_cross_margin_params": {**MARGIN_TERMS, "imf_base": wire_text(1 / Decimal(listing.max_leverage))},
    }


def trade_row(trade: world.SandboxTrade) -> dict[str, Any]:
    return {
        "id": _long_id(trade.time_ms, trade.trade_id),
        "market": trade.venue_symbol,
        "side": wire.SIDE_WORDS[trade.side],
        **_texts(size=trade.size, price=trade.price),
        "created_at": trade.time_ms,
        "trade_type": "FILL",
    }


Levels = dict[tuple[str, str], str]


class _Socket(FacadeSocket):
    """One client's channels. Books go out as a snapshot, then as differences from what this client was told last."""

    def __init__(self, facade: ParadexSandbox, peer: Peer) -> None:
        self._facade = facade
        self._peer = peer
        self._account = ""
        self._channels: set[str] = set()
        self._books: dict[str, Levels] = {}

    def on_frame(self, frame: bytes) -> None:
        number: Any = None
        try:
            message = msgspec.json.decode(frame)
            number, method, params = message.get("id"), message["method"], message.get("params") or {}
            handler = {"auth": self._auth, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe}.get(method)
            if handler is None:
                self._reply(number, error={"code": -32601, "message": "method not found", "data": method})
                return
            handler(number, params)
        except msgspec.DecodeError:
            self._reply(number, error={"code": -32700, "message": "parse error", "data": "invalid JSON"})
        except (KeyError, TypeError, AttributeError):
            self._reply(number, error={"code": -32600, "message": "invalid request", "data": "invalid params"})

    def on_close(self) -> None:
        for market in self._books:
            self._facade.exchange.unwatch(market)
        self._facade.sockets.discard(self)

    def publish(self, event: world.SandboxEvent) -> None:
        facade, mine = self._facade, self._account
        match event:
            case world.BookChanged(market) if market in self._books:
                self._book(market)
            case world.TradePrinted(trade):
                self._tell("trades", trade.venue_symbol, lambda: trade_row(trade))
            case world.OrderChanged(order) if order.account == mine and not facade.is_replaced(order):
                self._tell("orders", order.venue_symbol, lambda: facade.order(order))
            case world.Filled(fill) if fill.account == mine:
                self._tell("fills", fill.venue_symbol, lambda: facade.fill(fill))
                self._push("positions", lambda: facade.position(mine, fill.venue_symbol))
            case world.FundingPaid(paid) if paid.account == mine:
                self._tell("funding_payments", paid.venue_symbol, lambda: facade.payment(paid))
            case world.AccountChanged(account) if account == mine:
                self._push("account", lambda: facade.summary(mine))
            case _:
                return

    def _auth(self, number: Any, params: dict[str, Any]) -> None:
        try:
            self._account = self._facade.who(str(params["bearer"]))
        except Refusal as refusal:
            self._reply(number, error={"code": 40111, "message": "invalid bearer jwt", "data": str(refusal)})
            return
        self._reply(number, {"node_id": "5a4db0c0de5a4db0"})

    def _subscribe(self, number: Any, params: dict[str, Any]) -> None:
        channel = params["channel"]
        kind, market, rest = (*channel.split(".", 2), "", "")[:3]
        private = kind in ("orders", "fills", "positions", "account", "funding_payments")
        listed = market in self._facade.exchange.listings
        known = {"order_book": listed and rest == "deltas", "positions": channel == kind, "account": channel == kind}.get(
            kind, kind in ("orders", "fills", "trades", "funding_payments") and (listed or market == "ALL") and not rest
        )
        if not known or channel in self._channels:
            why = "already subscribed" if known else "invalid channel"
            self._reply(number, error={"code": -32600, "message": "invalid subscribe request", "data": why})
            return
        if private and not self._account:
            self._reply(number, error={"code": 40111, "message": "unauthorized", "data": "authenticate first"})
            return
        self._channels.add(channel)
        self._reply(number, {"channel": channel})
        if kind == "order_book":
            self._facade.exchange.watch(market)
            self._books[market] = {}
            self._book(market, is_snapshot=True)

    def _unsubscribe(self, number: Any, params: dict[str, Any]) -> None:
        channel = params["channel"]
        if channel not in self._channels:
            error = {"code": -32600, "message": "invalid unsubscribe request", "data": "not subscribed"}
            self._reply(number, error=error)
            return
        self._channels.discard(channel)
        if channel.startswith("order_book."):
            market = channel.split(".")[1]
            del self._books[market]
            self._facade.exchange.unwatch(market)
        self._reply(number, {"channel": channel})

    def _book(self, market: str, is_snapshot: bool = False) -> None:
        bids, asks, sequence = self._facade.exchange.book(market, 1000)
        sides = (("BUY", bids), ("SELL", asks))
        now = {(side, wire_text(price)): wire_text(size) for side, rows in sides for price, size in rows}
        told, self._books[market] = self._books[market], now
        changes = {
            "inserts": [_level(key, size) for key, size in now.items() if key not in told],
            "updates": [_level(key, size) for key, size in now.items() if key in told and told[key] != size],
            "deletes": [_level(key, "0") for key in told if key not in now],
        }
        data = {"seq_no": sequence, "market": market, "last_updated_at": self._facade.clock.now_ms()}
        channel, kind = f"order_book.{market}.deltas", "s" if is_snapshot else "d"
        self._push(channel, lambda: {**data, "update_type": kind, **changes})

    def _tell(self, kind: str, market: str, data: Callable[[], dict[str, Any]]) -> None:
        for channel in (f"{kind}.{market}", f"{kind}.ALL"):
            self._push(channel, data)

    def _push(self, channel: str, data: Callable[[], dict[str, Any]]) -> None:
        if channel in self._channels:
            params = {"channel": channel, "data": data()}
            self._peer.send(msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params}))

    def _reply(self, number: Any, result: Any = None, error: Any = None) -> None:
        outcome = {"error": error} if error else {"result": result}
        now_us = self._facade.clock.now_ms() * 1000
        times = {"usIn": now_us, "usDiff": 0, "usOut": now_us}
        self._peer.send(msgspec.json.encode({"jsonrpc": "2.0", **outcome, **times, "id": number}))


def _level(key: tuple[str, str], size: str) -> dict[str, str]:
    return {"side": key[0], "price": key[1], "size": size}
