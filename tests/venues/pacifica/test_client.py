"""The client in front of the façade, in memory: refusals become classes, streams survive, numbers come out as they went in."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import BookEvent, Connected, Lost, Resumed
from exchange_clients.domain.funding import FundingKind
from exchange_clients.domain.orders import ByClientId, ByVenueId, Order, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.domain.times import from_ms
from exchange_clients.engine.endpoint import Call
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import (
    AuthenticationFailed,
    BelowMinimum,
    InsufficientMargin,
    Misconfigured,
    OrderNotFound,
    OrderRejected,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyViolated,
    Refused,
)
from exchange_clients.pacifica import common
from exchange_clients.pacifica.client import PacificaClient
from exchange_clients.pacifica.dialect import PacificaDialect
from exchange_clients.pacifica.funding_adapter import PacificaFundingAdapter
from exchange_clients.pacifica.signing import Signer
from exchange_clients.sandbox.prices import MarketState
from exchange_clients.sandbox.tape import TapePrices
from tests.support.stage import collect
from tests.venues.pacifica.support import CLIENT_ID, HOUR_MS, START_MS, SetClock, Site, wiring_without_network


@pytest.fixture
def site() -> Site:
    return Site()


async def request(client: PacificaClient, site: Site, **changes) -> OrderRequest:
    """A bid that rests 2 % under the touch."""
    instrument = await client.instrument("BTC")
    price = Decimal(site.order()["price"])
    return OrderRequest(
        **{
            "client_order_id": CLIENT_ID,
            "instrument": instrument,
            "side": Side.BUY,
            "size": Decimal("0.01"),
            "price": price,
            **changes,
        }
    )


async def settled(client: PacificaClient, order: Order, wanted: OrderRequest) -> Order:
    return await client.fetch_order(wanted.instrument, ByVenueId(order.venue_order_id))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"size": Decimal("0.00001")}, BelowMinimum),
        ({"size": Decimal(900)}, InsufficientMargin),
        ({"price": Decimal(1000)}, PriceOutOfBand),
        ({"reduce_only": True}, ReduceOnlyViolated),
    ],
)
async def test_refusals_become_classes(site, changes, expected) -> None:
    async with PacificaClient(site.wiring()) as client:
        with pytest.raises(OrderRejected) as refusal:
            await client.place_order(await request(client, site, **changes))
        assert type(refusal.value) is expected and refusal.value.code
        assert not await client.fetch_open_orders()


async def test_what_is_not_there_is_not_found(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        bitcoin = await client.instrument("BTC")
        with pytest.raises(OrderNotFound):
            await client.cancel_order(bitcoin, ByClientId(CLIENT_ID))
        with pytest.raises(OrderNotFound):
            await client.fetch_order(bitcoin, ByClientId(CLIENT_ID))
        with pytest.raises(OrderNotFound):
            await client.fetch_order(bitcoin, ByVenueId("1"))


async def test_a_post_only_order_that_crosses_ends_rejected_with_its_reason(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        _, asks, _ = site.exchange.book("BTC", 1)
        wanted = await request(client, site, price=asks[0][0], time_in_force=TimeInForce.POST_ONLY)
        placed = await client.place_order(wanted)
        ended = await settled(client, placed, wanted)
        assert placed.status is OrderStatus.PENDING
        assert (ended.status, ended.reason, ended.filled) == (OrderStatus.REJECTED, "post_only_rejected", 0)
        by_client_id = await client.fetch_order(wanted.instrument, ByClientId(CLIENT_ID))
        assert by_client_id.status is OrderStatus.REJECTED


async def test_an_amended_order_keeps_its_client_id_and_what_it_filled(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        bids, asks, _ = site.exchange.book("BTC", 10)
        wanted = await request(client, site, price=asks[0][0], size=asks[0][1] + Decimal("0.02"))
        order = await settled(client, await client.place_order(wanted), wanted)
        assert order.status is OrderStatus.OPEN and order.filled == asks[0][1]
        price, size = bids[5][0], order.size + Decimal("0.01")
        amended = await client.amend_order(order, wanted.instrument, price=price, size=size)
        now = await client.fetch_order(wanted.instrument, ByClientId(CLIENT_ID))
        assert (now.venue_order_id, now.price, now.size, now.filled) == (amended.venue_order_id, price, size, order.filled)
        assert now.remaining == Decimal("0.03")


async def test_a_market_order_reports_no_price_and_its_average(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        wanted = await request(client, site, price=None)
        order = await settled(client, await client.place_order(wanted), wanted)
        assert order.status is OrderStatus.FILLED and order.price is None
        done = await client.fetch_order(wanted.instrument, ByClientId(CLIENT_ID))
        (fill,) = await client.fetch_fills(wanted.instrument)
        (position,) = await client.fetch_positions()
        assert done.average_price == fill.price == position.entry_price and done.price is None
        mark = site.exchange.state("BTC").mark
        assert position.unrealised_pnl == pytest.approx(position.size * (mark - fill.price), rel=Decimal("1e-6"))
        assert position.leverage == 50
        await client.set_leverage(wanted.instrument, 50)


# Access


async def test_an_agent_signs_for_the_wallet(site) -> None:
    agent = Signer.from_seed(bytes(range(32)))
    credentials = Credentials({"account": site.account, "private_key": agent.private_key})
    async with PacificaClient(site.wiring(credentials=credentials)) as client:
        wanted = await request(client, site)
        with pytest.raises(AuthenticationFailed, match="not authorized"):
            await client.place_order(wanted)
        site.post("/agent/bind", "bind_agent_wallet", {"agent_wallet": agent.address})
        await client.place_order(wanted)
        assert len(await client.fetch_open_orders()) == 1


async def test_a_signature_that_is_late_is_refused(site) -> None:
    behind = SetClock(START_MS - 5_001)
    async with PacificaClient(replace(site.wiring(), clock=behind)) as client:
        with pytest.raises(AuthenticationFailed, match="expired"):
            await client.place_order(await request(client, site))


async def test_windows_stretch_with_an_accelerated_clock() -> None:
    site = Site(clock=SetClock(speed=600.0))
    behind = SetClock(START_MS - 600 * 4_999, speed=600.0)
    async with PacificaClient(replace(site.wiring(), clock=behind)) as client:
        assert (await client.place_order(await request(client, site))).venue_order_id


async def test_a_changed_byte_is_refused() -> None:
    site = Site()

    class Tampering:
        """Changes an amount on the way."""

        async def request(self, request: HttpRequest) -> HttpResponse:
            body = None if request.body is None else request.body.replace(b'"0.01"', b'"0.02"')
            path = request.url.split("pacifica.sandbox", 1)[1]
            return site.facade.handle(HttpRequest(request.method, path, {}, body), "10.0.0.1")

        async def close(self) -> None: ...

    async with PacificaClient(replace(site.wiring(), http=Tampering())) as client:
        with pytest.raises(AuthenticationFailed, match="Verification failed"):
            await client.place_order(await request(client, site))
        assert not site.exchange.orders(site.account)


async def test_reading_an_account_needs_its_address(site) -> None:
    async with PacificaClient(replace(site.wiring(), credentials=None)) as client:
        with pytest.raises(Misconfigured, match="account"):
            await client.fetch_balance()


@pytest.mark.parametrize(("header", "wait_s"), [('"credits";r=0;t=32', 32.0), ("", 1.0), ("nonsense", 1.0)])
async def test_spent_credits_say_when_they_are_back(header, wait_s) -> None:
    dialect, reply = PacificaDialect(wiring_without_network()), HttpResponse(429, b"", {"ratelimit": header})
    error = dialect.refusal(Call(common.PRICES), reply)
    assert isinstance(error, RateLimited) and error.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("endpoint", "header", "expected"),
    [
        (common.CREATE_ORDER, '"credits";r=0;t=32', RateLimited),
        (common.CREATE_ORDER, '"credits";r=9;t=32', RateLimited),
        (common.CREATE_ORDER, '"credits";r=10;t=32', None),
        (common.CANCEL_ORDER, '"credits";r=4;t=32', RateLimited),
        (common.CANCEL_ORDER, '"credits";r=9;t=32', None),
        (common.CREATE_ORDER, "", None),
        (common.CREATE_ORDER, "nonsense", None),
    ],
)
async def test_an_act_is_certainly_not_taken_only_where_no_credits_were_left_for_it(endpoint, header, expected) -> None:
    """docs.pacifica.fi, Rate limits: 429 means that the credits are exhausted. With credits left it means something else."""
    error = PacificaDialect(wiring_without_network()).refusal(Call(endpoint), HttpResponse(429, b"", {"ratelimit": header}))
    assert error is None if expected is None else type(error) is expected and error.retry_after_s == 32


def test_a_server_error_says_nothing_about_the_order() -> None:
    body = b'{"success":false,"data":null,"error":"Order amount too low","code":7}'
    assert PacificaDialect(wiring_without_network()).refusal(Call(common.CREATE_ORDER), HttpResponse(500, body)) is None
    refused = PacificaDialect(wiring_without_network()).refusal(Call(common.CREATE_ORDER), HttpResponse(200, body))
    assert type(refused) is BelowMinimum


# Lists


async def test_all_pages_of_fills_and_payments(site) -> None:
    for _ in range(3):
        for _ in range(20):
            site.trade("bid", "0.001")
            site.trade("ask", "0.001")
        site.rested()
    async with PacificaClient(site.wiring()) as client:
        fills = await client.fetch_fills()
        assert [f.fill_id for f in fills] == [str(f.fill_id) for f in site.exchange.fills(site.account)] and len(fills) >= 120
        assert await client.fetch_fills(since_ms=site.clock.now_ms() + 1) == []
        site.trade("ask", "0.01")
        for _ in range(130):
            site.clock.set_ms += HOUR_MS
            site.exchange.advance()
        payments = await client.fetch_funding_payments(await client.instrument("BTC"), since_ms=START_MS)
        assert [p.amount for p in payments] == [p.amount for p in site.exchange.funding_payments(site.account)]
        assert len(payments) == 130
        late = await client.fetch_funding_payments(await client.instrument("BTC"), since_ms=payments[-3].paid_at_ms)
        assert late == payments[-3:]


async def test_the_wallet_agrees_to_the_last_digit(site) -> None:
    site.trade("bid", "0.013")
    site.clock.set_ms += HOUR_MS
    site.trade("ask", "0.013")
    async with PacificaClient(site.wiring()) as client:
        balance = await client.fetch_balance()
        assert balance.wallet == balance.equity == site.exchange.wallet(site.account) and not await client.fetch_positions()


# Funding


async def test_predicted_rates_are_the_tapes_numbers(shared_dir) -> None:
    tape = TapePrices(shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv", ["pacifica"])
    site = Site(tape, SetClock(tape.start_ms + 90 * 60_000))
    async with PacificaFundingAdapter(site.wiring()) as adapter:
        for seen in await adapter.current_rates():
            truth = tape.state("pacifica", seen.venue_symbol, site.clock.now_ms())
            assert seen.raw.value == format(truth.funding_rate, "f") and seen.raw.unit == "fraction per 1 h"
            assert (seen.rate.rate, seen.rate.kind, seen.rate.interval_hours) == (truth.funding_rate, FundingKind.PREDICTED, 1)
            assert seen.rate.next_payment_at == from_ms(tape.start_ms + 2 * HOUR_MS)


async def test_an_unknown_rate_is_unknown() -> None:
    class Silent:
        """A source that knows prices and no funding."""

        def __init__(self) -> None:
            self.site = Site()
            self.start_ms, self.end_ms = START_MS, None
            self.provenance = self.site.world.prices.provenance

        def describe(self) -> str:
            return "prices without funding"

        def assets(self, venue: str):
            return (("BTC", Decimal(90000)),)

        def state(self, venue: str, name: str, now_ms: int) -> MarketState:
            return MarketState(Decimal(90000), Decimal(90000), Decimal(0), None, False, None, None)

    site = Site(Silent())
    async with PacificaFundingAdapter(site.wiring()) as adapter:
        (seen,) = await adapter.current_rates()
        assert seen.rate is None and seen.raw is None and seen.unknown_because
        (stats,) = await adapter.market_stats()
        assert stats.open_interest_usd is None and stats.volume_24h_usd is None and stats.mark_price == 90000.0


async def test_history_is_bucketed_by_the_hour(site) -> None:
    site.clock.set_ms = START_MS + 200 * HOUR_MS
    hour = (START_MS // HOUR_MS + 100) * HOUR_MS
    async with PacificaFundingAdapter(site.wiring()) as adapter:
        rates = await adapter.rate_history("BTC", from_ms(hour), from_ms(hour) + timedelta(hours=5))
        assert [r.effective_at for r in rates] == [from_ms(hour + n * HOUR_MS) for n in range(5)]
        assert [r.rate for r in rates] == [site.exchange.markets.funding_rate("BTC", hour + n * HOUR_MS - 1) for n in range(5)]
        assert all(r.kind is FundingKind.SETTLED for r in rates)
        with pytest.raises(Misconfigured, match="not listed"):
            await adapter.rate_history("NOSUCH", from_ms(hour), from_ms(hour) + timedelta(hours=5))


# Streams


class Wire:
    """A WebSocketTransport whose other end is the test. `sent`: decoded frames of the client."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.connected = asyncio.Event()

    async def connect(self, url, headers, on_frame, on_close, timeout_s=10.0):
        self._on_frame, self._on_close = on_frame, on_close
        self.connected.set()
        return self

    def send(self, frame: bytes) -> None:
        message = json.loads(frame)
        self.sent.append(message)
        if message["method"] == "subscribe":
            self.push({"channel": "subscribe", "data": message["params"]})

    def push(self, message: dict) -> None:
        asyncio.get_running_loop().call_soon(self._on_frame, json.dumps(message, separators=(",", ":")).encode())

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self._on_close, "closed")

    def book(self, li: int, bid: str, ask: str, symbol: str = "BTC") -> None:
        levels = [[{"p": bid, "a": "1", "n": 1}], [{"p": ask, "a": "1", "n": 1}]]
        self.push({"channel": "book", "data": {"l": levels, "s": symbol, "t": 1, "li": li}})


async def until_books(stream, count: int) -> list:
    return await collect(stream, lambda e: sum(isinstance(x, BookEvent) for x in e) == count)


async def test_an_overtaken_book_is_dropped_and_a_missing_one_is_no_loss(site) -> None:
    line = Wire()
    async with PacificaClient(replace(site.wiring(), websocket=line)) as client:
        stream = client.stream_book(await client.instrument("BTC"))
        await line.connected.wait()
        line.book(5, "100", "101")
        assert isinstance((await until_books(stream, 1))[0], Connected)
        line.book(4, "90", "91")
        line.book(9, "102", "103")
        line.book(9, "200", "203", symbol="ETH")
        (event,) = await until_books(stream, 1)
        assert (event.book.sequence, event.book.best_bid) == (9, 102.0)


async def test_a_crossed_book_is_asked_for_again(site) -> None:
    line = Wire()
    async with PacificaClient(replace(site.wiring(), websocket=line)) as client:
        stream = client.stream_book(await client.instrument("BTC"))
        await line.connected.wait()
        line.book(5, "100", "101")
        await until_books(stream, 1)
        line.book(6, "102", "101")
        lost, resumed = await collect(stream, lambda e: len(e) == 2)
        assert isinstance(lost, Lost) and "crosses" in lost.reason and isinstance(resumed, Resumed)
        line.book(3, "103", "104")  # a new subscription starts to count anew
        (event,) = await until_books(stream, 1)
        assert event.book.best_bid == 103.0
        assert [m["method"] for m in line.sent] == ["subscribe", "unsubscribe", "subscribe"]


async def test_words_outside_the_protocol_are_told(site) -> None:
    line = Wire()
    async with PacificaClient(replace(site.wiring(), websocket=line)) as client:
        stream = client.stream_fills()
        await line.connected.wait()
        fill = {"h": 1, "i": 2, "I": None, "s": "BTC", "a": "1", "p": "1", "f": "0", "te": "perhaps", "ts": "open_long", "t": 3}
        line.push({"channel": "account_trades", "data": [fill]})
        events = await collect(stream, lambda e: len(e) == 3)
        assert [type(e) for e in events] == [Connected, Lost, Resumed] and "perhaps" in events[1].reason


async def test_a_refused_subscription_is_an_error(site) -> None:
    line = Wire()
    line.send = lambda frame: line.push({"code": 400, "err": "Invalid request", "t": 1})
    async with PacificaClient(replace(site.wiring(), websocket=line)) as client:
        stream = client.stream_orders()
        with pytest.raises(Refused, match="Invalid request"):
            await collect(stream, lambda e: len(e) == 1)


async def test_the_facade_streams_acknowledges_and_ends(site) -> None:
    frames: list[dict] = []

    class Peer:
        def send(self, frame: bytes) -> None:
            frames.append(json.loads(frame))

        def close(self, reason: str) -> None:
            frames.append({"closed": reason})

    socket = site.facade.connect(HttpRequest("GET", "/ws"), Peer())

    def say(message: dict) -> list[dict]:
        frames.clear()
        socket.on_frame(json.dumps(message).encode())
        return list(frames)

    book = {"source": "book", "symbol": "BTC", "agg_level": 1}
    acknowledged, snapshot = say({"method": "subscribe", "params": book})
    assert acknowledged == {"channel": "subscribe", "data": book} and snapshot["data"].keys() == {"l", "s", "t", "li"}
    (_, account), (_, positions) = (
        say({"method": "subscribe", "params": {"source": s, "account": site.account}})
        for s in ("account_info", "account_positions")
    )
    assert account["data"].keys() == {"ae", "as", "aw", "b", "f", "mu", "cm", "oc", "pb", "pc", "sc", "t"}
    assert positions == {"channel": "account_positions", "data": [], "li": positions["li"]}
    for source in ("account_order_updates", "account_trades"):
        assert len(say({"method": "subscribe", "params": {"source": source, "account": site.account}})) == 1
    frames.clear()
    site.trade()
    rows = {f["channel"]: f["data"] for f in frames}
    keys = {"account_order_updates": "i I u s d p ip lp a f oe os ot sp si r ct ut li",
            "account_trades": "h i I u s p o a te ts tc f n t li"}  # fmt: skip
    assert all(rows[channel][0].keys() == set(words.split()) for channel, words in keys.items())
    numbers = [f["data"]["li"] for f in frames if f["channel"] == "book"]
    assert numbers and numbers == sorted(numbers)
    assert say({"method": "ping"}) == [{"channel": "pong"}]
    assert say({"op": "ping"})[0]["code"] == 400 and say({"method": "subscribe", "params": {"source": "x"}})[0]["code"] == 400
    assert say({"method": "unsubscribe", "params": book}) == [{"channel": "unsubscribe", "data": book}]
    frames.clear()
    site.clock.set_ms += 61_000
    site.trade()
    assert frames[0] == {"closed": "no message within 60 s"}
    socket.on_close()
    assert not site.facade.sockets
