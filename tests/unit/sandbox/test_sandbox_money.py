"""Money on the sandbox exchange: exact to the last digit, funding at its own times, liquidation."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange_clients.domain.orders import OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.booking import book_trade
from exchange_clients.sandbox.exchange import Filled, FundingPaid, Rejected, RejectReason
from exchange_clients.sandbox.rules import ContinuousFunding, DiscreteFunding

SYMBOL = "ABC-PERP"
HOUR_S = 3600
QUANTUM = D("0.000001")


def trade(world: Any, account: str, side: Side, size: str, *, reduce_only: bool = False) -> None:
    world.exchange.place(account, SYMBOL, side, D(size), None, TimeInForce.IOC, reduce_only, None)


def booked(world: Any, account: str) -> D:
    """What the reports add up to."""
    fills, payments = world.exchange.fills(account), world.exchange.funding_payments(account)
    return D(10_000) + sum(f.realised_pnl - f.fee for f in fills) + sum(p.amount for p in payments)


lots = st.integers(1, 900).map(lambda n: D(n) / 100)
signed = st.builds(lambda size, up: size if up else -size, lots, st.booleans())
prices = st.integers(1, 30_000).map(lambda n: D(n) / 100)


@given(st.lists(st.tuples(signed, prices), min_size=1, max_size=30), prices, st.sampled_from([D("0.01"), D("0.000001")]))
def test_when_flat_what_was_realised_is_what_was_traded(trades: list[tuple[D, D]], last: D, step: D) -> None:
    # Results are quantised to the step only where price step × lot (0.0001) is not finer; `pnl_quantum` sees to that.
    quantum = min(step, D("0.0001"))
    size = cost = realised = spent = D(0)
    if sum(change for change, _ in trades):
        trades = [*trades, (-sum((change for change, _ in trades), D(0)), last)]
    for change, price in trades:
        booking = book_trade(size, cost, change, price, quantum)
        size, cost, realised = booking.size, booking.cost, realised + booking.realised_pnl
        spent += change * price
        assert booking.realised_pnl == booking.realised_pnl.quantize(quantum)
        assert realised - cost == -spent
    assert size == 0 and cost == 0 and realised == -spent


actions = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(list(Side)), lots, st.sampled_from([0, 1, 900, 4000]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(actions, st.sampled_from(["97", "99.97", "100", "100.4", "103"])), max_size=20), st.booleans())
def test_the_wallet_is_what_was_reported(make_world: Callable[..., Any], story: list[Any], accrues: bool) -> None:
    world = make_world(ContinuousFunding(D(8), D("0.02")) if accrues else DiscreteFunding(D(1), D("0.04")))
    for (account, side, size, seconds), mark in story:
        try:
            limit = None if seconds else D("100.02")
            world.exchange.place(account, SYMBOL, side, size, limit, TimeInForce.GTC, False, None)
        except Rejected as refusal:
            assert refusal.reason in (RejectReason.BELOW_MINIMUM_NOTIONAL, RejectReason.INSUFFICIENT_MARGIN)
        world.move(seconds, mark)
        for name in ("ann", "bob"):
            assert world.exchange.wallet(name) == booked(world, name)
            held = world.exchange.positions(name).get(SYMBOL)
            fills = world.exchange.fills(name)
            assert (held.size if held else 0) == sum(f.side.sign * f.size for f in fills)
            spent = sum(f.side.sign * f.size * f.price for f in fills)
            assert sum(f.realised_pnl for f in fills) - (held.cost if held else 0) == -spent


def test_every_funding_boundary_is_paid_at_its_own_time(world: Any) -> None:
    trade(world, "ann", Side.BUY, "10")
    trade(world, "bob", Side.SELL, "4")
    start_ms = world.clock.ms
    first, second = start_ms + 1_800_000, start_ms + 5_400_000
    world.prices.set(first - 1000, "101", rate="0.0002", index="101.5")
    world.prices.set(first, "102", rate="-0.0003", index="102.5")
    world.clock.ms = second + 60_000
    world.events.clear()
    world.exchange.advance()
    got = [(p.time_ms, p.rate, p.amount) for p in world.exchange.funding_payments("ann")]
    assert got == [(first, D("0.0002"), D("-0.205000")), (second, D("-0.0003"), D("0.307500"))]
    assert [p.amount for p in world.exchange.funding_payments("bob")] == [D("0.082000"), D("-0.123000")]
    assert [(e.payment.time_ms, e.payment.account) for e in world.of(FundingPaid)] == [
        (first, "ann"), (first, "bob"), (second, "ann"), (second, "bob")
    ]  # fmt: skip
    assert world.exchange.next_funding_ms(SYMBOL) == second + HOUR_S * 1000
    world.exchange.advance()
    assert len(world.exchange.funding_payments("ann")) == 2


def test_an_unknown_rate_pays_nothing(world: Any) -> None:
    world.prices.set(world.clock.ms, "100", rate=None)
    trade(world, "ann", Side.BUY, "10")
    world.move(2 * HOUR_S)
    assert world.exchange.funding_rate(SYMBOL) is None
    assert world.exchange.funding_payments("ann") == []


def test_continuous_funding_accrues_and_is_realised_when_the_position_changes(make_world: Callable[..., Any]) -> None:
    world = make_world(ContinuousFunding(D(8), D("0.02")))
    trade(world, "ann", Side.BUY, "10")
    world.move(4 * HOUR_S)
    # Half a period at 0.0001 of an index price of 100, ten units.
    assert world.exchange.unrealised_funding("ann") == D("-0.05")
    assert world.exchange.equity("ann") == world.exchange.wallet("ann") + world.exchange.unrealised("ann") - D("0.05")
    assert world.exchange.funding_payments("ann") == []
    assert world.exchange.next_funding_ms(SYMBOL) is None
    trade(world, "ann", Side.SELL, "4")
    [payment] = world.exchange.funding_payments("ann")
    closing = world.exchange.fills("ann")[-1]
    assert (payment.amount, payment.position_size, payment.fill_id) == (D("-0.05"), 10, closing.fill_id)
    assert closing.realised_funding == D("-0.05") and world.exchange.unrealised_funding("ann") == 0
    world.move(8 * HOUR_S)
    assert world.exchange.settle_funding("ann", SYMBOL).amount == D("-0.06")
    assert world.exchange.wallet("ann") == booked(world, "ann")


def test_the_funding_index_does_not_depend_on_who_asks_when(make_world: Callable[..., Any]) -> None:
    indices = []
    for step_s in (7, 60, 7200):
        world = make_world(ContinuousFunding(D(8), D("0.02")))
        for minute in range(0, 120, 7):
            world.prices.set(world.clock.ms + minute * 60_000, str(100 + minute), rate=f"0.000{minute:03}1")
        end_ms = world.clock.ms + 7200_000
        while world.clock.ms < end_ms:
            world.clock.ms = min(end_ms, world.clock.ms + step_s * 1000)
            world.exchange.funding_index(SYMBOL)
        indices.append(world.exchange.funding_index(SYMBOL))
    assert len(set(indices)) == 1 and indices[0] > 0


@pytest.mark.parametrize(("side", "toward"), [(Side.BUY, -1), (Side.SELL, 1)])
def test_liquidation_at_the_price_that_was_foretold(world: Any, side: Side, toward: int) -> None:
    trade(world, "ann", side, "1000")
    resting = world.exchange.place("ann", SYMBOL, side, D(1), D(100 + 50 * toward), TimeInForce.GTC, False, None)
    price = world.exchange.liquidation_price("ann", SYMBOL)
    assert price is not None and (price - 100) * toward > 0
    world.move(1, mark=str(price - toward * D("0.05")))
    assert SYMBOL in world.exchange.positions("ann")
    assert world.exchange.equity("ann") > world.exchange.maintenance_margin("ann")
    world.events.clear()
    for _ in range(20):  # the book is thinner than the position
        world.move(1, mark=str(price + toward * D("0.05")))
    assert world.exchange.positions("ann") == {}
    assert world.exchange.order("ann", order_id=resting.order_id).status is OrderStatus.CANCELLED
    assert all(event.fill.liquidation for event in world.of(Filled))
    assert world.exchange.wallet("ann") == booked(world, "ann")
    assert world.exchange.liquidation_price("ann", SYMBOL) is None


def test_leverage_decides_margin_and_is_checked(world: Any) -> None:
    world.exchange.set_leverage("ann", SYMBOL, 5)
    trade(world, "ann", Side.BUY, "100")
    assert world.exchange.initial_margin("ann") == 2000
    assert world.exchange.positions("ann")[SYMBOL].leverage == 5
    for wanted, reason in ((0, RejectReason.LEVERAGE), (21, RejectReason.LEVERAGE), (1, RejectReason.INSUFFICIENT_MARGIN)):
        with pytest.raises(Rejected) as caught:
            world.exchange.set_leverage("ann", SYMBOL, wanted)
        assert caught.value.reason is reason
    assert world.exchange.leverage("ann", SYMBOL) == 5
    assert world.exchange.available("ann") == world.exchange.equity("ann") - 2000


def test_funding_rules_follow_their_formula() -> None:
    hourly = DiscreteFunding(D(1), D("0.04"))
    assert hourly.rate(D(0)) == D("0.0000125")
    assert hourly.rate(D("0.001")) == D("0.0005") / 8
    assert hourly.rate(D("-0.001")) == D("-0.0005") / 8
    assert hourly.rate(D(10)) == D("0.04")
    eight_hours = ContinuousFunding(D(8), D("0.02"))
    assert eight_hours.rate(D("0.0003")) == D("0.0001")
    assert eight_hours.rate(D(-1)) == D("-0.02")
