"""Hyperliquid's protocol in front of a sandbox exchange: signatures, nonces and budgets are checked, refusals use its words."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from exchange_clients.domain.instruments import wire_text
from exchange_clients.domain.orders import Liquidity, OrderStatus
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Endpoint
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.signing import Signer, action_hash, agent_digest, recover_address
from exchange_clients.keys.evm import keccak
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.streams import StreamingFacade, TopicSocket
from exchange_clients.sandbox.texts import exact, texts

DAY_MS = 24 * MS_PER_HOUR
NONCES_KEPT = 100
LEVERAGE_MAX = 20
WEIGHTS = {e.operation: e.weight for e in vars(common).values() if isinstance(e, Endpoint)}
TIF = {word: tif for tif, word in wire.TIF.items()}
SIDE = {side: word for word, side in wire.SIDES.items()}
MARKET_CHANNELS, USER_CHANNELS = ("l2Book", "trades"), ("orderUpdates", "userFills", "webData2")
NO_FIGURES = dict.fromkeys(("funding", "openInterest", "dayNtlVlm", "markPx", "oraclePx", "midPx", "premium"))
PLAIN_LIMIT = {"orderType": "Limit", "isTrigger": False, "triggerPx": "0.0", "triggerCondition": "N/A", "isPositionTpsl": False}
NO_SPOT = {"tokens": [{"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "isCanonical": True}], "universe": []}
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
}
NOT_THERE = "Order was never placed, already canceled, or filled. asset={asset}"
NOT_CHANGED = "Cannot modify canceled or filled order. asset={asset}"
STATUS = {OrderStatus.FILLED: "filled", OrderStatus.REJECTED: "rejected", OrderStatus.CANCELLED: "canceled"}
ENDED = {
    Reason.NO_LIQUIDITY: "iocCancelRejected",
    Reason.REDUCE_ONLY: "reduceOnlyCanceled",
    Reason.INSUFFICIENT_MARGIN: "marginCanceled",
}


def text(number: Decimal) -> str:
    """The venue writes whole numbers with one zero."""
    plain = wire_text(number)
    return plain if "." in plain else f"{plain}.0"


class _Refused(Exception):
    """The whole request is refused; the text goes into `response`."""


class HyperliquidSandbox(StreamingFacade):
    """One exchange, `POST /info`, `POST /exchange` and one WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"channel":"l2Book"'
    book_channel: ClassVar[str] = "l2Book"

    @classmethod
    def rules(cls) -> VenueRules:
        funding = DiscreteFunding(interval_hours=Decimal(1), cap=Decimal("0.04"))
        return VenueRules(cls.venue, common.SPEC.fees, funding, Decimal("0.000001"), min_notional=Decimal(10))

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        decimals = min(5, max(0, first_price.adjusted() + 1))
        return Listing(name, wire.to_instrument(wire.AssetMeta(name, decimals, LEVERAGE_MAX), index), LEVERAGE_MAX)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        super().__init__(exchange)
        self.coins = list(exchange.listings)
        self._meter = SpentMeter(common.PER_ADDRESS, exchange.clock)
        self._nonces: dict[str, list[int]] = {}
        fees = {"userCrossRate": str(exchange.rules.fees.taker), "userAddRate": str(exchange.rules.fees.maker)}
        self._info: dict[str, Callable[[dict[str, Any]], Any]] = {
            "meta": lambda _: self._meta(),
            "metaAndAssetCtxs": lambda _: [self._meta(), [self._context(coin) for coin in self.coins]],
            "allMids": lambda _: {coin: self._context(coin)["midPx"] for coin in self.coins},
            "l2Book": lambda q: self.l2_book(q["coin"]) if q["coin"] in exchange.listings else None,
            "recentTrades": lambda q: [_trade(t) for t in reversed(exchange.trades(q["coin"], 100))],
            "fundingHistory": self._funding_history,
            "openOrders": lambda q: [_order(o) for o in exchange.orders(q["user"])],
            "frontendOpenOrders": lambda q: [_order(o) for o in exchange.orders(q["user"])],
            "orderStatus": self._order_status,
            "userFills": lambda q: [fill_row(f) for f in reversed(exchange.fills(q["user"])[-2000:])],
            "userFillsByTime": lambda q: [fill_row(f) for f in exchange.fills(q["user"], q["startTime"])[:2000]],
            "userFunding": lambda q: [_payment(p) for p in exchange.funding_payments(q["user"], q["startTime"])[:500]],
            "clearinghouseState": lambda q: self.state(q["user"]),
            "spotClearinghouseState": lambda _: {"balances": []},
            "spotMeta": lambda _: NO_SPOT,
            "spotMetaAndAssetCtxs": lambda _: [NO_SPOT, []],
            "perpDexs": lambda _: [None],  # the venue's own, and none by builders
            "userFees": lambda _: fees,
            "userRole": lambda _: {"role": "user"},
        }
        self._actions: dict[str, tuple[str, Callable[[str, dict[str, Any]], Any]]] = {  # the reply's word, and what to do
            "order": ("order", lambda user, action: [self._place(user, order) for order in action["orders"]]),
            "cancel": ("cancel", lambda user, action: [self._cancel(user, c["a"], order_id=c["o"]) for c in action["cancels"]]),
            "cancelByCloid": ("cancel", lambda user, action: [self._cancel_by_cloid(user, c) for c in action["cancels"]]),
            "batchModify": ("order", lambda user, action: [self._modify(user, m) for m in action["modifies"]]),
            "updateLeverage": ("default", self._leverage),
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
            if not self._meter.spend(address, WEIGHTS.get(kind, 20) if is_read else 1):
                return HttpResponse(429, b"Too Many Requests")
            reply = self.info(body) if is_read else self.act(body)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return NOT_JSON
        return HttpResponse(200, msgspec.json.encode(reply), {"content-type": "application/json"})

    def info(self, query: dict[str, Any]) -> Any:
        """A read. Raises KeyError for what the venue could not deserialise."""
        if "user" in query:
            query["user"] = query["user"].lower()
            if not self.exchange.has_account(query["user"]):
                self.exchange.open_account(query["user"], Decimal(0))  # anyone may ask about any address
        return self._info[query["type"]](query)

    def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """An acting call; refusals of the whole come as `status: err`, those of one order as its status."""
        try:
            user = self._authenticate(body)
            word, act = self._actions[body["action"]["type"]]
            statuses = act(user, body["action"])
        except _Refused as refusal:
            return {"status": "err", "response": str(refusal)}
        return {"status": "ok", "response": {"type": word, **({} if statuses is None else {"data": {"statuses": statuses}})}}

    def _authenticate(self, body: dict[str, Any]) -> str:
        """Who signed. A wrong byte anywhere recovers a stranger, exactly as at the venue."""
        nonce, now_ms = body["nonce"], self.clock.now_ms()
        connection_id = action_hash(body["action"], nonce, body.get("vaultAddress"), body.get("expiresAfter"))
        user = recover_address(agent_digest(connection_id, mainnet=False), **body["signature"])
        if not self.exchange.has_account(user):
            raise _Refused(f"User or API Wallet {user} does not exist.")
        kept = self._nonces.setdefault(user, [])
        if not now_ms - 2 * DAY_MS < nonce < now_ms + DAY_MS or nonce in kept or (len(kept) == NONCES_KEPT and nonce < kept[0]):
            raise _Refused(f"Invalid nonce: {nonce} (now {now_ms})")
        self._nonces[user] = sorted([*kept, nonce])[-NONCES_KEPT:]
        if body.get("expiresAfter") is not None and now_ms > body["expiresAfter"]:
            raise _Refused("Action expired")
        return user

    def _place(self, user: str, order: dict[str, Any]) -> dict[str, Any]:
        asset, side = order["a"], Side.BUY if order["b"] else Side.SELL
        if not 0 <= asset < len(self.coins):
            raise _Refused(f"Invalid asset {asset}")
        terms = (side, Decimal(order["s"]), Decimal(order["p"]), TIF[order["t"]["limit"]["tif"]], order["r"], order.get("c"))
        try:
            placed = self.exchange.place(user, self.coins[asset], *terms)
        except world.Rejected as refusal:
            return {"error": self._words(refusal.reason, asset)}
        if placed.status is OrderStatus.OPEN:
            return {"resting": {"oid": placed.order_id, **({"cloid": order["c"]} if "c" in order else {})}}
        if not placed.filled or placed.average_price is None:
            return {"error": self._words(Reason(placed.reason or Reason.NO_LIQUIDITY), asset)}
        average = placed.average_price.quantize(Decimal("1e-8"))
        return {"filled": {**texts(wire_text, totalSz=placed.filled, avgPx=average), "oid": placed.order_id}}

    def _modify(self, user: str, modify: dict[str, Any]) -> dict[str, Any]:
        order = modify["order"]
        try:
            changed = self.exchange.amend(user, modify["oid"], Decimal(order["p"]), Decimal(order["s"]))
        except world.Rejected as refusal:
            is_gone = refusal.reason is Reason.UNKNOWN_ORDER
            return {"error": NOT_CHANGED.format(asset=order["a"]) if is_gone else self._words(refusal.reason, order["a"])}
        return {"resting": {"oid": changed.order_id}}

    def _cancel(self, user: str, asset: int, **which: Any) -> Any:
        try:
            self.exchange.cancel(user, **which)
        except world.Rejected:
            return {"error": NOT_THERE.format(asset=asset)}
        return "success"

    def _cancel_by_cloid(self, user: str, cancel: dict[str, Any]) -> Any:
        return self._cancel(user, cancel["asset"], client_order_id=cancel["cloid"])

    def _leverage(self, user: str, action: dict[str, Any]) -> None:
        try:
            self.exchange.set_leverage(user, self.coins[action["asset"]], action["leverage"])
        except world.Rejected as refusal:
            raise _Refused(self._words(refusal.reason, action["asset"])) from refusal

    def _words(self, reason: world.RejectReason, asset: int) -> str:
        bids, asks, _ = self.exchange.book(self.coins[asset], 1)
        return WORDS[reason].format(asset=asset, bbo="@".join(str(side[0][0]) if side else "-" for side in (bids, asks)))

    def _meta(self) -> dict[str, Any]:
        listed = [(listing, listing.instrument.lot_size) for listing in self.exchange.listings.values()]
        rows = [{"name": i.venue_symbol, "szDecimals": -lot.adjusted(), "maxLeverage": i.max_leverage} for i, lot in listed]
        return {"universe": rows}

    def _context(self, coin: str) -> dict[str, Any]:
        """A market without prices (yet) is one with an empty book: its figures are null."""
        state = self.exchange.find_state(coin)
        if state is None:
            return NO_FIGURES
        interest, volume = (state.open_interest_usd or 0.0) / float(state.mark), state.volume_24h_usd or 0.0
        return {
            "funding": exact(self.exchange.funding_rate(coin)),
            "openInterest": repr(interest),
            "dayNtlVlm": repr(volume),
            **texts(text, markPx=state.mark, oraclePx=state.index, midPx=state.mark, premium=state.premium),
        }

    def l2_book(self, coin: str) -> dict[str, Any]:
        bids, asks, _ = self.exchange.book(coin, 20)
        levels = [[{"px": text(px), "sz": wire_text(sz), "n": 1} for px, sz in side] for side in (bids, asks)]
        return {"coin": coin, "time": self.clock.now_ms(), "levels": levels}

    def _funding_history(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        coin, start_ms = query["coin"], max(query["startTime"], self.exchange.prices.start_ms)
        last = min(query.get("endTime") or self.clock.now_ms(), self.clock.now_ms())
        hours = range(-(-start_ms // MS_PER_HOUR) * MS_PER_HOUR, last + 1, MS_PER_HOUR)
        paid = ((hour, exact(self.exchange.rate_at(coin, hour - 1))) for hour in hours)
        rows = [{"coin": coin, "fundingRate": rate, "premium": "0.0", "time": hour} for hour, rate in paid if rate is not None]
        return rows[:500]

    def _order_status(self, query: dict[str, Any]) -> dict[str, Any]:
        key = "order_id" if isinstance(query["oid"], int) else "client_order_id"
        found = self.exchange.order(query["user"], **{key: query["oid"]})
        return {"status": "unknownOid"} if found is None else {"status": "order", "order": _status(found)}

    def state(self, user: str) -> dict[str, Any]:
        """The account as `clearinghouseState` tells it."""
        exchange, equity, notional, rows = self.exchange, self.exchange.equity(user), Decimal(0), []
        for coin, held in exchange.positions(user).items():
            mark, limit = exchange.state(coin).mark, exchange.liquidation_price(user, coin)
            value = abs(held.size) * mark
            notional += value
            entry, used = held.entry_price.quantize(Decimal("1e-8")), (value / held.leverage).quantize(Decimal("1e-6"))
            pnl = (held.size * mark - held.cost).quantize(exchange.rules.money_quantum)
            position = {
                "coin": coin,
                **texts(text, szi=held.size, entryPx=entry, marginUsed=used, positionValue=value, unrealizedPnl=pnl),
                "leverage": {"type": "cross", "value": held.leverage},
                "liquidationPx": None if limit is None else text(limit.quantize(Decimal("1e-8"))),
                "maxLeverage": exchange.listings[coin].max_leverage,
                "cumFunding": dict.fromkeys(("allTime", "sinceOpen", "sinceChange"), text(-held.funding_since_open)),
            }
            rows.append({"type": "oneWay", "position": position})
        bound, free = exchange.initial_margin(user), max(Decimal(0), exchange.available(user))
        summary = texts(text, accountValue=equity, totalNtlPos=notional, totalRawUsd=equity - notional, totalMarginUsed=bound)
        return {
            "assetPositions": rows,
            **dict.fromkeys(("marginSummary", "crossMarginSummary"), summary),
            **texts(text, crossMaintenanceMarginUsed=exchange.maintenance_margin(user), withdrawable=free),
            "time": self.clock.now_ms(),
        }

    def on_event(self, event: world.SandboxEvent) -> None:
        match event:
            case world.BookChanged(coin):
                self._tell("l2Book", coin, lambda: self.l2_book(coin))
            case world.TradePrinted(trade):
                self._tell("trades", trade.venue_symbol, lambda: [_trade(trade)])
            case world.OrderChanged(order):
                self._tell("orderUpdates", order.account, lambda: [_status(order)])
            case world.Filled(fill):
                self._tell("userFills", fill.account, lambda: {"user": fill.account, "fills": [fill_row(fill)]})
            case world.AccountChanged(user):
                self._tell("webData2", user, lambda: {"clearinghouseState": self.state(user), "user": user})
            case _:
                return

    def _tell(self, channel: str, which: str, data: Callable[[], Any]) -> None:
        self.publish((channel, which), lambda: {"channel": channel, "data": data()})

    def snapshot(self, channel: str, which: str) -> Any:
        """What a channel tells first; None where it waits for events."""
        if channel == "l2Book":
            return self.l2_book(which)
        if channel == "userFills" and self.exchange.has_account(which):
            return {"user": which, "isSnapshot": True, "fills": [fill_row(fill) for fill in self.exchange.fills(which)]}
        if channel == "webData2" and self.exchange.has_account(which):
            return {"clearinghouseState": self.state(which), "user": which}
        return None


def _status(order: world.SandboxOrder) -> dict[str, Any]:
    word = STATUS.get(order.status, "open")
    if order.status is OrderStatus.CANCELLED and order.reason and not order.filled:
        word = ENDED.get(order.reason, word)
    return {"order": _order(order), "status": word, "statusTimestamp": order.updated_ms}


def _order(order: world.SandboxOrder) -> dict[str, Any]:
    return {
        **PLAIN_LIMIT,
        "coin": order.venue_symbol,
        "side": SIDE[order.side],
        **texts(text, limitPx=order.price or Decimal(0), sz=order.remaining, origSz=order.size),
        "oid": order.order_id,
        "timestamp": order.created_ms,
        "cloid": order.client_order_id,
        "reduceOnly": order.reduce_only,
        "tif": wire.TIF[order.time_in_force],
        "children": [],
    }


def _print(done: world.SandboxTrade | world.SandboxFill, number: int) -> dict[str, Any]:
    """What a public trade and an own fill have in common."""
    about = {"coin": done.venue_symbol, "side": SIDE[done.side], "px": text(done.price), "sz": wire_text(done.size)}
    return {**about, "time": done.time_ms, "hash": "0x" + keccak(str(number).encode()).hex(), "tid": number}


def _trade(trade: world.SandboxTrade) -> dict[str, Any]:
    return _print(trade, trade.trade_id)


def fill_row(fill: world.SandboxFill) -> dict[str, Any]:
    """An own fill."""
    return {
        **_print(fill, fill.fill_id),
        **texts(text, startPosition=fill.position_before, closedPnl=fill.realised_pnl, fee=fill.fee),
        "dir": f"{'Close' if fill.is_closing else 'Open'} {'Long' if fill.is_of_long else 'Short'}",
        "oid": fill.order_id,
        "crossed": fill.liquidity is Liquidity.TAKER,
        "feeToken": wire.QUOTE,
        "cloid": fill.client_order_id,
    }


def _payment(paid: world.SandboxFunding) -> dict[str, Any]:
    numbers = texts(text, usdc=paid.amount, szi=paid.position_size, fundingRate=paid.rate or Decimal(0))
    delta = {"type": "funding", "coin": paid.venue_symbol, **numbers, "nSamples": None}
    return {"time": paid.time_ms, "hash": "0x" + "0" * 64, "delta": delta}


class _Socket(TopicSocket[HyperliquidSandbox]):
    """Topics are (type, coin or user)."""

    def on_frame(self, frame: bytes) -> None:
        try:
            message = msgspec.json.decode(frame)
            if message["method"] == "ping":
                self.send({"channel": "pong"})
            else:
                self._subscription(message["method"], message["subscription"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self._error(f"Error parsing JSON into valid websocket request: {frame[:200].decode('utf-8', 'replace')}")

    def _subscription(self, method: str, wanted: dict[str, Any]) -> None:
        kind, which = wanted["type"], wanted.get("coin") or wanted["user"].lower()
        listed, said = which in self.facade.exchange.listings, msgspec.json.encode(wanted).decode()
        if not (listed if kind in MARKET_CHANNELS else kind in USER_CHANNELS and which.startswith("0x")):
            return self._error(f"Invalid subscription {said}")
        if (method == "subscribe") == ((kind, which) in self.topics):
            return self._error(f"Already {method}d: {said}")
        self.send({"channel": "subscriptionResponse", "data": {"method": method, "subscription": wanted}})
        if method == "unsubscribe":
            self.leave((kind, which))
        elif self.join((kind, which)) and (data := self.facade.snapshot(kind, which)) is not None:
            self.send({"channel": kind, "data": data})
        return None

    def _error(self, words: str) -> None:
        self.send({"channel": "error", "data": words})
