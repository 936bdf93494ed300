"""Every pair of state and fact, and the stories behind the awkward ones."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import msgspec
import pytest

from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.side import Side
from exchange_clients.trading.order_tracker import (
    TRANSITIONS,
    Fact,
    ImpossibleTransition,
    OrderState,
    OrderTracker,
    TrackedOrder,
)
from tests.support.pairs import fill_of, order_of, place

REACHABLE = [state for state in OrderState if state is not OrderState.CREATED]


def in_state(tracker: OrderTracker, state: OrderState, executed: Decimal = Decimal(0)) -> TrackedOrder:
    order = tracker.sent(place("one", Side.BUY, "2"), 1000)
    forced = msgspec.structs.replace(order, state=state, executed=executed)
    tracker.orders["one"] = forced
    return forced


def tell(tracker: OrderTracker, fact: Fact) -> TrackedOrder | None:
    said = {
        Fact.SAID_PENDING: OrderStatus.PENDING,
        Fact.SAID_OPEN: OrderStatus.OPEN,
        Fact.SAID_FILLED: OrderStatus.FILLED,
        Fact.SAID_CANCELLED: OrderStatus.CANCELLED,
        Fact.SAID_REJECTED: OrderStatus.REJECTED,
    }
    match fact:
        case Fact.SENT:
            return tracker.sent(place("one", Side.BUY, "2"), 2000)
        case Fact.UNKNOWN:
            return tracker.unknown("one", "no reply", 2000)
        case Fact.REFUSED:
            return tracker.refused("one", "no", 2000)
        case Fact.FILL_PART:
            return tracker.fill(fill_of("one", "f", "1"), 2000)
        case Fact.FILL_ALL:
            return tracker.fill(fill_of("one", "f", "2"), 2000)
        case Fact.GONE:
            for at_ms in (2000, 8000, 20_000):
                last = tracker.missing("one", True, at_ms)
            return last
        case _:
            return tracker.report(order_of("one", said[fact]), 2000)[0]


@pytest.mark.parametrize(("state", "fact"), list(product(REACHABLE, Fact)))
def test_every_pair(state: OrderState, fact: Fact) -> None:
    tracker = OrderTracker()
    in_state(tracker, state)
    wanted = TRANSITIONS.get((state, fact))
    if fact is Fact.GONE and (state.is_done or state is OrderState.SENT):
        assert tell(tracker, fact) is not None
        assert tracker.orders["one"].state is state  # absence says nothing about an order that is done or still being sent
    elif wanted is None:
        with pytest.raises(ImpossibleTransition):
            tell(tracker, fact)
    else:
        learnt = tell(tracker, fact)
        assert learnt is not None
        assert learnt.state is wanted


def test_the_table_holds_every_pair_that_can_happen() -> None:
    forbidden = {pair for pair in product(REACHABLE, Fact) if pair not in TRANSITIONS}
    assert forbidden == {(state, Fact.SENT) for state in REACHABLE} | {(OrderState.SENT, Fact.GONE)}


def test_filled_never_falls_and_is_the_larger_of_both_stories() -> None:
    tracker = OrderTracker()
    tracker.sent(place("one", Side.BUY, "2"), 0)
    assert tracker.report(order_of("one", OrderStatus.OPEN, "1.5"), 1)[0].filled == Decimal("1.5")  # type: ignore[union-attr]
    assert tracker.fill(fill_of("one", "a", "1"), 2).filled == Decimal("1.5")  # type: ignore[union-attr]
    assert tracker.report(order_of("one", OrderStatus.OPEN, "0.5"), 3)[0].filled == Decimal("1.5")  # type: ignore[union-attr]
    assert tracker.fill(fill_of("one", "b", "1"), 4).filled == Decimal(2)  # type: ignore[union-attr]
    assert tracker.orders["one"].state is OrderState.FILLED


def test_a_fill_told_twice_counts_once() -> None:
    tracker = OrderTracker()
    tracker.sent(place("one", Side.BUY, "2"), 0)
    assert tracker.fill(fill_of("one", "a", "1"), 1) is not None
    assert tracker.fill(fill_of("one", "a", "1"), 2) is None
    assert tracker.orders["one"].executed == 1


def test_a_fill_after_a_lost_reply_proves_arrival() -> None:
    tracker = OrderTracker()
    tracker.sent(place("one", Side.BUY, "2"), 0)
    tracker.unknown("one", "reply lost", 1)
    assert tracker.fill(fill_of("one", "a", "2"), 2).state is OrderState.FILLED  # type: ignore[union-attr]


def test_an_anonymous_fill_before_the_reply_waits_for_its_order() -> None:
    tracker = OrderTracker()
    tracker.sent(place("one", Side.BUY, "2"), 0)
    assert tracker.fill(fill_of(None, "a", "2"), 1) is None
    assert tracker.foreign() == ()
    order, found = tracker.report(order_of("one", OrderStatus.FILLED, "2"), 2)
    assert order is not None
    assert order.executed == 2
    assert [f.fill_id for f in found] == ["a"]


def test_the_venues_id_decides_whose_a_fill_is_once_it_is_known() -> None:
    """Names need not be unique on a venue: a fill of our first order that carries the second's name is the first's."""
    tracker = OrderTracker()
    for name in ("one", "two"):
        tracker.sent(place(name, Side.BUY, "2"), 0)
        tracker.report(order_of(name, OrderStatus.OPEN), 1)
    told = tracker.fill(fill_of("two", "a", "1", venue_order_id="v-one"), 2)
    assert told is not None and told.client_order_id == "one"
    assert (tracker.orders["one"].executed, tracker.orders["two"].executed) == (1, 0)


def test_a_fill_that_no_order_of_ours_can_explain_is_foreign() -> None:
    tracker = OrderTracker()
    tracker.fill(fill_of(None, "liquidated", "1"), 1)
    assert [f.fill_id for f in tracker.foreign()] == ["liquidated"]
    assert tracker.foreign() == ()


@pytest.mark.parametrize(
    ("readings", "gone"),
    [
        ([(0, True), (20_000, True)], False),
        ([(0, True), (1, True), (2, True), (3, True)], False),
        ([(0, True), (5000, True), (10_000, True)], True),
        ([(0, True), (5000, False), (10_000, True)], False),
        ([(0, True), (5000, False), (6000, True), (8000, True), (16_000, True)], True),
    ],
)
def test_absence_must_last(readings: list[tuple[int, bool]], gone: bool) -> None:
    tracker = OrderTracker(gone_after_ms=10_000, gone_readings=3)
    tracker.sent(place("one", Side.BUY, "2"), 0)
    tracker.unknown("one", "reply lost", 0)
    for at_ms, fits in readings:
        tracker.missing("one", fits, at_ms)
    assert tracker.orders["one"].state is (OrderState.NEVER_ARRIVED if gone else OrderState.UNCONFIRMED)


def test_an_order_given_up_comes_back_with_its_fill() -> None:
    tracker = OrderTracker()
    in_state(tracker, OrderState.NEVER_ARRIVED)
    back = tracker.fill(fill_of("one", "late", "2"), 5)
    assert back is not None
    assert (back.state, back.filled) == (OrderState.FILLED, 2)


def test_the_same_name_is_never_sent_twice() -> None:
    tracker = OrderTracker()
    tracker.sent(place("one", Side.BUY, "2"), 0)
    with pytest.raises(ImpossibleTransition, match="sent before"):
        tracker.sent(place("one", Side.BUY, "2"), 1)
