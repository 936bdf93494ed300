"""Risk limits as a table: intent, what we have, verdict."""

from __future__ import annotations

from decimal import Decimal

import pytest

from exchange_clients.domain.side import Side
from exchange_clients.trading.intents import Finish, Intent, OpenPairIntent, PlaceIntent, Purpose
from helpers.risk_manager import Approved, Blocked, Exposure, RiskLimits, review
from tests.support.pairs import place, plan

LIMITS = RiskLimits(
    pair_usd_max=Decimal(2000), venue_exposure_usd_max=Decimal(3000), leverage_max=5, daily_loss_usd_max=Decimal(50)
)


def exposure(position: str = "0", east_usd: str = "0", loss: str = "0", with_pair: bool = True) -> Exposure:
    held = {("pair-1", "east", "ETH"): Decimal(position)}
    return Exposure({"east": Decimal(east_usd)}, Decimal(loss), held, {"pair-1": plan("0.3")} if with_pair else {})


def closing(side: Side, size: str, reduce_only: bool = True) -> PlaceIntent:
    return place("x", side, size, Purpose.EXIT, reduce_only)


@pytest.mark.parametrize(
    ("intent", "have", "reason"),
    [
        (OpenPairIntent(plan("0.3")), exposure(), None),
        (OpenPairIntent(plan("0.3")), exposure(loss="50"), "lost today"),
        (OpenPairIntent(plan("0.3", leverage=6)), exposure(), "leverage 6"),
        (OpenPairIntent(plan("0.3")), exposure(east_usd="2990"), "10 USD of room"),
        (place("x", Side.BUY, "0.3"), exposure(), None),
        (place("x", Side.BUY, "0.2"), exposure("0.2"), "more than the 0.3 planned"),
        (place("x", Side.SELL, "0.1"), exposure(), "is not what pair-1 opens"),
        (place("x", Side.BUY, "0.1"), exposure(with_pair=False), "no open pair"),
        (closing(Side.SELL, "0.3"), exposure("0.3"), None),
        (closing(Side.SELL, "0.3", reduce_only=False), exposure("0.3"), "must be reduce-only"),
        (closing(Side.SELL, "0.4"), exposure("0.3"), "turn a position of 0.3 around"),
        (closing(Side.BUY, "0.1"), exposure("0.3"), "does not reduce"),
        (closing(Side.SELL, "0.1"), exposure("0"), "does not reduce"),
        (Finish("done"), exposure(loss="1000"), None),
    ],
)
def test_verdicts(intent: Intent, have: Exposure, reason: str | None) -> None:
    verdict = review(intent, have, LIMITS)
    if reason is None:
        assert verdict == Approved(intent)
    else:
        assert isinstance(verdict, Blocked)
        assert reason in verdict.reason


@pytest.mark.parametrize(("asked", "east_usd", "allowed"), [("1", "0", "2000"), ("1", "2500", "500"), ("0.5", "0", "1500")])
def test_pairs_shrink_on_both_legs_alike(asked: str, east_usd: str, allowed: str) -> None:
    verdict = review(OpenPairIntent(plan(asked)), exposure(east_usd=east_usd), LIMITS)
    assert isinstance(verdict, Approved)
    assert isinstance(verdict.intent, OpenPairIntent)
    assert verdict.intent.plan.notional_usd == Decimal(allowed)
    assert verdict.intent.plan.size_base == Decimal(allowed) / 3000
    assert bool(verdict.shrunk_because) == (Decimal(asked) * 3000 > Decimal(allowed))


def test_the_chosen_leverage_counts_for_the_distance_to_liquidation() -> None:
    near = RiskLimits(leverage_max=20, liquidation_distance_min=Decimal("0.10"))
    assert isinstance(review(OpenPairIntent(plan(leverage=5)), exposure(), near), Approved)
    blocked = review(OpenPairIntent(plan(leverage=10)), exposure(), near)
    assert isinstance(blocked, Blocked)
    assert "7.5% away" in blocked.reason
