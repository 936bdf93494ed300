"""NaN and infinities are no money and no prices: values that hold one can't be built, whoever builds them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from exchange_clients.domain.account import Balance, Position
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.market import Level, MarketStats
from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.provenance import Provenance
from tests.support.pairs import fill_of, order_of

NO_NUMBERS = [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("1e400")]

VALUES = {
    "a fill": (fill_of("a", "1", "1"), ("size", "price", "fee")),
    "an order": (order_of("a", OrderStatus.OPEN), ("size", "filled", "price", "average_price")),
    "a balance": (
        Balance(venue="v", asset="USD", wallet=Decimal(1), equity=Decimal(1), available=Decimal(1), updated_ms=0),
        ("wallet", "equity", "available"),
    ),
    "a position": (
        Position(
            venue="v", symbol="ETH", size=Decimal(1), entry_price=None, unrealised_pnl=None, liquidation_price=None,
            leverage=None, updated_ms=0,
        ),
        ("size", "entry_price", "unrealised_pnl", "liquidation_price", "leverage", "unrealised_funding"),
    ),
    "a payment": (
        FundingPayment(
            venue="v", symbol="ETH", payment_id="p", amount=Decimal(1), rate=None, position_size=None, paid_at_ms=0
        ),
        ("amount", "rate", "position_size"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_money_is_a_number(value: str) -> None:
    good, fields = VALUES[value]
    for field in fields:
        for number in NO_NUMBERS:
            with pytest.raises((ValueError, OverflowError)):
                msgspec.structs.replace(good, **{field: number})


@pytest.mark.parametrize("text", ["NaN", "inf", "-inf", "-1", "1e301"])
def test_a_level_is_decoded_from_numbers_only(text: str) -> None:
    for body in (f'{{"price":"{text}","size":"1"}}', f'{{"price":"1","size":"{text}"}}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Level, strict=False)


def test_a_figure_that_is_no_number_is_unknown() -> None:
    nan = float("nan")
    stats = MarketStats.of(
        venue="v", venue_symbol="ETH-PERP", asset=identify("ETH"), mark=nan, index=float("inf"), open_interest=5.0,
        volume_24h_usd=nan, time_ms=0, provenance=Provenance.SANDBOX, best_bid=nan, best_ask=1.0,
    )  # fmt: skip
    figures = (
        stats.mark_price,
        stats.index_price,
        stats.open_interest_usd,
        stats.volume_24h_usd,
        stats.best_bid,
        stats.best_ask,
    )
    assert figures == (None, None, None, None, None, 1.0)
