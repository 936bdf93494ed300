"""Toy's protocol in front of a sandbox exchange: signatures and budgets are checked, refusals use its words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from exchange_clients.domain import Instrument, PriceRule, identify, wire_text
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.sandbox import exchange as world
from exchange_clients.sandbox.facade import FacadeSocket, Peer, account_seed
from exchange_clients.sandbox.payments import rates_paid
from exchange_clients.sandbox.routed import MALFORMED, Feed, Refusal, RoutedFacade
from exchange_clients.sandbox.routes import Ask, Routes
from exchange_clients.sandbox.rules import DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.streams import Topic, TopicSocket
from exchange_clients.sandbox.texts import exact, texts
from exchange_clients.toy import common, wire
from exchange_clients.toy.signing import Signer

BOOK_LEVELS = 20
LEVERAGE_MAX = 20
CHANNELS = ("book", "orders", "fills", "account")
JSON = {"content-type": "application/json"}
STATUS = {status: word for word, status in wire.STATUSES.items()}
ROLE = {liquidity: word for word, liquidity in wire.ROLES.items()}
Reason = world.RejectReason
REFUSED = {
    Reason.BELOW_MINIMUM_NOTIONAL: "TOO_SMALL",
    Reason.ZERO_SIZE: "TOO_SMALL",
    Reason.UNKNOWN_ORDER: "ORDER_NOT_FOUND",
    Reason.CANCEL_ONLY: "MAINTENANCE",
    Reason.POST_ONLY: "MAINTENANCE",
}
"""Every other reason by its own name, in capitals."""


class ToySandbox(RoutedFacade):
    venue: ClassVar[str] = wire.VENUE
    book_marker: ClassVar[bytes] = b'{"topic":"book"'
    book_channel: ClassVar[str] = "book"
    meters: ClassVar[tuple[Meter, ...]] = (common.PER_ADDRESS, common.PER_ACCOUNT)

    @classmethod
    def rules(cls) -> VenueRules:
        return VenueRules(
            venue=cls.venue,
            fees=common.SPEC.fees,
            funding=DiscreteFunding(interval_hours=common.SPEC.funding_interval_hours, cap=Decimal("0.04")),
            money_quantum=Decimal("0.000001"),
            min_notional=Decimal(10),
            amend_keeps_id=True,
        )

    @classmethod
    def listing(cls, name: str, first_price: Decimal, index: int) -> Listing:
        base, magnitude = name.removesuffix(wire.PERP), first_price.adjusted()
        instrument = Instrument.perpetual(
            venue=cls.venue,
            venue_symbol=base + wire.PERP,
            asset=identify(base),
            quote=wire.QUOTE,
            price_rule=PriceRule(Decimal(1).scaleb(magnitude - 4)),
            lot_size=min(Decimal(1), Decimal(1).scaleb(-magnitude - 1)),
            min_notional=Decimal(10),
            max_leverage=Decimal(LEVERAGE_MAX),
        )
        return Listing(instrument.venue_symbol, instrument, LEVERAGE_MAX)

    def __init__(self, exchange: world.SandboxExchange) -> None:
        super().__init__(exchange)
        self._signers: dict[str, Signer] = {}  # by api_key, which is the account's name too
        self.feeds = (
            Feed(world.BookChanged, lambda e: [("book", e.venue_symbol)], lambda e: self.book(e.venue_symbol, BOOK_LEVELS)),
            Feed(world.OrderChanged, lambda e: [("orders", e.order.account)], lambda e: [_order(e.order)]),
            Feed(world.Filled, lambda e: [("fills", e.fill.account)], lambda e: [_fill(e.fill)]),
            Feed(world.AccountChanged, lambda e: [("account", e.account)], lambda e: self.whole(e.account)),
        )
        self.routes = Routes(
            common.SPEC.rest_path,
            {
                common.MARKETS: lambda _: [_market(listing) for listing in exchange.listings.values()],
                common.FIGURES: lambda _: [row for symbol in exchange.listings if (row := self._figures(symbol))],
                common.BOOK: lambda ask: self.book(ask.query["symbol"], int(ask.query["depth"])),
                common.TRADES: lambda ask: [_trade(t) for t in exchange.trades(ask.query["symbol"], int(ask.query["limit"]))],
                common.FUNDING: self._funding,
                common.ORDER: lambda ask: _order(self._find(ask)),
                common.ORDERS: lambda ask: [_order(order) for order in self._open(ask)],
                common.FILLS: lambda ask: [_fill(fill) for fill in _page(ask, exchange.fills(ask.account, _since(ask)))],
                common.POSITIONS: lambda ask: self._positions(ask.account),
                common.BALANCE: lambda ask: self._balance(ask.account),
                common.PAYMENTS: self._payments,
                common.FEES: lambda _: texts(wire_text, maker=exchange.rules.fees.maker, taker=exchange.rules.fees.taker),
                common.LEVERAGE: lambda ask: exchange.leverage(ask.account, ask.query["symbol"]),
                common.PLACE: self._place,
                common.AMEND: self._amend,
                common.CANCEL: self._cancel,
                common.CANCEL_ALL: self._cancel_all,
                common.SET_LEVERAGE: self._leverage,
            },
        )

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        secret = account_seed(name).hex()
        key = secret[:16]
        self._signers[key] = Signer(secret)
        self.exchange.open_account(key, Decimal(balance))
        return {"api_key": key, "api_secret": secret}

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.url == f"{common.SPEC.rest_path}{common.PLACE.path}"

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return _Socket(self, peer)

    def account(self, ask: Ask) -> str:
        proof = {name: ask.headers.get(f"X-{name.upper()}", "") for name in ("key", "time", "sign")}
        return self.who(proof, ask.endpoint.method, ask.url, ask.body)

    def who(self, proof: dict[str, str], method: str, path: str, body: bytes = b"") -> str:
        """Whose signature it is. Raises Refusal."""
        signer, time_ms = self._signers.get(proof["key"]), int(proof["time"] or 0)
        if signer is None or not signer.has_signed(proof["sign"], time_ms, method, path, body):
            raise Refusal(401, "BAD_SIGNATURE", "the signature is not by the key")
        if abs(self.clock.now_ms() - time_ms) > self.clock.wire_ms(common.SIGNED_FOR_MS):
            raise Refusal(401, "BAD_SIGNATURE", "the time is outside the window")
        return proof["key"]

    def accept(self, ask: Ask, reply: Any) -> HttpResponse:
        return HttpResponse(200, msgspec.json.encode({"ok": True, "result": reply}), JSON)

    def refuse(self, refusal: Refusal) -> HttpResponse:
        said = {"ok": False, "code": refusal.code, "message": refusal.words}
        return HttpResponse(refusal.status, msgspec.json.encode(said), JSON)

    def worded(self, no: world.Rejected) -> Refusal:
        return Refusal(404 if no.reason is Reason.UNKNOWN_ORDER else 400, _code(no.reason), no.detail)

    def spender(self, meter: Meter, ask: Ask, address: str) -> str:
        return ask.account if meter is common.PER_ACCOUNT else address

    def frame(self, topic: Topic, row: Any) -> Any:
        market = {"market": topic[1]} if topic[0] == "book" else {}
        return {"topic": topic[0], **market, "data": row}

    # Orders

    def _place(self, ask: Ask) -> dict[str, Any]:
        o = msgspec.json.decode(ask.body)
        price = None if o["price"] is None else Decimal(o["price"])
        terms = (wire.SIDES[o["side"]], Decimal(o["size"]), price, wire.TIFS[o["tif"]], o["reduceOnly"], o["clientId"])
        return _order(self.exchange.place(ask.account, o["symbol"], *terms))

    def _amend(self, ask: Ask) -> dict[str, Any]:
        o = msgspec.json.decode(ask.body)
        return _order(self.exchange.amend(ask.account, int(o["id"]), Decimal(o["price"]), Decimal(o["size"])))

    def _find(self, ask: Ask) -> world.SandboxOrder:
        by_id = "id" in ask.query
        which: dict[str, Any] = {"order_id": int(ask.query["id"])} if by_id else {"client_order_id": ask.query["clientId"]}
        order = self.exchange.order(ask.account, **which)
        if order is None:
            raise Refusal(404, "ORDER_NOT_FOUND", "no such order")
        return order

    def _open(self, ask: Ask) -> list[world.SandboxOrder]:
        return [order for order in self.exchange.orders(ask.account) if _is_asked(ask, order)]

    def _cancel(self, ask: Ask) -> dict[str, Any]:
        return _order(self.exchange.cancel(ask.account, order_id=self._find(ask).order_id))

    def _cancel_all(self, ask: Ask) -> int:
        return len([self.exchange.cancel(ask.account, order_id=order.order_id) for order in self._open(ask)])

    def _leverage(self, ask: Ask) -> int:
        o = msgspec.json.decode(ask.body)
        self.exchange.set_leverage(ask.account, o["symbol"], o["leverage"])
        return int(o["leverage"])

    # Markets

    def book(self, symbol: str, depth: int) -> dict[str, Any]:
        bids, asks, sequence = self.exchange.book(symbol, depth)
        sides = {name: [[*map(wire_text, level)] for level in side] for name, side in (("bids", bids), ("asks", asks))}
        return {**sides, "seq": sequence, "time": self.clock.now_ms()}

    def _figures(self, symbol: str) -> dict[str, Any] | None:
        state = self.exchange.find_state(symbol)
        if state is None:
            return None
        interest, volume = state.open_interest_usd, state.volume_24h_usd
        return {
            "symbol": symbol,
            "time": self.clock.now_ms(),
            "fundingRate": exact(self.exchange.funding_rate(symbol)),
            "nextFundingTime": self.exchange.next_funding_ms(symbol),
            **texts(wire_text, mark=state.mark, index=state.index),
            "openInterest": None if interest is None else repr(interest / float(state.mark)),
            "volume24h": None if volume is None else repr(volume),
        }

    def _funding(self, ask: Ask) -> list[dict[str, Any]]:
        paid = rates_paid(self.exchange, ask.query["symbol"], _since(ask), int(ask.query["until"]))
        return [{"rate": exact(rate), "time": time_ms} for time_ms, rate in paid[: int(ask.query["limit"])]]

    # The account

    def _payments(self, ask: Ask) -> list[dict[str, Any]]:
        return [_payment(payment) for payment in _page(ask, self.exchange.funding_payments(ask.account, _since(ask)))]

    def _positions(self, account: str) -> list[dict[str, Any]]:
        exchange = self.exchange
        return [
            {
                "symbol": symbol,
                **texts(wire_text, size=held.size, entry=held.entry_price),
                "pnl": wire_text(held.size * exchange.state(symbol).mark - held.cost),
                "liquidation": exact(exchange.liquidation_price(account, symbol)),
                "leverage": str(held.leverage),
                "time": held.updated_ms,
            }
            for symbol, held in exchange.positions(account).items()
        ]

    def _balance(self, account: str) -> dict[str, Any]:
        money = {name: getattr(self.exchange, name)(account) for name in ("wallet", "equity", "available")}
        return {**texts(wire_text, **money), "time": self.clock.now_ms()}

    def whole(self, account: str) -> dict[str, Any]:
        """The account as its channel tells it."""
        return {"positions": self._positions(account), "balance": self._balance(account)}


def _code(reason: world.RejectReason) -> str:
    return REFUSED.get(reason, reason.value.upper())


def _since(ask: Ask) -> int:
    return int(ask.query["since"])


def _is_asked(ask: Ask, row: Any) -> bool:
    return bool(ask.query.get("symbol", row.venue_symbol) == row.venue_symbol)


def _page(ask: Ask, rows: list[Any]) -> list[Any]:
    """Oldest first, of one market or of all."""
    return [row for row in rows if _is_asked(ask, row)][: int(ask.query["limit"])]


def _market(listing: Listing) -> dict[str, Any]:
    i = listing.instrument
    numbers = texts(wire_text, tick=i.price_rule.tick, lot=i.lot_size, minNotional=i.min_notional)
    base = listing.venue_symbol.removesuffix(wire.PERP)
    return {"symbol": listing.venue_symbol, "base": base, **numbers, "maxLeverage": str(listing.max_leverage)}


def _trade(t: world.SandboxTrade) -> dict[str, Any]:
    about = {"id": str(t.trade_id), "symbol": t.venue_symbol, "side": wire.SIDE_WORDS[t.side], "time": t.time_ms}
    return {**about, **texts(wire_text, price=t.price, size=t.size)}


def _order(o: world.SandboxOrder) -> dict[str, Any]:
    return {
        "id": str(o.order_id),
        "clientId": o.client_order_id,
        "symbol": o.venue_symbol,
        "side": wire.SIDE_WORDS[o.side],
        **texts(wire_text, size=o.size, filled=o.filled),
        **texts(exact, price=o.price, averagePrice=o.average_price),
        "tif": wire.TIF[o.time_in_force],
        "status": STATUS[o.status],
        "reduceOnly": o.reduce_only,
        "reason": _code(o.reason) if o.reason else "",
        "time": o.updated_ms,
    }


def _fill(f: world.SandboxFill) -> dict[str, Any]:
    return {
        "id": str(f.fill_id),
        "orderId": str(f.order_id),
        "clientId": f.client_order_id,
        "symbol": f.venue_symbol,
        "side": wire.SIDE_WORDS[f.side],
        **texts(wire_text, size=f.size, price=f.price, fee=f.fee),
        "role": ROLE[f.liquidity],
        "time": f.time_ms,
    }


def _payment(p: world.SandboxFunding) -> dict[str, Any]:
    about = {"id": str(p.payment_id), "symbol": p.venue_symbol, "amount": wire_text(p.amount), "time": p.time_ms}
    return {**about, **texts(exact, rate=p.rate, size=p.position_size)}


class _Socket(TopicSocket[ToySandbox]):
    """Topics are (channel, market or account)."""

    def __init__(self, facade: ToySandbox, peer: Peer) -> None:
        super().__init__(facade, peer)
        self._account = ""

    def on_frame(self, frame: bytes) -> None:
        to = ""
        try:
            said = msgspec.json.decode(frame)
            op, to = said["op"], said.get("to", said["op"])
            if op == "ping":
                self.send({"op": "pong"})
            elif op == "login":
                self._account = self.facade.who(said, "GET", common.SPEC.websocket_path)
                self.send({"op": "logged in"})
            else:
                self._subscription(op, to)
        except Refusal as no:
            self.send({"op": "error", "to": to, "code": no.code, "message": no.words})
        except MALFORMED as error:
            self.send({"op": "error", "to": to, "code": "BAD_REQUEST", "message": str(error)})

    def _subscription(self, op: str, to: str) -> None:
        channel, _, market = to.partition(":")
        is_book = channel == "book"
        if channel not in CHANNELS or is_book != (market in self.facade.exchange.listings):
            raise Refusal(400, "BAD_TOPIC", f"there is no topic {to}")
        if not is_book and not self._account:
            raise Refusal(401, "LOGIN_REQUIRED", "log in first")
        topic = (channel, market or self._account)
        if op == "unsubscribe":
            self.leave(topic)
            return
        self.send({"op": "subscribed", "to": to})
        if self.join(topic) and channel in ("book", "account"):
            state = self.facade.book(market, BOOK_LEVELS) if is_book else self.facade.whole(self._account)
            self.send(self.facade.frame(topic, state))
