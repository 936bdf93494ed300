"""The façade from outside: shapes as recorded, refusals in the venue's words, and our client against it in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import AccountEvent, BookEvent, Connected, FillEvent, Lost, OrderEvent, Resumed
from exchange_clients.domain.orders import ByClientId, ByVenueId, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import (
    AuthenticationFailed,
    BelowMinimum,
    InsufficientMargin,
    Misconfigured,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    Refused,
)
from exchange_clients.paradex import client as client_module
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.client import ParadexClient
from exchange_clients.paradex.funding_adapter import ParadexFundingAdapter
from exchange_clients.paradex.sandbox import ACCOUNT_HASH, PROXY_HASH, ParadexSandbox
from exchange_clients.paradex.signing import Messages, Signer, account_address
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.faults import Fault, FaultKind, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.prices import MarketState, PriceSource
from exchange_clients.sandbox.tape import TapePrices
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import World
from tests.support.stage import START_MS, SteppedClock, collect

BTC = "BTC-USD-PERP"


@dataclass
class Set:
    """A façade with an enrolled account, the transport in front of it, and a client."""

    clock: SystemClock
    world: World
    facade: ParadexSandbox
    transport: MemoryTransport
    wiring: Wiring
    client: ParadexClient

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        return self.send("GET", path, token)

    def send(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        reply = self.facade.handle(HttpRequest(method, path, headers, None if body is None else json.dumps(body).encode()), "a")
        return reply.status, json.loads(reply.body) if reply.body else None

    async def order(self, **changes: Any) -> OrderRequest:
        instrument = await self.client.instrument("BTC")
        book = await self.client.fetch_order_book(instrument, 1)
        number = len(self.facade.exchange.orders(self.account, open_only=False)) + 1
        base = OrderRequest(
            client_order_id=str(UUID(int=number)),
            instrument=instrument,
            side=Side.BUY,
            size=Decimal("0.01"),
            price=instrument.round_price(book.asks[0].price * 1.01, Side.BUY),
            time_in_force=TimeInForce.IOC,
        )
        wanted = {name: getattr(base, name) for name in base.__struct_fields__} | changes
        return OrderRequest(**wanted)

    async def rest(self, **changes: Any) -> Any:
        bid = (await self.client.fetch_order_book(await self.client.instrument("BTC"), 1)).bids[0].price
        instrument = await self.client.instrument("BTC")
        price = instrument.round_price(bid * 0.97, Side.BUY)
        return await self.client.place_order(await self.order(price=price, time_in_force=TimeInForce.GTC, **changes))

    @property
    def account(self) -> str:
        assert self.wiring.credentials is not None
        return self.wiring.credentials["account_address"]


@asynccontextmanager
async def scene(clock: SystemClock | None = None, prices: PriceSource | None = None, *faults: Fault) -> AsyncIterator[Set]:
    clock = clock or SteppedClock()
    world = World.build(["paradex"], prices or ModelPrices(7, START_MS), clock, seed=7)
    transport = MemoryTransport(world.hosts(), lambda: 0.0, FaultPlan(faults))
    wiring = memory_wiring(common.SPEC, transport, clock, world.enrol("paradex", "tester", Decimal(10_000)))
    facade = world.facades["paradex"]
    assert isinstance(facade, ParadexSandbox)
    async with ParadexClient(wiring) as client:
        yield Set(clock, world, facade, transport, wiring, client)
    await transport.close()


@pytest.fixture
async def on() -> AsyncIterator[Set]:
    async with scene() as found:
        yield found


async def token(on: Set) -> str:
    return await on.client._dialect.token.valid()


def with_credentials(on: Set, **values: str) -> Wiring:
    assert on.wiring.credentials is not None
    return replace(on.wiring, credentials=Credentials({**on.wiring.credentials.values, **values}))


# Shapes


def shape_gaps(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """Where ours lacks a recorded key or has another JSON type. Cursors may be null, and lists are compared by first element."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        missing = [f"{path}.{key} is missing" for key in recorded.keys() - ours.keys()]
        return missing + [g for k in recorded.keys() & ours.keys() for g in shape_gaps(recorded[k], ours[k], f"{path}.{k}")]
    if isinstance(recorded, list) and isinstance(ours, list):
        return shape_gaps(recorded[0], ours[0], f"{path}[0]") if recorded and ours else []
    if ours is None or recorded is None:
        return []
    return [] if type(recorded) is type(ours) else [f"{path}: {recorded!r} against {ours!r}"]


async def test_replies_have_the_recorded_shape(on: Set, shared_dir) -> None:
    samples = json.loads((shared_dir / "recorded" / "paradex" / "rest_paradex_samples.json").read_text())["data"]
    recorded = {sample["near"]: sample.get("json") for sample in samples}
    await on.client.place_order(await on.order())
    on.clock.jump(3_600_000)  # type: ignore[attr-defined]
    resting = await on.rest()
    await on.client.place_order(await on.order())
    bearer = await token(on)
    asked = {
        "fetch_markets": f"/v1/markets?market={BTC}",
        "fetch_tickers": "/v1/markets/summary?market=ALL",
        "fetch_order_book": f"/v1/orderbook/{BTC}",
        "fetch_trades": f"/v1/trades?market={BTC}",
        "fetch_order": f"/v1/orders/{resting.venue_order_id}",
        "fetch_orders": "/v1/orders-history",
        "fetch_open_orders": "/v1/orders",
        "fetch_balance": "/v1/balance",
        "fetch_my_trades": "/v1/fills",
        "fetch_positions": "/v1/positions",
        "fetch_funding_history": f"/v1/funding/payments?market={BTC}",
        "handle_errors": "/v1/orders/1",
    }
    for name, path in asked.items():
        _, reply = on.get(path, bearer)
        assert not shape_gaps(recorded[name], reply), name
        assert name == "handle_errors" or name in ("fetch_order", "fetch_order_book") or reply["results"], name


async def test_frames_have_the_recorded_shape(on: Set, shared_dir) -> None:
    samples = json.loads((shared_dir / "recorded" / "paradex" / "ws_paradex_samples.json").read_text())["data"]
    recorded = {s["json"]["params"]["channel"].split(".")[0]: s["json"] for s in samples if "params" in s.get("json", {})}
    frames, say, _ = socket(on)
    say("auth", bearer=await token(on))
    for channel in ("orders.ALL", "fills.ALL", "positions", "account"):
        say("subscribe", channel=channel)
    await on.client.place_order(await on.order())
    seen = {f["params"]["channel"].split(".")[0]: f for f in frames if "params" in f}
    for kind in ("orders", "fills", "positions", "account"):
        assert not shape_gaps(recorded[kind], seen[kind]), kind


def socket(on: Set, query: str = "") -> tuple[list[Any], Callable[..., Any], Any]:
    """Frames received (SBE as bytes), a function that says something and returns the answer, and the façade's end."""
    frames: list[Any] = []

    class Peer:
        def send(self, frame: bytes) -> None:
            frames.append(json.loads(frame) if frame.startswith(b"{") else frame)

        def close(self, reason: str) -> None:
            frames.append(reason)

    end = on.facade.connect(HttpRequest("GET", f"/v1?{query}"), Peer())

    def say(method: str, **params: str) -> Any:
        end.on_frame(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": len(frames)}).encode())
        return next(f for f in reversed(frames) if isinstance(f, dict) and "id" in f)

    return frames, say, end


# Sessions


async def test_a_token_is_renewed_in_the_background_and_then_in_the_foreground(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    first = await token(on)
    assert await token(on) == first
    on.clock.jump(200_000)  # past three of five minutes: still good, already being replaced
    assert await token(on) == first
    await asyncio.sleep(0.05)
    second = await token(on)
    assert second != first
    on.clock.jump(400_000)  # expired: nobody can go on without a new one
    assert await token(on) not in (first, second)
    await on.client.fetch_balance()


async def test_a_token_that_the_venue_refuses_is_replaced_once(on: Set) -> None:
    await on.client.fetch_balance()
    on.client._dialect.token.text = "e30.e30.forged"
    assert (await on.client.fetch_balance()).wallet == 10_000


async def test_expired_and_forged_tokens_are_refused(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    good = await token(on)
    assert on.get("/v1/balance", good)[0] == 200
    for bad in ("", "junk", good[:-2] + "xx"):
        status, reply = on.get("/v1/balance", bad)
        assert (status, reply["error"]) == (401, "INVALID_TOKEN")
    on.clock.jump(301_000)
    assert on.get("/v1/balance", good)[0] == 401


async def test_an_accelerated_clock_keeps_windows_and_tokens_at_their_wire_length() -> None:
    async with scene(SystemClock.starting_at(START_MS + 60_000, speed=3600.0)) as on:
        placed = await on.client.place_order(await on.order())
        assert placed.status is OrderStatus.PENDING
        claims = on.client._dialect.token.claims
        assert claims.exp - claims.iat == pytest.approx(300 * 3600, abs=2)


async def test_a_stranger_is_told_to_introduce_himself_and_with_an_ethereum_account_he_is(on: Set) -> None:
    key = hex(0xABCDEF123456789)
    address = account_address(Signer(key).public_key, PROXY_HASH, ACCOUNT_HASH)
    async with ParadexClient(with_credentials(on, private_key=key, account_address=address)) as stranger:
        with pytest.raises(AuthenticationFailed, match="ethereum_account") as refusal:
            await stranger.fetch_balance()
        assert refusal.value.code == "NOT_ONBOARDED"
    known = with_credentials(on, private_key=key, account_address=address, ethereum_account="0x" + "ab" * 20)
    async with ParadexClient(known) as newcomer:
        assert (await newcomer.fetch_balance()).wallet == 0


async def test_a_key_of_somebody_else_opens_nothing(on: Set) -> None:
    other = on.world.enrol("paradex", "other", Decimal(5))
    async with ParadexClient(with_credentials(on, private_key=other["private_key"])) as thief:
        with pytest.raises(AuthenticationFailed):
            await thief.fetch_balance()


async def test_a_login_signed_for_another_chain_is_refused(on: Set) -> None:
    async with ParadexClient(on.wiring) as client:
        client._dialect._messages = Messages("PRIVATE_SN_PARACLEAR_MAINNET", on.account)
        with pytest.raises(AuthenticationFailed) as refusal:
            await client.fetch_balance()
    assert refusal.value.code == "STARKNET_SIGNATURE_VERIFICATION_FAILED"


# Orders


async def test_an_order_whose_terms_were_changed_on_the_way_is_refused(on: Set) -> None:
    bearer, request = await token(on), await on.order()
    order = {"market": BTC, "side": "BUY", "type": "LIMIT", "size": "0.01", "price": f"{request.price:f}", "instruction": "IOC"}
    signed = on.client._dialect._signed(order)
    for field, value in (("size", "0.02"), ("side", "SELL"), ("signature_timestamp", signed["signature_timestamp"] + 1)):
        status, reply = on.send("POST", "/v1/orders", bearer, {**signed, field: value})
        assert (status, reply["error"]) == (400, "INVALID_ORDER_SIGNATURE"), field
    nulls = {"client_id": None, "recv_window": None, "stp": None, "flags": None}
    assert on.send("POST", "/v1/orders", bearer, {**signed, **nulls})[0] == 201


async def test_an_order_that_took_too_long_is_refused(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    bearer, request = await token(on), await on.order()
    order = {"market": BTC, "side": "BUY", "type": "LIMIT", "size": "0.01", "price": f"{request.price:f}", "instruction": "IOC"}
    signed = on.client._dialect._signed(order)
    on.clock.jump(11_000)
    status, reply = on.send("POST", "/v1/orders", bearer, {**signed, "recv_window": 10_000})
    assert (status, reply["error"]) == (400, "INVALID_TIMESTAMP")
    status, reply = on.send("POST", "/v1/orders", bearer, {**signed, "recv_window": 5})
    assert (status, reply["error"]) == (400, "INVALID_TIMESTAMP")


async def test_refusals_come_as_our_classes(on: Set) -> None:
    with pytest.raises(BelowMinimum):
        await on.client.place_order(await on.order(size=Decimal("0.00001")))
    first = await on.rest()
    with pytest.raises(OrderRejected) as refusal:
        await on.client.place_order(await on.order(client_order_id=first.client_order_id))
    assert refusal.value.code == "DUPLICATED_CLIENT_ID"
    for which in (ByVenueId("17"), ByClientId(str(UUID(int=99)))):
        with pytest.raises(OrderNotFound):
            await on.client.cancel_order(await on.client.instrument("BTC"), which)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": Decimal(400)}, "NOT_ENOUGH_MARGIN"),
        ({"time_in_force": TimeInForce.POST_ONLY}, "POST_ONLY_WOULD_CROSS"),
        ({"reduce_only": True}, "REDUCE_ONLY_WILL_INCREASE"),
        ({"price": Decimal(1_000_000)}, "PRICE_BAND_EXCEEDED"),
    ],
)
async def test_risk_checks_come_after_the_reply(on: Set, changes: dict[str, Any], reason: str) -> None:
    placed = await on.client.place_order(await on.order(**changes))
    assert placed.status is OrderStatus.PENDING and placed.reason == ""
    decided = await on.client.fetch_order(await on.client.instrument("BTC"), ByClientId(placed.client_order_id))
    assert (decided.status, decided.reason, decided.filled) == (OrderStatus.REJECTED, reason, 0)


async def test_a_reply_that_is_a_refusal_already_raises(on: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = on.facade.order
    closed = {"status": "CLOSED", "cancel_reason": "NOT_ENOUGH_MARGIN"}
    monkeypatch.setattr(on.facade, "order", lambda order: {**reply(order), **closed})
    with pytest.raises(InsufficientMargin):
        await on.client.place_order(await on.order())


async def test_an_amended_order_keeps_its_id_and_is_told_once(on: Set) -> None:
    orders = on.client.stream_orders()
    await collect(orders, lambda e: isinstance(e[-1], Connected))
    resting = await on.rest()
    bitcoin = await on.client.instrument("BTC")
    assert resting.price is not None
    amended = await on.client.amend_order(resting, bitcoin, price=resting.price - 10, size=Decimal("0.03"))
    assert (amended.venue_order_id, amended.size) == (resting.venue_order_id, Decimal("0.03"))
    (found,) = await on.client.fetch_open_orders()
    assert found == await on.client.fetch_order(bitcoin, ByVenueId(resting.venue_order_id))
    events = await collect(orders, lambda e: e[-1].order.size == Decimal("0.03") and e[-1].order.status is OrderStatus.OPEN)
    assert all(not e.order.status.is_terminal for e in events if isinstance(e, OrderEvent))
    await on.client.cancel_order(bitcoin, ByClientId(resting.client_order_id))
    ended = await on.client.fetch_order(bitcoin, ByClientId(resting.client_order_id))
    assert (ended.venue_order_id, ended.status, ended.reason) == (
        resting.venue_order_id,
        OrderStatus.CANCELLED,
        "USER_CANCELED",
    )
    with pytest.raises(OrderNotFound):
        await on.client.cancel_order(bitcoin, ByVenueId(resting.venue_order_id))


async def test_an_order_that_the_venue_forgot_is_found_in_its_history(on: Set) -> None:
    placed, bitcoin = await on.client.place_order(await on.order()), await on.client.instrument("BTC")
    by_id = on.facade.routes.handlers[common.ORDER]
    forgotten = {"order_id": "17"}  # as documented: open and new ones only
    on.facade.routes.handlers[common.ORDER] = lambda ask: by_id(replace(ask, path=forgotten))
    found = await on.client.fetch_order(bitcoin, ByVenueId(placed.venue_order_id))
    assert (found.status, found.client_order_id) == (OrderStatus.FILLED, placed.client_order_id)
    with pytest.raises(OrderNotFound):
        await on.client.fetch_order(bitcoin, ByVenueId("18"))


async def test_pages_are_turned_until_the_end(on: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ROWS_PER_PAGE", 2)
    bitcoin = await on.client.instrument("BTC")
    for _ in range(5):
        await on.client.place_order(await on.order())
    fills = await on.client.fetch_fills(bitcoin)
    assert [f.fill_id for f in fills] == sorted({f.fill_id for f in fills}) and len(fills) >= 5
    assert sum(f.size for f in fills) == Decimal("0.05")
    assert on.get("/v1/fills?cursor=bm9uc2Vuc2U=", await token(on))[0] == 400


# Limits and errors


async def test_too_many_requests_are_refused_for_a_while(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    statuses = [on.get("/v1/system/time")[0] for _ in range(1600)]
    assert statuses[0] == 200 and statuses[-1] == 429
    reply = on.facade.handle(HttpRequest("GET", "/v1/system/time"), "another address")
    assert reply.status == 200 and reply.headers["x-ratelimit-limit"] == "1500"
    on.clock.jump(61_000)
    assert on.get("/v1/system/time")[0] == 200


async def test_a_429_to_an_order_is_doubt(on: Set) -> None:
    request = await on.order()
    on.facade.spent[common.ORDERS] = SpentMeter(Meter("spent", 0.5, 1e9), on.clock)
    with pytest.raises(OutcomeUnknown):
        await on.client.place_order(request)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("POST", "/v1/markets", 404, "NOT_FOUND"),
        ("GET", "/v1/markets?market=NO-USD-PERP", 404, "MARKET_NOT_FOUND"),
        ("GET", "/v1/markets/summary", 400, "INVALID_REQUEST_PARAMETER"),
        ("GET", "/v1/orderbook/NO-USD-PERP", 400, "MARKET_NOT_FOUND"),
        ("GET", f"/v1/trades?market={BTC}&page_size=0", 400, "INVALID_REQUEST_PARAMETER"),
        ("POST", "/v1/auth", 400, "VALIDATION_ERROR"),
        ("GET", "/v1/orders", 401, "INVALID_TOKEN"),
    ],
)
async def test_errors_are_the_venues(on: Set, method: str, path: str, status: int, code: str) -> None:
    found, reply = on.send(method, path)
    assert (found, reply["error"], reply["data"]) == (status, code, None) and reply["message"]


async def test_a_body_that_is_no_order_is_refused(on: Set) -> None:
    bearer = await token(on)
    for body in ({}, {"market": BTC}, [], {"market": 1}):
        status, reply = on.send("POST", "/v1/orders", bearer, body)
        assert (status, reply["error"]) == (400, "VALIDATION_ERROR")


# Streams


async def test_sockets_answer_as_the_venue_does(on: Set) -> None:
    frames, say, end = socket(on)
    assert say("subscribe", channel="orders.ALL")["error"]["code"] == 40111
    assert say("auth", bearer="junk")["error"]["code"] == 40110
    assert say("auth", bearer="e30.e30.forged")["error"]["code"] == 40111
    assert "node_id" in say("auth", bearer=await token(on))["result"]
    assert say("subscribe", channel="orders.ALL")["result"] == {"channel": "orders.ALL"}
    for wrong in ("orders.ALL", "order_book.NO-USD-PERP.deltas", f"order_book.{BTC}.snapshot@7@50ms", "nonsense", "account.x"):
        assert say("subscribe", channel=wrong)["error"]["code"] == -32600, wrong
    assert say("unsubscribe", channel="orders.ALL")["result"] == {"channel": "orders.ALL"}
    assert say("unsubscribe", channel="orders.ALL")["error"]["code"] == -32600
    assert say("fly")["error"]["code"] == -32601
    end.on_frame(b"not json")
    assert frames[-1]["error"]["code"] == -32700
    end.on_frame(b"[]")
    assert frames[-1]["error"]["code"] == -32600


async def test_a_gap_is_told_and_the_book_is_right_afterwards() -> None:
    async with scene(None, None, Fault(FaultKind.BOOK_GAP, nth=3)) as on:
        bitcoin = await on.client.instrument("BTC")
        stream = on.client.stream_book(bitcoin, depth=10)
        events: list[Any] = await collect(stream, lambda e: isinstance(e[-1], BookEvent))
        for _ in range(4):
            on.clock.jump(1_000)  # type: ignore[attr-defined]
            on.world.advance()
            await asyncio.sleep(0.02)
        events += await collect(stream, lambda e: isinstance(e[-1], BookEvent) and any(isinstance(x, Resumed) for x in e))
        told = [type(e) for e in events if not isinstance(e, BookEvent)]
        assert told == [Connected, Lost, Resumed]
        bids, asks, sequence = on.facade.exchange.book(BTC, 10)
        book = events[-1].book
        assert book.sequence == sequence
        assert [(level.price, level.size) for level in book.bids] == [(float(p), float(s)) for p, s in bids]
        assert [(level.price, level.size) for level in book.asks] == [(float(p), float(s)) for p, s in asks]


async def test_the_account_is_told_whole_and_then_change_by_change(on: Set) -> None:
    await on.client.place_order(await on.order())
    stream = on.client.stream_account()
    events = await collect(stream, lambda e: isinstance(e[-1], AccountEvent))
    assert [(p.symbol, p.size) for p in events[-1].positions] == [("BTC", Decimal("0.01"))]
    assert events[-1].balance is not None and events[-1].balance.wallet == on.facade.exchange.wallet(on.account)
    await on.client.place_order(await on.order(side=Side.SELL, price=None, reduce_only=True))
    events = await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and e[-1].positions == ())
    events += await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and e[-1].balance is not None)
    assert events[-1].balance.wallet == events[-1].balance.equity == on.facade.exchange.wallet(on.account)


async def test_waiting_for_the_account_may_be_given_up_and_taken_up_again(on: Set) -> None:
    stream = on.client.stream_account()
    await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and e[-1].positions is not None)
    with pytest.raises(TimeoutError):
        while True:
            await asyncio.wait_for(anext(stream), 0.1)
    await on.client.place_order(await on.order())
    assert await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and bool(e[-1].positions))


async def test_a_dropped_socket_brings_the_whole_account_again() -> None:
    async with scene(None, None, Fault(FaultKind.DROPPED_SOCKET, nth=6)) as on:
        stream, fills = on.client.stream_account(), on.client.stream_fills()
        await collect(fills, lambda e: isinstance(e[-1], Connected))
        await on.client.place_order(await on.order())
        events = await collect(
            stream,
            lambda e: any(isinstance(x, Resumed) for x in e) and isinstance(e[-1], AccountEvent) and bool(e[-1].positions),
        )
        assert [p.size for p in events[-1].positions] == [Decimal("0.01")]


async def test_a_private_stream_without_credentials_is_one_clear_error(on: Set) -> None:
    async with ParadexClient(replace(on.wiring, credentials=None)) as reader:
        with pytest.raises(Misconfigured, match="credentials"):
            reader.stream_orders()


async def test_a_market_that_does_not_exist_ends_its_stream_with_the_venues_words(on: Set) -> None:
    bitcoin = await on.client.instrument("BTC")
    ghost = msgspec.structs.replace(bitcoin, venue_symbol="NO-USD-PERP")
    with pytest.raises(Refused, match="invalid channel"):
        await collect(on.client.stream_book(ghost), lambda e: False)


async def test_fills_are_streamed_with_their_order(on: Set) -> None:
    fills = on.client.stream_fills()
    await collect(fills, lambda e: isinstance(e[-1], Connected))
    placed = await on.client.place_order(await on.order())
    events = await collect(fills, lambda e: isinstance(e[-1], FillEvent))
    assert events[-1].fill.venue_order_id == placed.venue_order_id
    assert events[-1].fill == (await on.client.fetch_fills())[0]


async def test_a_liquidation_is_read_like_any_fill(on: Set) -> None:
    await on.client.place_order(await on.order(size=Decimal("2.5")))
    crash = on.facade.exchange.prices
    assert isinstance(crash, ModelPrices)
    state = crash.state
    fallen = Decimal("0.95")

    def falling(venue: str, name: str, now_ms: int) -> MarketState | None:
        found = state(venue, name, now_ms)
        return found and replace(found, mark=found.mark * fallen, index=found.index * fallen)

    crash.state = falling  # type: ignore[method-assign]
    on.clock.jump(5_000)  # type: ignore[attr-defined]
    on.world.advance()
    assert not await on.client.fetch_positions()
    fills = await on.client.fetch_fills()
    assert fills[-1].side is Side.SELL and fills[-1].venue_order_id not in ("", fills[0].venue_order_id)


# Funding


async def test_every_rate_of_the_tape_arrives_with_its_digits(shared_dir) -> None:
    tape = TapePrices(shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv", ["paradex"])
    async with scene(SteppedClock(tape.start_ms + 1_000), tape) as on, ParadexFundingAdapter(on.wiring) as adapter:
        observations = await adapter.current_rates()
        assert len(observations) > 80
        for seen in observations:
            row = tape.state("paradex", seen.venue_symbol, on.clock.now_ms())
            assert row is not None and row.funding_rate is not None
            assert seen.rate is not None and seen.raw is not None
            assert (seen.raw.value, seen.raw.unit) == (format(row.funding_rate, "f"), "fraction per 8 h")
            assert seen.rate.rate == row.funding_rate and seen.rate.per_8h() == row.funding_rate
            assert seen.rate.next_payment_at is None and seen.rate.kind.value == "accruing"


async def test_a_rate_that_nobody_knows_is_left_empty_and_stays_unknown(on: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    state = on.facade.exchange.prices.state

    def unknown(venue: str, name: str, now_ms: int) -> MarketState | None:
        found = state(venue, name, now_ms)
        return found and replace(found, funding_known=False) if name == "BTC" else found

    monkeypatch.setattr(on.facade.exchange.prices, "state", unknown)
    _, reply = on.get(f"/v1/markets/summary?market={BTC}")
    assert reply["results"][0]["funding_rate"] == ""
    async with ParadexFundingAdapter(on.wiring) as adapter:
        seen = next(o for o in await adapter.current_rates() if o.venue_symbol == BTC)
    assert seen.rate is None and seen.raw is None and seen.unknown_because == "the venue gave no rate"


async def test_funding_history_and_index_agree_with_what_a_position_pays(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    await on.client.place_order(await on.order(size=Decimal(1)))
    opened = on.clock.now()
    on.clock.jump(6 * 3_600_000)
    await on.client.place_order(await on.order(side=Side.SELL, price=None, reduce_only=True, size=Decimal(1)))
    async with ParadexFundingAdapter(on.wiring) as adapter:
        rates = await adapter.rate_history(BTC, opened, on.clock.now() + timedelta(seconds=1))
    assert len(rates) == 72 and all(r.interval == timedelta(hours=8) for r in rates)
    mean = sum(float(r.rate) for r in rates) / len(rates)
    paid = -sum(float(p.amount) for p in await on.client.fetch_funding_payments(await on.client.instrument("BTC")))
    assert paid == pytest.approx(mean * 6 / 8 * float(on.facade.exchange.state(BTC).index), rel=0.05)


async def test_readers_who_come_at_different_times_know_the_same_book(on: Set) -> None:
    assert isinstance(on.clock, SteppedClock)
    early, late = socket(on, wire.SBE_QUERY), socket(on, wire.SBE_QUERY)
    early[1]("subscribe", channel=f"order_book.{BTC}.deltas")
    for step in range(6):
        on.clock.jump(1_000)
        if step == 3:  # between two ticks: the subscription itself moves the book on
            late[1]("subscribe", channel=f"order_book.{BTC}.deltas")
        on.world.advance()
    bids, asks, sequence = on.facade.exchange.book(BTC, 1000)
    for frames, _, _ in (early, late):
        changes = [wire.to_book_change(f) for f in frames if isinstance(f, bytes)]
        start = next(n for n, change in enumerate(changes) if change.is_whole)
        book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for change in changes[start:]:
            for side, numbers in zip(book, (change.bids, change.asks), strict=True):
                side.update(zip(numbers[::2], numbers[1::2], strict=True))
        for side, truth in zip(book, (bids, asks), strict=True):
            assert {p: s for p, s in side.items() if s} == {int(p * 10**8): int(s * 10**8) for p, s in truth}
        assert [c.seq_no for c in changes[start:]] == list(range(changes[start].seq_no, sequence + 1))
