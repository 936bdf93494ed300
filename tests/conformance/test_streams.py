"""What every venue's client promises of streams."""

from __future__ import annotations

import asyncio

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.account import Balance
from exchange_clients.domain.events import AccountEvent, BookEvent, Connected, FillEvent, OrderEvent
from exchange_clients.domain.orders import OrderStatus
from tests.support.stage import Stage, collect

needs = pytest.mark.needs


@needs(Capability.STREAM_BOOK)
async def test_the_streamed_book_is_the_venues_book(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    events = await collect(on.client.stream_book(bitcoin, depth=10), lambda e: sum(isinstance(x, BookEvent) for x in e) >= 4)
    assert isinstance(events[0], Connected)
    books = [e.book for e in events if isinstance(e, BookEvent)]
    for book in books:
        assert not book.is_crossed() and 0 < len(book.bids) <= 10 and 0 < len(book.asks) <= 10
        assert [lv.price for lv in book.bids] == sorted((lv.price for lv in book.bids), reverse=True)


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


@needs(Capability.STREAM_ACCOUNT)
async def test_the_streamed_balance_is_the_accounts(on: Stage) -> None:
    """Wallet, equity and what is available, each in its own place: with a position open the three lie far apart."""
    account = on.client.stream_account()
    reading = asyncio.create_task(collect(account, lambda e: any(_tells_of_a_fill(on, x) for x in e)))
    await asyncio.sleep(0.3)
    await on.trade(size=0.1)
    on.clock.jump(600_000)
    balances = [e.balance for e in await reading if isinstance(e, AccountEvent) and e.balance is not None]
    last: Balance = balances[-1]
    assert last.venue == on.spec.name and last.wallet == on.exchange.wallet(on.account)
    assert abs(last.equity - on.exchange.equity(on.account)) < 5
    assert abs(last.available - on.exchange.available(on.account)) < 5
    assert last.equity - last.available > 100, "the margin of the position is bound"


def _tells_of_a_fill(on: Stage, event: object) -> bool:
    if not isinstance(event, AccountEvent) or event.balance is None or not on.exchange.positions(on.account):
        return False
    return event.balance.wallet == on.exchange.wallet(on.account)
