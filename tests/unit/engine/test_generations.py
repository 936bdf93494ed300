"""An order that is amended by replacement stays one order: sizes and fills are counted over its generations."""

from decimal import Decimal

import pytest

from exchange_clients.domain.orders import Order, OrderStatus
from exchange_clients.domain.side import Side
from exchange_clients.engine import generations
from exchange_clients.engine.generations import Generations


def order(number: str, size: int, filled: int, status: OrderStatus = OrderStatus.OPEN) -> Order:
    return Order(
        venue="venue",
        symbol="BTC",
        venue_order_id=number,
        client_order_id=None,
        side=Side.BUY,
        size=Decimal(size),
        filled=Decimal(filled),
        price=Decimal(1),
        average_price=Decimal(1) if filled else None,
        status=status,
        reduce_only=False,
        reason="",
        updated_ms=1,
    )


def test_three_generations_are_one_order() -> None:
    known = Generations()
    known.replaced(known.whole(order("1", 10, 4)), "2")
    second = known.whole(order("2", 6, 1))
    assert (second.size, second.filled, second.remaining, second.average_price) == (10, 5, 5, None)
    known.replaced(second, "3")
    third = known.whole(order("3", 5, 0))
    assert (third.size, third.filled) == (10, 5) and known.whole(order("9", 3, 1)).filled == 1


def test_what_filled_on_the_way_to_a_replacement_counts_once_it_is_told() -> None:
    known = Generations()
    known.replaced(order("1", 10, 4), "2")
    assert known.whole(order("2", 6, 0)).filled == 4 and known.unsettled("2") == ["1"]
    known.whole(order("1", 10, 5, OrderStatus.CANCELLED))
    second = known.whole(order("2", 6, 0))
    assert (second.filled, second.size, known.unsettled("2")) == (5, 11, [])
    known.whole(order("1", 10, 3, OrderStatus.CANCELLED))
    assert known.before("2") == 5, "an older word does not take a fill back"


def test_a_list_tells_a_newcomer_of_all_generations() -> None:
    known = Generations()
    assert not known.knows("30")
    known.followed([order("30", 5, 0), order("10", 10, 4, OrderStatus.CANCELLED), order("20", 6, 1, OrderStatus.CANCELLED)])
    assert known.knows("30") and known.before("30") == 5 and known.before("20") == 4 and known.knows("10")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "REMEMBERED_MAX", 3)
    known = Generations()
    for number in range(10):
        known.followed([order(str(100 + number), 1, 0)])
        known.replaced(known.whole(order(str(number), 10, 1)), str(number + 1))
    assert known.before("10") == 3 and not known.knows("100") and known.knows("109")


def test_the_end_of_an_earlier_generation_is_not_the_orders_end() -> None:
    """Told before the answer to the amendment, while it is under way, or long after."""
    known = Generations()
    first = order("1", 10, 4)
    with known.replacing(first):
        assert known.now(order("1", 10, 4, OrderStatus.CANCELLED)) is None
        assert known.now(order("1", 10, 5)) is not None, "that it fills is news while it stands"
        known.replaced(first, "2")
    assert known.now(order("1", 10, 4, OrderStatus.CANCELLED)) is None
    ended = known.now(order("2", 6, 0, OrderStatus.CANCELLED))
    assert ended is not None and (ended.size, ended.filled, ended.status) == (10, 4, OrderStatus.CANCELLED)


def test_an_amendment_that_was_refused_replaces_nothing() -> None:
    known = Generations()
    with pytest.raises(ValueError, match="no"), known.replacing(order("1", 10, 4)):
        raise ValueError("no")
    assert known.now(order("1", 10, 4, OrderStatus.CANCELLED)) is not None
