"""Every reason against opening, one at a time."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from strategies.execution_limits import ExecutionLimits
from strategies.preflight import LegView, preflight, round_trip_cost
from tests.support.pairs import ETH_EAST, ETH_WEST, FEES, book

LIMITS = ExecutionLimits(clip_usd=Decimal(500))
LIVE = msgspec.structs.replace(book("west"), provenance=Provenance.LIVE)
EMPTY = OrderBook("west", "ETH", [], book("west").asks, 0, Provenance.SANDBOX)
CROSSED = OrderBook("west", "ETH", book("west", 3010).bids, book("west").asks, 0, Provenance.SANDBOX)


def reasons(
    short_book: OrderBook | None = None, size: str = "0.3", leverage: int = 2, free: str | None = "5000", now_ms: int = 0
) -> tuple[str, ...]:
    available = None if free is None else Decimal(free)
    long = LegView(ETH_EAST, Side.BUY, book("east"), 0, Decimal(5000))
    short = LegView(ETH_WEST, Side.SELL, short_book or book("west"), 0, available)
    return preflight(long, short, Decimal(size), leverage, LIMITS, now_ms)


def test_nothing_against_it() -> None:
    assert reasons() == ()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("book is 5001 ms old", reasons(now_ms=5001)),
        ("a side of the book is empty", reasons(EMPTY)),
        ("book is crossed", reasons(CROSSED)),
        ("can't be combined", reasons(LIVE)),
        ("mids lie 201 bps apart", reasons(book("west", 2941.0))),
        ("spread of 66.7 bps", reasons(book("west", spread=20))),
        ("less than one common lot", reasons(size="0.002")),
        ("below the venue's minimum of 0.006", reasons(size="0.004")),
        ("only 0.02 ETH within 5.0 bps", reasons(book("west", size=0.01))),
        ("leverage 25 is above the venue's 20", reasons(leverage=25)),
        ("liquidation would be 2.5% away", reasons(leverage=20)),
        ("free collateral is not known", reasons(free=None)),
        ("100 free, 540.00 wanted", reasons(free="100")),
    ],
)
def test_each_reason(said: str, found: tuple[str, ...]) -> None:
    assert any(said in reason for reason in found), found


def test_no_book_at_all() -> None:
    long = LegView(ETH_EAST, Side.BUY, None, 0, Decimal(1))
    assert preflight(long, long, Decimal(1), 2, LIMITS, 0) == ("east ETH: no book", "east ETH: no book")


def test_a_round_trip_pays_spread_and_fees_four_times() -> None:
    long = LegView(ETH_EAST, Side.BUY, book("east"), 0, Decimal(5000))
    short = LegView(ETH_WEST, Side.SELL, book("west"), 0, Decimal(5000))
    cost = round_trip_cost(long, short, Decimal("0.3"), {"east": FEES, "west": FEES})
    assert cost == pytest.approx(4 * (0.5 / 3000 + 0.0005))
    assert round_trip_cost(long, short, Decimal(600), {"east": FEES, "west": FEES}) is None
