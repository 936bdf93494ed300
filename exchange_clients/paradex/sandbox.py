"""Paradex's protocol in front of a sandbox exchange: Stark signatures, tokens, windows and budgets are checked, refusals use its words."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count
from struct import Struct
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec

from exchange_clients.domain import Instrument, OrderStatus, PriceRule, Side, TimeInForce, identify, wire_text
from exchange_clients.engine import sbe
from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.keys.stark import CURVE_ORDER, Signer, account_address, is_signed_by
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.signing import Messages
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.accounts import FeeToken
from exchange_clients.sandbox.book_deltas import BookDeltas
from exchange_clients.sandbox.candles import candles
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.levels import touch
from exchange_clients.sandbox.pages import page_below
from exchange_clients.sandbox.payments import rates_accruing
from exchange_clients.sandbox.routed import Feed, Refusal, RoutedFacade
from exchange_clients.sandbox.routes import Ask, Routes
from exchange_clients.sandbox.rpc_socket import INVALID, RpcSocket, data_frame, is_one_of
from exchange_clients.sandbox.rules import ContinuousFunding, DailyRelease, Listing, Phase, VenueRules
from exchange_clients.sandbox.streams import Topic
from exchange_clients.sandbox.texts import exact, texts
from exchange_clients.sandbox.tokens import Tokens

CHAIN = "PRIVATE_SN_SANDBOX"  # a chain of its own: nothing signed for it is worth anything elsewhere
PROXY_HASH = "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9"
ACCOUNT_HASH = "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e"
TOKEN_LIVES_MS, BAD_TOKEN = 300_000, "invalid bearer jwt: token is malformed, forged or expired"
LOGIN_LIVES_MS, LOGIN_LIVES_MAX_MS = 1_800_000, 7 * 86_400_000
ORDER_LIVES_MS = 300_000
CLOCKS_DIFFER_MS = 10_000
FUNDING_GRID_MS = 300_000
ROWS_MAX = 5000
BOOK_LEVELS = 1000
JSON = {"content-type": "application/json; charset=utf-8"}
STATUS = {OrderStatus.PENDING: "NEW", OrderStatus.OPEN: "OPEN"}
Reason = world.RejectReason
REFUSED = {
    Reason.BELOW_MINIMUM_NOTIONAL: "INVALID_ORDER_SIZE",
    Reason.ZERO_SIZE: "INVALID_ORDER_SIZE",
    Reason.UNKNOWN_MARKET: "MARKET_NOT_FOUND",
    Reason.DUPLICATE_CLIENT_ID: "DUPLICATED_CLIENT_ID",
    Reason.CANCEL_ONLY: "SYSTEM_STATUS_CANCEL_ONLY",
    Reason.POST_ONLY: "SYSTEM_STATUS_POST_ONLY",
}
CANCEL_REASONS = {
    Reason.WOULD_CROSS: "POST_ONLY_WOULD_CROSS",
    Reason.INSUFFICIENT_MARGIN: "NOT_ENOUGH_MARGIN",
    Reason.REDUCE_ONLY: "REDUCE_ONLY_WILL_INCREASE",
    Reason.PRICE_OUT_OF_BAND: "PRICE_BAND_EXCEEDED",  # the venue's word is not known
    Reason.SELF_TRADE: "SELF_TRADE",
    Reason.NO_LIQUIDITY: "NO_LIQUIDITY",
}
PUBLIC_BOOK, PUBLIC = "order_book.{market}.deltas", "trades.{market}"
PRIVATE = ("orders.{market}", "fills.{market}", "funding_payments.{market}", "positions", "account", "balance_events")
AUTH_WITHOUT_KEY = Endpoint("auth without key", "POST", "/auth", None, common.LOGINS)
SYSTEM_TIME = Endpoint("system time", "GET", "/system/time", None, common.PER_ADDRESS)
BBO = Endpoint("bbo", "GET", "/bbo/{market}", None, common.PER_ADDRESS)
INTERACTIVE = Endpoint("interactive book", "GET", "/orderbook/{market}/interactive", None, common.PER_ADDRESS)
KLINES = Endpoint("klines", "GET", "/markets/klines", None, common.PER_ADDRESS)
# What the vendor's SDK asks for before it starts (paradex-py, api/models.py: SystemConfig; OpenAPI: SystemConfigResponse).
CONFIG = {"starknet_chain_id": CHAIN, "paraclear_account_hash": ACCOUNT_HASH, "paraclear_account_proxy_hash": PROXY_HASH}
CONFIG |= {"paraclear_evm_account_hash": ACCOUNT_HASH} | msgspec.json.decode(
    b'{"environment":"sandbox","l1_chain_id":"11155111","paraclear_decimals":8,"bridged_tokens":[],"liquidation_fee":"0.2",'
    b'"paraclear_address":"0x1","oracle_address":"0x1","l1_core_contract_address":"0x1","l1_operator_address":"0x1",'
    b'"l1_relayer_address":"0x1","l2_relayer_address":"0x1","universal_deployer_address":"0x1","block_explorer_url":"http://0x1",'
    b'"dime_staking_contract_address":"0x1","starknet_gateway_url":"http://0x1","starknet_fullnode_rpc_url":"http://0x1",'
    b'"starknet_fullnode_rpc_base_url":"http://0x1","assets_limit_per_account":550}'
)
# Weekdays at 04:30 UTC; orders outside 5 bps of the fair price are cancelled (docs: trading/maintenance-mode, August 2026).
RELEASE = DailyRelease(4 * 3_600_000 + 1_800_000, cancel_only_ms=120_000, post_only_ms=120_000, price_band=Decimal("0.0005"))
SYSTEM = {Phase.OPEN: "ok", Phase.CANCEL_ONLY: "cancel_only", Phase.POST_ONLY: "post_only"}
DIME, DIME_PRICE, DIME_FACTOR = "DIME", Decimal("0.02"), Decimal("0.6")  # fees in DIME cost 40 % less (docs: trading-fees)
USDC_PRICE = Decimal("0.9998")  # sums in USD differ from the balance in USDC
# Markets that share the lists with ours and take no order of an ordinary account: terms, and the code they refuse with.
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "ISOLATED-USD-PERP": ({"market_kind": "isolated"}, "ISOLATED_MARKET_ACCOUNT_MISMATCH"),
    "ISOLATEDMARGIN-USD-PERP": ({"market_kind": "isolated_margin"}, "MARKET_MARGIN_RESTRICTED"),
    "RFQ-USD-PERP": ({"trading_mode": "RFQ_ONLY"}, "NO_ACCESS_TO_MARKET"),
    "DIME-USD": ({"asset_kind": "SPOT", "market_kind": "", "funding_period_hours": 0}, "REQUEST_NOT_ALLOWED"),
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


class ParadexSandbox(RoutedFacade):
    """One exchange, the REST paths that clients use and one JSON-RPC WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = sbe.HEADER.pack(89, wire.SBE_BOOK, wire.SBE_SCHEMA, 1)
    book_channel: ClassVar[str] = "order_book"
    meters: ClassVar[tuple[Meter, ...]] = (common.PER_ADDRESS, common.LOGINS, common.READS, common.ORDERS)

    @classmethod
    def rules(cls) -> VenueRules:
        funding = ContinuousFunding(common.SPEC.funding_interval_hours, cap=Decimal("0.05"))
        terms, band = (cls.venue, common.SPEC.fees, funding, Decimal("1e-8"), Decimal(10)), Decimal("0.05")
        return VenueRules(
            *terms, price_band=band, release=RELEASE, decide_later=True, amend_keeps_id=True, reduce_only_fits=True
        )

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        base, magnitude = name.removesuffix(wire.PERP), first_price.adjusted()
        symbol, leverage = f"{base}{wire.PERP}", 50 if base in ("BTC", "ETH") else 20
        tick, lot = (Decimal(1).scaleb(max(-8, power)) for power in (magnitude - 5, -magnitude - 1))
        terms = (wire.USDC, PriceRule(tick), lot, Decimal(10), Decimal(leverage))
        return Listing(symbol, Instrument.perpetual(cls.venue, symbol, identify(base), *terms), leverage)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        super().__init__(exchange)
        self.tokens = Tokens(exchange.clock, "Paradex sandbox", TOKEN_LIVES_MS)
        self._books = BookDeltas(exchange, BOOK_LEVELS)
        self._keys: dict[str, list[str]] = {}  # public keys by account; the first is the account's own, the rest are subkeys
        self._messages: dict[str, Messages] = {}
        self._updates = count(1)
        self.feeds = (
            Feed(world.BookChanged, lambda e: [("order_book", e.venue_symbol)], lambda e: self.book(e.venue_symbol)),
            Feed(world.TradePrinted, lambda e: _both("trades", e.trade), lambda e: trade_frame(e.trade)),
            Feed(world.OrderChanged, lambda e: _both("orders", e.order), lambda e: self.order(e.order)),
            Feed(world.Filled, lambda e: _both("fills", e.fill), lambda e: self.fill(e.fill)),
            Feed(world.Filled, lambda e: [("balance_events", e.fill.account)], lambda e: self._balance_event(e.fill)),
            Feed(
                world.Filled,
                lambda e: [("positions", e.fill.account)],
                lambda e: self.position(e.fill.account, e.fill.venue_symbol),
            ),
            Feed(world.FundingPaid, lambda e: _both("funding_payments", e.payment), lambda e: _payment(e.payment)),
            Feed(world.AccountChanged, lambda e: [("account", e.account)], lambda e: self.summary(e.account)),
        )
        self.routes = Routes(
            common.SPEC.rest_path,
            {
                **dict.fromkeys((common.AUTH, AUTH_WITHOUT_KEY), self._auth),
                common.ONBOARDING: self._onboarding,
                common.SYSTEM_CONFIG: lambda _: CONFIG,
                common.SYSTEM_STATE: lambda _: {"status": SYSTEM[exchange.rules.phase(self.clock.now_ms())]},
                SYSTEM_TIME: lambda _: {"server_time": str(self.clock.now_ms())},
                common.MARKETS: lambda ask: self._rows(ask, _market),
                common.SUMMARIES: self._summaries,
                **dict.fromkeys((common.BOOK, INTERACTIVE), self._orderbook),
                BBO: self._bbo,
                KLINES: self._klines,
                common.TRADES: lambda ask: _page(map(_trade, exchange.trades(ask.query["market"], ROWS_MAX)), ask),
                common.FUNDING_DATA: self._funding_data,
                common.PLACE: self._place,
                common.MODIFY: self._modify,
                **dict.fromkeys((common.CANCEL, common.CANCEL_BY_CLIENT_ID), lambda ask: self._end(self._find(ask))),
                common.CANCEL_ALL: self._cancel_all,
                common.OPEN_ORDERS: lambda ask: _results(map(self.order, self._working(ask))),
                common.ORDER: lambda ask: self.order(self._find(ask)),
                common.ORDER_BY_CLIENT_ID: lambda ask: self.order(self._find(ask, only_open=True)),
                common.ORDERS_HISTORY: self._orders_history,
                common.FILLS: lambda ask: _page(map(self.fill, exchange.fills(ask.account)), ask),
                common.FUNDING_PAYMENTS: self._payments,
                common.POSITIONS: lambda ask: _results(self.position(ask.account, m) for m in exchange.positions(ask.account)),
                common.BALANCE: self._balance,
                common.ACCOUNT: lambda ask: self.summary(ask.account),
                common.ACCOUNT_INFO: self._account_info,
                common.SET_MARGIN: self._set_margin,
                common.MARGIN: self._margin,
            },
        )

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        key = hex(int.from_bytes(account_seed(name)) % (CURVE_ORDER - 1) + 1)
        public_key = Signer(key).public_key
        account = account_address(public_key, PROXY_HASH, ACCOUNT_HASH)
        self._introduce(account, public_key, Decimal(balance))
        return {"private_key": key, "account_address": account}

    def subkey(self, account: str) -> str:
        """The private key of a new subkey of `account`: it trades, and may not change settings."""
        key = hex(int(account, 16) % (CURVE_ORDER - 2) + len(self._keys[account]))
        self._keys[account].append(Signer(key).public_key)
        return key

    def pay_fees_in_dime(self, account: str, size: Decimal) -> None:
        """Give an account DIME and the option to pay fees with it."""
        self.exchange.give(account, DIME, size)
        self.exchange.pay_fees_in(account, FeeToken(DIME, DIME_PRICE, DIME_FACTOR))

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url.partition("?")[0] == "/v1/orders"

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return _Socket(self, opening, peer)

    def account(self, ask: Ask) -> str:
        account = self.tokens.account(_token(ask))
        if account is None:
            raise Refusal(401, "INVALID_TOKEN", BAD_TOKEN)
        return account

    def accept(self, ask: Ask, reply: Any) -> HttpResponse:
        if reply is None:  # cancelling all answers 200, cancelling one 204
            return HttpResponse(204 if "/orders/" in ask.endpoint.path else 200, b"", JSON)
        return HttpResponse(201 if ask.endpoint is common.PLACE else 200, msgspec.json.encode(reply), JSON)

    def refuse(self, refusal: Refusal) -> HttpResponse:
        said = {"error": refusal.code, "message": refusal.words, "data": None}
        return HttpResponse(refusal.status, msgspec.json.encode(said), JSON)

    def worded(self, no: world.Rejected) -> Refusal:
        return Refusal(400, REFUSED.get(no.reason, "VALIDATION_ERROR"), no.detail)

    def spender(self, meter: Meter, ask: Ask, address: str) -> str:
        return address if meter in (common.PER_ADDRESS, common.LOGINS) else ask.account

    def budget(self, meter: Meter, left: float) -> dict[str, str]:
        figures = {"limit": meter.capacity, "window": meter.window_s, "remaining": left}
        return {f"x-ratelimit-{name}": str(int(figure)) for name, figure in figures.items()}

    def frame(self, topic: Topic, row: Any) -> Any:
        return row if isinstance(row, bytes) else data_frame(topic[0], row)

    # Sessions

    def _introduce(self, account: str, public_key: str, balance: Decimal) -> None:
        self._keys[account] = [public_key]
        self._messages[account] = Messages(CHAIN, account)
        self.exchange.open_account(account, balance)

    def _onboarding(self, ask: Ask) -> None:
        account, public_key = ask.headers["PARADEX-STARKNET-ACCOUNT"], str(msgspec.json.decode(ask.body)["public_key"])
        if int(ask.headers["PARADEX-ETHEREUM-ACCOUNT"], 16) >> 160:
            raise Refusal(400, "INVALID_ETHEREUM_ADDRESS", "not an ethereum address")
        if not is_signed_by(public_key, Messages(CHAIN, account).onboarding(), ask.headers["PARADEX-STARKNET-SIGNATURE"]):
            raise Refusal(401, "STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by the public key")
        if int(account, 16) != int(account_address(public_key, PROXY_HASH, ACCOUNT_HASH), 16):
            raise Refusal(400, "INVALID_STARKNET_ADDRESS", "the address does not belong to the public key")
        if (canonical := hex(int(account, 16))) not in self._keys:
            self._introduce(canonical, public_key, Decimal(0))

    def _auth(self, ask: Ask) -> dict[str, str]:
        now_ms, headers, wire_ms = self.clock.now_ms(), ask.headers, self.clock.wire_ms
        account = hex(int(headers["PARADEX-STARKNET-ACCOUNT"], 16))
        if account not in self._keys:
            raise Refusal(400, "NOT_ONBOARDED", "User has never called /onboarding endpoint")
        wanted = int(ask.path.get("public_key", self._keys[account][0]), 16)
        public_key = next((key for key in self._keys[account] if int(key, 16) == wanted), None)
        if public_key is None:
            raise Refusal(401, "PUBLIC_KEY_INVALID", "the public key belongs to no active key of the account")
        signed_s = int(headers["PARADEX-TIMESTAMP"])
        until_s = int(headers.get("PARADEX-SIGNATURE-EXPIRATION") or signed_s + wire_ms(LOGIN_LIVES_MS) // 1000)
        life_ms, ahead_ms = (until_s - signed_s) * 1000, signed_s * 1000 - now_ms
        if now_ms >= until_s * 1000 or life_ms > wire_ms(LOGIN_LIVES_MAX_MS) or ahead_ms > wire_ms(CLOCKS_DIFFER_MS):
            raise Refusal(400, "INVALID_TIMESTAMP", "the signature is expired, too long-lived or from the future")
        message = self._messages[account].auth(signed_s, until_s)
        if not is_signed_by(public_key, message, headers["PARADEX-STARKNET-SIGNATURE"]):
            raise Refusal(401, "STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by the account's key")
        return {"jwt_token": self.tokens.issue(account, key=public_key)}

    # Orders

    def _checked(self, ask: Ask, order_id: str | None = None) -> OrderBody:
        """The order in a request's body, once its signature and its age are right."""
        body = msgspec.json.decode(ask.body, type=OrderBody, strict=False)
        now_ms, window_ms = self.clock.now_ms(), body.recv_window or self.clock.wire_ms(ORDER_LIVES_MS)
        if window_ms < 10 or not -self.clock.wire_ms(CLOCKS_DIFFER_MS) <= now_ms - body.signature_timestamp <= window_ms:
            raise Refusal(400, "INVALID_TIMESTAMP", "the signature timestamp is outside the receive window")
        terms = (body.signature_timestamp, body.market, wire.SIDES[body.side], body.type, body.size, body.price or Decimal(0))
        messages = self._messages[ask.account]
        message = messages.order(*terms) if order_id is None else messages.modify(*terms, order_id)
        if not any(is_signed_by(key, message, body.signature) for key in self._keys[ask.account]):
            raise Refusal(400, "INVALID_ORDER_SIGNATURE", "the order is not signed by the account's key")
        if body.type not in ("LIMIT", "MARKET"):
            raise Refusal(400, "VALIDATION_ERROR", f"{body.type} is not a type of order that is taken here")
        if body.type == "MARKET" and body.price is not None:  # in these words: ccxt PR 28204
            raise Refusal(400, "BINDING_ERROR", "price: must be omitted when type=MARKET or type=STOP_MARKET")
        if body.type == "LIMIT" and not body.price:
            raise Refusal(400, "VALIDATION_ERROR", "price: cannot be blank")
        return body

    def _place(self, ask: Ask) -> dict[str, Any]:
        body = self._checked(ask)
        if body.market in OTHERS:
            raise Refusal(400, OTHERS[body.market][1], f"{body.market} takes no such order from this account")
        tif = wire.TIMES_IN_FORCE[body.instruction or "GTC"]
        terms = (body.market, wire.SIDES[body.side], body.size, body.price or None, tif)
        order = self.exchange.place(ask.account, *terms, "REDUCE_ONLY" in (body.flags or ()), body.client_id or None)
        reply = self.order(order)
        self.exchange.flush()  # the reply says NEW all the same: on the venue, risk checks come after it
        return reply

    def _modify(self, ask: Ask) -> dict[str, Any]:
        order, name = self._find(ask), ask.path["order_id"]
        body = self._checked(ask, name)
        if (body.id, body.market, wire.SIDES[body.side]) != (name, order.venue_symbol, order.side) or body.price is None:
            raise Refusal(400, "VALIDATION_ERROR", "id, market and side must be the order's own")
        if order.status is not OrderStatus.OPEN:
            raise Refusal(400, "ORDER_IS_NOT_OPEN", "only open orders can be modified")
        changed = self.exchange.amend(ask.account, order.order_id, body.price, body.size)
        info = {"id": name, "request_type": "MODIFY_ORDER", "status": "SUCCESS", "message": ""}
        return {**self.order(changed), "request_info": info}

    def _end(self, order: world.SandboxOrder) -> None:
        try:
            self.exchange.cancel(order.account, order_id=order.order_id)
        except world.Rejected as rejected:
            raise Refusal(400, "ORDER_IS_CLOSED", f"order {_order_id(order)} is closed") from rejected

    def _cancel_all(self, ask: Ask) -> None:
        for order in self._working(ask):
            self._end(order)

    def _find(self, ask: Ask, only_open: bool = False) -> world.SandboxOrder:
        """By the id in the path. `only_open`: others are not found by their client id (OpenAPI)."""
        if "client_id" in ask.path:
            order = self.exchange.order(ask.account, client_order_id=ask.path["client_id"])
            if order is None or (only_open and order.status is not OrderStatus.OPEN):
                raise Refusal(400, "CLIENT_ORDER_ID_NOT_FOUND", f"no such order with client id {ask.path['client_id']}")
            return order
        name = ask.path["order_id"]
        order = self.exchange.order(ask.account, order_id=int(name[-15:])) if name.isdecimal() else None
        if order is None or _order_id(order) != name:
            raise Refusal(400, "ORDER_ID_NOT_FOUND", f"no order with id {name}")
        return order

    def _working(self, ask: Ask) -> list[world.SandboxOrder]:
        return self.exchange.orders(ask.account, venue_symbol=ask.query.get("market"))

    def _orders_history(self, ask: Ask) -> dict[str, Any]:
        orders, wanted = self.exchange.orders(ask.account, open_only=False), ask.query.get("client_id")
        return _page([self.order(order) for order in orders if wanted in (None, order.client_order_id)], ask)

    # What the venue says

    def order(self, order: world.SandboxOrder) -> dict[str, Any]:
        reason, price = CANCEL_REASONS.get(order.reason, "") if order.reason else "", order.price or Decimal(0)
        if order.status is OrderStatus.CANCELLED and not reason:
            reason = "NO_LIQUIDITY" if order.time_in_force is TimeInForce.IOC else "USER_CANCELED"
        return {
            "id": _order_id(order),
            **_about(order),
            "client_id": order.client_order_id or "",
            "type": "LIMIT" if order.price else "MARKET",
            "instruction": wire.INSTRUCTIONS[order.time_in_force],
            "flags": ["REDUCE_ONLY"] if order.reduce_only else [],
            "stp": "EXPIRE_TAKER",
            **texts(wire_text, size=order.size, remaining_size=order.remaining, price=price, trigger_price=Decimal(0)),
            "avg_fill_price": "" if order.average_price is None else _text(order.average_price),
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
            **_about(fill),
            "order_id": "" if order is None else _order_id(order),
            "client_id": fill.client_order_id or "",
            "flags": [],
            "liquidity": fill.liquidity.value.upper(),
            **texts(wire_text, price=fill.price, size=fill.size, remaining_size=fill.order_remaining, underlying_price=index),
            **texts(wire_text, fee=fill.fee, realized_pnl=fill.realised_pnl, realized_funding=fill.realised_funding),
            "fee_currency": fill.fee_asset or wire.USDC,
            "fill_type": "LIQUIDATION" if fill.liquidation else "FILL",
            "created_at": fill.time_ms,
        }

    def position(self, account: str, market: str) -> dict[str, Any]:
        """A position, open or (all zero) closed."""
        exchange, held, zero = self.exchange, self.exchange.positions(account).get(market), Decimal(0)
        size, cost, since_ms = (held.size, held.cost, held.opened_ms) if held else (zero, zero, self.clock.now_ms())
        funding, limit = exchange.unrealised_funding(account, market), exchange.liquidation_price(account, market)
        fills, realised = exchange.fills(account, venue_symbol=market), exchange.realised(account, market)
        return {
            "id": f"{account}-{market}",
            "account": account,
            "market": market,
            "status": "OPEN" if held else "CLOSED",
            "side": "SHORT" if size < 0 else "LONG",
            **dict.fromkeys(("average_entry_price", "average_entry_price_usd"), _text(held.entry_price) if held else "0"),
            **dict.fromkeys(("cost", "cost_usd"), _text(cost)),
            **texts(wire_text, size=size, realized_pnl=realised, unrealized_funding_pnl=funding),
            "unrealized_pnl": _text(size * exchange.state(market).mark - cost + funding),
            "leverage": str(exchange.leverage(account, market)),
            "cached_funding_index": wire_text((held.funding_index if held else None) or zero),
            "created_at": since_ms,
            "last_updated_at": held.updated_ms if held else since_ms,
            "last_fill_id": _long_id(fills[-1].time_ms, fills[-1].fill_id) if fills else "",
            "liquidation_price": "" if limit is None else wire_text(limit),
            "seq_no": self._next_update(),
        }

    def summary(self, account: str) -> dict[str, Any]:
        exchange, dime = self.exchange, self.exchange.tokens(account).get(DIME, Decimal(0))
        initial, maintenance = exchange.initial_margin(account), exchange.maintenance_margin(account)
        margins = {"initial_margin_requirement": initial, "maintenance_margin_requirement": maintenance}
        worth = exchange.equity(account) + dime * DIME_PRICE  # what is no USDC is worth something and backs nothing
        return {
            "account": account,
            "settlement_asset": wire.USDC,
            "status": "ACTIVE",
            "updated_at": self.clock.now_ms(),
            **texts(wire_text, account_value=worth, free_collateral=exchange.available(account)),
            **texts(_text, total_collateral=exchange.wallet(account) * USDC_PRICE),
            **texts(wire_text, margin_cushion=worth - maintenance, **margins),
            "seq_no": self._next_update(),
        }

    def _payments(self, ask: Ask) -> dict[str, Any]:
        if "market" not in ask.query:
            raise Refusal(400, "INVALID_REQUEST_PARAMETER", "market is required")
        return _page(map(_payment, self.exchange.funding_payments(ask.account)), ask)

    def _balance(self, ask: Ask) -> dict[str, Any]:
        sizes = {wire.USDC: self.exchange.wallet(ask.account), **self.exchange.tokens(ask.account)}
        now_ms = self.clock.now_ms()
        return {"results": [{"token": t, "size": wire_text(sizes[t]), "last_updated_at": now_ms} for t in sizes]}

    def _balance_event(self, fill: world.SandboxFill) -> dict[str, Any]:
        """What a fill did to the settlement balance (AsyncAPI: BalanceEventResponse)."""
        after, fee = self.exchange.wallet(fill.account), Decimal(0) if fill.fee_asset else fill.fee
        numbers = {"realized_pnl": fill.realised_pnl, "fees": fee, "realized_funding": fill.realised_funding}
        before = after - fill.realised_pnl - fill.realised_funding + fee
        return {
            "type": "TRANSACTION_FILL",
            "status": "ON_BLOCKCHAIN",
            "fill_id": _long_id(fill.time_ms, fill.fill_id),
            "market": fill.venue_symbol,
            "settlement_asset_name": wire.USDC,
            "settlement_asset_address": "0x1",
            **texts(wire_text, settlement_asset_balance_before=before, settlement_asset_balance_after=after, **numbers),
            **texts(wire_text, settlement_asset_price=USDC_PRICE, funding_index=self.exchange.funding_index(fill.venue_symbol)),
            "created_at": fill.time_ms,
        }

    def _account_info(self, ask: Ask) -> dict[str, Any]:
        fees, public_key = self.exchange.rules.fees, self._keys[ask.account][0]
        rates = texts(wire_text, maker_rate=fees.maker, taker_rate=fees.taker)
        return {"results": [{"account": ask.account, "kind": "main", "public_key": public_key, "fees": rates}]}

    def _set_margin(self, ask: Ask) -> dict[str, Any]:
        wanted, market = msgspec.json.decode(ask.body), ask.path["market"]
        if self.tokens.key(_token(ask)) != self._keys[ask.account][0]:  # docs: subkeys cannot modify account settings
            raise Refusal(403, "REQUEST_NOT_ALLOWED", "a subkey may not change account settings")
        if wanted.get("margin_type") != "CROSS":
            raise Refusal(400, "VALIDATION_ERROR", "only CROSS margin exists here")
        self.exchange.set_leverage(ask.account, market, int(wanted["leverage"]))
        return {"account": ask.account, "market": market, **wanted}

    def _margin(self, ask: Ask) -> dict[str, Any]:
        leverage = self.exchange.leverage(ask.account, ask.query["market"])
        config = {"market": ask.query["market"], "leverage": leverage, "margin_type": "CROSS", "isolated_margin_leverage": 0}
        return {"account": ask.account, "configs": [config], "margin_methodology": "cross_margin"}

    # Markets

    def _rows(self, ask: Ask, row: Callable[[Listing], dict[str, Any] | None]) -> dict[str, Any]:
        """A row per market asked for; those that are not ours look like our first but for what makes them others."""
        rows = {symbol: row(listing) for symbol, listing in self.exchange.listings.items()}
        model, wanted = next(iter(rows.values())) or {}, ask.query.get("market", "ALL")
        for symbol, (terms, _) in OTHERS.items():
            own = {"symbol": symbol, "base_currency": symbol.partition("-")[0], "mark_price": wire_text(DIME_PRICE), **terms}
            rows[symbol] = {key: own.get(key, value) for key, value in model.items()}
        if wanted != "ALL" and wanted not in rows:
            raise Refusal(404, "MARKET_NOT_FOUND", f"market {wanted} is not listed")
        return {"results": [told for symbol, told in rows.items() if told and wanted in ("ALL", symbol)]}

    def _summaries(self, ask: Ask) -> dict[str, Any]:
        if "market" not in ask.query:
            raise Refusal(400, "INVALID_REQUEST_PARAMETER", "market is required")
        return self._rows(ask, lambda listing: self._summary(listing.venue_symbol))

    def _summary(self, market: str) -> dict[str, Any] | None:
        """None for a market that has no prices (yet). A rate that nobody knows is left empty, as it is for options."""
        state = self.exchange.find_state(market)
        if state is None:
            return None
        trades, interest, volume = self.exchange.trades(market, 1), state.open_interest_usd, state.volume_24h_usd
        return {
            "symbol": market,
            **touch(self.exchange, market),
            **texts(wire_text, oracle_price=state.mark, mark_price=state.mark, underlying_price=state.index),
            **dict.fromkeys(("volume_24h", "total_volume"), "" if volume is None else repr(volume)),
            "open_interest": "" if interest is None else repr(interest / float(state.mark)),
            "last_traded_price": wire_text(trades[-1].price) if trades else "",
            "funding_rate": exact(self.exchange.funding_rate(market)) or "",
            "price_change_rate_24h": "",
            "created_at": self.clock.now_ms(),
        }

    def _orderbook(self, ask: Ask) -> dict[str, Any]:
        market, depth = ask.path["market"], int(ask.query.get("depth", 20))
        bids, asks, sequence = self.exchange.book(market, depth)
        levels = {side: [[*map(wire_text, level)] for level in rows] for side, rows in (("asks", asks), ("bids", bids))}
        kinds = ("api", "interactive") if ask.endpoint is INTERACTIVE else ("api",)
        best = {f"best_{side[:3]}_{kind}": rows[0] if rows else [] for side, rows in levels.items() for kind in kinds}
        return {"market": market, "seq_no": sequence, "last_updated_at": self.clock.now_ms(), **levels, **best}

    def _bbo(self, ask: Ask) -> dict[str, Any]:
        market, now_ms = ask.path["market"], self.clock.now_ms()
        best = touch(self.exchange, self.exchange.markets.listing(market).venue_symbol)
        return {"market": market, **best, "seq_no": self.exchange.book(market, 1)[2], "last_updated_at": now_ms}

    def _klines(self, ask: Ask) -> dict[str, Any]:
        """[start, open, high, low, close, volume] by the mark price; nobody knows the volume of a minute here."""
        first_ms, last_ms = (int(ask.query[name]) for name in ("start_at", "end_at"))
        found = candles(self.exchange, ask.query["symbol"], first_ms, last_ms - 1, int(ask.query["resolution"]) * 60_000)
        return _results([c.open_ms, *map(float, (c.open, c.high, c.low, c.close)), 0] for c in found)

    def _funding_data(self, ask: Ask) -> dict[str, Any]:
        """One observation per five minutes (the venue: one per second or so), as far back as prices go."""
        market, hours = ask.query["market"], int(common.SPEC.funding_interval_hours)
        since_ms = max(int(ask.query.get("start_at", 0)), self.clock.now_ms() - ROWS_MAX * FUNDING_GRID_MS)
        rows = []
        for told in rates_accruing(self.exchange, market, since_ms, FUNDING_GRID_MS):
            row = {"market": market, "funding_period_hours": hours, "created_at": told.time_ms}
            numbers = texts(exact, funding_rate=told.rate, funding_rate_8h=told.rate, funding_premium=told.premium)
            rows.append({**row, **numbers, "funding_index": f"{told.index:.18f}"})
        return _page(rows, ask, key="created_at")

    def book(self, market: str, is_whole: bool = False) -> bytes:
        """A book, or what changed of it, as SBE: BookEvent of paradex-py's sbe/paradex_1_0.xml. What is not told is the null of int64."""
        delta = self._books.snapshot(market) if is_whole else self._books.change(market)
        rows, ways = (*delta.inserts, *delta.updates, *delta.deletes), (Side.BUY, Side.SELL)
        sides = [[(_fixed(price), _fixed(size)) for side, price, size in rows if side is way] for way in ways]
        block = Struct("<qqB9q").pack(self.clock.now_ms() * 1000, delta.sequence, 0 if is_whole else 1, *[-(2**63)] * 9)
        groups = (sbe.grouped("qq", side) for side in sides)
        return sbe.framed(wire.SBE_BOOK, wire.SBE_SCHEMA, 1, block, *groups, sbe.texted(market))

    def _next_update(self) -> int:
        return self.clock.now_ms() * 1_000_000 + next(self._updates) % 1_000_000


def _both(kind: str, row: Any) -> list[Topic]:
    """The channels of a market and of all."""
    return [(f"{kind}.{market}", getattr(row, "account", "")) for market in (row.venue_symbol, "ALL")]


def trade_frame(trade: world.SandboxTrade) -> bytes:
    """A public trade as SBE: TradeEvent of the same schema."""
    time_us, side = trade.time_ms * 1000, 1 if trade.side is Side.BUY else 2
    numbers = (_fixed(trade.price), _fixed(trade.size), time_us, 1)
    block = Struct("<qqqBqqqB").pack(time_us, trade.trade_id, trade.trade_id, side, *numbers)
    return sbe.framed(1, wire.SBE_SCHEMA, 1, block, sbe.texted(trade.venue_symbol))


def _fixed(number: Decimal | str) -> int:
    return int(Decimal(number).scaleb(8))


def _page(rows: Iterable[dict[str, Any]], ask: Ask, key: str = "id") -> dict[str, Any]:
    """The rows asked for, newest first. A cursor is opaque to clients and names the last row of the page before."""
    query, size = ask.query, int(ask.query.get("page_size", 100))
    if not 1 <= size <= ROWS_MAX:
        raise Refusal(400, "INVALID_REQUEST_PARAMETER", f"page_size must lie between 1 and {ROWS_MAX}")
    first, last, market = int(query.get("start_at", 0)), int(query.get("end_at", 2**62)), query.get("market")
    wanted = [row for row in rows if first <= row["created_at"] <= last and market in (None, row["market"])]
    before = int(urlsafe_b64decode(query["cursor"])) if "cursor" in query else None
    newest_first = sorted(wanted, key=lambda row: int(row[key]), reverse=True)
    page, end = page_below(newest_first, lambda row: int(row[key]), before, size)
    return {"next": None if end is None else urlsafe_b64encode(b"%d" % end).decode(), "prev": None, **_results(page)}


def _results(rows: Iterable[Any]) -> dict[str, Any]:
    """A list as the venue's Go server writes it: null when empty."""
    return {"results": list(rows) or None}


def _token(ask: Ask) -> str:
    return ask.headers.get("Authorization", "").removeprefix("Bearer ")


def _long_id(time_ms: int, number: int) -> str:
    """Ids that look like the venue's: an instant and a number."""
    return f"{time_ms}{number:015d}"


def _order_id(order: world.SandboxOrder) -> str:
    return _long_id(order.created_ms, order.order_id)


def _text(number: Decimal) -> str:
    """Eight decimals, as the venue keeps them."""
    return wire_text(number.quantize(Decimal("1e-8")))


def _about(row: world.SandboxOrder | world.SandboxFill) -> dict[str, str]:
    return {"account": row.account, "market": row.venue_symbol, "side": wire.SIDE_WORDS[row.side]}


def _market(listing: Listing) -> dict[str, Any]:
    terms, lot = listing.instrument, listing.instrument.lot_size
    own = {f"{who}_fee": {"fee": wire_text(getattr(listing.fees, who))} for who in ("maker", "taker") if listing.fees}
    sizes = {"order_size_increment": lot, "position_limit": lot * 10**9, "max_order_size": lot * 10**8}
    return {
        **MARKET_TERMS,
        "symbol": listing.venue_symbol,
        "base_currency": listing.venue_symbol.removesuffix(wire.PERP),
        **texts(wire_text, price_tick_size=terms.price_rule.tick, min_notional=terms.min_notional, **sizes),
        "delta1_cross_margin_params": {**MARGIN_TERMS, "imf_base": wire_text(1 / Decimal(listing.max_leverage))},
        **({"fee_config": {"api_fee": own}} if own else {}),  # OpenAPI: MakerTakerFee
    }


def _trade(trade: world.SandboxTrade) -> dict[str, Any]:
    about = {"market": trade.venue_symbol, "side": wire.SIDE_WORDS[trade.side], "trade_type": "FILL"}
    numbers = texts(wire_text, size=trade.size, price=trade.price)
    return {"id": _long_id(trade.time_ms, trade.trade_id), **about, **numbers, "created_at": trade.time_ms}


def _payment(paid: world.SandboxFunding) -> dict[str, Any]:
    return {
        "id": _long_id(paid.time_ms, paid.payment_id),
        "account": paid.account,
        "market": paid.venue_symbol,
        **texts(wire_text, payment=paid.amount, index=paid.index or Decimal(0)),
        "fill_id": "" if paid.fill_id is None else _long_id(paid.time_ms, paid.fill_id),
        "created_at": paid.time_ms,
    }


class _Socket(RpcSocket[ParadexSandbox]):
    """Topics are (channel, account or ""), but ("order_book", market) for books."""

    def __init__(self, facade: ParadexSandbox, opening: HttpRequest, peer: Peer) -> None:
        super().__init__(facade, peer)
        self._account = ""
        query = dict(parse_qsl(opening.url.partition("?")[2]))
        self._is_sbe = "sbeSchemaId" in query
        if self._is_sbe and (query["sbeSchemaId"], query.get("sbeSchemaVersion")) not in (("1", "0"), ("1", "1")):
            peer.close("HTTP 400: unsupported SBE schema")

    def method(self, number: Any, name: str, params: dict[str, Any]) -> None:
        if name == "auth":
            self._auth(number, str(params["bearer"]))
        else:
            super().method(number, name, params)

    def _auth(self, number: Any, token: str) -> None:
        account = self.facade.tokens.account(token)
        if account is None:
            code, words = (40111, "Invalid Bearer Token") if token.count(".") == 2 else (40110, "Malformed Bearer Token")
            self.refuse(number, code, words, BAD_TOKEN)
            return
        self._account = account
        self.reply(number, {"result": {"node_id": "5a4db0c0de5a4db0"}})

    def topic(self, channel: str) -> Topic:
        kind, market = (*channel.split("."), "")[:2]
        return (kind, market) if kind == "order_book" else (channel, self._account if self._is_private(channel) else "")

    def objection(self, channel: str) -> tuple[int, str, str] | None:
        listed = self.facade.exchange.listings
        if self._is_private(channel):
            return None if self._account else (40111, "unauthorized", "authenticate first")
        is_known = is_one_of(channel, [PUBLIC_BOOK], listed) or is_one_of(channel, [PUBLIC], [*listed, "ALL"])
        need = "public channels are served in SBE only: connect with sbeSchemaId and sbeSchemaVersion"
        why = need if is_known else "invalid channel"  # docs: binary-encoding-sbe, required since 21 September 2026
        return None if is_known and self._is_sbe else (INVALID, "invalid subscribe request", why)

    def opening(self, topic: Topic) -> Any:
        return self.facade.book(topic[1], is_whole=True) if topic[0] == "order_book" else None

    def _is_private(self, channel: str) -> bool:
        return is_one_of(channel, PRIVATE, [*self.facade.exchange.listings, "ALL"])
