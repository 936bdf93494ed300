"""Hyperliquid's protocol in front of a sandbox exchange: signatures, nonces and budgets are checked, refusals use its words.

What is not in the venue sheet is named where it is used: threads by `owner/name#number`; shapes are those of @nktkas/hyperliquid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.instruments import wire_text
from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.signing import Signer, action_hash, agent_digest, recover_address
from exchange_clients.keys.evm import keccak
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.allowance import Allowance
from exchange_clients.sandbox.candles import CANDLES_MAX, Candle, candles, interval_ms
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.levels import grouped, impact_price, mid
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.nonces import NonceWindow
from exchange_clients.sandbox.payments import rates_paid
from exchange_clients.sandbox.principals import LedAccount, Principals
from exchange_clients.sandbox.routed import MALFORMED, Refusal
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.streams import Pace, StreamingFacade, Topic, TopicSocket
from exchange_clients.sandbox.texts import exact, texts
from exchange_clients.sandbox.texts import pointed as text

DAY_MS = 24 * MS_PER_HOUR
LEVERAGE_MAX = 20
IMPACT_USD, QUANTUM = 6000.0, Decimal("0.000001")
LIGHT = ("allMids", "l2Book", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus")
WEIGHTS = {e.operation: e.weight for e in vars(common).values() if isinstance(e, Endpoint)} | dict.fromkeys(LIGHT, 2)
LISTS = ("recentTrades", "historicalOrders", "userFills", "userFillsByTime", "fundingHistory", "userFunding")
ROWS_PER_WEIGHT = dict.fromkeys(LISTS, 20) | {"candleSnapshot": 60}  # gitbook "Rate limits"; what a list costs, its reply tells
TIF = {word: tif for tif, word in wire.TIF.items()} | {"FrontendMarket": TimeInForce.IOC}
SIDE = {side: word for word, side in wire.SIDES.items()}
PERIODS = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")

SLOW_MS, SLOW_LEVELS, FAST_MS, FAST_LEVELS = 5000, 20, 500, 5
"""Without `fast` a book came every 2 s from June 2026 (nktkas/hyperliquid#142), every 5 s from 2026-07-25 (pmxt-dev/pmxt#1879)."""

STATES = {"l2Book": SLOW_MS, "bbo": 0, "activeAssetCtx": 1000, "candle": 1000, "allMids": 1000, "activeAssetData": 1000}
"""Channels that tell how a market stands when its book has moved, at most every so many ms."""

ACCOUNTS = ("clearinghouseState", "spotState", "openOrders", "webData3")
OF_MARKETS = ("l2Book", "bbo", "activeAssetCtx", "candle", "activeAssetData", "trades")
QUIET = ("notification", "twapStates", "userHistoricalOrders", "userTwapSliceFills", "userTwapHistory")
KINDS = {*STATES, *ACCOUNTS, *QUIET, "trades", "orderUpdates", "userFills", "userEvents", "userFundings"}
"""`webData2` is none of them: since 2026-08 the venue can't parse it (galleonlabs/hypergrok-trading-desk#19, pmxt-dev/pmxt#2180;
announced in MetaMask/core#9081), though `POST /info` still answers it."""

POOLED = ("unifiedAccount", "portfolioMargin")
"""Modes in which the perpetual summary means nothing (nautechsystems/nautilus_trader#4206, gemwalletcom/core#1103): USDC lies in
the spot state, `total` is settled cash (WayfinderFoundation/wayfinder-paths-sdk#611, #619, compared with a live account)."""

FIGURES = "funding openInterest prevDayPx dayNtlVlm dayBaseVlm markPx oraclePx midPx premium impactPxs"
PLAIN_LIMIT = {"orderType": "Limit", "isTrigger": False, "triggerPx": "0.0", "triggerCondition": "N/A", "isPositionTpsl": False}
NO_SPOT = {"tokens": [{"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "isCanonical": True}], "universe": []}
NO_VAULTS: dict[str, Any] = {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}
MARGIN_TABLE = {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": LEVERAGE_MAX}]}
NOBODIES = ["0x" + "0" * 40] * 2
NOT_JSON = HttpResponse(422, b"Failed to deserialize the JSON body into the target type")
Reason = world.RejectReason
WORDS = {
    Reason.WOULD_CROSS: "Post only order would have immediately matched, bbo was {bbo}.",
    Reason.INSUFFICIENT_MARGIN: "Insufficient margin to place order. asset={asset}",
    Reason.BELOW_MINIMUM_NOTIONAL: "Order must have minimum value of $10. asset={asset}",
    Reason.BAD_TICK: "Price must be divisible by tick size. asset={asset}",
    Reason.BAD_LOT: "Order has invalid size.",
    Reason.ZERO_SIZE: "Order has zero size.",
    Reason.REDUCE_ONLY: "Reduce only order would increase position. asset={asset}",
    Reason.PRICE_OUT_OF_BAND: "Order price cannot be more than 80% away from the reference price",
    Reason.NO_LIQUIDITY: "Order could not immediately match against any resting orders. asset={asset}",
    Reason.DUPLICATE_CLIENT_ID: "Duplicate cloid. asset={asset}",
    Reason.LEVERAGE: "Invalid leverage value",
    Reason.BAD_TRIGGER: "Invalid TP/SL price. asset={asset}",
}
NOT_THERE = "Order was never placed, already canceled, or filled. asset={asset}"
NOT_CHANGED = "Cannot modify canceled or filled order. asset={asset}"
TOO_MANY = "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${traded:.2f}."
OK = {"status": "ok", "response": {"type": "default"}}
NO_DEAD_MAN = "Cannot set scheduled cancel time until enough volume traded. Required: ${required}. Traded: ${traded}."
STATUS = {OrderStatus.FILLED: "filled", OrderStatus.REJECTED: "rejected", OrderStatus.CANCELLED: "canceled"}
ENDED = {Reason.NO_LIQUIDITY: "iocCancelRejected", Reason.REDUCE_ONLY: "reduceOnlyCanceled"}
ENDED[Reason.INSUFFICIENT_MARGIN] = "marginCanceled"


@dataclass
class Conditions:
    """What differs between accounts and days at the venue. Tests change it; nothing in it changes by itself.

    `modes`: what userAbstraction says, by address. `spot`: USDC in a standard account's spot wallet, which backs nothing. `words`:
    status words to tell, by order. `dead_man_usd`: the volume that scheduleCancel wants. `elsewhere`: (order, fill) rows, by address,
    in markets that are none of ours: spot (`@107`, `PURR/USDC`), outcomes (`#250`), builders' perpetuals (`xyz:TSLA`).
    """

    modes: dict[str, str] = field(default_factory=dict)
    spot: dict[str, Decimal] = field(default_factory=dict)
    isolated_only: set[str] = field(default_factory=set)
    words: dict[int, str] = field(default_factory=dict)
    fee_token: str = wire.QUOTE
    dead_man_usd: int = 1_000_000
    elsewhere: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = field(default_factory=dict)


class HyperliquidSandbox(StreamingFacade):
    """One exchange, `POST /info`, `POST /exchange` and one WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"channel":"l2Book"'
    book_channel: ClassVar[str] = "l2Book"

    @classmethod
    def rules(cls) -> VenueRules:
        """A modified order is a fresh one of the size sent (nautechsystems/nautilus_trader#3986, nktkas/hyperliquid#145)."""
        funding = DiscreteFunding(interval_hours=Decimal(1), cap=Decimal("0.04"))
        return VenueRules(cls.venue, common.SPEC.fees, funding, QUANTUM, min_notional=Decimal(10), amend_counts_fills=False)

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        decimals = min(5, max(0, first_price.adjusted() + 1))
        return Listing(name, wire.to_instrument(wire.AssetMeta(name, decimals, Decimal(LEVERAGE_MAX)), index), LEVERAGE_MAX)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        super().__init__(exchange)
        self.coins = list(exchange.listings)
        self.conditions, self.principals = Conditions(), Principals()
        self.allowance, self._meter = (
            Allowance(10_000, Meter("beyond", 1, 10), exchange.clock),
            SpentMeter(common.PER_ADDRESS, exchange.clock),
        )
        self.asked: dict[Topic, dict[str, Any]] = {}
        self._nonces, self._pace = NonceWindow(100, 2 * DAY_MS, DAY_MS), Pace(exchange.clock)
        self._strangers: set[str] = set()
        self._left_at_rest: dict[int, Decimal] = {}
        self._info: dict[str, Callable[[dict[str, Any]], Any]] = {
            "meta": lambda _: self._meta(),
            "metaAndAssetCtxs": lambda _: [self._meta(), [self._context(coin) for coin in self.coins]],
            "allMids": lambda _: {coin: text(price) for coin in self.coins if (price := mid(exchange, coin)) is not None},
            "l2Book": lambda q: self.l2_book(q["coin"], q) if q["coin"] in exchange.listings else None,
            "recentTrades": lambda q: [
                _print(t, t.trade_id, users=NOBODIES) for t in reversed(exchange.trades(q["coin"], 100))
            ],
            "fundingHistory": self._funding_history,
            "candleSnapshot": lambda q: self._candles(**q["req"]),
            "predictedFundings": lambda _: [[coin, self._predicted(coin)] for coin in self.coins],
            "marginTable": lambda _: MARGIN_TABLE,
            "exchangeStatus": lambda _: {"time": self.clock.now_ms(), "specialStatuses": None},
            "spotMeta": lambda _: NO_SPOT,
            "spotMetaAndAssetCtxs": lambda _: [NO_SPOT, []],
            "perpDexs": lambda _: [None],  # the venue's own, and none by builders
            **dict.fromkeys(("openOrders", "frontendOpenOrders"), lambda q: self._open_orders(q["user"])),
            "vaultDetails": lambda q: {"leader": self.principals.led[q["vaultAddress"].lower()].leader},
            "historicalOrders": lambda q: [self._status(o) for o in reversed(exchange.orders(q["user"], open_only=False))][
                :2000
            ],
            "orderStatus": lambda q: self._order_status(q["user"], q["oid"]),
            "userFills": lambda q: list(reversed(self._fills(q["user"])[-2000:])),
            "userFillsByTime": lambda q: self._fills(q["user"], q["startTime"])[:2000],
            "userFunding": lambda q: [
                _funding(p, whole=True) for p in exchange.funding_payments(q["user"], q["startTime"])[:500]
            ],
            "clearinghouseState": lambda q: self.state(q["user"]),
            "spotClearinghouseState": lambda q: self.spot_state(q["user"]),
            "userAbstraction": lambda q: self.conditions.modes.get(q["user"], "default"),
            "userFees": lambda _: _fees(exchange.rules.fees),
            "userRole": lambda q: self._role(q["user"]),
            "userRateLimit": lambda q: self._rate_limit(q["user"]),
            "activeAssetData": lambda q: self._active_asset(q["user"], q["coin"]),
            "extraAgents": lambda q: [a.told("address", "name", "validUntil") for a in self.principals.agents_of(q["user"])],
            "maxBuilderFee": lambda _: 0,
            "subAccounts": lambda q: [self._led(a) for a in self.principals.led_by(q["user"], "subAccount")] or None,
            "portfolio": lambda q: self._portfolio(q["user"]),
            "webData2": lambda q: self._web_data_2(q["user"]),
        }
        self._actions: dict[str, tuple[str, Callable[[str, dict[str, Any]], Any]]] = {  # the reply's word, and what to do
            "order": ("order", lambda user, action: [self._place(user, order) for order in action["orders"]]),
            "cancel": ("cancel", lambda user, action: [self._cancel(user, c["a"], c["o"]) for c in action["cancels"]]),
            "cancelByCloid": ("cancel", lambda user, action: [self._cancel(user, **c) for c in action["cancels"]]),
            "batchModify": ("order", lambda user, action: [self._modify(user, m) for m in action["modifies"]]),
            "modify": ("default", self._modify),
            "updateLeverage": ("default", self._leverage),
            "scheduleCancel": ("default", self._schedule_cancel),
            "reserveRequestWeight": (
                "default",
                lambda user, action: self.allowance.buy(user, action["weight"]),
            ),  # at no cost here
            "noop": ("default", lambda *_: None),
            "twapOrder": ("twapOrder", lambda *_: {"status": {"error": "TWAP orders are not part of this sandbox"}}),
        }

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        key = account_seed(name).hex()
        address = Signer(key).address
        self.exchange.open_account(address, Decimal(balance))
        return {"private_key": key, "account_address": address}

    def places_order(self, request: HttpRequest) -> bool:
        return request.url == "/exchange" and b'"type":"order"' in (request.body or b"")

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return _Socket(self, peer)

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        if request.method != "POST" or request.url not in ("/info", "/exchange"):
            return HttpResponse(404, b"404 Not Found")
        is_read = request.url == "/info"
        try:
            body = msgspec.json.decode(request.body or b"")
            kind = body["type"] if is_read else body["action"]["type"]
            if not self._meter.spend(address, WEIGHTS.get(kind, 20) if is_read else 1 + _size_of(body["action"]) // 40):
                return HttpResponse(429, b"Too Many Requests")
            reply = self.info(body) if is_read else self.act(body)
            if is_read and kind in ROWS_PER_WEIGHT:
                self._meter.debit(address, len(reply) // ROWS_PER_WEIGHT[kind])
        except MALFORMED:
            return NOT_JSON
        return HttpResponse(200, msgspec.json.encode(reply), {"content-type": "application/json"})

    def info(self, query: dict[str, Any]) -> Any:
        """A read. Raises KeyError for what the venue could not deserialise."""
        self._cancel_what_is_overdue()
        if "user" in query:
            query = {**query, "user": self._meet(query["user"])}
        return self._info[query["type"]](query)

    def _meet(self, user: str) -> str:  # anyone may ask about any address
        if not self.exchange.has_account(user.lower()):
            self.exchange.open_account(user.lower(), Decimal(0))
            self._strangers.add(user.lower())
        return user.lower()

    def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """An acting call; refusals of the whole come as `status: err`, those of one order as its status."""
        self._cancel_what_is_overdue()
        try:
            user, action = self._authenticate(body), body["action"]
            word, act = self._actions[action["type"]]
            self._charge(user, action)
            told = act(user, action)
        except Refusal as refusal:
            return {"status": "err", "response": refusal.words}
        if word == "default":  # there is no place for what became of it but a refusal of the whole
            return {"status": "err", "response": told["error"]} if told and "error" in told else OK
        data = told if isinstance(told, dict) else {"statuses": told}
        return {"status": "ok", "response": {"type": word, "data": data}}

    def _authenticate(self, body: dict[str, Any]) -> str:
        """Whose account is meant. A wrong byte anywhere recovers a stranger, exactly as at the venue."""
        nonce, now_ms, vault = body["nonce"], self.clock.now_ms(), body.get("vaultAddress")
        connection_id = action_hash(body["action"], nonce, vault, body.get("expiresAfter"))
        signer = recover_address(agent_digest(connection_id, mainnet=False), **body["signature"])
        user = self.principals.account_of(signer, now_ms)
        if not self.exchange.has_account(user) or user in self._strangers:
            raise Refusal(200, "", f"User or API Wallet {signer} does not exist.")
        if vault is not None and not self.principals.leads(user, vault.lower()):
            raise Refusal(200, "", f"Vault not registered: {vault.lower()}")  # hyperliquid-dex/hyperliquid-python-sdk#172
        if not self._nonces.take(signer, nonce, now_ms):
            raise Refusal(200, "", f"Invalid nonce: {nonce} (now {now_ms})")
        if body.get("expiresAfter") is not None and now_ms > body["expiresAfter"]:
            raise Refusal(200, "", "Action expired")
        return user if vault is None else str(vault).lower()

    def _charge(self, user: str, action: dict[str, Any]) -> None:
        """Actions have a budget of their own, kept per address; cancellations have more."""
        units, cap, kind = max(1, _size_of(action)), self.allowance.cap(user), action["type"]
        if kind in ("cancel", "cancelByCloid"):
            cap = min(cap + 100_000, 2 * cap)
        if kind != "reserveRequestWeight" and not self.allowance.charge(user, units, cap):
            did = self.allowance.of[user]
            raise Refusal(200, "", TOO_MANY.format(used=did.used + units, cap=cap, traded=did.traded))

    def _rate_limit(self, user: str) -> dict[str, Any]:
        did, cap = self.allowance.of[user], self.allowance.cap(user)
        return {"cumVlm": text(did.traded), "nRequestsUsed": did.used, "nRequestsCap": cap, "nRequestsSurplus": did.bought}

    def _schedule_cancel(self, user: str, action: dict[str, Any]) -> None:
        did, required, at_ms = self.allowance.of[user], self.conditions.dead_man_usd, action.get("time")
        if did.traded < required:
            raise Refusal(200, "", NO_DEAD_MAN.format(required=required, traded=did.traded))
        if at_ms is not None and at_ms < self.clock.now_ms() + 5000:
            raise Refusal(200, "", "Scheduled cancel time too early, must be at least 5 seconds from now.")
        did.cancel_at_ms = at_ms

    def _cancel_what_is_overdue(self) -> None:
        for user in self.allowance.overdue(self.clock.now_ms()):
            for order in self.exchange.orders(user):
                self.conditions.words[order.order_id] = "scheduledCancel"
                self.exchange.cancel(user, order_id=order.order_id)

    # Orders

    def _place(self, user: str, order: dict[str, Any]) -> Any:
        if not 0 <= order["a"] < len(self.coins):
            raise Refusal(200, "", f"Invalid asset {order['a']}")
        side, coin, terms = Side.BUY if order["b"] else Side.SELL, self.coins[order["a"]], order["t"]
        tif, trigger = (TIF[terms["limit"]["tif"]], None) if "limit" in terms else _trigger(side, **terms["trigger"])
        price, size, name = Decimal(order["p"]), Decimal(order["s"]), order.get("c")
        try:
            return self._answer(self.exchange.place(user, coin, side, size, price, tif, order["r"], name, trigger), order)
        except world.Rejected as refusal:
            return self._error(refusal.reason, order["a"])

    def _answer(self, placed: world.SandboxOrder, order: dict[str, Any]) -> dict[str, Any]:
        """What the reply says of an order, and what orderStatus will say of it for as long as it rests."""
        if placed.status in (OrderStatus.OPEN, OrderStatus.PENDING):
            self._left_at_rest[placed.order_id] = placed.remaining
            return {"resting": {"oid": placed.order_id, **({"cloid": order["c"]} if "c" in order else {})}}
        if not placed.filled or placed.average_price is None:
            return self._error(Reason(placed.reason or Reason.NO_LIQUIDITY), order["a"])
        average = placed.average_price.quantize(Decimal("1e-8"))
        return {"filled": {**texts(wire_text, totalSz=placed.filled, avgPx=average), "oid": placed.order_id}}

    def _modify(self, user: str, modify: dict[str, Any]) -> dict[str, Any]:
        """A replacement: the old order is cancelled, a fresh one of the size, price and time in force sent takes its name."""
        order, old = modify["order"], self._find(user, modify["oid"])
        if old is None or old.status.is_terminal or old.waits:
            return {"error": NOT_CHANGED.format(asset=order["a"])}
        terms = (Decimal(order["p"]), Decimal(order["s"]), TIF[order["t"]["limit"]["tif"]])
        try:
            return self._answer(self.exchange.amend(user, old.order_id, *terms), order)
        except world.Rejected as refusal:
            return self._error(refusal.reason, order["a"])

    def _find(self, user: str, oid: int | str) -> world.SandboxOrder | None:
        return self.exchange.order(user, **{"order_id" if isinstance(oid, int) else "client_order_id": oid})  # type: ignore[arg-type]

    def _cancel(self, user: str, asset: int, order_id: int | None = None, cloid: str | None = None) -> Any:
        try:
            self.exchange.cancel(user, order_id=order_id, client_order_id=cloid)
        except world.Rejected:
            return {"error": NOT_THERE.format(asset=asset)}
        return "success"

    def _leverage(self, user: str, action: dict[str, Any]) -> dict[str, str] | None:
        coin = self.coins[action["asset"]]
        if action["isCross"] and coin in self.conditions.isolated_only:
            return {"error": "Cross margin is not allowed for this asset."}  # as several public bots quote it
        try:
            self.exchange.set_leverage(user, coin, action["leverage"])
        except world.Rejected as refusal:
            return self._error(refusal.reason, action["asset"])
        return None

    def _error(self, reason: world.RejectReason, asset: int) -> dict[str, str]:
        bids, asks, _ = self.exchange.book(self.coins[asset], 1)
        bbo = "@".join(str(side[0][0]) if side else "-" for side in (bids, asks))
        return {"error": WORDS[reason].format(asset=asset, bbo=bbo)}

    # Markets

    def _meta(self) -> dict[str, Any]:
        tables = [[LEVERAGE_MAX, MARGIN_TABLE]]
        return {"universe": [self._asset(coin) for coin in self.coins], "marginTables": tables, "collateralToken": 0}

    def _asset(self, coin: str) -> dict[str, Any]:
        i = self.exchange.listings[coin].instrument
        alone = {"onlyIsolated": True, "marginMode": "strictIsolated"} if coin in self.conditions.isolated_only else {}
        row = {"name": coin, "szDecimals": -i.lot_size.adjusted(), "maxLeverage": i.max_leverage, "marginTableId": LEVERAGE_MAX}
        return {**row, **alone}

    def _context(self, coin: str) -> dict[str, Any]:
        """A market without prices (yet) is one with an empty book: its figures are null."""
        state, middle = self.exchange.find_state(coin), mid(self.exchange, coin)
        if state is None or middle is None:
            return dict.fromkeys(FIGURES.split())
        units, volume = float(state.mark), state.volume_24h_usd or 0.0
        bids, asks, _ = self.exchange.book(coin, SLOW_LEVELS)
        before = self.exchange.earlier(coin, DAY_MS) or state
        prices = {"markPx": state.mark, "oraclePx": state.index, "midPx": middle, "prevDayPx": before.mark}
        measured = {"openInterest": (state.open_interest_usd or 0.0) / units, "dayNtlVlm": volume, "dayBaseVlm": volume / units}
        told = {"funding": exact(self.exchange.funding_rate(coin)), **texts(text, premium=state.premium, **prices)}
        impact = [repr(impact_price(side, IMPACT_USD)) for side in (bids, asks)]
        return {**told, **{name: repr(figure) for name, figure in measured.items()}, "impactPxs": impact}

    def l2_book(self, coin: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        """A book as `asked`: `fast` shows five levels, `nSigFigs` (and `mantissa`) put levels together."""
        asked = asked or {}
        figures, steps, fast = asked.get("nSigFigs"), asked.get("mantissa") or 1, asked.get("fast") is True
        bids, asks, _ = self.exchange.book(coin, 1000 if figures else SLOW_LEVELS)
        sides = grouped(bids, figures, steps, up=False), grouped(asks, figures, steps, up=True)
        depth = FAST_LEVELS if fast else SLOW_LEVELS
        levels = [[{"px": text(px), "sz": wire_text(sz), "n": 1} for px, sz in side[:depth]] for side in sides]
        spread = {"spread": text(asks[0][0] - bids[0][0])} if figures and bids and asks else {}
        return {"coin": coin, "time": self.clock.now_ms(), "levels": levels, **spread, **({"fast": True} if fast else {})}

    def _candles(self, coin: str, interval: str, startTime: int, endTime: int | None = None) -> list[dict[str, Any]]:
        until_ms, step_ms = self.clock.now_ms() if endTime is None else endTime, interval_ms(interval)
        found = candles(self.exchange, coin, max(startTime, until_ms - (CANDLES_MAX - 2) * step_ms), until_ms, step_ms)
        return [_candle(coin, interval, row, row.open_ms + step_ms - 1) for row in found]

    def _predicted(self, coin: str) -> list[list[Any]]:
        due, rate = self.exchange.next_funding_ms(coin), exact(self.exchange.funding_rate(coin))
        ours = {"fundingRate": rate, "nextFundingTime": due, "fundingIntervalHours": 1}
        return [["BinPerp", None], ["HlPerp", None if rate is None else ours], ["BybitPerp", None]]

    def _funding_history(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        coin, until_ms = query["coin"], query.get("endTime") or self.clock.now_ms()
        paid = rates_paid(self.exchange, coin, query["startTime"], until_ms + 1)[:500]
        return [{"coin": coin, "fundingRate": exact(rate), "premium": "0.0", "time": hour} for hour, rate in paid]

    # Accounts

    def _open_orders(self, user: str) -> list[dict[str, Any]]:
        rows = [_order(order) for order in self.exchange.orders(user)]
        return rows + [order for order, _ in self.conditions.elsewhere.get(user, ())]

    def _status(self, order: world.SandboxOrder, left: Decimal | None = None) -> dict[str, Any]:
        """`left`: what to tell is left of it while it is open."""
        word = STATUS.get(order.status, "triggered" if order.trigger is not None and not order.waits else "open")
        if order.status is OrderStatus.CANCELLED and order.reason and not order.filled:
            word = ENDED.get(order.reason, word)
        row = _order(order) if left is None or word != "open" else {**_order(order), "sz": text(left)}
        told = self.conditions.words.get(order.order_id, word)
        return {"order": row, "status": told, "statusTimestamp": order.updated_ms}

    def _order_status(self, user: str, oid: int | str) -> dict[str, Any]:
        """An order that rests is told as it was when it came to rest, whatever filled since
        (the venue's answer in hyperliquid-dex/hyperliquid-python-sdk#141)."""
        if (found := self._find(user, oid)) is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": self._status(found, self._left_at_rest.get(found.order_id))}

    def _fills(self, user: str, since_ms: int = 0) -> list[dict[str, Any]]:
        own = [self.fill_row(fill) for fill in self.exchange.fills(user, since_ms)]
        return own + [fill for _, fill in self.conditions.elsewhere.get(user, ()) if fill["time"] >= since_ms]

    def fill_row(self, fill: world.SandboxFill) -> dict[str, Any]:
        """An own fill."""
        numbers = texts(text, startPosition=fill.position_before, closedPnl=fill.realised_pnl, fee=fill.fee)
        way = f"{'Close' if fill.is_closing else 'Open'} {'Long' if fill.is_of_long else 'Short'}"
        told = {"dir": way, "crossed": fill.liquidity is Liquidity.TAKER, "oid": fill.order_id, "cloid": fill.client_order_id}
        return {**_print(fill, fill.fill_id), **numbers, **told, "feeToken": self.conditions.fee_token, "twapId": None}

    def state(self, user: str) -> dict[str, Any]:
        """The account as `clearinghouseState` tells it."""
        exchange, notional, rows = self.exchange, Decimal(0), []
        for coin, held in exchange.positions(user).items():
            mark, limit = exchange.state(coin).mark, exchange.liquidation_price(user, coin)
            value = abs(held.size) * mark
            notional += value
            entry, used = held.entry_price.quantize(Decimal("1e-8")), (value / held.leverage).quantize(Decimal("1e-6"))
            pnl = (held.size * mark - held.cost).quantize(exchange.rules.money_quantum)
            numbers = texts(text, szi=held.size, entryPx=entry, marginUsed=used, positionValue=value, unrealizedPnl=pnl)
            about = {
                "coin": coin,
                "leverage": self._leverage_of(user, coin),
                "maxLeverage": exchange.listings[coin].max_leverage,
            }
            limited = {"liquidationPx": None if limit is None else text(limit.quantize(Decimal("1e-8")))}
            paid = dict.fromkeys(("allTime", "sinceOpen", "sinceChange"), text(-held.funding_since_open))
            rows.append({"type": "oneWay", "position": {**about, **numbers, **limited, "cumFunding": paid}})
        equity, bound = exchange.equity(user), exchange.initial_margin(user)
        free = max(Decimal(0), exchange.available(user))
        if self.conditions.modes.get(user) in POOLED:  # what positions bind, and nothing of what the account holds
            equity, free = (bound + exchange.unrealised(user) if rows else Decimal(0)), Decimal(0)
        summary = texts(text, accountValue=equity, totalNtlPos=notional, totalRawUsd=equity - notional, totalMarginUsed=bound)
        summaries = dict.fromkeys(("marginSummary", "crossMarginSummary"), summary)
        figures = texts(text, crossMaintenanceMarginUsed=exchange.maintenance_margin(user), withdrawable=free)
        return {"assetPositions": rows, **summaries, **figures, "time": self.clock.now_ms()}

    def spot_state(self, user: str) -> dict[str, Any]:
        """The account as `spotClearinghouseState` tells it. USDC backs perpetuals only where everything is pooled."""
        total, hold = self.conditions.spot.get(user, Decimal(0)), Decimal(0)
        if self.conditions.modes.get(user) in POOLED:
            total, hold = self.exchange.wallet(user), self.exchange.initial_margin(user)
        row = {"coin": wire.QUOTE, "token": 0, **texts(text, total=total, hold=hold), "entryNtl": "0.0"}
        return {"balances": [row] if total else []}

    def _leverage_of(self, user: str, coin: str) -> dict[str, Any]:
        chosen = {"value": self.exchange.leverage(user, coin)}
        alone = coin in self.conditions.isolated_only
        return {"type": "isolated", **chosen, "rawUsd": "0.0"} if alone else {"type": "cross", **chosen}

    def _active_asset(self, user: str, coin: str) -> dict[str, Any]:
        mark, free, leverage = self.exchange.state(coin).mark, self.exchange.available(user), self._leverage_of(user, coin)
        most = text((free * leverage["value"] / mark).quantize(self.exchange.listings[coin].instrument.lot_size))
        about = {"user": user, "coin": coin, "leverage": leverage, "markPx": text(mark)}
        return {**about, "maxTradeSzs": [most, most], "availableToTrade": [text(free)] * 2}

    def _role(self, user: str) -> dict[str, Any]:
        if user in self.principals.agents:
            return {"role": "agent", "data": {"user": self.principals.agents[user].account}}
        if (led := self.principals.led.get(user)) is not None:
            return {"role": led.kind, **({"data": {"master": led.leader}} if led.kind == "subAccount" else {})}
        return {"role": "missing" if user in self._strangers else "user"}

    def _led(self, led: LedAccount) -> dict[str, Any]:
        states = {"clearinghouseState": self.state(led.address), "spotState": self.spot_state(led.address)}
        return {"name": led.name, "subAccountUser": led.address, "master": led.leader, **states}

    def _portfolio(self, user: str) -> list[list[Any]]:
        now_ms, figures = self.clock.now_ms(), {"accountValue": self.exchange.equity(user), "pnl": self.exchange.result(user)}
        history = {f"{name}History": [[now_ms, text(figure)]] for name, figure in figures.items()}
        return [[period, {**history, "vlm": text(self.allowance.of[user].traded)}] for period in PERIODS]

    def _about(self, user: str) -> dict[str, Any]:
        """What webData2 and webData3 say of the account itself."""
        (agent, until_ms), led = self.principals.agent_of(user), self.principals.led.get(user)
        about = {"agentAddress": agent, "agentValidUntil": until_ms, "isVault": led is not None and led.kind == "vault"}
        abstraction = self.conditions.modes.get(user, "disabled")
        return {**about, "cumLedger": "0.0", "serverTime": self.clock.now_ms(), "user": user, "abstraction": abstraction}

    def _web_data_2(self, user: str) -> dict[str, Any]:
        states = {"clearinghouseState": self.state(user), "spotState": self.spot_state(user), "twapStates": []}
        markets = {"meta": self._meta(), "assetCtxs": [self._context(coin) for coin in self.coins], "spotAssetCtxs": []}
        return {**states, "openOrders": self._open_orders(user), **self._about(user), **markets, **NO_VAULTS}

    # Streams

    def topic(self, wanted: dict[str, Any]) -> Topic | None:
        """The topic that a subscription names; None when the venue has no such thing to tell."""
        kind, user = wanted["type"], str(wanted.get("user", ""))
        is_known = kind == "allMids" or (wanted["coin"] in self.coins if kind in OF_MARKETS else user.startswith("0x"))
        if not is_known or (kind == "candle" and not interval_ms(wanted["interval"])):
            return None
        asked = {**wanted, "user": self._meet(user)} if user else wanted
        names = ("coin", "user", "interval", "nSigFigs", "mantissa", "fast")
        topic = (kind, " ".join(str(asked[name]) for name in names if asked.get(name)))
        self.asked[topic] = asked
        return topic

    def market_of(self, topic: Topic) -> str:
        return str(self.asked[topic].get("coin", "")) if topic[0] in STATES else ""

    def on_event(self, event: world.SandboxEvent) -> None:
        match event:
            case world.BookChanged(coin):
                self._cancel_what_is_overdue()
                self._tell_states(coin)
            case world.TradePrinted(trade):
                self._tell("trades", trade.venue_symbol, lambda: [_print(trade, trade.trade_id, users=NOBODIES)])
            case world.OrderChanged(order):
                self._tell("orderUpdates", order.account, lambda: [self._status(order)])
                if order.status is OrderStatus.CANCELLED and order.reason:
                    gone = {"coin": order.venue_symbol, "oid": order.order_id}
                    self._tell("userEvents", order.account, lambda: {"nonUserCancel": [gone]})
            case world.Filled(fill):
                self.allowance.of[fill.account].traded += fill.size * fill.price
                row, user = self.fill_row(fill), fill.account
                self._tell("userFills", user, lambda: {"user": user, "fills": [row]})
                self._tell("userEvents", user, lambda: {"fills": [row]})
            case world.FundingPaid(paid):
                self._tell("userEvents", paid.account, lambda: {"funding": _funding(paid)})
                self._tell("userFundings", paid.account, lambda: {"user": paid.account, "fundings": [_funding(paid)]})
            case world.AccountChanged(user):
                for kind in ACCOUNTS:
                    self._tell(kind, user, lambda: self.snapshot((kind, user)))  # noqa: B023  # called at once

    def _tell(self, kind: str, which: str, data: Callable[[], Any]) -> None:
        channel = "user" if kind == "userEvents" else kind
        self.publish((kind, which), lambda: {"channel": channel, "data": data()})

    def _tell_states(self, coin: str) -> None:
        for topic in self.heard():
            kind, asked = topic[0], self.asked[topic]
            every_ms = FAST_MS if asked.get("fast") is True else STATES.get(kind, 0)
            if kind in STATES and asked.get("coin", coin) == coin and self._pace.is_due(topic, every_ms):
                data = self.snapshot(topic)
                if self._pace.is_news(topic, data["bbo"] if kind == "bbo" else data):
                    self._tell(*topic, lambda: data)  # noqa: B023  # called at once

    def snapshot(self, topic: Topic) -> Any:
        """What a channel tells first, and again when it changes; None where it waits for events."""
        kind, asked = topic[0], self.asked[topic]
        coin, user, paid = asked.get("coin", ""), asked.get("user", ""), self.exchange.funding_payments
        book = self.l2_book(coin) if kind == "bbo" else {}
        tells: dict[str, Callable[[], Any]] = {
            "l2Book": lambda: self.l2_book(coin, asked),
            "bbo": lambda: {"bbo": [side[0] if side else None for side in book.pop("levels")], **book},
            "allMids": lambda: {"mids": self._info["allMids"]({})},
            "candle": lambda: self._candles(coin, asked["interval"], self.clock.now_ms())[-1],
            "activeAssetCtx": lambda: {"coin": coin, "ctx": self._context(coin)},
            "activeAssetData": lambda: self._active_asset(user, coin),
            "clearinghouseState": lambda: {"dex": "", "user": user, "clearinghouseState": self.state(user)},
            "spotState": lambda: {"user": user, "spotState": self.spot_state(user)},
            "openOrders": lambda: {"dex": "", "user": user, "orders": self._open_orders(user)},
            "webData3": lambda: {"userState": self._about(user), "perpDexStates": [NO_VAULTS]},
            "userFills": lambda: {"user": user, "isSnapshot": True, "fills": self._fills(user)},
            "userFundings": lambda: {"user": user, "isSnapshot": True, "fundings": [_funding(p) for p in paid(user)]},
        }
        return tells[kind]() if kind in tells else None


def _order(order: world.SandboxOrder) -> dict[str, Any]:
    numbers = texts(text, limitPx=order.price or Decimal(0), sz=order.remaining, origSz=order.size)
    about = {"coin": order.venue_symbol, "side": SIDE[order.side], "oid": order.order_id, "timestamp": order.created_ms}
    terms = {"cloid": order.client_order_id, "reduceOnly": order.reduce_only, "tif": wire.TIF[order.time_in_force]}
    return {**PLAIN_LIMIT, **about, **numbers, **terms, "children": [], **_waiting_for(order)}


def _waiting_for(order: world.SandboxOrder) -> dict[str, Any]:
    """What a stop or take-profit says more than a plain order."""
    if order.trigger is None:
        return {}
    kind = "Stop" if order.trigger.above is (order.side is Side.BUY) else "Take Profit"
    name = f"{kind} {'Market' if order.time_in_force is TimeInForce.IOC else 'Limit'}"
    condition = f"Price {'above' if order.trigger.above else 'below'} {wire_text(order.trigger.price)}"
    return {
        "orderType": name,
        "isTrigger": True,
        "triggerPx": text(order.trigger.price),
        "triggerCondition": condition,
        "tif": None,
    }


def _trigger(side: Side, isMarket: bool, triggerPx: str, tpsl: str) -> tuple[TimeInForce, world.Trigger]:
    """How a stop or take-profit trades when its price comes, and the price."""
    above = (side is Side.BUY) == (tpsl == "sl")
    return TimeInForce.IOC if isMarket else TimeInForce.GTC, world.Trigger(Decimal(triggerPx), above)


def _print(done: world.SandboxTrade | world.SandboxFill, number: int, **more: Any) -> dict[str, Any]:
    """What a public trade and an own fill have in common."""
    about = {"coin": done.venue_symbol, "side": SIDE[done.side], "px": text(done.price), "sz": wire_text(done.size)}
    return {**about, "time": done.time_ms, "hash": "0x" + keccak(str(number).encode()).hex(), "tid": number, **more}


def _funding(paid: world.SandboxFunding, whole: bool = False) -> dict[str, Any]:
    """A payment as streams tell it; `whole`: as the list does."""
    numbers = texts(text, usdc=paid.amount, szi=paid.position_size, fundingRate=paid.rate or Decimal(0))
    about, time = {"coin": paid.venue_symbol, **numbers, "nSamples": None}, {"time": paid.time_ms}
    return {**time, "hash": "0x" + "0" * 64, "delta": {"type": "funding", **about}} if whole else {**time, **about}


def _candle(coin: str, interval: str, row: Candle, end_ms: int) -> dict[str, Any]:
    prices = texts(text, o=row.open, c=row.close, h=row.high, l=row.low)
    return {"t": row.open_ms, "T": end_ms, "s": coin, "i": interval, **prices, "v": repr(row.volume or 0.0), "n": 1}


def _fees(fees: FeeRates) -> dict[str, Any]:
    rates = {"cross": str(fees.taker), "add": str(fees.maker), "spotCross": "0.0007", "spotAdd": "0.0004"}
    none = {"bpsOfMaxSupply": "0.0", "discount": "0.0"}
    tiers = {"vip": [{"ntlCutoff": "5000000.0", **rates}], "mm": [{"makerFractionCutoff": "0.005", "add": "-0.00001"}]}
    schedule = {**rates, "tiers": tiers, "referralDiscount": "0.04", "stakingDiscountTiers": [none]}
    user = {f"user{name[0].upper()}{name[1:]}Rate": rate for name, rate in rates.items()}
    plain = {"dailyUserVlm": [], "feeSchedule": schedule, "activeReferralDiscount": "0.0", "activeStakingDiscount": none}
    return {**plain, **user, "feeTrialEscrow": "0.0", **dict.fromkeys(("trial", "nextTrialAvailableTimestamp", "stakingLink"))}


def _size_of(action: dict[str, Any]) -> int:
    """How many orders or cancellations it holds."""
    return max((len(action[key]) for key in ("orders", "cancels", "modifies") if key in action), default=0)


class _Socket(TopicSocket[HyperliquidSandbox]):
    """Topics are (type, coin or user and what else was asked)."""

    def on_frame(self, frame: bytes) -> None:
        try:
            message = msgspec.json.decode(frame)
            if message["method"] == "ping":
                self.send({"channel": "pong"})
            elif message["method"] == "post":
                self._post(message["id"], message["request"])
            else:
                self._subscription(message["method"], message["subscription"])
        except MALFORMED:
            self._error(f"Error parsing JSON into valid websocket request: {frame[:500].decode('utf-8', 'replace')}")

    def _post(self, number: int, request: dict[str, Any]) -> None:
        """Requests over the socket are answered in an envelope; what they say is what HTTP would have said."""
        kind, payload = request["type"], request["payload"]
        try:
            said: Any = self.facade.act(payload) if kind == "action" else self.facade.info(payload)
            said = said if kind == "action" else {"type": payload["type"], "data": said}
        except MALFORMED:
            kind, said = "error", NOT_JSON.body.decode()
        self.send({"channel": "post", "data": {"id": number, "response": {"type": kind, "payload": said}}})

    def _subscription(self, method: str, wanted: dict[str, Any]) -> None:
        if method not in ("subscribe", "unsubscribe") or wanted["type"] not in KINDS:
            raise KeyError(method)
        topic, said = self.facade.topic(wanted), msgspec.json.encode(wanted).decode()
        if topic is None:
            self._error(f"Invalid subscription {said}")
        elif (method == "subscribe") == (topic in self.topics):
            self._error(f"Already {method}d: {said}")
        else:
            first = self.facade.snapshot(topic)
            self.send({"channel": "subscriptionResponse", "data": {"method": method, "subscription": wanted}})
            if method == "unsubscribe":
                self.leave(topic)
            elif self.join(topic) and first is not None:
                self.send({"channel": topic[0], "data": first})

    def _error(self, words: str) -> None:
        self.send({"channel": "error", "data": words})
