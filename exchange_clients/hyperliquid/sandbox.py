"""Hyperliquid's protocol in front of a sandbox exchange: signatures, nonces and budgets are checked, refusals use its words."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar

import msgspec

from exchange_clients.domain.assets import identify
from exchange_clients.domain.instruments import Instrument, PriceRule, wire_text
from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.signing import Signer, action_hash, agent_digest, keccak, recover_address
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.rules import MS_PER_HOUR, DiscreteFunding, Listing, VenueRules

DAY_MS = 24 * MS_PER_HOUR
NONCES_KEPT = 100
WEIGHTS = {"l2Book": 2, "clearinghouseState": 2, "spotClearinghouseState": 2, "orderStatus": 2}
TIF = {"Gtc": TimeInForce.GTC, "Ioc": TimeInForce.IOC, "Alo": TimeInForce.POST_ONLY}
SIDE = {Side.BUY: "B", Side.SELL: "A"}
NOT_JSON = HttpResponse(422, b"Failed to deserialize the JSON body into the target type")
Reason = world.RejectReason
WORDS = {
    Reason.WOULD_CROSS: "Post only order would have immediately matched, bbo was {detail}.",
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


class HyperliquidSandbox(Facade):
    """One exchange, `POST /info`, `POST /exchange` and one WebSocket."""

    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'"channel":"l2Book"'

    @classmethod
    def rules(cls) -> VenueRules:
        funding = DiscreteFunding(interval_hours=Decimal(1), cap=Decimal("0.04"))
        return VenueRules(cls.venue, common.SPEC.fees, funding, Decimal("0.000001"), min_notional=Decimal(10))

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        asset, decimals = identify(name), min(5, max(0, first_price.adjusted() + 1))
        lot, rule = Decimal(1).scaleb(-decimals), PriceRule(Decimal(1).scaleb(decimals - 6), significant_figures=5)
        identity = (cls.venue, asset.base, name, str(index), asset.multiplier, "USDC")
        return Listing(name, Instrument(*identity, rule, lot, lot, Decimal(10), Decimal(20)), max_leverage=20)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        self.exchange = exchange
        self.coins = list(exchange.listings)
        self._meter = SpentMeter(common.PER_ADDRESS, exchange.clock)
        self._nonces: dict[str, list[int]] = {}
        self.sockets: set[_Socket] = set()
        exchange.subscribe(self._publish)
        self._info: dict[str, Callable[[dict[str, Any]], Any]] = {
            "meta": lambda _: self._meta(),
            "metaAndAssetCtxs": lambda _: [self._meta(), [self._context(coin) for coin in self.coins]],
            "allMids": lambda _: {coin: self._context(coin)["midPx"] for coin in self.coins},
            "l2Book": lambda q: self.l2_book(q["coin"]) if q["coin"] in exchange.listings else None,
            "recentTrades": lambda q: [_trade(t) for t in reversed(exchange.trades(q["coin"], 100))],
            "fundingHistory": self._funding_history,
            "openOrders": lambda q: [self._order(o) for o in exchange.orders(q["user"].lower())],
            "frontendOpenOrders": lambda q: [self._order(o) for o in exchange.orders(q["user"].lower())],
            "orderStatus": self._order_status,
            "userFillsByTime": lambda q: [self.fill(f) for f in exchange.fills(q["user"].lower(), q["startTime"])[:2000]],
            "userFunding": self._user_funding,
            "clearinghouseState": lambda q: self.state(q["user"].lower()),
            "spotClearinghouseState": lambda _: {"balances": []},
            "userFees": lambda _: {
                "userCrossRate": str(exchange.rules.fees.taker),
                "userAddRate": str(exchange.rules.fees.maker),
            },
        }
        self._actions: dict[str, Callable[[str, dict[str, Any]], Any]] = {
            "order": lambda user, action: [self._place(user, order) for order in action["orders"]],
            "cancel": lambda user, action: [self._cancel(user, c["a"], order_id=c["o"]) for c in action["cancels"]],
            "cancelByCloid": lambda user, action: [
                self._cancel(user, c["asset"], client_order_id=c["cloid"]) for c in action["cancels"]
            ],
            "batchModify": lambda user, action: [self._modify(user, m) for m in action["modifies"]],
            "updateLeverage": self._leverage,
        }

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        """A throw-away key made from `name`: worthless anywhere else."""
        key = sha256(f"sandbox account {name}".encode()).hexdigest()
        address = Signer(key).address
        self.exchange.open_account(address, Decimal(balance))
        return {"private_key": key, "account_address": address}

    def places_order(self, request: HttpRequest) -> bool:
        return request.url == "/exchange" and b'"type":"order"' in (request.body or b"")

    def connect(self, path: str, peer: Peer) -> FacadeSocket:
        socket = _Socket(self, peer)
        self.sockets.add(socket)
        return socket

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        if request.method != "POST" or request.url not in ("/info", "/exchange"):
            return HttpResponse(404, b"404 Not Found")
        try:
            body = msgspec.json.decode(request.body or b"")
            kind = body["type"] if request.url == "/info" else body["action"]["type"]
            weight = WEIGHTS.get(kind, 20) if request.url == "/info" else 1
            if not self._meter.spend(address, weight):
                return HttpResponse(429, b"Too Many Requests")
            reply = self.info(body) if request.url == "/info" else self.act(body)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return NOT_JSON
        return HttpResponse(200, msgspec.json.encode(reply), {"content-type": "application/json"})

    def info(self, query: dict[str, Any]) -> Any:
        """A read. Raises KeyError for what the venue could not deserialise."""
        user = query.get("user")
        if user is not None and not self.exchange.has_account(user.lower()):
            self.exchange.open_account(user.lower(), Decimal(0))  # anyone may ask about any address
        return self._info[query["type"]](query)

    def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """An acting call; refusals of the whole come as `status: err`, those of one order as its status."""
        action = body["action"]
        try:
            user = self._authenticate(body)
            statuses = self._actions[action["type"]](user, action)
        except _Refused as refusal:
            return {"status": "err", "response": str(refusal)}
        kind = {"cancelByCloid": "cancel", "batchModify": "order"}.get(action["type"], action["type"])
        response = {"type": "default"} if statuses is None else {"type": kind, "data": {"statuses": statuses}}
        return {"status": "ok", "response": response}

    def _authenticate(self, body: dict[str, Any]) -> str:
        """Who signed. A wrong byte anywhere recovers a stranger, exactly as at the venue."""
        nonce, now_ms = body["nonce"], self.exchange.clock.now_ms()
        connection_id = action_hash(body["action"], nonce, body.get("vaultAddress"), body.get("expiresAfter"))
        user = recover_address(agent_digest(connection_id, mainnet=False), **body["signature"])
        if not self.exchange.has_account(user):
            raise _Refused(f"User or API Wallet {user} does not exist.")
        kept = self._nonces.setdefault(user, [])
        if not now_ms - 2 * DAY_MS < nonce < now_ms + DAY_MS or nonce in kept or (len(kept) == NONCES_KEPT and nonce < kept[0]):
            raise _Refused(f"Invalid nonce: {nonce} (now {now_ms})")
        kept.append(nonce)
        kept.sort()
        del kept[:-NONCES_KEPT]
        if body.get("expiresAfter") is not None and now_ms > body["expiresAfter"]:
            raise _Refused("Action expired")
        return user

    def _place(self, user: str, order: dict[str, Any]) -> dict[str, Any]:
        asset = order["a"]
        if not 0 <= asset < len(self.coins):
            raise _Refused(f"Invalid asset {asset}")
        coin, side = self.coins[asset], Side.BUY if order["b"] else Side.SELL
        size, price, tif = Decimal(order["s"]), Decimal(order["p"]), TIF[order["t"]["limit"]["tif"]]
        try:
            placed = self.exchange.place(user, coin, side, size, price, tif, order["r"], order.get("c"))
        except world.Rejected as refusal:
            return {"error": self._words(refusal.reason, asset)}
        if placed.status is OrderStatus.OPEN:
            return {"resting": {"oid": placed.order_id, **({"cloid": order["c"]} if "c" in order else {})}}
        if not placed.filled or placed.average_price is None:
            return {"error": self._words(Reason(placed.reason or Reason.NO_LIQUIDITY), asset)}
        average = placed.average_price.quantize(Decimal("1e-8"))
        return {"filled": {"totalSz": wire_text(placed.filled), "avgPx": wire_text(average), "oid": placed.order_id}}

    def _modify(self, user: str, modify: dict[str, Any]) -> dict[str, Any]:
        order = modify["order"]
        try:
            changed = self.exchange.amend(user, modify["oid"], Decimal(order["p"]), Decimal(order["s"]))
        except world.Rejected as refusal:
            if refusal.reason is Reason.UNKNOWN_ORDER:
                return {"error": f"Cannot modify canceled or filled order. asset={order['a']}"}
            return {"error": self._words(refusal.reason, order["a"])}
        return {"resting": {"oid": changed.order_id}}

    def _cancel(self, user: str, asset: int, **which: Any) -> Any:
        try:
            self.exchange.cancel(user, **which)
        except world.Rejected:
            return {"error": NOT_THERE.format(asset=asset)}
        return "success"

    def _leverage(self, user: str, action: dict[str, Any]) -> None:
        try:
            self.exchange.set_leverage(user, self.coins[action["asset"]], action["leverage"])
        except world.Rejected as refusal:
            raise _Refused(self._words(refusal.reason, action["asset"])) from refusal

    def _words(self, reason: world.RejectReason, asset: int) -> str:
        bids, asks, _ = self.exchange.book(self.coins[asset], 1)
        bbo = f"{bids[0][0] if bids else '-'}@{asks[0][0] if asks else '-'}"
        return WORDS[reason].format(asset=asset, detail=bbo)

    def _meta(self) -> dict[str, Any]:
        def row(listing: Listing) -> dict[str, Any]:
            decimals = -int(listing.instrument.lot_size.adjusted())
            return {"name": listing.venue_symbol, "szDecimals": decimals, "maxLeverage": listing.max_leverage}

        return {"universe": [row(listing) for listing in self.exchange.listings.values()]}

    def _context(self, coin: str) -> dict[str, Any]:
        """A market without prices (yet) is one with an empty book: its figures are null."""
        try:
            state = self.exchange.state(coin)
        except world.Rejected:
            return dict.fromkeys(("funding", "openInterest", "dayNtlVlm", "markPx", "oraclePx", "midPx", "premium"))
        rate, interest = self.exchange.funding_rate(coin), state.open_interest_usd
        return {
            "funding": None if rate is None else wire_text_exact(rate),
            "openInterest": "0.0" if interest is None else repr(interest / float(state.mark)),
            "dayNtlVlm": "0.0" if state.volume_24h_usd is None else repr(state.volume_24h_usd),
            "markPx": text(state.mark),
            "oraclePx": text(state.index),
            "midPx": text(state.mark),
            "premium": text(state.premium),
        }

    def l2_book(self, coin: str) -> dict[str, Any]:
        bids, asks, _ = self.exchange.book(coin, 20)
        levels = [[{"px": text(px), "sz": wire_text(sz), "n": 1} for px, sz in side] for side in (bids, asks)]
        return {"coin": coin, "time": self.exchange.clock.now_ms(), "levels": levels}

    def _funding_history(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        start_ms = max(query["startTime"], self.exchange.prices.start_ms)
        first = -(-start_ms // MS_PER_HOUR) * MS_PER_HOUR
        last = min(query.get("endTime") or self.exchange.clock.now_ms(), self.exchange.clock.now_ms())
        rows: list[dict[str, Any]] = []
        for hour in range(first, last + 1, MS_PER_HOUR):
            try:
                rate = self.exchange.markets.funding_rate(query["coin"], hour - 1)
            except world.Rejected:
                continue
            if rate is not None:
                rows.append({"coin": query["coin"], "fundingRate": wire_text_exact(rate), "premium": "0.0", "time": hour})
        return rows[:500]

    def _user_funding(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "time": paid.time_ms,
                "hash": "0x" + "0" * 64,
                "delta": {
                    "type": "funding",
                    "coin": paid.venue_symbol,
                    "usdc": text(paid.amount),
                    "szi": text(paid.position_size),
                    "fundingRate": text(paid.rate or Decimal(0)),
                    "nSamples": None,
                },
            }
            for paid in self.exchange.funding_payments(query["user"].lower(), query["startTime"])[:500]
        ]

    def _order_status(self, query: dict[str, Any]) -> dict[str, Any]:
        key = "order_id" if isinstance(query["oid"], int) else "client_order_id"
        found = self.exchange.order(query["user"].lower(), **{key: query["oid"]})
        return {"status": "unknownOid"} if found is None else {"status": "order", "order": self.status_of(found)}

    def status_of(self, order: world.SandboxOrder) -> dict[str, Any]:
        word = {OrderStatus.FILLED: "filled", OrderStatus.REJECTED: "rejected", OrderStatus.CANCELLED: "canceled"}.get(
            order.status, "open"
        )
        if order.status is OrderStatus.CANCELLED and order.reason:
            word = "canceled" if order.filled else ENDED.get(order.reason, "canceled")
        return {"order": self._order(order), "status": word, "statusTimestamp": order.updated_ms}

    def _order(self, order: world.SandboxOrder) -> dict[str, Any]:
        tif = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc", TimeInForce.POST_ONLY: "Alo"}[order.time_in_force]
        return {
            "coin": order.venue_symbol,
            "side": SIDE[order.side],
            "limitPx": text(order.price or Decimal(0)),
            "sz": text(order.remaining),
            "oid": order.order_id,
            "timestamp": order.created_ms,
            "origSz": text(order.size),
            "cloid": order.client_order_id,
            "reduceOnly": order.reduce_only,
            "orderType": "Limit",
            "tif": tif,
            "isTrigger": False,
            "triggerPx": "0.0",
            "triggerCondition": "N/A",
            "isPositionTpsl": False,
            "children": [],
        }

    def fill(self, fill: world.SandboxFill) -> dict[str, Any]:
        closing = fill.position_before * fill.side.sign < 0
        held = fill.position_before if closing else Decimal(fill.side.sign)
        return {
            "coin": fill.venue_symbol,
            "px": text(fill.price),
            "sz": wire_text(fill.size),
            "side": SIDE[fill.side],
            "time": fill.time_ms,
            "startPosition": text(fill.position_before),
            "dir": f"{'Close' if closing else 'Open'} {'Long' if held > 0 else 'Short'}",
            "closedPnl": text(fill.realised_pnl),
            "hash": "0x" + keccak(str(fill.fill_id).encode()).hex(),
            "oid": fill.order_id,
            "crossed": fill.liquidity is Liquidity.TAKER,
            "fee": text(fill.fee),
            "tid": fill.fill_id,
            "feeToken": "USDC",
            "cloid": fill.client_order_id,
        }

    def state(self, user: str) -> dict[str, Any]:
        exchange = self.exchange
        equity, notional = exchange.equity(user), Decimal(0)
        rows = []
        for coin, held in exchange.positions(user).items():
            mark, limit = exchange.state(coin).mark, exchange.liquidation_price(user, coin)
            value = abs(held.size) * mark
            notional += value
            position = {
                "coin": coin,
                "szi": text(held.size),
                "entryPx": text(held.entry_price.quantize(Decimal("1e-8"))),
                "leverage": {"type": "cross", "value": held.leverage},
                "liquidationPx": None if limit is None else text(limit.quantize(Decimal("1e-8"))),
                "marginUsed": text((value / held.leverage).quantize(Decimal("1e-6"))),
                "positionValue": text(value),
                "unrealizedPnl": text((held.size * mark - held.cost).quantize(exchange.rules.money_quantum)),
                "maxLeverage": exchange.listings[coin].max_leverage,
                "cumFunding": dict.fromkeys(("allTime", "sinceOpen", "sinceChange"), text(-held.funding_since_open)),
            }
            rows.append({"type": "oneWay", "position": position})
        summary = {
            "accountValue": text(equity),
            "totalNtlPos": text(notional),
            "totalRawUsd": text(equity - notional),
            "totalMarginUsed": text(exchange.initial_margin(user)),
        }
        return {
            "assetPositions": rows,
            "marginSummary": summary,
            "crossMarginSummary": summary,
            "crossMaintenanceMarginUsed": text(exchange.maintenance_margin(user)),
            "withdrawable": text(max(Decimal(0), exchange.available(user))),
            "time": exchange.clock.now_ms(),
        }

    def _publish(self, event: world.SandboxEvent) -> None:
        for socket in tuple(self.sockets):
            socket.publish(event)


def wire_text_exact(rate: Decimal) -> str:
    """A funding rate with every digit it came with."""
    return format(rate, "f")


def _trade(trade: world.SandboxTrade) -> dict[str, Any]:
    return {
        "coin": trade.venue_symbol,
        "side": SIDE[trade.side],
        "px": text(trade.price),
        "sz": wire_text(trade.size),
        "hash": "0x" + keccak(str(trade.trade_id).encode()).hex(),
        "time": trade.time_ms,
        "tid": trade.trade_id,
    }


class _Socket(FacadeSocket):
    """One client's subscriptions, by (type, coin or user)."""

    def __init__(self, facade: HyperliquidSandbox, peer: Peer) -> None:
        self._facade = facade
        self._peer = peer
        self._topics: set[tuple[str, str]] = set()

    def on_frame(self, frame: bytes) -> None:
        try:
            message = msgspec.json.decode(frame)
            method = message["method"]
            if method == "ping":
                self._send("pong")
            elif method == "post":
                self._post(message)
            else:
                self._subscription(method, message["subscription"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self._send("error", f"Error parsing JSON into valid websocket request: {frame[:200].decode('utf-8', 'replace')}")

    def on_close(self) -> None:
        for kind, which in self._topics:
            if kind == "l2Book":
                self._facade.exchange.unwatch(which)
        self._facade.sockets.discard(self)

    def publish(self, event: world.SandboxEvent) -> None:
        facade, topics = self._facade, self._topics
        match event:
            case world.BookChanged(coin) if ("l2Book", coin) in topics:
                self._send("l2Book", facade.l2_book(coin))
            case world.TradePrinted(trade) if ("trades", trade.venue_symbol) in topics:
                self._send("trades", [_trade(trade)])
            case world.OrderChanged(order) if ("orderUpdates", order.account) in topics:
                self._send("orderUpdates", [facade.status_of(order)])
            case world.Filled(fill) if ("userFills", fill.account) in topics:
                self._send("userFills", {"user": fill.account, "fills": [facade.fill(fill)]})
            case world.AccountChanged(account) if ("webData2", account) in topics:
                self._send("webData2", {"clearinghouseState": facade.state(account), "user": account})
            case _:
                return

    def _subscription(self, method: str, wanted: dict[str, Any]) -> None:
        kind, which = wanted["type"], wanted.get("coin") or wanted["user"].lower()
        exchange, topic = self._facade.exchange, (kind, which)
        known = which in exchange.listings if "coin" in wanted else which.startswith("0x")
        if kind not in ("l2Book", "trades", "orderUpdates", "userFills", "webData2") or not known:
            self._send("error", f"Invalid subscription {msgspec.json.encode(wanted).decode()}")
            return
        if (method == "subscribe") == (topic in self._topics):
            state = "Already subscribed" if method == "subscribe" else "Already unsubscribed"
            self._send("error", f"{state}: {msgspec.json.encode(wanted).decode()}")
            return
        self._send("subscriptionResponse", {"method": method, "subscription": wanted})
        if method == "unsubscribe":
            self._topics.discard(topic)
            if kind == "l2Book":
                exchange.unwatch(which)
            return
        self._topics.add(topic)
        self._snapshot(kind, which)

    def _snapshot(self, kind: str, which: str) -> None:
        facade = self._facade
        if kind == "l2Book":
            facade.exchange.watch(which)
            self._send("l2Book", facade.l2_book(which))
        elif kind == "userFills" and facade.exchange.has_account(which):
            fills = [facade.fill(fill) for fill in facade.exchange.fills(which)]
            self._send("userFills", {"user": which, "isSnapshot": True, "fills": fills})
        elif kind == "webData2" and facade.exchange.has_account(which):
            self._send("webData2", {"clearinghouseState": facade.state(which), "user": which})

    def _post(self, message: dict[str, Any]) -> None:
        request = message["request"]
        kind, payload = request["type"], request["payload"]
        reply = self._facade.act(payload) if kind == "action" else {"type": payload["type"], "data": self._facade.info(payload)}
        self._send("post", {"id": message["id"], "response": {"type": kind, "payload": reply}})

    def _send(self, channel: str, data: Any = None) -> None:
        self._peer.send(msgspec.json.encode({"channel": channel} if data is None else {"channel": channel, "data": data}))
