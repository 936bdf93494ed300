"""A fill on the other side than its order is not believed."""

from decimal import Decimal

import pytest

from exchange_clients.domain import Fill, Liquidity, Order, OrderStatus, Side
from exchange_clients.engine import order_sides
from exchange_clients.engine.order_sides import OrderSides
from exchange_clients.errors import ProtocolViolation


def order(number: str, side: Side) -> Order:
    money = {"size": Decimal(1), "filled": Decimal(0), "price": Decimal(9), "average_price": None}
    names = {"venue": "v", "symbol": "BTC", "venue_order_id": number, "client_order_id": None}
    return Order(**names, **money, side=side, status=OrderStatus.OPEN, reduce_only=False, reason="", updated_ms=1)


def fill(number: str, side: Side) -> Fill:
    names = {"venue": "v", "symbol": "BTC", "fill_id": "1", "venue_order_id": number, "client_order_id": None}
    money = {"size": Decimal(1), "price": Decimal(9), "fee": Decimal(0), "fee_asset": "USDC"}
    return Fill(**names, **money, side=side, liquidity=Liquidity.MAKER, time_ms=1)


def test_a_fill_must_be_on_its_orders_side() -> None:
    sides = OrderSides("v")
    assert sides.seen(order("7", Side.BUY)).venue_order_id == "7"
    assert sides.knows("7") and not sides.knows("8")
    assert sides.checked(fill("7", Side.BUY)).side is Side.BUY
    assert sides.checked(fill("8", Side.SELL)).side is Side.SELL
    with pytest.raises(ProtocolViolation, match="its order 7"):
        sides.checked(fill("7", Side.SELL))


def test_the_oldest_orders_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_sides, "REMEMBERED_MAX", 2)
    sides = OrderSides("v")
    for number in ("1", "2", "3"):
        sides.seen(order(number, Side.BUY))
    assert [sides.knows(number) for number in ("1", "2", "3")] == [False, True, True]
