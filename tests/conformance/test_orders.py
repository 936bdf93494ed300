"""What every venue's client promises of orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.orders import ByClientId, ByVenueId, Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import OrderNotFound, OrderRejected, Unsupported
from tests.support.stage import Stage, eventually

needs = pytest.mark.needs


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


@needs(Capability.POST_ONLY)
async def test_a_post_only_order_rests_and_can_be_cancelled(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.BUY)
    order = await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY)
    assert order.status is OrderStatus.OPEN and order.filled == 0 and order.price == price
    (resting,) = await on.client.fetch_open_orders(bitcoin)
    assert resting.venue_order_id == order.venue_order_id and resting.remaining == order.size
    await on.client.cancel_order(bitcoin, ByVenueId(order.venue_order_id))
    cancelled = await eventually(lambda: _terminal(on, order.venue_order_id))
    assert cancelled.status is OrderStatus.CANCELLED and cancelled.filled == 0
    assert not await on.client.fetch_open_orders()
    with pytest.raises(OrderNotFound):
        await on.client.cancel_order(bitcoin, ByVenueId(order.venue_order_id))


async def _terminal(on: Stage, venue_order_id: str):
    found = await on.client.fetch_order(await on.client.instrument("BTC"), ByVenueId(venue_order_id))
    return found if found.status.is_terminal else None


@needs(Capability.POST_ONLY)
async def test_an_order_is_cancelled_by_its_client_id(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.SELL)
    order = await on.trade(side=Side.SELL, price=price, time_in_force=TimeInForce.POST_ONLY)
    await on.client.cancel_order(bitcoin, ByClientId(order.client_order_id))
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
async def test_a_close_larger_than_the_position_stops_at_flat_or_is_refused_whole(on: Stage) -> None:
    await on.trade(size=0.01)
    order = await on.trade(side=Side.SELL, size=0.03, reduce_only=True)
    left = sum(position.size for position in await on.client.fetch_positions())
    assert (order.filled, left) == (
        (Decimal(0), Decimal("0.01")) if order.status is OrderStatus.REJECTED else (Decimal("0.01"), 0)
    )


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


@needs(Capability.FETCH_BY_CLIENT_ID)
async def test_an_order_is_found_by_its_client_id_also_when_done(on: Stage) -> None:
    order = await on.trade()
    found = await on.client.fetch_order(await on.client.instrument("BTC"), ByClientId(order.client_order_id))
    assert (found.venue_order_id, found.status, found.filled) == (order.venue_order_id, OrderStatus.FILLED, order.size)


async def test_an_order_nobody_sent_is_not_found(on: Stage) -> None:
    with pytest.raises(OrderNotFound):
        await on.client.fetch_order(await on.client.instrument("BTC"), ByClientId(on.client_order_id()))


async def test_a_client_id_is_never_used_twice(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.BUY)
    first = await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY)
    with pytest.raises(OrderRejected):
        await on.trade(price=price, time_in_force=TimeInForce.POST_ONLY, client_order_id=first.client_order_id)
    assert len(await on.client.fetch_open_orders()) == 1
