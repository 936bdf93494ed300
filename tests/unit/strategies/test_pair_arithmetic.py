"""Numbers of a pair, each as a table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.side import Side
from strategies.pair_arithmetic import (
    base_for_notional,
    common_lot,
    common_size,
    depth_base,
    limit_price,
    liquidation_distance,
    mid_base,
    smallest_order,
    taker_cost,
    venue_size,
)
from tests.support.direct_client import instrument
from tests.support.pairs import ETH_EAST, ETH_WEST, PEPE_EAST, book

LOTS = st.sampled_from(["0.001", "0.003", "0.01", "1", "5", "100"])


@pytest.mark.parametrize(
    ("first", "second", "lot"),
    [
        (ETH_EAST, ETH_WEST, "0.003"),
        (instrument("a", "X", "1", "0.01"), instrument("b", "X", "1", "0.015"), "0.03"),
        (PEPE_EAST, instrument("b", "PEPE", "0.0000001", "1500"), "3000"),
        (instrument("a", "X", "1", "1"), instrument("b", "X", "1", "0.1"), "1"),
    ],
)
def test_common_lot(first: Instrument, second: Instrument, lot: str) -> None:
    assert common_lot(first, second) == Decimal(lot)


@given(LOTS, LOTS, st.sampled_from([1, 1000]), st.decimals(min_value=0, max_value=100_000, places=4))
def test_a_common_size_is_whole_lots_on_both_venues(one: str, other: str, multiplier: int, wanted: Decimal) -> None:
    first, second = instrument("a", "kX", "1", one, multiplier), instrument("b", "X", "1", other)
    size = common_size(wanted, first, second)
    assert 0 <= size <= wanted
    for market in (first, second):
        assert venue_size(market, size) * market.multiplier == size


def test_notional_becomes_base_units() -> None:
    assert base_for_notional(Decimal(1000), 3000.0, ETH_EAST, ETH_WEST) == Decimal("0.333")
    assert base_for_notional(Decimal(100), 6e-6, PEPE_EAST, PEPE_EAST) == Decimal(16_666_000)


def test_prices_per_base_unit() -> None:
    assert mid_base(PEPE_EAST, book("east", mid=0.006, spread=0.0001)) == pytest.approx(6e-6)


@pytest.mark.parametrize(
    ("side", "bps", "price"), [(Side.BUY, 0, "3000.5"), (Side.BUY, 10, "3003.5"), (Side.SELL, 10, "2996.6")]
)
def test_limit_prices_stay_within_the_slippage(side: Side, bps: float, price: str) -> None:
    assert limit_price(ETH_EAST, book("east"), side, bps) == Decimal(price)


def test_smallest_orders() -> None:
    assert smallest_order(ETH_EAST, Decimal(3000)) == Decimal("0.004")
    assert smallest_order(ETH_WEST, Decimal(3000)) == Decimal("0.006")
    assert smallest_order(ETH_EAST, Decimal(1_000_000)) == Decimal("0.001")


def test_costs_and_depth() -> None:
    assert taker_cost(book("east", size=1), Side.BUY, 1) == pytest.approx(0.5 / 3000)
    assert taker_cost(book("east", size=1), Side.SELL, 2) == pytest.approx(1.0 / 3000)
    assert taker_cost(book("east", size=1), Side.SELL, 6) is None
    assert depth_base(ETH_EAST, book("east", size=2), Side.BUY, 3.4) == 4.0


@pytest.mark.parametrize(("leverage", "highest", "distance"), [(2, 20, 0.475), (5, 20, 0.175), (10, None, 0.05)])
def test_liquidation_distance(leverage: int, highest: int | None, distance: float) -> None:
    assert liquidation_distance(leverage, None if highest is None else Decimal(highest), 0.05) == pytest.approx(distance)
