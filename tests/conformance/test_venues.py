"""What every venue's client promises, through real HTTP and WebSocket frames: one suite, each venue × each declared capability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.assets import identify
from exchange_clients.domain.events import AccountEvent, BookEvent, Connected, FillEvent, Lost, OrderEvent, Resumed
from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.errors import (
    AuthenticationFailed,
    Misconfigured,
    NotSent,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    Unsupported,
)
from exchange_clients.sandbox.faults import Fault, FaultKind
from tests.support.stage import DEPOSIT, Stage, collect, eventually, stage

HOUR_MS = 3_600_000


@pytest.fixture(params=registry.names())
async def on(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    needed = request.node.get_closest_marker("needs")
    spec = registry.spec(request.param)
    for capability in needed.args if needed else ():
        if capability not in spec.capabilities:
            pytest.skip(f"{spec.name} does not declare {capability.value}")
    async with stage(request.param) as found:
        yield found


needs = pytest.mark.needs


# Market data


async def test_instruments_are_complete(on: Stage) -> None:
    listed = await on.client.fetch_instruments()
    assert {i.venue_symbol for i in listed} == set(on.exchange.listings)
    for instrument in listed:
        truth = on.exchange.listings[instrument.venue_symbol].instrument
        assert instrument.venue == on.spec.name
        assert (instrument.symbol, instrument.multiplier) == (truth.symbol, truth.multiplier)
        assert (instrument.lot_size, instrument.min_notional) == (truth.lot_size, truth.min_notional)
        assert instrument.price_rule == truth.price_rule


async def test_an_instrument_is_found_by_either_name(on: Stage) -> None:
    pepe = await on.client.instrument("PEPE")
    assert pepe.multiplier == 1000
    assert await on.client.instrument(pepe.venue_symbol) is pepe


async def test_an_unknown_symbol_is_one_clear_error(on: Stage) -> None:
    with pytest.raises(Misconfigured, match="NOSUCHCOIN"):
        await on.client.instrument("NOSUCHCOIN")


async def test_book_is_ordered_and_says_where_it_comes_from(on: Stage) -> None:
    book = await on.client.fetch_order_book(await on.client.instrument("BTC"), depth=5)
    assert 0 < len(book.bids) <= 5 and 0 < len(book.asks) <= 5
    assert [lv.price for lv in book.bids] == sorted((lv.price for lv in book.bids), reverse=True)
    assert [lv.price for lv in book.asks] == sorted(lv.price for lv in book.asks)
    assert not book.is_crossed() and book.provenance is Provenance.SANDBOX and book.symbol == "BTC"


async def test_quote_trades_and_statistics(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.trade()
    quote = await on.client.fetch_quote(bitcoin)
    assert quote.bid is not None and quote.ask is not None and quote.bid.price < quote.ask.price
    trades = await on.client.fetch_trades(bitcoin, limit=10)
    assert trades and [t.time_ms for t in trades] == sorted(t.time_ms for t in trades)
    stats = {s.venue_symbol: s for s in await on.client.fetch_stats()}
    assert stats.keys() == set(on.exchange.listings)
    mark = stats[bitcoin.venue_symbol].mark_price
    assert mark is not None and abs(mark / float(on.exchange.state(bitcoin.venue_symbol).mark) - 1) < 0.001


# Orders


async def test_a_marketable_ioc_fills_and_every_report_agrees(on: Stage) -> None:
    request = await on.request(size=0.02)
    order = await on.settled(await on.client.place_order(request), request.instrument)
    fills = await on.client.fetch_fills(request.instrument)
    (position,) = await on.client.fetch_positions()
    assert order.status is OrderStatus.FILLED and order.filled == request.size == sum(f.size for f in fills)
    assert {f.client_order_id for f in fills} == {request.client_order_id} == {order.client_order_id}
    assert {f.venue_order_id for f in fills} == {order.venue_order_id}
    assert (position.symbol, position.size) == ("BTC", request.size)
    rates = await on.client.fetch_fee_rates()
    assert rates == on.spec.fees
    for fill in fills:
        assert fill.liquidity is Liquidity.TAKER and fill.side is Side.BUY
        assert abs(fill.fee - fill.size * fill.price * rates.taker) <= on.exchange.rules.money_quantum


async def test_the_wallet_is_the_sum_of_what_was_reported(on: Stage) -> None:
    for side, size in ((Side.BUY, 0.02), (Side.BUY, 0.01), (Side.SELL, 0.013)):
        await on.trade(side=side, size=size)
    on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 3) * HOUR_MS + 1000)
    await on.trade(side=Side.SELL, size=0.017, reduce_only=True)
    assert not await on.client.fetch_positions()
    bitcoin = await on.client.instrument("BTC")
    fills = await on.client.fetch_fills(bitcoin)
    payments = await on.client.fetch_funding_payments(bitcoin)
    assert payments, "three hours passed with a position open"
    expected = DEPOSIT - sum(f.side.sign * f.size * f.price + f.fee for f in fills) + sum(p.amount for p in payments)
    balance = await on.client.fetch_balance()
    assert balance.wallet == expected == balance.equity


@needs(Capability.POST_ONLY)
async def test_a_post_only_order_rests_and_can_be_cancelled(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.BUY)
    order = await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY)
    assert order.status is OrderStatus.OPEN and order.filled == 0 and order.price == price
    (resting,) = await on.client.fetch_open_orders(bitcoin)
    assert resting.venue_order_id == order.venue_order_id and resting.remaining == order.size
    await on.client.cancel_order(bitcoin, venue_order_id=order.venue_order_id)
    cancelled = await eventually(lambda: _terminal(on, order.venue_order_id))
    assert cancelled.status is OrderStatus.CANCELLED and cancelled.filled == 0
    assert not await on.client.fetch_open_orders()
    with pytest.raises(OrderNotFound):
        await on.client.cancel_order(bitcoin, venue_order_id=order.venue_order_id)


async def _terminal(on: Stage, venue_order_id: str):
    found = await on.client.fetch_order(await on.client.instrument("BTC"), venue_order_id=venue_order_id)
    return found if found.status.is_terminal else None


@needs(Capability.POST_ONLY)
async def test_an_order_is_cancelled_by_its_client_id(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.SELL)
    order = await on.trade(side=Side.SELL, price=price, time_in_force=TimeInForce.POST_ONLY)
    await on.client.cancel_order(bitcoin, client_order_id=order.client_order_id)
    assert (await eventually(lambda: _terminal(on, order.venue_order_id))).status is OrderStatus.CANCELLED


async def _refused_or_ended(on: Stage, **changes) -> None:
    """Venues refuse at once or end the order a moment later; either way nothing fills."""
    request = await on.request(**changes)
    try:
        order = await on.settled(await on.client.place_order(request), request.instrument)
    except OrderRejected:
        pass
    else:
        assert order.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED) and order.filled == 0 and order.reason
    assert not await on.client.fetch_fills() and not await on.client.fetch_positions()


@needs(Capability.POST_ONLY)
async def test_a_post_only_order_never_takes(on: Stage) -> None:
    await _refused_or_ended(on, time_in_force=TimeInForce.POST_ONLY)


@needs(Capability.REDUCE_ONLY)
async def test_close_can_never_open(on: Stage) -> None:
    await _refused_or_ended(on, reduce_only=True)


@needs(Capability.REDUCE_ONLY)
async def test_a_close_larger_than_the_position_stops_at_flat(on: Stage) -> None:
    await on.trade(size=0.01)
    order = await on.trade(side=Side.SELL, size=0.03, reduce_only=True)
    assert order.filled == Decimal("0.01") and not await on.client.fetch_positions()


async def test_too_small_and_too_large_are_refused(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    await _refused_or_ended(on, size=float(bitcoin.lot_size))
    await _refused_or_ended(on, size=500.0)


async def test_an_ioc_that_meets_nobody_ends_cancelled_and_unfilled(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    order = await on.trade(price=await on.resting_price(bitcoin, Side.BUY))
    assert order.status is OrderStatus.CANCELLED and order.filled == 0


@needs(Capability.MARKET)
async def test_a_market_order_fills_without_a_price(on: Stage) -> None:
    order = await on.trade(price=None, time_in_force=TimeInForce.IOC)
    assert order.status is OrderStatus.FILLED


async def test_a_market_order_is_refused_where_it_is_not_declared(on: Stage) -> None:
    if Capability.MARKET in on.spec.capabilities:
        pytest.skip(f"{on.spec.name} declares market orders")
    with pytest.raises(Unsupported):
        await on.client.place_order(await on.request(price=None))


@needs(Capability.AMEND)
async def test_amending_changes_price_and_size(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    order = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=TimeInForce.POST_ONLY)
    price, size = await on.resting_price(bitcoin, Side.BUY, away=0.03), bitcoin.round_size(0.02)
    amended = await on.settled(await on.client.amend_order(order, bitcoin, price=price, size=size), bitcoin)
    (resting,) = await on.client.fetch_open_orders(bitcoin)
    assert (resting.price, resting.size, resting.venue_order_id) == (price, size, amended.venue_order_id)


@needs(Capability.CANCEL_ALL)
async def test_cancel_all_leaves_nothing(on: Stage) -> None:
    for symbol in ("BTC", "BTC", "ETH"):
        instrument = await on.client.instrument(symbol)
        price = await on.resting_price(instrument, Side.BUY)
        await on.trade(symbol, size=0.1, price=price, time_in_force=TimeInForce.POST_ONLY)
    await on.client.cancel_all_orders(await on.client.instrument("BTC"))
    left = await eventually(lambda: _open_symbols(on, {"ETH"}))
    assert left == {"ETH"}
    await on.client.cancel_all_orders()
    await eventually(lambda: _none_open(on))


async def _open_symbols(on: Stage, wanted: set[str]) -> set[str] | None:
    found = {o.symbol for o in await on.client.fetch_open_orders()}
    return found if found == wanted else None


async def _none_open(on: Stage) -> bool:
    return not await on.client.fetch_open_orders()


@needs(Capability.SET_LEVERAGE)
async def test_leverage_is_chosen_and_bounded(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.client.set_leverage(bitcoin, 3)
    await on.trade()
    (account,) = on.exchange._accounts.values()
    assert on.exchange.leverage(account.name, bitcoin.venue_symbol) == 3
    with pytest.raises(OrderRejected):
        await on.client.set_leverage(bitcoin, 100_000)


@needs(Capability.FETCH_BY_CLIENT_ID)
async def test_an_order_is_found_by_its_client_id_also_when_done(on: Stage) -> None:
    order = await on.trade()
    found = await on.client.fetch_order(await on.client.instrument("BTC"), client_order_id=order.client_order_id)
    assert (found.venue_order_id, found.status, found.filled) == (order.venue_order_id, OrderStatus.FILLED, order.size)


async def test_an_order_nobody_sent_is_not_found(on: Stage) -> None:
    with pytest.raises(OrderNotFound):
        await on.client.fetch_order(await on.client.instrument("BTC"), client_order_id=on.client_order_id())


async def test_a_client_id_is_never_used_twice(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.BUY)
    first = await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY)
    with pytest.raises(OrderRejected):
        await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY, client_order_id=first.client_order_id)
    assert len(await on.client.fetch_open_orders()) == 1


# Access


async def test_a_wrong_key_is_refused_and_nothing_happens(on: Stage) -> None:
    stranger = on.server.world.enrol(on.spec.name, "stranger", Decimal(0))
    assert on.wiring.credentials is not None
    mixed = {**on.wiring.credentials.values, "private_key": stranger["private_key"]}
    async with on.spec.client_class()(replace(on.wiring, credentials=type(stranger)(mixed))) as client:
        request = await on.request()
        with pytest.raises((AuthenticationFailed, OrderRejected)) as refusal:
            await client.place_order(request)
        assert not await _fills_of_account(on)
        assert mixed["private_key"] not in str(refusal.value)


async def test_access_is_verified_before_anything_is_sent(on: Stage) -> None:
    await on.client.verify_access()
    stranger = on.server.world.enrol(on.spec.name, "another stranger", Decimal(1000))
    assert on.wiring.credentials is not None
    mixed = type(stranger)({**on.wiring.credentials.values, "private_key": stranger["private_key"]})
    async with on.spec.client_class()(replace(on.wiring, credentials=mixed)) as client:
        with pytest.raises(AuthenticationFailed) as refusal:
            await client.verify_access()
    assert stranger["private_key"] not in str(refusal.value)


async def _fills_of_account(on: Stage):
    return await on.client.fetch_fills()


async def test_acting_without_credentials_is_one_clear_error(on: Stage) -> None:
    request = await on.request()
    async with on.spec.client_class()(replace(on.wiring, credentials=None)) as reader:
        assert (await reader.fetch_order_book(request.instrument)).bids
        with pytest.raises(Misconfigured, match="credential"):
            await reader.place_order(request)


async def test_a_malformed_key_is_one_clear_error(on: Stage) -> None:
    assert on.wiring.credentials is not None
    broken = type(on.wiring.credentials)({**on.wiring.credentials.values, "private_key": "not a key"})
    with pytest.raises(Misconfigured) as error:
        on.spec.client_class()(replace(on.wiring, credentials=broken))
    assert "not a key" not in str(error.value)


# Doubt


@pytest.mark.parametrize("kind", [FaultKind.LOST_REPLY, FaultKind.SERVER_ERROR])
@pytest.mark.parametrize("venue", registry.names())
async def test_a_lost_answer_is_doubt_and_reads_resolve_it(venue: str, kind: FaultKind) -> None:
    async with stage(venue, [Fault(kind)]) as on:
        request = await on.request()
        with pytest.raises(OutcomeUnknown):
            await on.client.place_order(request)

        async def done():
            found = await on.client.fetch_order(request.instrument, client_order_id=request.client_order_id)
            return found if found.status.is_terminal else None

        order = await eventually(done)
        assert order.status is OrderStatus.FILLED and order.filled == request.size
        assert sum(f.size for f in await on.client.fetch_fills()) == request.size, "placed once, never repeated"


@pytest.mark.parametrize("venue", registry.names())
async def test_a_venue_that_is_not_there_is_certain(venue: str) -> None:
    async with stage(venue) as on:
        request = await on.request()
        await on.client.fetch_balance()
        await on.server.stop()
        with pytest.raises((NotSent, OutcomeUnknown)):
            await on.client.place_order(request)


# Streams


@needs(Capability.STREAM_BOOK)
async def test_the_streamed_book_is_the_venues_book(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    events = await collect(on.client.stream_book(bitcoin, depth=10), lambda e: sum(isinstance(x, BookEvent) for x in e) >= 4)
    assert isinstance(events[0], Connected)
    books = [e.book for e in events if isinstance(e, BookEvent)]
    for book in books:
        assert not book.is_crossed() and 0 < len(book.bids) <= 10 and 0 < len(book.asks) <= 10
        assert [lv.price for lv in book.bids] == sorted((lv.price for lv in book.bids), reverse=True)


@pytest.mark.parametrize("venue", registry.names())
async def test_a_dropped_socket_is_told_and_healed(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.DROPPED_SOCKET, nth=4)]) as on:
        stream = on.client.stream_book(await on.client.instrument("BTC"))
        events = await collect(stream, lambda e: any(isinstance(x, Resumed) for x in e) and isinstance(e[-1], BookEvent), 10)
        kinds = [type(e) for e in events if not isinstance(e, BookEvent)]
        assert kinds == [Connected, Lost, Resumed]


@pytest.mark.parametrize("venue", registry.names())
async def test_a_withheld_book_frame_never_leaves_a_wrong_book(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.BOOK_GAP, nth=3)]) as on:
        bitcoin = await on.client.instrument("BTC")
        stream = on.client.stream_book(bitcoin, depth=10)
        await collect(stream, lambda e: bool(on.faults.fired) and sum(isinstance(x, BookEvent) for x in e) >= 8, 10)

        async def agrees():
            book = (await collect(stream, lambda e: isinstance(e[-1], BookEvent)))[-1].book
            bids, asks, _ = on.exchange.book(bitcoin.venue_symbol, 10)
            seen = [lv.price for lv in (*book.bids[:5], *book.asks[:5])]
            return seen == [float(p) for p, _ in (*bids[:5], *asks[:5])]

        await eventually(agrees)


@needs(Capability.STREAM_ORDERS, Capability.STREAM_FILLS, Capability.STREAM_ACCOUNT)
async def test_orders_fills_and_account_are_streamed(on: Stage) -> None:
    orders, fills, account = on.client.stream_orders(), on.client.stream_fills(), on.client.stream_account()
    reading = [
        asyncio.create_task(collect(orders, lambda e: any(_is_filled(x) for x in e))),
        asyncio.create_task(collect(fills, lambda e: any(isinstance(x, FillEvent) for x in e))),
        asyncio.create_task(collect(account, lambda e: any(isinstance(x, AccountEvent) and x.positions for x in e))),
    ]
    await asyncio.sleep(0.3)
    order = await on.trade()
    seen_orders, seen_fills, seen_account = await asyncio.gather(*reading)
    assert {e.order.client_order_id for e in seen_orders if isinstance(e, OrderEvent)} == {order.client_order_id}
    assert {e.fill.venue_order_id for e in seen_fills if isinstance(e, FillEvent)} == {order.venue_order_id}
    positions = [e.positions for e in seen_account if isinstance(e, AccountEvent) and e.positions][-1]
    assert [(p.symbol, p.size) for p in positions] == [("BTC", order.size)]


def _is_filled(event: object) -> bool:
    return isinstance(event, OrderEvent) and event.order.status is OrderStatus.FILLED


@pytest.mark.parametrize("venue", registry.names())
async def test_a_duplicated_fill_is_the_same_fill(venue: str) -> None:
    async with stage(venue, [Fault(FaultKind.DUPLICATE_FRAME, nth=n) for n in range(1, 8)]) as on:
        fills = on.client.stream_fills()
        reading = asyncio.create_task(collect(fills, lambda e: any(isinstance(x, FillEvent) for x in e)))
        await asyncio.sleep(0.3)
        order = await on.trade()
        events = [e for e in await reading if isinstance(e, FillEvent)]
        assert {e.fill.fill_id for e in events} <= {f.fill_id for f in await on.client.fetch_fills()}
        assert sum(f.size for f in await on.client.fetch_fills()) == order.size


# Funding


async def test_current_rates_are_the_venues_numbers(on: Stage) -> None:
    found = {o.venue_symbol: o for o in await on.adapter.current_rates()}
    assert found.keys() == set(on.exchange.listings)
    for name, observation in found.items():
        truth = on.exchange.funding_rate(name)
        assert observation.rate is not None and observation.rate.rate == truth
        assert observation.raw is not None and Decimal(observation.raw.value) == truth and observation.raw.unit
        hours = Decimal(on.exchange.rules.funding.period_ms) / HOUR_MS
        assert observation.rate.interval_hours == hours
        assert observation.symbol == on.exchange.listings[name].instrument.symbol
        assert observation.provenance is Provenance.SANDBOX
        due = on.exchange.next_funding_ms(name)
        assert (observation.rate.next_payment_at is None) == (due is None)


async def test_adapter_statistics_cover_every_market(on: Stage) -> None:
    stats = {s.venue_symbol: s for s in await on.adapter.market_stats()}
    assert stats.keys() == set(on.exchange.listings)
    for name, stat in stats.items():
        truth = on.exchange.state(name)
        assert stat.mark_price == pytest.approx(float(truth.mark), rel=1e-3)
        assert stat.index_price == pytest.approx(float(truth.index), rel=1e-3)
        assert stat.open_interest_usd == pytest.approx(truth.open_interest_usd, rel=1e-3)
        assert stat.volume_24h_usd == pytest.approx(truth.volume_24h_usd, rel=1e-3)


@needs(Capability.FUNDING_HISTORY)
async def test_history_is_ordered_and_inside_the_window(on: Stage) -> None:
    on.clock.jump(6 * HOUR_MS)
    until = on.clock.now()
    since = until - timedelta(hours=5)
    symbol = (await on.client.instrument("BTC")).venue_symbol
    rates = await on.adapter.rate_history(symbol, since, until)
    assert rates and all(since <= r.effective_at < until for r in rates)
    assert [r.effective_at for r in rates] == sorted(r.effective_at for r in rates)


async def test_funding_received_is_what_the_rate_says(on: Stage) -> None:
    await on.trade(side=Side.SELL, size=0.1)
    on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 2) * HOUR_MS + 500)
    on.server.world.advance()
    await on.trade(side=Side.BUY, size=0.1, reduce_only=True)
    payments = await on.client.fetch_funding_payments(await on.client.instrument("BTC"))
    assert payments and len({p.payment_id for p in payments}) == len(payments)
    (account,) = on.exchange._accounts.values()
    assert sum(p.amount for p in payments) == sum(p.amount for p in on.exchange.funding_payments(account.name))


# The contract itself


@pytest.mark.parametrize("venue", registry.names())
async def test_declared_is_implemented_and_the_rest_is_unsupported(venue: str) -> None:
    verbs = {
        Capability.AMEND: "amend_order",
        Capability.CANCEL_ALL: "cancel_all_orders",
        Capability.SET_LEVERAGE: "set_leverage",
        Capability.STREAM_BOOK: "stream_book",
        Capability.STREAM_ORDERS: "stream_orders",
        Capability.STREAM_FILLS: "stream_fills",
        Capability.STREAM_ACCOUNT: "stream_account",
    }
    client_class = registry.spec(venue).client_class()
    assert client_class.capabilities == registry.spec(venue).capabilities
    for capability, verb in verbs.items():
        overridden = getattr(client_class, verb) is not getattr(BaseExchangeClient, verb)
        assert overridden == (capability in client_class.capabilities), f"{venue}: {verb}"


@pytest.mark.parametrize("venue", registry.names())
async def test_using_what_is_not_declared_raises(venue: str) -> None:
    async with stage(venue) as on:
        for capability in set(Capability) - on.spec.capabilities:
            with pytest.raises(Unsupported, match=capability.value):
                on.client.require(capability)


def test_names_mean_the_same_everywhere() -> None:
    assert identify("kPEPE") == identify("1000PEPE")
