"""Orders meet books: priority, time in force, reduce-only, refusals, amendments."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import pytest

from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.exchange import BookChanged, Filled, OrderChanged, Rejected, RejectReason, SandboxOrder

SYMBOL = "ABC-PERP"
GTC, IOC, POST_ONLY = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.POST_ONLY


def place(
    world: Any, account: str, side: Side, size: str, price: str | None, tif: TimeInForce = GTC, **more: Any
) -> SandboxOrder:
    limit = None if price is None else D(price)
    reduce_only, client_order_id = more.get("reduce_only", False), more.get("client_order_id")
    placed: SandboxOrder = world.exchange.place(account, SYMBOL, side, D(size), limit, tif, reduce_only, client_order_id)
    return placed


def refusal(world: Any, *order: Any, **more: Any) -> RejectReason:
    with pytest.raises(Rejected) as caught:
        place(world, *order, **more)
    return caught.value.reason


def test_the_book_stands_around_the_mark_on_the_grid(world: Any) -> None:
    bids, asks, _ = world.exchange.book(SYMBOL, 50)
    assert len(bids) >= 20 and len(asks) >= 20
    assert [price for price, _ in bids] == sorted((price for price, _ in bids), reverse=True)
    assert bids[0][0] < 100 < asks[0][0]
    assert (asks[0][0] - bids[0][0]) / 100 < D("0.0006")
    assert all(price % D("0.01") == 0 and size % D("0.01") == 0 and size > 0 for price, size in bids + asks)
    assert sum(price * size for price, size in asks[:5]) > 20_000


def test_better_prices_first_then_older_orders(world: Any) -> None:
    ask = world.exchange.book(SYMBOL, 1)[1][0][0]
    inside = str(ask - D("0.01"))  # nobody else sells this low
    second = place(world, "bob", Side.SELL, "1", inside, POST_ONLY)
    world.exchange.open_account("eve", D(10_000))
    third = place(world, "eve", Side.SELL, "1", inside, POST_ONLY)
    taker = place(world, "ann", Side.BUY, "1.5", inside, IOC)
    assert taker.status is OrderStatus.FILLED and taker.average_price == D(inside)
    assert world.exchange.order("bob", order_id=second.order_id).status is OrderStatus.FILLED
    left = world.exchange.order("eve", order_id=third.order_id)
    assert (left.status, left.filled) == (OrderStatus.OPEN, D("0.5"))
    [fill] = world.exchange.fills("bob")
    assert (fill.liquidity, fill.fee) == (Liquidity.MAKER, (D(inside) * D("0.0001")).quantize(D("0.000001")))


def test_a_market_order_walks_the_book(world: Any) -> None:
    asks = world.exchange.book(SYMBOL, 3)[1]
    size = asks[0][1] + asks[1][1]
    placed = place(world, "ann", Side.BUY, str(size), None)
    assert placed.status is OrderStatus.FILLED
    assert placed.cost == asks[0][0] * asks[0][1] + asks[1][0] * asks[1][1]
    assert world.exchange.book(SYMBOL, 1)[1][0] == asks[2]


def test_a_resting_order_fills_as_maker_when_the_market_moves_through_it(world: Any) -> None:
    resting = place(world, "ann", Side.BUY, "2", "99", POST_ONLY)
    world.move(1)
    assert world.exchange.order("ann", order_id=resting.order_id).filled == 0
    world.move(1, mark="98.5")
    done = world.exchange.order("ann", order_id=resting.order_id)
    assert (done.status, done.average_price) == (OrderStatus.FILLED, 99)
    assert [fill.liquidity for fill in world.exchange.fills("ann")] == [Liquidity.MAKER]
    bids, asks, _ = world.exchange.book(SYMBOL, 1)
    assert bids[0][0] < asks[0][0]


def test_what_may_not_rest_ends(world: Any) -> None:
    nothing = place(world, "ann", Side.BUY, "1", "90", IOC)
    assert (nothing.status, nothing.reason) == (OrderStatus.CANCELLED, RejectReason.NO_LIQUIDITY)
    ask, size = world.exchange.book(SYMBOL, 1)[1][0]
    partly = place(world, "ann", Side.BUY, str(size + 1), str(ask), IOC)
    assert (partly.status, partly.filled, partly.reason) == (OrderStatus.CANCELLED, size, "")


def test_malformed_and_forbidden_orders_are_refused_and_leave_nothing(world: Any) -> None:
    ask = str(world.exchange.book(SYMBOL, 1)[1][0][0])
    assert refusal(world, "ann", Side.BUY, "0", "99") is RejectReason.ZERO_SIZE
    assert refusal(world, "ann", Side.BUY, "1.001", "99") is RejectReason.BAD_LOT
    assert refusal(world, "ann", Side.BUY, "1", "99.001") is RejectReason.BAD_TICK
    assert refusal(world, "ann", Side.BUY, "1", "0.001") is RejectReason.BAD_TICK
    assert refusal(world, "ann", Side.BUY, "0.05", "99") is RejectReason.BELOW_MINIMUM_NOTIONAL
    assert refusal(world, "ann", Side.BUY, "1", "19") is RejectReason.PRICE_OUT_OF_BAND
    assert refusal(world, "ann", Side.SELL, "1", "181") is RejectReason.PRICE_OUT_OF_BAND
    assert refusal(world, "ann", Side.BUY, "1", ask, POST_ONLY) is RejectReason.WOULD_CROSS
    assert refusal(world, "ann", Side.SELL, "1", None, reduce_only=True) is RejectReason.REDUCE_ONLY
    assert refusal(world, "ann", Side.BUY, "2100", "99") is RejectReason.INSUFFICIENT_MARGIN
    assert world.exchange.orders("ann", open_only=False) == []
    with pytest.raises(Rejected) as caught:
        world.exchange.place("ann", "XYZ", Side.BUY, D(1), None, IOC, False, None)
    assert caught.value.reason is RejectReason.UNKNOWN_MARKET


def test_open_orders_bind_margin(world: Any) -> None:
    place(world, "ann", Side.BUY, "1500", "99")
    assert world.exchange.initial_margin("ann") == D(7500)
    assert refusal(world, "ann", Side.BUY, "600", "99") is RejectReason.INSUFFICIENT_MARGIN
    assert place(world, "ann", Side.SELL, "600", "101").status is OrderStatus.OPEN  # the other way binds nothing more


def test_client_ids_are_used_once(world: Any) -> None:
    first = place(world, "ann", Side.BUY, "1", "99", client_order_id="one")
    assert refusal(world, "ann", Side.BUY, "1", "99", client_order_id="one") is RejectReason.DUPLICATE_CLIENT_ID
    world.exchange.cancel("ann", client_order_id="one")
    assert refusal(world, "ann", Side.BUY, "1", "99", client_order_id="one") is RejectReason.DUPLICATE_CLIENT_ID
    assert place(world, "bob", Side.BUY, "1", "99", client_order_id="one").status is OrderStatus.OPEN
    assert world.exchange.order("ann", client_order_id="one").order_id == first.order_id
    with pytest.raises(Rejected) as caught:
        world.exchange.cancel("ann", client_order_id="one")
    assert caught.value.reason is RejectReason.UNKNOWN_ORDER


def test_reduce_only_never_opens(world: Any) -> None:
    place(world, "ann", Side.BUY, "2", None)
    assert refusal(world, "ann", Side.BUY, "1", None, reduce_only=True) is RejectReason.REDUCE_ONLY
    resting = place(world, "ann", Side.SELL, "2", "105", POST_ONLY, reduce_only=True)
    closing = place(world, "ann", Side.SELL, "5", None, reduce_only=True)
    assert (closing.status, closing.filled) == (OrderStatus.CANCELLED, 2)
    assert world.exchange.positions("ann") == {}
    dropped = world.exchange.order("ann", order_id=resting.order_id)
    assert (dropped.status, dropped.reason) == (OrderStatus.CANCELLED, RejectReason.REDUCE_ONLY)


def test_a_resting_reducer_is_clipped_when_it_matches(world: Any) -> None:
    place(world, "ann", Side.BUY, "2", None)
    resting = place(world, "ann", Side.SELL, "3", "101", GTC, reduce_only=True)
    world.move(1, mark="102")
    done = world.exchange.order("ann", order_id=resting.order_id)
    assert (done.status, done.filled) == (OrderStatus.CANCELLED, 2)
    assert world.exchange.positions("ann") == {}


def test_an_account_does_not_trade_with_itself(world: Any) -> None:
    ask = world.exchange.book(SYMBOL, 1)[1][0][0]
    own = place(world, "ann", Side.SELL, "1", str(ask - D("0.01")))
    place(world, "ann", Side.BUY, "1", str(ask))
    assert world.exchange.order("ann", order_id=own.order_id).status is OrderStatus.CANCELLED
    assert world.exchange.positions("ann")[SYMBOL].size == 1


def test_amending_replaces_under_a_new_id_and_keeps_what_filled(world: Any) -> None:
    ask, size = world.exchange.book(SYMBOL, 1)[1][0]
    old = place(world, "ann", Side.BUY, str(size + 5), str(ask), client_order_id="mine")
    assert (old.status, old.filled) == (OrderStatus.OPEN, size)
    new = world.exchange.amend("ann", old.order_id, D("99.50"), size + 2)
    assert new.order_id != old.order_id and (new.filled, new.remaining, new.status) == (size, 2, OrderStatus.OPEN)
    assert world.exchange.order("ann", client_order_id="mine") == new
    assert [order.order_id for order in world.exchange.orders("ann")] == [new.order_id]
    with pytest.raises(Rejected):
        world.exchange.amend("ann", new.order_id, D("99.50"), size)
    with pytest.raises(Rejected):
        world.exchange.amend("ann", new.order_id, D("99.50"), D(5000))
    assert world.exchange.orders("ann") == [new]
    assert any(price == D("99.50") and size >= 2 for price, size in world.exchange.book(SYMBOL, 60)[0])


def test_a_venue_that_decides_later_answers_pending(make_world: Callable[..., Any]) -> None:
    world = make_world(decide_later=True)
    ask = str(world.exchange.book(SYMBOL, 1)[1][0][0])
    good, bad = place(world, "ann", Side.BUY, "1", "99"), place(world, "ann", Side.BUY, "1", ask, POST_ONLY)
    assert good.status is bad.status is OrderStatus.PENDING
    assert refusal(world, "ann", Side.BUY, "1", "99.001") is RejectReason.BAD_TICK
    world.exchange.flush()
    assert world.exchange.order("ann", order_id=good.order_id).status is OrderStatus.OPEN
    ended = world.exchange.order("ann", order_id=bad.order_id)
    assert (ended.status, ended.reason) == (OrderStatus.REJECTED, RejectReason.WOULD_CROSS)
    waiting = place(world, "ann", Side.BUY, "1", "98")
    assert world.exchange.cancel("ann", order_id=waiting.order_id).status is OrderStatus.CANCELLED
    assert [event.order.status for event in world.of(OrderChanged)][-1] is OrderStatus.CANCELLED


def test_watched_books_move_and_sequences_count_every_change(world: Any) -> None:
    world.exchange.watch(SYMBOL)
    _, _, first = world.exchange.book(SYMBOL, 5)
    world.events.clear()
    for _ in range(4):
        world.move(0.25)
    assert len(world.of(BookChanged)) == 2
    assert world.exchange.book(SYMBOL, 5)[2] == first + 2
    world.exchange.unwatch(SYMBOL)
    world.events.clear()
    world.move(5)
    assert world.events == []
    assert world.exchange.book(SYMBOL, 5)[2] == first + 3  # made on demand


def test_events_tell_a_story_in_order(world: Any) -> None:
    world.events.clear()
    place(world, "ann", Side.BUY, "1", None)
    kinds = [type(event).__name__ for event in world.events if not isinstance(event, BookChanged)]
    assert kinds[-3:] == ["Filled", "OrderChanged", "AccountChanged"]
    [filled] = world.of(Filled)
    assert filled.fill.position_before == 0 and filled.fill.order_remaining == 0
    assert world.exchange.trades(SYMBOL, 1)[0].price == filled.fill.price


def test_the_same_seed_gives_the_same_world(make_world: Callable[..., Any]) -> None:
    stories = []
    for _ in range(2):
        world = make_world()
        world.exchange.watch(SYMBOL)
        place(world, "ann", Side.BUY, "50", "100.05")
        for step in range(20):
            world.move(1, mark=str(100 + step % 3))
        stories.append((world.events, world.exchange.book(SYMBOL, 30), world.exchange.trades(SYMBOL, 100)))
    assert stories[0] == stories[1]
