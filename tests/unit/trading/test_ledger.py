"""The arithmetic of profit and loss, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.side import Side
from exchange_clients.trading.ledger import Ledger, reconcile
from tests.support.pairs import fill_of

MONEY = st.decimals(min_value="0.001", max_value="5000", places=6)


def fresh() -> Ledger:
    ledger = Ledger()
    ledger.open_pair("pair-1", ("east", "ETH"), ("west", "ETH"))
    return ledger


def test_a_round_trip() -> None:
    ledger = fresh()
    ledger.book_fill("pair-1", fill_of("a", "1", "2", "3000.1", fee="1.5"), Decimal(3000))
    ledger.book_fill("pair-1", fill_of("b", "2", "2", "3009.9", Side.SELL, fee="1.6"), Decimal(3010))
    ledger.book_funding(
        "pair-1",
        FundingPayment(
            venue="east", symbol="ETH", payment_id="p", amount=Decimal("0.25"), rate=None, position_size=None, paid_at_ms=5
        ),
    )
    leg = ledger.pairs["pair-1"].long
    assert (leg.position, leg.price, leg.fees, leg.funding) == (0, Decimal("19.6"), Decimal("3.1"), Decimal("0.25"))
    assert leg.slippage == Decimal("0.4")
    assert leg.net == Decimal("16.75")
    assert ledger.venue_net("east", ["pair-1"]) == Decimal("16.75")
    assert ledger.venue_net("west", ["pair-1"]) == 0


def test_open_positions_are_valued_at_a_mark() -> None:
    ledger = fresh()
    ledger.book_fill("pair-1", fill_of("a", "1", "2", "3000"), None)
    leg = ledger.pairs["pair-1"].long
    assert leg.price_at(Decimal(3005)) == 10
    assert leg.slippage is None
    assert ledger.pairs["pair-1"].slippage is None


def test_a_market_that_is_no_leg_is_refused() -> None:
    with pytest.raises(KeyError, match="no leg on north"):
        fresh().book_fill("pair-1", fill_of("a", "1", "1", venue="north"), None)


def test_reconcile_finds_a_missing_cent() -> None:
    assert reconcile(Decimal(100), Decimal("116.75"), Decimal("16.75")) == 0
    assert reconcile(Decimal(100), Decimal("116.76"), Decimal("16.75")) == Decimal("0.01")


@given(st.lists(st.tuples(st.sampled_from(list(Side)), MONEY, MONEY, MONEY), min_size=1, max_size=20))
def test_cash_is_exact(trades: list[tuple[Side, Decimal, Decimal, Decimal]]) -> None:
    ledger, cash, position = fresh(), Decimal(0), Decimal(0)
    for number, (side, size, price, fee) in enumerate(trades):
        ledger.book_fill("pair-1", fill_of("a", str(number), str(size), str(price), side, str(fee)), None)
        cash -= side.sign * size * price + fee
        position += side.sign * size
    leg = ledger.pairs["pair-1"].long
    assert (leg.net, leg.position) == (cash, position)
