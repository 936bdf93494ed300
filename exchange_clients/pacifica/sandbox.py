"""Pacifica's protocol in front of a sandbox exchange: signatures, windows and credits are checked, refusals use its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
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
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.short_names import words
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, is_signed_by, signed_text
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.admission import check_form
from exchange_clients.sandbox.candles import candles
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.liquidity import coarser
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.pages import page_below
from exchange_clients.sandbox.routed import MALFORMED
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.streams import StreamingFacade, TopicSocket
from exchange_clients.sandbox.texts import derived, exact, measured, texts

PER_IP = Meter("credits per IP", capacity=100, window_s=60)
PER_KEY = Meter("credits per API config key", capacity=300, window_s=60)
LONG = ("/trades/history", "/orders/history", "/funding/history", "/funding_rate/history", "/kline", "/kline/mark")
DISPUTED = ("/info", "/info/prices", "/book", "/positions", "/account", "/orders/history_by_id")
HEAVY = dict.fromkeys(LONG, (12, 3)) | dict.fromkeys(DISPUTED, (3, 1))
"""Credits of a heavy GET without and with an API config key. The rate-limit page says 3-12 and 1-3(4) and names no call: LONG is
ccxt's choice (ts/src/pacifica.ts), DISPUTED costs 12 too in hummingbot (pacifica_perpetual_constants.py). Both are public code."""
BATCHED = {"Create": "create_order", "CreateMarket": "create_market_order", "Cancel": "cancel_order"}
CANCELS = ("cancel_order", "cancel_all_orders", "cancel_stop_order")
BATCH_MAX, KEYS_MAX, BOOK_LEVELS, LEVERAGE_MAX = 10, 5, 10, 50
AGG_LEVELS = (1, 2, 5, 10, 100, 1000, 10000)
BOOKS = [f"book@{level}" for level in AGG_LEVELS]
MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720, "1d": 1440}
ROWS_DEFAULT, ROWS_MAX, SILENCE_MS_MAX = 100, 4000, 60_000
HISTORY_DELAY_MS = 4_122  # the documented payment is booked about four seconds after the hour
TIF = {word: tif for tif, word in wire.TIF.items()}
NOT_VERIFIED = "Verification failed: signature does not match signer and canonical payload."
Reason = world.RejectReason
REFUSALS: dict[str, tuple[int, str]] = {
    Reason.INSUFFICIENT_MARGIN: (5, "Insufficient balance"),
    Reason.BELOW_MINIMUM_NOTIONAL: (0, "Order amount too low for the account: {detail}"),
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
EVENT_CHANNELS = ("trades", "account_order_updates", "account_trades", "account_leverage")
SNAPSHOT_CHANNELS = ("book", "prices", "account_info", "account_positions")
ACCOUNT_WORDS = words(
    "ae=account_equity as=available_to_spend aw=available_to_withdraw b=balance f=fee_level mu=total_margin_used cm=cross_mmr "
    "oc=orders_count pb=pending_balance pc=positions_count sc=stop_orders_count t=updated_at"
)
POSITION_WORDS = wire.POSITION_WORDS | words("m=margin f=funding i=isolated")
ORDER_WORDS = wire.ORDER_WORDS | words("sp=stop_price")
TRADE_WORDS = words("a=amount p=price d=side t=created_at tc=cause")
FILL_WORDS = wire.FILL_WORDS | words("o=entry_price tc=cause n=pnl")
MARKET_TERMS = {"min_tick": "0", "max_tick": "1000000", "max_order_size": "5000000", "instrument_type": "perpetual"}
NOT_SIMULATED = {"fee_level": 0, "pending_balance": "0", "pending_interest": "0"}
NOT_OF_EVENTS = ("trigger_price_type", "updated_at")
CROSS = {"margin": "0", "isolated": False}
NOTHING_SPECIAL = {"stop_price": None, "stop_parent_order_id": None, "trigger_price_type": None}


class _Refused(Exception):
    """The venue says no: HTTP status, code, words and, sometimes, an id of the error."""

    def __init__(self, status: int, code: int, words: str, error_id: str = "") -> None:
        super().__init__(words)
        self.status = status
        said = {"error_id": error_id} if error_id else {}
        self.body = {"success": False, "data": None, "error": words, "code": code, **said}

    @classmethod
    def of(cls, no: Exception) -> _Refused:
        """In the venue's words, what the exchange refuses and what can't be understood."""
        if isinstance(no, _Refused):
            return no
        if not isinstance(no, world.Rejected):
            return cls(400, 400, "Failed to deserialize the request")
        code, words = REFUSALS[no.reason]
        return cls(422, code, words.format(detail=no.detail), "invalid_amount" if code == 0 else "")


NO = (_Refused, world.Rejected, *MALFORMED)


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
        self.heavy: dict[str, tuple[float, float]] = dict(HEAVY)
        self.isolated_only: set[str] = set()
        """Markets that take no cross margin."""
        self.spot_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        """Value of the spot that an account holds. It counts in `account_equity` and not in `balance`: unified margin as
        hummingbot (pacifica_perpetual_derivative.py) and ccxt (ts/src/pacifica.ts) read it."""
        self._history_ids, self._trigger_ids = count(1), count(1_000_000_001)
        self._meters = {meter: SpentMeter(meter, exchange.clock) for meter in (PER_IP, PER_KEY)}
        self._agents: dict[str, set[str]] = {}
        self._keys: dict[str, str] = {}
        self._foreign_fills: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._triggers: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self._market_orders: set[int] = set()
        self._events: dict[int, list[dict[str, Any]]] = {}
        self._reads: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
            "/info": lambda _: _data(_with_spot([self._market(listing) for listing in exchange.listings.values()])),
            "/info/prices": lambda _: _data(_with_spot(self.prices(exchange.listings))),
            "/book": lambda q: _data(self.book(q["symbol"], int(q.get("agg_level", 1)))),
            **dict.fromkeys(("/kline", "/kline/mark"), lambda q: _data(self._candles(q))),
            "/trades": lambda q: _data([_trade(t) for t in reversed(exchange.trades(q["symbol"], 100))]),
            "/funding_rate/history": lambda q: _page(self._rate_rows(q["symbol"]), q),
            "/account": lambda q: _data(self.account(self._known(q))),
            "/account/settings": lambda q: _data(self._settings(self._known(q))),
            "/positions": lambda q: _data(self.positions(self._known(q))) | {"last_order_id": self.last_id},
            "/orders": lambda q: _data(self.open_orders(self._known(q))) | {"last_order_id": self.last_id},
            "/orders/history": lambda q: _page(self._order_rows(self._known(q)), q),
            "/orders/history_by_id": self._order_events,
            "/trades/history": lambda q: _page(self._fill_rows(self._known(q), q), q),
            "/funding/history": lambda q: _page(self._payment_rows(self._known(q)), q),
        }
        acts: dict[str, tuple[str, Callable[[str, dict[str, Any]], Any]]] = {
            "/agent/bind": (
                "bind_agent_wallet",
                lambda who, data: self._agents.setdefault(who, set()).add(data["agent_wallet"]),
            ),
            "/account/api_keys": ("list_api_keys", lambda who, _: self._list_keys(who)),
            "/account/api_keys/create": ("create_api_key", self._create_key),
            "/account/api_keys/revoke": ("revoke_api_key", lambda _, data: self._keys.pop(data["api_key"], None) and None),
            "/account/leverage": ("update_leverage", self._leverage),
            "/orders/create": ("create_order", self._create),
            "/orders/create_market": ("create_market_order", self._create_market),
            "/orders/edit": ("edit_order", self._edit),
            "/orders/cancel": ("cancel_order", self._cancel),
            "/orders/cancel_all": ("cancel_all_orders", self._cancel_all),
            "/orders/stop/create": ("create_stop_order", lambda who, data: self._wait(who, data, "stop", data["stop_order"])),
            "/orders/stop/cancel": ("cancel_stop_order", self._cancel_trigger),
            "/positions/tpsl": ("set_position_tpsl", self._tpsl),
        }  # TWAP is left out: its slices need a schedule of their own, and nobody here places them
        self._acts = dict(acts.values())
        self._operations = {path: operation for path, (operation, _) in acts.items()} | {"/orders/batch": "batch_orders"}

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        signer = Signer.from_seed(account_seed(name))
        self.exchange.open_account(signer.address, Decimal(balance))
        key = self._create_key(signer.address, {})["api_key"]  # free, and who trades by program has one
        return {"account": signer.address, "private_key": signer.private_key, "api_config_key": key}

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url.startswith("/api/v1/orders/create")

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return _Socket(self, peer, self.payer(opening.headers, "sockets"))

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        parts, is_read = urlsplit(request.url), request.method == "GET"
        path = parts.path.removeprefix(common.SPEC.rest_path) if parts.path.startswith(common.SPEC.rest_path) else ""
        if path not in (self._reads if is_read else self._operations if request.method == "POST" else ()):
            return HttpResponse(405 if path in self._reads or path in self._operations else 404, b"")
        payer, operation = self.payer(request.headers, address), "" if is_read else self._operations[path]
        try:
            self.charge(payer, operation, self.heavy.get(path, (1, 1)) if is_read else (1, 1))
            fields = dict(parse_qsl(parts.query) if is_read else msgspec.json.decode(request.body or b""))
            reply = self._reads[path](fields) if is_read else _data(self.act(operation, fields))
        except NO as no:
            return self._response(_Refused.of(no).status, _Refused.of(no).body, payer)
        return self._response(200, reply, payer)

    def payer(self, headers: Mapping[str, str], address: str) -> tuple[Meter, str]:
        """Whose credits a caller spends: those of the account behind a valid API config key, or those of the address."""
        holder = self._keys.get(headers.get("PF-API-KEY", ""))
        return (PER_IP, address) if holder is None else (PER_KEY, holder)

    def charge(self, payer: tuple[Meter, str], operation: str, credits: tuple[float, float] = (1, 1)) -> None:
        """Take what a call costs without and with a key. Raises _Refused when that much is not left: nothing has happened then."""
        weight = 0.5 if operation in CANCELS else credits[payer[0] is PER_KEY]
        if not self._meters[payer[0]].spend(payer[1], weight):
            raise _Refused(429, 429, "Rate limit exceeded")

    def quota(self, payer: tuple[Meter, str]) -> dict[str, int]:
        """What is left, the seconds until it is all back, and the whole; credits × 10."""
        meter, left = payer[0], self._meters[payer[0]].left(payer[1])
        reset_s = round((meter.capacity - left) * meter.window_s / meter.capacity)
        return {"r": int(left * 10), "t": max(1, reset_s), "q": int(meter.capacity * 10)}

    def _response(self, status: int, body: dict[str, Any], payer: tuple[Meter, str]) -> HttpResponse:
        left, policy = (
            '"credits";r={r};t={t}'.format_map(self.quota(payer)),
            '"credits";q={q};w=60'.format_map(self.quota(payer)),
        )
        headers = {"content-type": "application/json", "ratelimit": left, "ratelimit-policy": policy}
        return HttpResponse(status, msgspec.json.encode(body), headers)

    def act(self, operation: str, fields: dict[str, Any]) -> Any:
        """A signed action, or up to ten of them, each signed by itself. Returns the `data` of the reply."""
        if operation != "batch_orders":
            return self._act(operation, fields)
        results: list[dict[str, Any]] = []
        for action in fields["actions"]:
            try:
                if len(results) == BATCH_MAX:
                    raise _Refused(400, 400, f"At most {BATCH_MAX} actions")
                order_id = (self._act(BATCHED[action["type"]], action["data"]) or {}).get("order_id")
                results.append({"success": True, "order_id": order_id, "error": None})
            except NO as no:
                results.append({"success": False, "order_id": None, "error": _Refused.of(no).body["error"]})
        return {"results": results}

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
        return {"order_id": self._place(account, data, price, TimeInForce.IOC)}

    def _place(self, account: str, data: dict[str, Any], price: Decimal, tif: TimeInForce, again: bool = False) -> int:
        """A post-only order that would cross gets its id first and is rejected in an event; everything else is refused at once."""
        client_id, exchange = data.get("client_order_id"), self.exchange
        if client_id is not None and str(UUID(client_id)) != client_id.lower():
            raise ValueError("client_order_id is not a full UUID")
        terms = (wire.SIDES[data["side"]], Decimal(data["amount"]), price, tif, data["reduce_only"], client_id)
        order = exchange.place(account, data["symbol"], *terms, reuses_client_id=again)
        if "slippage_percent" in data:
            self._market_orders.add(order.order_id)
        exchange.flush()
        judged = exchange.order(account, order_id=order.order_id)
        if judged is not None and not _is_public(judged):
            raise world.Rejected(Reason(judged.reason), "")
        return order.order_id

    def _edit(self, account: str, data: dict[str, Any]) -> dict[str, int]:
        """The old order is cancelled and a new one of the amount sent takes its client id; it is always ALO.

        So an edit across the book loses the order. Source: docs.pacifica.fi, REST API, Orders, Edit order.
        """
        old, price, amount = self._find(account, data), Decimal(data["price"]), Decimal(data["amount"])
        if old is None or old.status.is_terminal:
            raise world.Rejected(Reason.UNKNOWN_ORDER, "")
        check_form(self.exchange.listings[old.venue_symbol], old.side, amount, price)
        self.exchange.cancel(account, order_id=old.order_id)
        side, kept = wire.BOOK_SIDES[old.side], {"reduce_only": old.reduce_only, "client_order_id": old.client_order_id}
        new = {"symbol": old.venue_symbol, "side": side, "amount": data["amount"], **kept}
        return {"order_id": self._place(account, new, price, TimeInForce.POST_ONLY, True)}

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
        chosen = {"u": account, "s": symbol, "l": leverage, "t": self.clock.now_ms()}
        self._tell("account_leverage", account, lambda: {"data": chosen})

    def _tpsl(self, account: str, data: dict[str, Any]) -> None:
        if data["symbol"] not in self.exchange.positions(account):
            raise _Refused(422, 13, "Position not found")
        for kind in ("take_profit", "stop_loss"):
            if kind in data:  # of a whole position: the row has no amount of its own
                self._wait(account, {**data, "reduce_only": True}, kind, {"amount": "0", **data[kind]})

    def _wait(self, account: str, data: dict[str, Any], kind: str, terms: dict[str, Any]) -> dict[str, int]:
        """An order that waits for a price. It is listed and streamed like any other, and nothing fires it."""
        self.exchange.state(data["symbol"])
        order_id, now_ms = next(self._trigger_ids), self.clock.now_ms()
        row = self._triggers[account][order_id] = (
            {"order_id": order_id, "symbol": data["symbol"], "side": wire.BOOK_SIDES[wire.SIDES[data["side"]]]}
            | {"client_order_id": terms.get("client_order_id"), "price": terms.get("limit_price")}
            | {"initial_amount": terms.get("amount"), "filled_amount": "0", "cancelled_amount": "0", **NOTHING_SPECIAL}
            | {"order_type": f"{kind}_{'limit' if terms.get('limit_price') else 'market'}", "stop_price": terms["stop_price"]}
            | {"reduce_only": data["reduce_only"], "created_at": now_ms, "updated_at": now_ms}
        )
        self.tell_order(account, row, "open", "stop_created")
        return {"order_id": order_id}

    def _cancel_trigger(self, account: str, data: dict[str, Any]) -> None:
        row = self._triggers[account].pop(data["order_id"], None)
        if row is None:
            raise _Refused(422, 6, "Order not found")
        self.tell_order(account, row, "cancelled", "cancel")

    def tell_order(self, account: str, row: dict[str, Any], status: str, event: str) -> None:
        """Stream an order that the exchange behind this façade does not know, given as the list of open orders tells it."""
        past = {"initial_price": row["price"], "amount": row["initial_amount"], "average_filled_price": "0"}
        said = {**row, **past, "order_status": status, "event_type": event}
        self._tell("account_order_updates", account, lambda: {"data": [self._update(account, said)]})

    def tell_fill(self, account: str, row: dict[str, Any]) -> None:
        """List and stream a fill of what the exchange does not trade (spot), given as the list of trades tells it."""
        self._foreign_fills[account].append(row)
        self._tell("account_trades", account, lambda: {"data": [_short(row, FILL_WORDS) | {"u": account, "li": self.last_id}]})

    def _list_keys(self, account: str) -> dict[str, Any]:
        return {"active_api_keys": [key for key, holder in self._keys.items() if holder == account], "api_key_limit": KEYS_MAX}

    def _create_key(self, account: str, _: dict[str, Any]) -> dict[str, str]:
        secret = base58.b58encode(account_seed(f"{account} {next(self._history_ids)}")).decode()
        self._keys[key := f"{secret[:8]}_{secret[8:30]}"] = account
        return {"api_key": key}

    def _known(self, query: dict[str, str]) -> str:
        if not self.exchange.has_account(query["account"]):
            raise _Refused(422, 1, "Account not found")
        return query["account"]

    def _market(self, listing: Listing) -> dict[str, Any]:
        terms, price = listing.instrument, self._price(listing.venue_symbol) or {}
        return {
            **dict.fromkeys(("symbol", "base_asset"), listing.venue_symbol),
            **texts(wire_text, tick_size=terms.price_rule.tick, lot_size=terms.lot_size, min_order_size=terms.min_notional),
            **MARKET_TERMS,
            "isolated_only": listing.venue_symbol in self.isolated_only,
            "max_leverage": listing.max_leverage,
            **{f"{name}_rate": price.get(name) for name in ("funding", "next_funding")},
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
            **texts(derived, mark=state.mark, mid=state.mark, oracle=state.index, open_interest=interest),
            **texts(derived, volume_24h=measured(state.volume_24h_usd), yesterday_price=before.mark if before else None),
        }

    def book(self, symbol: str, agg_level: int = 1) -> dict[str, Any]:
        """The best levels; `agg_level` steps of the price grid are put together into one, away from the touch."""
        if agg_level not in AGG_LEVELS:
            raise _Refused(422, 4, "Invalid book aggregation level")
        bids, asks, _ = self.exchange.book(symbol, BOOK_LEVELS * agg_level)
        step = self.exchange.listings[symbol].instrument.price_rule.tick * agg_level
        sides = (coarser(bids, step, ROUND_FLOOR), coarser(asks, step, ROUND_CEILING))
        levels = [[{"p": wire_text(p), "a": wire_text(a), "n": 1} for p, a in side[:BOOK_LEVELS]] for side in sides]
        return {"s": symbol, "l": levels, "t": self.clock.now_ms()}

    def _candles(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Of the mark, also where trades are asked for. A volume that nobody knows is null."""
        symbol, step_ms, now_ms = query["symbol"], MINUTES[query["interval"]] * 60_000, self.clock.now_ms()
        rows = list(candles(self.exchange, symbol, int(query["start_time"]), int(query.get("end_time", now_ms)), step_ms))
        about = {"s": symbol, "i": query["interval"], "n": 1}
        prices = [texts(derived, o=c.open, c=c.close, h=c.high, l=c.low, v=measured(c.volume)) for c in rows]
        return [{"t": c.open_ms, "T": c.open_ms + step_ms, **about, **price} for c, price in zip(rows, prices, strict=True)]

    def _rate_rows(self, symbol: str) -> Iterable[tuple[int, dict[str, Any]]]:
        exchange = self.exchange
        exchange.state(symbol)
        newest_ms = (self.clock.now_ms() - HISTORY_DELAY_MS) // MS_PER_HOUR * MS_PER_HOUR
        for hour_ms in range(newest_ms, exchange.prices.start_ms, -MS_PER_HOUR):
            settled, then = exchange.rate_at(symbol, hour_ms - 1), exchange.find_state(symbol, hour_ms)
            if settled is None or then is None:
                continue
            prices = texts(derived, oracle_price=then.index, bid_impact_price=then.mark, ask_impact_price=then.mark)
            rates = texts(exact, funding_rate=settled, next_funding_rate=exchange.rate_at(symbol, hour_ms))
            yield hour_ms, {**prices, **rates, "created_at": hour_ms + HISTORY_DELAY_MS}

    def account(self, account: str) -> dict[str, Any]:
        exchange, free, fees = self.exchange, self.exchange.available(account), self.exchange.rules.fees
        used, maintenance = exchange.initial_margin(account), exchange.maintenance_margin(account)
        equity, spot = exchange.equity(account), self.spot_usd.get(account)
        unified = {} if spot is None else texts(wire_text, cross_account_equity=equity, spot_collateral=spot)
        return {
            **texts(wire_text, balance=exchange.wallet(account), account_equity=equity + (spot or 0)),
            **unified,
            **texts(wire_text, available_to_spend=free, available_to_withdraw=free),
            **texts(wire_text, maker_fee=fees.maker, taker_fee=fees.taker, total_margin_used=used, cross_mmr=maintenance),
            **NOT_SIMULATED | {"stop_orders_count": len(self._triggers[account]), "updated_at": self.clock.now_ms()},
            "positions_count": len(exchange.positions(account)),
            "orders_count": len(exchange.orders(account)),
        }

    def _settings(self, account: str) -> dict[str, Any]:
        chosen = {s: (self.exchange.leverage(account, s), most.max_leverage) for s, most in self.exchange.listings.items()}
        rows = [{"symbol": s, "isolated": False, "leverage": now} for s, (now, most) in chosen.items() if now != most]
        return {"auto_lend_disabled": None, "margin_settings": rows, "spot_settings": []}

    def positions(self, account: str) -> list[dict[str, Any]]:
        return [self._position(account, held) for held in self.exchange.positions(account).values()]

    def _position(self, account: str, held: world.SandboxPosition) -> dict[str, Any]:
        """Where no price liquidates it, the row has no word about it."""
        limit = self.exchange.liquidation_price(account, held.venue_symbol)
        return (
            {"symbol": held.venue_symbol, "side": "bid" if held.size > 0 else "ask", "entry_price": derived(held.entry_price)}
            | texts(wire_text, amount=abs(held.size), funding=held.funding_since_open)
            | ({} if limit is None else {"liquidation_price": derived(limit)})
            | {"created_at": held.opened_ms, "updated_at": held.updated_ms, **CROSS}
        )

    def open_orders(self, account: str) -> list[dict[str, Any]]:
        """What rests or waits for a price."""
        return [*(self.order(order) for order in self.exchange.orders(account)), *self._triggers[account].values()]

    def order(self, order: world.SandboxOrder) -> dict[str, Any]:
        """An order as the list of open ones tells it."""
        cancelled = order.remaining if order.status.is_terminal else Decimal(0)
        kind = "market" if order.order_id in self._market_orders or order.price is None else "limit"
        return (
            {"order_id": order.order_id, "client_order_id": order.client_order_id, "symbol": order.venue_symbol}
            | {"side": wire.BOOK_SIDES[order.side], "price": derived(order.price), "reduce_only": order.reduce_only}
            | texts(wire_text, initial_amount=order.size, filled_amount=order.filled, cancelled_amount=cancelled)
            | {"order_type": kind, "created_at": order.created_ms, "updated_at": order.updated_ms, **NOTHING_SPECIAL}
        )

    def past_order(self, order: world.SandboxOrder) -> dict[str, Any]:
        """An order as the history tells it."""
        row = self.order(order)
        row["initial_price"], row["amount"] = row.pop("price"), row.pop("initial_amount")
        return row | {"average_filled_price": derived(order.average_price or Decimal(0)), "order_status": _word(order)}

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
        for row in reversed(self._foreign_fills[account]):
            if query.get("symbol", row["symbol"]) == row["symbol"] and row["created_at"] >= int(query.get("start_time", 0)):
                yield row["history_id"], row
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
                for source in BOOKS:
                    self._tell(source, symbol, lambda: self.snapshot(source, symbol))  # noqa: B023  # called at once
                self._tell("prices", "", lambda: {"data": self.prices([symbol])})
            case world.TradePrinted(trade):
                self._tell("trades", trade.venue_symbol, lambda: {"data": [_short_trade(trade) | li]})
            case world.OrderChanged(order) if _is_public(order):
                self._record(order)
                self._tell("account_order_updates", order.account, lambda: {"data": [self._order_update(order)]})
            case world.Filled(fill):
                row = {"u": fill.account, **li}
                self._tell("account_trades", fill.account, lambda: {"data": [_short(fill_row(fill), FILL_WORDS) | row]})
            case world.AccountChanged(account):
                for channel in ("account_positions", "account_info"):
                    self._tell(channel, account, lambda: self.snapshot(channel, account))  # noqa: B023  # called at once

    def _tell(self, channel: str, which: str, content: Callable[[], dict[str, Any]]) -> None:
        self.publish((channel, which), lambda: {"channel": channel.partition("@")[0], **content()})

    def snapshot(self, channel: str, which: str) -> dict[str, Any]:
        """What a channel of SNAPSHOT_CHANNELS tells of a market or an account now."""
        match channel:
            case "prices":
                return {"data": self.prices(self.exchange.listings)}
            case "account_info":
                return {"data": _short(self.account(which), ACCOUNT_WORDS)}
            case "account_positions":
                return {"data": [_short(row, POSITION_WORDS) for row in self.positions(which)], "li": self.last_id}
            case _:
                return {"data": {**self.book(which, int(channel.partition("@")[2])), "li": self.last_id}}

    def _record(self, order: world.SandboxOrder) -> None:
        """Keep the event for the history of its order."""
        row = {"history_id": next(self._history_ids), **self.order(order), "order_status": _word(order)}
        row |= {"event_type": _event(order, row["order_type"]), "created_at": order.updated_ms}
        self._events.setdefault(order.order_id, []).append({k: v for k, v in row.items() if k not in NOT_OF_EVENTS})

    def _order_update(self, order: world.SandboxOrder) -> dict[str, Any]:
        row = self.past_order(order)
        row["event_type"] = _event(order, row["order_type"])
        return self._update(order.account, row, derived(order.average_price or order.price))

    def _update(self, account: str, row: dict[str, Any], last_price: str | None = None) -> dict[str, Any]:
        return {**_short(row, ORDER_WORDS), "u": account, "lp": last_price, "si": None, "li": self.last_id}


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
    said = {"event_type": "fulfill_taker", "side": "open_long" if trade.side is Side.BUY else "open_short"}
    return {**said, "cause": "normal", "created_at": trade.time_ms, **texts(wire_text, price=trade.price, amount=trade.size)}


def _short_trade(trade: world.SandboxTrade) -> dict[str, Any]:
    return {**_short(_trade(trade), TRADE_WORDS), "u": "", "h": trade.trade_id, "s": trade.venue_symbol}


def fill_row(fill: world.SandboxFill) -> dict[str, Any]:
    """An own fill as REST tells it."""
    gained = fill.side.sign * fill.realised_pnl / fill.size if fill.is_closing else Decimal(0)
    side = f"{'close' if fill.is_closing else 'open'}_{'long' if fill.is_of_long else 'short'}"
    return (
        {"history_id": fill.fill_id, "order_id": fill.order_id, "client_order_id": fill.client_order_id}
        | texts(wire_text, amount=fill.size, price=fill.price, fee=fill.fee, pnl=fill.realised_pnl)
        | {"symbol": fill.venue_symbol, "entry_price": derived(fill.price + gained), "event_type": f"fulfill_{fill.liquidity}"}
        | {"side": side, "created_at": fill.time_ms, "cause": "market_liquidation" if fill.liquidation else "normal"}
    )


def _short(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {short: row.get(long) for short, long in names.items()}


def _with_spot(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spot shares the lists of markets and prices; one spot market stands for all."""
    spot = {"symbol": f"{rows[0]['symbol']}-{wire.QUOTE}" if rows else "", "instrument_type": "spot"}
    return rows + [{key: spot.get(key, value) for key, value in row.items()} for row in rows[:1]]


class _Socket(TopicSocket[PacificaSandbox]):
    """Topics are (source, symbol or account)."""

    def __init__(self, facade: PacificaSandbox, peer: Peer, payer: tuple[Meter, str]) -> None:
        super().__init__(facade, peer)
        self._payer, self._heard_ms = payer, facade.clock.now_ms()

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
            elif "id" in message:
                self._trade(message["id"], *next(iter(message["params"].items())))
            else:
                self._subscription(message["method"], message["params"])
        except (AttributeError, *MALFORMED):
            self.send({"code": 400, "err": "Invalid request", "t": self._heard_ms})

    def _trade(self, request_id: str, operation: str, fields: dict[str, Any]) -> None:
        """An action by socket: the signed body is that of REST."""
        said, reply = {"I": fields.get("client_order_id"), "s": fields.get("symbol")}, {"id": request_id, "type": operation}
        stamp = {"t": self._heard_ms, "rl": self.facade.quota(self._payer)}
        try:
            self.facade.charge(self._payer, operation)
            data = self.facade.act(operation, fields) or {}
            said |= {"i": data["order_id"]} if "order_id" in data else data
            self.send({"code": 200, "data": said, **reply, **stamp})
        except NO as no:
            code = 429 if _Refused.of(no).status == 429 else 420
            self.send({**reply, "code": code, "err": _Refused.of(no).body["error"], **stamp})

    def _subscription(self, method: str, params: dict[str, Any]) -> None:
        source, exchange = params["source"], self.facade.exchange
        is_own, is_listed = source.startswith("account_"), params.get("symbol") in exchange.listings
        which = params["account"] if is_own else "" if source == "prices" else params["symbol"]
        known = source in (*SNAPSHOT_CHANNELS, *EVENT_CHANNELS) and (is_own or source == "prices" or is_listed)
        if not known or method not in ("subscribe", "unsubscribe"):
            raise ValueError(f"unknown {method} {source}")
        if source == "book":
            source = BOOKS[AGG_LEVELS.index(int(params.get("agg_level", 1)))]
        self.send({"channel": method, "data": params})
        if method == "unsubscribe":
            self.leave((source, which))
            return
        self.join((source, which))
        if params["source"] in SNAPSHOT_CHANNELS and (not is_own or exchange.has_account(which)):
            self.send({"channel": params["source"], **self.facade.snapshot(source, which)})
