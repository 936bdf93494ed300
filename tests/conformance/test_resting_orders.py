"""What every venue's client promises of orders that stay: they fill in part, are amended, replaced and cancelled."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.events import OrderEvent
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByClientId, Order, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import OrderNotFound, OrderRejected
from tests.support.stage import Stage, eventually

needs = pytest.mark.needs


async def _resting(on: Stage, kind: TimeInForce = TimeInForce.GTC, **changes) -> tuple[Instrument, Order]:
    bitcoin = await on.client.instrument("BTC")
    changes.setdefault("price", await on.resting_price(bitcoin, changes.get("side", Side.BUY)))
    return bitcoin, await on.trade(time_in_force=kind, **changes)


async def _partly_filled(on: Stage) -> tuple[Instrument, Order]:
    """An order that took what the best level had; the rest of it is the best bid now."""
    bitcoin = await on.client.instrument("BTC")
    ask = (await on.client.fetch_order_book(bitcoin)).asks[0]
    price = bitcoin.round_price(ask.price, Side.BUY)
    order = await on.trade(size=ask.size + 0.05, price=price, time_in_force=TimeInForce.GTC)
    assert order.status is OrderStatus.OPEN and 0 < order.filled < order.size and order.price == price
    return bitcoin, order


def _still_to_trade(on: Stage) -> Decimal:
    """By the venue's own books: what was bought and what would still be."""
    bought = sum((fill.size for fill in on.exchange.fills(on.account)), Decimal(0))
    return bought + sum((order.remaining for order in on.exchange.orders(on.account)), Decimal(0))


async def test_a_limit_order_away_from_the_market_rests_until_it_is_cancelled(on: Stage) -> None:
    bitcoin, order = await _resting(on)
    assert order.status is OrderStatus.OPEN and order.filled == 0
    assert order.time_in_force in (TimeInForce.GTC, None)
    (resting,) = await on.client.fetch_open_orders(bitcoin)
    assert (resting.venue_order_id, resting.client_order_id, resting.price, resting.remaining) == (
        order.venue_order_id,
        order.client_order_id,
        order.price,
        order.size,
    )
    await on.client.cancel_order(bitcoin, order.ref)
    ended = await eventually(lambda: _ended(on, bitcoin, order))
    assert ended.status is OrderStatus.CANCELLED and ended.filled == 0
    assert not await on.client.fetch_open_orders() and not await on.client.fetch_fills()


async def _ended(on: Stage, instrument: Instrument, order: Order) -> Order | None:
    found = await on.client.fetch_order(instrument, order.ref)
    return found if found.status.is_terminal else None


async def test_a_limit_order_through_the_market_fills_like_any_other(on: Stage) -> None:
    order = await on.trade(time_in_force=TimeInForce.GTC)
    assert order.status is OrderStatus.FILLED and order.filled == order.size
    assert sum(fill.size for fill in await on.client.fetch_fills()) == order.size


async def test_what_filled_of_a_cancelled_order_stays_filled(on: Stage) -> None:
    bitcoin, order = await _partly_filled(on)
    await on.client.cancel_order(bitcoin, order.ref)
    ended = await eventually(lambda: _ended(on, bitcoin, order))
    bought = sum(fill.size for fill in await on.client.fetch_fills())
    assert ended.status is OrderStatus.CANCELLED and ended.size == order.size and ended.filled == bought
    (position,) = await on.client.fetch_positions()
    assert position.size == bought


@needs(Capability.AMEND)
async def test_an_order_amended_after_a_part_fill_never_buys_more_than_its_total(on: Stage) -> None:
    bitcoin, order = await _partly_filled(on)
    before, total = order.filled, order.size + bitcoin.round_size(0.02)
    away = await on.resting_price(bitcoin, Side.BUY)
    amended = await on.client.amend_order(order, bitcoin, price=away, size=total)
    assert (amended.size, amended.filled, amended.price) == (total, before, away)
    await eventually(lambda: _rests_at(on, away))
    assert _still_to_trade(on) == total, "what had filled is part of the total"
    less = before + bitcoin.round_size(0.01)
    again = await on.client.amend_order(amended, bitcoin, price=away, size=less)
    await eventually(lambda: _still_to_trade(on) == less)
    assert again.size == less
    await on.client.cancel_order(bitcoin, again.ref)
    await eventually(lambda: _none_open(on))


@needs(Capability.AMEND, Capability.STREAM_ORDERS)
async def test_an_amended_order_is_one_order_whatever_the_venue_makes_of_it(on: Stage) -> None:
    """Asked for by either id, listed or streamed: size and fills count in all, and no end of an earlier generation is its end."""
    bitcoin, order = await _partly_filled(on)
    async with on.client.stream_orders() as events:
        await anext(events)
        away = await on.resting_price(bitcoin, Side.BUY)
        amended = await on.client.amend_order(order, bitcoin, price=away, size=order.size)
        await eventually(lambda: _rests_at(on, away))
        (listed,) = await on.client.fetch_open_orders(bitcoin)
        found = [listed, await on.client.fetch_order(bitcoin, amended.ref)]
        if Capability.FETCH_BY_CLIENT_ID in on.client.capabilities:
            found.append(await on.client.fetch_order(bitcoin, ByClientId(order.client_order_id)))
        for seen in found:
            assert (seen.size, seen.filled, seen.status) == (order.size, order.filled, OrderStatus.OPEN)
        await on.client.cancel_order(bitcoin, amended.ref)
        told = []
        while not told or not told[-1].status.is_terminal:
            event = await asyncio.wait_for(anext(events), 30)
            if isinstance(event, OrderEvent):
                told.append(event.order)
    assert [o.venue_order_id for o in told if o.status.is_terminal] == [amended.venue_order_id]
    assert (told[-1].size, told[-1].filled, told[-1].status) == (order.size, order.filled, OrderStatus.CANCELLED)


def _rests_at(on: Stage, price: Decimal) -> bool:
    return any(order.price == price for order in on.exchange.orders(on.account))


async def _none_open(on: Stage) -> bool:
    return not await on.client.fetch_open_orders()


@needs(Capability.AMEND)
async def test_an_amended_limit_order_stays_one_or_says_what_it_became(on: Stage) -> None:
    """Moved through the market it fills, as a limit order does. Where a venue makes it post-only, the order says so."""
    bitcoin, order = await _resting(on)
    through = (await on.request()).price
    assert through is not None
    amended = await on.client.amend_order(order, bitcoin, price=through, size=order.size)
    ended = await eventually(lambda: _ended(on, bitcoin, amended))
    if ended.status is OrderStatus.FILLED:
        assert sum(fill.size for fill in await on.client.fetch_fills()) == order.size
        assert amended.time_in_force in (TimeInForce.GTC, None)
    else:
        assert amended.time_in_force is TimeInForce.POST_ONLY and not on.exchange.fills(on.account)


@needs(Capability.AMEND, Capability.POST_ONLY)
async def test_an_amended_post_only_order_stays_post_only(on: Stage) -> None:
    """Moved through the market it is refused or ends; it never takes."""
    bitcoin, order = await _resting(on, TimeInForce.POST_ONLY)
    through = (await on.request()).price
    assert through is not None
    try:
        amended = await on.client.amend_order(order, bitcoin, price=through, size=order.size)
        await eventually(lambda: _decided(on, bitcoin, amended))
    except OrderRejected:
        pass
    assert not on.exchange.fills(on.account), "a post-only order took liquidity"


async def _decided(on: Stage, instrument: Instrument, order: Order) -> bool:
    return (await on.client.fetch_order(instrument, order.ref)).status is not OrderStatus.PENDING


@needs(Capability.AMEND)
async def test_an_order_that_was_replaced_is_cancelled_by_its_newest_name(on: Stage) -> None:
    bitcoin, order = await _resting(on)
    price = await on.resting_price(bitcoin, Side.BUY, away=0.03)
    amended = await on.client.amend_order(order, bitcoin, price=price, size=order.size)
    await eventually(lambda: _rests_at(on, price))
    if amended.venue_order_id != order.venue_order_id:
        with pytest.raises(OrderNotFound):
            await on.client.cancel_order(bitcoin, order.ref)
        assert len(await on.client.fetch_open_orders(bitcoin)) == 1, "the order that took its place is another one"
    await on.client.cancel_order(bitcoin, amended.ref)
    await eventually(lambda: _none_open(on))


@needs(Capability.AMEND)
async def test_an_order_that_is_gone_can_not_be_amended(on: Stage) -> None:
    bitcoin, order = await _resting(on)
    await on.client.cancel_order(bitcoin, order.ref)
    await eventually(lambda: _none_open(on))
    assert order.price is not None
    with pytest.raises((OrderNotFound, OrderRejected)):
        await on.client.amend_order(order, bitcoin, price=order.price, size=order.size)
    assert not await on.client.fetch_open_orders()
