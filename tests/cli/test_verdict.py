"""The exit status says whether everything adds up."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.trading.intents import PairPlan
from exchange_clients.trading.ledger import LegStatement, PairStatement
from exchange_clients.trading.progress import LedgerFinal
from helpers.terminal import Terminal
from runbot import FAILED, _verdict
from trading_bot import Report


def final(**differences: str) -> LedgerFinal:
    def instrument(venue: str) -> Instrument:
        one = Decimal(1)
        return Instrument(
            venue=venue,
            symbol="ETH",
            venue_symbol="ETH",
            venue_id="0",
            multiplier=one,
            quote="USDC",
            price_rule=PriceRule(one),
            lot_size=one,
            min_size=one,
            min_notional=one,
        )

    plan = PairPlan("pair", "ETH", instrument("east"), instrument("west"), Decimal(1), Decimal(3000), 2, 0.0001, 1.0)
    statement = PairStatement("pair", LegStatement("east", "ETH"), LegStatement("west", "ETH"))
    return LedgerFinal(plan, statement, "held long enough", {venue: Decimal(text) for venue, text in differences.items()})


@pytest.mark.parametrize(
    ("report", "status", "words"),
    [
        (Report("done", (final(east="0", west="0"),), ()), 0, "to the last digit"),
        (Report("done", (final(east="0", west="0.000001"),), ()), FAILED, "does not agree"),
        (Report("done", (final(east="0"),), ()), FAILED, "does not agree"),
        (Report("done", (final(east="0", west="0"), final(east="-1", west="0")), ()), FAILED, "does not agree"),
        (Report("nothing to do", (), ()), FAILED, "no pair"),
        (Report("interrupted", (), ()), 0, "no pair"),
        (Report("interrupted", (), ("pair",)), 0, "left open: pair"),
    ],
)
def test_the_exit_status(report: Report, status: int, words: str) -> None:
    shown = io.StringIO()
    assert _verdict(report, Terminal(Console(file=shown, width=200), lambda: "now")) == status
    assert words in shown.getvalue()
