"""The client against the venue as it is documented today: odd and foreign rows, budgets, amendments, unified margin, leverage."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import AccountEvent, Connected, FillEvent, Lost, OrderEvent, Resumed
from exchange_clients.domain.orders import ByClientId, Order, OrderStatus, TimeInForce
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import OutcomeUnknown, ProtocolViolation, RateLimited
from exchange_clients.pacifica import common
from exchange_clients.pacifica.client import PacificaClient
from exchange_clients.pacifica.funding_adapter import PacificaFundingAdapter
from exchange_clients.sandbox.tape import TapePrices
from tests.support.stage import collect
from tests.venues.pacifica.support import CLIENT_ID, SetClock, Site
from tests.venues.pacifica.test_client import Wire, request, settled
from tests.venues.pacifica.test_facade_today import spot_trade


@pytest.fixture
def site() -> Site:
    return Site()


class Way:
    """The way to the façade, whose clock follows the loop's. `change`: path → what becomes of a reply's body.

    `paths`, `headers`, `statuses`, `seconds`: what was asked for, how it went, and when.
    """

    def __init__(self, site: Site, **change) -> None:
        self.site, self.change, self.paths, self.headers, self.statuses = site, change, [], [], []
        self.seconds: list[float] = []
        self._began_s, self._began_ms = asyncio.get_running_loop().time(), site.clock.set_ms

    async def request(self, request: HttpRequest) -> HttpResponse:
        path = request.url.split("pacifica.sandbox", 1)[1]
        name = path.partition("?")[0].removeprefix("/api/v1/").replace("/", "_")
        self.paths.append(name)
        self.headers.append(dict(request.headers))
        self.seconds.append(asyncio.get_running_loop().time() - self._began_s)
        self.site.clock.set_ms = max(self.site.clock.set_ms, self._began_ms + int(self.seconds[-1] * 1000))
        reply = self.site.facade.handle(msgspec.structs.replace(request, url=path), "10.0.0.1")
        self.statuses.append(reply.status)
        if name not in self.change:
            return reply
        body = json.dumps(self.change[name](json.loads(reply.body))).encode()
        return HttpResponse(reply.status, body, reply.headers)

    async def close(self) -> None: ...


def through(way: Way, **credentials: str) -> PacificaClient:
    mine = Credentials({**way.site.credentials.values, **credentials})
    return PacificaClient(replace(way.site.wiring(), http=way, credentials=mine))


def more_rows(*rows: dict):
    return lambda reply: {**reply, "data": [*reply["data"], *rows]}


# Rows that are no plain orders of perpetuals (venues_built A6)


async def test_trigger_orders_wait_among_the_open_orders(site) -> None:
    site.trade()
    terms = {
        "symbol": "BTC",
        "side": "ask",
        "take_profit": {"stop_price": "99000", "limit_price": "98000"},
        "stop_loss": {"stop_price": "80000"},
    }
    async with PacificaClient(site.wiring()) as client:
        stream = client.stream_orders()
        await collect(stream, lambda e: isinstance(e[-1], Connected))
        site.post("/positions/tpsl", "set_position_tpsl", terms)
        site.create(client_order_id=CLIENT_ID)
        take, stop, plain = [e.order for e in await collect(stream, lambda e: len(e) == 3)]
        listed = {order.venue_order_id: order for order in await client.fetch_open_orders()}
        for order in (take, stop, listed[take.venue_order_id], listed[stop.venue_order_id]):
            assert (order.status, order.size, order.reduce_only) == (OrderStatus.PENDING, 0, True)
        assert take.price == 98_000 and stop.price is None and plain.client_order_id == CLIENT_ID
        assert (await client.fetch_order(await client.instrument("BTC"), ByClientId(CLIENT_ID))).status is OrderStatus.OPEN


async def test_own_spot_trades_are_no_fills_of_perpetuals(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        stream = client.stream_fills()
        await collect(stream, lambda e: isinstance(e[-1], Connected))
        site.facade.tell_fill(site.account, spot_trade(site))
        site.trade()
        (event,) = await collect(stream, lambda e: len(e) == 1)
        assert isinstance(event, FillEvent) and [event.fill] == list(await client.fetch_fills())


async def test_positions_without_a_liquidation_price_are_positions(site) -> None:
    site.trade("bid", "5")
    way = Way(
        site,
        positions=lambda reply: {
            **reply,
            "data": [{k: v for k, v in row.items() if k != "liquidation_price"} for row in reply["data"]],
        },
    )
    async with through(way) as client:
        (position,) = await client.fetch_positions()
        assert position.size == 5 and position.liquidation_price is None and position.leverage == 50


FILL = {"history_id": 1, "order_id": 2, "client_order_id": None, "symbol": "BTC", "amount": "1", "price": "1", "fee": "0",
        "event_type": "fulfill_taker", "side": "perhaps", "created_at": 3}  # fmt: skip


async def test_a_row_about_our_money_that_cant_be_read_is_named(site) -> None:
    async with through(Way(site, trades_history=more_rows(FILL))) as client:
        with pytest.raises(ProtocolViolation, match="perhaps") as error:
            await client.fetch_fills()
        assert b'"history_id"' in error.value.raw


async def test_one_odd_row_of_a_stream_is_told_and_the_others_go_on(site) -> None:
    line = Wire()
    async with PacificaClient(replace(site.wiring(), websocket=line)) as client:
        stream = client.stream_fills()
        await line.connected.wait()
        row = {
            "h": 1,
            "i": 2,
            "I": None,
            "s": "BTC",
            "a": "1",
            "p": "1",
            "f": "0",
            "te": "fulfill_taker",
            "ts": "open_long",
            "t": 3,
        }
        line.push({"channel": "account_trades", "data": [row | {"ts": "perhaps"}, row, row | {"s": "BTC-USDC", "ts": "buy"}]})
        line.push({"channel": "account_trades", "data": [row | {"h": 5}]})
        events = await collect(stream, lambda e: sum(isinstance(x, FillEvent) for x in e) == 2)
        assert [type(e) for e in events[:1]] == [Connected] and {type(e) for e in events} <= {
            Connected,
            Lost,
            Resumed,
            FillEvent,
        }
        assert [e.fill.fill_id for e in events if isinstance(e, FillEvent)] == ["1", "5"]


async def test_an_odd_market_takes_no_other_along(site) -> None:
    def odd(reply: dict) -> dict:
        rows = [row | {"tick_size": ""} if row["symbol"] == "ETH" else row for row in reply["data"]]
        return {**reply, "data": [*rows, {"symbol": "XYZ", "instrument_type": "option"}, {"no": "symbol"}, 7]}

    def unpriced(reply: dict) -> dict:
        rows = [
            row | {"mark": "", "next_funding": [], "timestamp": None} if row["symbol"] == "SOL" else row
            for row in reply["data"]
        ]
        return {**reply, "data": [*rows, 7, {"symbol": None}]}

    way = Way(site, info=odd, info_prices=unpriced)
    async with through(way) as client:
        listed = {i.venue_symbol for i in await client.fetch_instruments()}
        assert {"BTC", "SOL"} <= listed and not listed & {"ETH", "XYZ", "BTC-USDC"}
        stats = {s.venue_symbol: s for s in await client.fetch_stats()}
        assert stats["SOL"].mark_price is None and stats["BTC"].mark_price
    async with PacificaFundingAdapter(replace(site.wiring(), http=way)) as adapter:
        seen = {o.venue_symbol: o for o in await adapter.current_rates()}
        assert seen["SOL"].rate is None and seen["SOL"].unknown_because and seen["BTC"].rate is not None
        assert "BTC-USDC" not in seen


async def test_isolated_only_markets_say_so(site) -> None:
    site.facade.isolated_only.add("2Z")
    async with PacificaClient(site.wiring()) as client:
        assert (await client.instrument("2Z")).isolated_only and not (await client.instrument("BTC")).isolated_only


async def test_a_volume_that_the_venue_does_not_say_is_unknown(shared_dir) -> None:
    tape = TapePrices(shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv", ["pacifica"])
    site = Site(tape, SetClock(tape.start_ms + 60_000))
    async with PacificaFundingAdapter(site.wiring()) as adapter:
        stats = await adapter.market_stats()
        assert stats and all(row.volume_24h_usd is None and row.open_interest_usd for row in stats)


# Budgets (venues_built C10, C18; outside_clients A7)


async def test_the_client_counts_what_the_venue_counts(site) -> None:
    for path in common.__dict__.values():
        if isinstance(path, common.Endpoint) and path.method == "GET":
            assert path.weight == site.facade.heavy.get(path.path, (1, 1))[0], path.path


async def test_calls_that_cost_more_than_we_think_meet_no_refusal(site) -> None:
    """Some public clients are charged 12 for /info/prices. The replies say so, and the client waits instead of being refused."""
    site.facade.heavy["/info/prices"] = (12, 3)
    way = Way(site)
    async with through(way) as client:
        for _ in range(12):
            await client.fetch_stats()
    assert set(way.statuses) == {200} and way.seconds[6] < 1 and way.seconds[-1] > 55, "the seventh or eighth waits"


async def test_what_others_spend_from_our_address_is_counted(site) -> None:
    way = Way(site)
    async with through(way) as client:
        bitcoin = await client.instrument("BTC")
        for _ in range(70):
            site.get("/orders", account=site.account)
        for _ in range(40):
            await client.fetch_open_orders(bitcoin)
    assert set(way.statuses) == {200} and way.seconds[5] < 1 and way.seconds[-1] > 55


async def test_an_api_config_key_is_sent_and_has_its_own_budget(site) -> None:
    _, made = site.post("/account/api_keys/create", "create_api_key", {})
    way = Way(site)
    async with through(way, api_config_key=made["data"]["api_key"]) as client:
        for _ in range(60):
            await client.fetch_fills()
        assert {headers["PF-API-KEY"] for headers in way.headers} == {made["data"]["api_key"]}
        assert way.paths.count("trades_history") == 60, "at 12 credits each, 8 would have been all"


async def test_an_act_without_credits_was_certainly_not_taken(site) -> None:
    class Tired(Way):
        async def request(self, request: HttpRequest) -> HttpResponse:
            if request.method == "POST":
                return HttpResponse(429, b'{"success":false,"data":null,"error":"Rate limit exceeded","code":429}', self.said)
            return await super().request(request)

    way = Tired(site)
    for header, expected in (('"credits";r=0;t=1', RateLimited), ('"credits";r=500;t=1', OutcomeUnknown), ("", OutcomeUnknown)):
        way.said = {"ratelimit": header}
        async with through(way) as client:
            with pytest.raises(expected):
                await client.place_order(await request(client, site))


async def test_positions_cost_three_calls_once_the_markets_are_known(site) -> None:
    site.trade()
    way = Way(site)
    async with through(way) as client:
        await client.fetch_positions()
        way.paths.clear()
        await client.fetch_positions()
        assert way.paths == ["positions", "info_prices", "account_settings"]
        site.trade("ask", reduce_only=True)
        way.paths.clear()
        assert await client.fetch_positions() == [] and way.paths == ["positions"]


# Amendments (venues_built C17)


async def amended_after_a_part_fill(client: PacificaClient, site: Site) -> tuple[Order, Order]:
    _, asks, _ = site.exchange.book("BTC", 10)
    wanted = await request(client, site, price=asks[0][0], size=asks[0][1] + Decimal("0.02"))
    order = await settled(client, await client.place_order(wanted), wanted)
    price = Decimal(site.order()["price"])
    return order, await client.amend_order(order, wanted.instrument, price=price, size=order.size)


async def test_an_amended_order_is_one_order_over_its_generations(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        bitcoin = await client.instrument("BTC")
        order, amended = await amended_after_a_part_fill(client, site)
        price = site.exchange.orders(site.account)[0].price
        assert (amended.status, amended.time_in_force) == (OrderStatus.PENDING, TimeInForce.POST_ONLY)
        assert (amended.size, amended.filled, amended.price) == (order.size, order.filled, price)
        (listed,) = await client.fetch_open_orders()
        for found in (
            listed,
            await client.fetch_order(bitcoin, amended.ref),
            await client.fetch_order(bitcoin, ByClientId(CLIENT_ID)),
        ):
            assert (found.venue_order_id, found.size, found.filled) == (amended.venue_order_id, order.size, order.filled)
        again = await client.amend_order(listed, bitcoin, price=amended.price, size=order.filled + Decimal("0.01"))
        (resting,) = site.exchange.orders(site.account)
        assert resting.size == Decimal("0.01") and resting.filled == 0
        (listed,) = await client.fetch_open_orders()
        assert (listed.size, listed.filled) == (again.size, order.filled) and listed.remaining == Decimal("0.01")
        assert (await client.fetch_order(bitcoin, order.ref)).status is OrderStatus.CANCELLED


async def test_a_fill_on_the_way_to_an_amendment_is_counted_once_it_is_read(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        bitcoin = await client.instrument("BTC")
        order, amended = await amended_after_a_part_fill(client, site)
        stale = msgspec.structs.replace(order, filled=Decimal(0), size=order.size)
        later = await client.amend_order(
            msgspec.structs.replace(amended, filled=order.filled), bitcoin, price=amended.price, size=order.size
        )
        assert stale.filled < (await client.fetch_order(bitcoin, later.ref)).filled == order.filled


async def test_a_client_that_starts_anew_adds_an_amended_order_up_by_its_name(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        order, amended = await amended_after_a_part_fill(client, site)
    site.rested()
    async with PacificaClient(site.wiring()) as client:
        found = await client.fetch_order(await client.instrument("BTC"), ByClientId(CLIENT_ID))
        assert (found.venue_order_id, found.size, found.filled) == (amended.venue_order_id, order.size, order.filled)


async def test_an_amendment_across_the_book_ends_the_order(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        wanted = await request(client, site)
        order = await settled(client, await client.place_order(wanted), wanted)
        _, asks, _ = site.exchange.book("BTC", 1)
        amended = await client.amend_order(order, wanted.instrument, price=asks[0][0], size=order.size)
        ended = await client.fetch_order(wanted.instrument, amended.ref)
        assert (ended.status, ended.reason, ended.filled) == (OrderStatus.REJECTED, "post_only_rejected", 0)
        assert not await client.fetch_open_orders() and not await client.fetch_fills()


# Acts never read, and never deny what they may have done


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b'{"success":true,"data":null}', b'{"success":true,"data":["waitingForFill"]}', b"<html>"]
)
async def test_an_answer_in_another_shape_leaves_the_outcome_open(site, reply) -> None:
    class Odd(Way):
        async def request(self, request: HttpRequest) -> HttpResponse:
            await super().request(request)
            return HttpResponse(200, reply) if request.method == "POST" else await super().request(request)

    async with through(Odd(site)) as client:
        wanted = await request(client, site)
        with pytest.raises(OutcomeUnknown):
            await client.place_order(wanted)
        assert len(site.exchange.orders(site.account)) == 1


# Unified margin and leverage (venues_built C19; house section 5)


async def test_spot_is_no_result_of_positions(site) -> None:
    site.facade.spot_usd[site.account] = Decimal(2_500)
    async with PacificaClient(site.wiring()) as client:
        balance = await client.fetch_balance()
        assert (balance.wallet, balance.equity) == (10_000, 10_000)
        stream = client.stream_account()
        events = await collect(stream, lambda e: sum(isinstance(x, AccountEvent) and x.balance is not None for x in e) == 2)
        assert {event.balance.equity for event in events if isinstance(event, AccountEvent) and event.balance} == {10_000}


async def test_the_account_is_told_whole_and_with_its_leverages(site) -> None:
    site.trade()
    async with PacificaClient(site.wiring()) as client:
        stream = client.stream_account()
        connected, whole = await collect(stream, lambda e: len(e) == 2)
        assert isinstance(connected, Connected) and whole.balance is not None
        assert whole.positions[0].leverage == 50 and whole.positions[0].unrealised_pnl is not None
        site.clock.set_ms += 1
        site.post("/account/leverage", "update_leverage", {"symbol": "BTC", "leverage": 50})
        site.trade("ask", reduce_only=True)
        flat = await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and e[-1].positions == ())
        assert not [e for e in flat if isinstance(e, Connected)]
        await client.set_leverage(await client.instrument("BTC"), 7)
        site.clock.set_ms += 1
        site.trade()
        (*_, opened) = await collect(stream, lambda e: isinstance(e[-1], AccountEvent) and bool(e[-1].positions))
        assert opened.positions[0].leverage == 7


async def test_a_refused_topic_fails_alone_and_can_be_asked_again(site) -> None:
    async with PacificaClient(site.wiring()) as client:
        bitcoin = await client.instrument("BTC")
        gone = msgspec.structs.replace(bitcoin, symbol="GONE", venue_symbol="GONE")
        orders, book, refused = client.stream_orders(), client.stream_book(bitcoin), client.stream_book(gone)
        with pytest.raises(Exception, match="Invalid request"):
            await collect(refused, lambda e: False)
        await collect(book, lambda e: len(e) == 2)
        site.create()
        (*_, event) = await collect(orders, lambda e: isinstance(e[-1], OrderEvent))
        assert event.order.status is OrderStatus.OPEN
        with pytest.raises(Exception, match="Invalid request"):
            await collect(client.stream_book(gone), lambda e: False)
