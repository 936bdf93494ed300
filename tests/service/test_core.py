"""The pure arithmetic: conversions, costs, persistence, names, windows."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.domain.funding import FundingKind, FundingRate
from exchange_clients.domain.provenance import Provenance
from funding_rate_service.core.fee_calculator import leg_costs
from funding_rate_service.core.historical_analyzer import describe, outlook
from funding_rate_service.core.hourly_history import HourlyHistory
from funding_rate_service.core.market import MarketTable
from funding_rate_service.core.opportunity_finder import Limits, find
from funding_rate_service.core.query import OpportunityQuery
from funding_rate_service.core.rank_matrix import RankMatrix
from funding_rate_service.models.opportunities import FeeRole
from funding_rate_service.models.rates import DexMetadata

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TAPE = "perp_dex_hourly_2026-01-02.csv"
KEY = ("alpha", "BTC", Provenance.REPLAY)
OTHER = ("beta", "BTC", Provenance.REPLAY)


def _rate(value: str, hours: str) -> FundingRate:
    return FundingRate(
        rate=Decimal(value),
        interval=timedelta(hours=float(hours)),
        kind=FundingKind.SETTLED,
        effective_at=NOON,
        next_payment_at=None,
        source="tape",
    )


def test_every_rate_of_the_tape_converts_exactly_and_back(shared_dir: Path) -> None:
    with (shared_dir / "tapes" / TAPE).open() as file:
        rows = [row for row in csv.DictReader(file) if row["funding_rate"] and row["funding_interval_hours"]]
    assert len(rows) > 1000
    for row in rows:
        rate = _rate(row["funding_rate"], row["funding_interval_hours"])
        hours = Decimal(row["funding_interval_hours"])
        assert rate.per_hour() * hours == rate.rate, row
        assert rate.per_8h() * hours / 8 == rate.rate, row
        for served in (rate.per_hour(), rate.per_8h(), rate.annual()):
            assert Decimal(repr(float(served))) == served, row


@given(st.decimals("-0.05", "0.05", places=12), st.sampled_from([1, 2, 4, 8]))
def test_a_json_number_gives_the_decimal_back(value: Decimal, hours: int) -> None:
    rate = FundingRate(
        rate=value,
        interval=timedelta(hours=hours),
        kind=FundingKind.PREDICTED,
        effective_at=NOON,
        next_payment_at=None,
        source="any",
    )
    assert Decimal(repr(float(rate.per_8h()))) == rate.per_8h()


def test_a_reply_without_an_unknown_field_can_t_be_built() -> None:
    with pytest.raises(ValueError, match="extra"):
        DexMetadata.model_validate({"name": "a", "display_name": "A", "is_active": True, "rates_count": 0, "x": 1})


@pytest.mark.parametrize(
    ("role", "half_spread", "volume", "size", "total"),
    [
        (FeeRole.MAKER, 0.001, 1e6, 1000.0, 0.0005),
        (FeeRole.TAKER, 0.001, 1440e3, 1000.0, 0.0005 + 0.001 + 0.001),
        (FeeRole.TAKER, 0.001, 1440e3, 4000.0, 0.0005 + 0.001 + 0.002),
        (FeeRole.TAKER, 0.001, np.nan, 1000.0, 0.0005 + 0.001),
        (FeeRole.TAKER, 0.001, 0.0, 1000.0, 0.0005 + 0.001),
        (FeeRole.TAKER, np.nan, 1e6, 1000.0, 0.0005),
    ],
)
def test_costs_of_a_leg(role: FeeRole, half_spread: float, volume: float, size: float, total: float) -> None:
    costs = leg_costs(np.array(0.0005), np.array(half_spread), np.array(volume), size, role)
    assert float(costs.total) == pytest.approx(total)


def test_an_ar1_process_gives_its_half_life_and_a_band_that_holds_eight_of_ten() -> None:
    random = np.random.default_rng(7)
    phi, mean, horizon, inside, lives = 0.9, 2e-5, 24, 0, []
    for _ in range(300):
        path = [mean]
        for shock in random.normal(0, 1e-5, 600 + horizon):
            path.append(mean + phi * (path[-1] - mean) + shock)
        past, future = np.array(path[:601]), np.array(path[601:])
        seen = outlook(past, float(past[-1]), horizon)
        assert seen.half_life_hours is not None and seen.sum_low is not None and seen.sum_high is not None
        lives.append(seen.half_life_hours)
        inside += seen.sum_low <= future.sum() <= seen.sum_high
    assert np.median(lives) == pytest.approx(np.log(0.5) / np.log(phi), rel=0.15)
    assert 0.72 < inside / 300 < 0.88


def test_what_history_can_t_say_is_none_with_a_reason() -> None:
    few = outlook(np.full(20, 1e-5), 1e-5, 168)
    assert few.half_life_hours is None and "needed" in few.note
    steady = outlook(np.full(60, 1e-5), 1e-5, 100)
    assert steady.half_life_hours is None and steady.sum_low == pytest.approx(1e-3) and "did not vary" in steady.note
    rising = outlook(np.arange(60) ** 2 * 1e-6, 0.0, 100)
    assert rising.sum_low is None and "without returning" in rising.note
    nervous = outlook(np.tile([1e-5, -1e-5], 40), 1e-5, 100)
    assert nervous.half_life_hours is None and nervous.sum_low is not None
    gaps = np.tile([1e-5, np.nan], 60)
    assert "0 consecutive hours" in outlook(gaps, 1e-5, 100).note


def test_statistics_leave_unknown_samples_out() -> None:
    assert describe(np.array([np.nan])) is None
    seen = describe(np.array([1.0, np.nan, 3.0, 2.0]))
    assert seen is not None and (seen.count, seen.average, seen.median, seen.minimum, seen.maximum) == (3, 2.0, 2.0, 1.0, 3.0)


def test_the_window_keeps_the_last_sample_of_each_hour_and_forgets_the_oldest() -> None:
    history = HourlyHistory(4)
    for hour, value in ((0, "1"), (1, "2"), (1, "3"), (4, "5")):
        history.add(KEY, NOON + timedelta(hours=hour, minutes=hour), Decimal(value))
        history.add(OTHER, NOON + timedelta(hours=hour), Decimal(0))
    history.add(KEY, NOON - timedelta(hours=9), Decimal(9))
    seen = history.carry(OTHER, KEY)
    np.testing.assert_array_equal(seen, [3.0, np.nan, np.nan, 5.0])
    assert history.carry(OTHER, ("gamma", "BTC", Provenance.REPLAY)).size == 0
    assert history.carry(OTHER, (*KEY[:2], Provenance.LIVE)).size == 0


def test_nothing_known_ranks_nothing() -> None:
    matrix = RankMatrix(MarketTable((), ()))
    found = find(matrix, HourlyHistory(48), OpportunityQuery(), Limits(1000, 0.02), NOON)
    assert (found.opportunities, found.total_count) == ((), 0)
