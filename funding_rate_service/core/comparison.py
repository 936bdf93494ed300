"""Two venues' rates of one symbol side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import numpy as np

from exchange_clients.domain.account import FeeRates
from funding_rate_service.core.fee_calculator import leg_costs
from funding_rate_service.core.mappers import rate_truth
from funding_rate_service.core.market import Market
from funding_rate_service.models.opportunities import FeeRole
from funding_rate_service.models.rates import ComparedRate, RateComparison

_SIZE_USD = 1000.0


def compare(
    first: Market, second: Market, fees: Mapping[str, FeeRates], stale_after_ms: int, price_band: float, now: datetime
) -> RateComparison:
    """Side by side, and their difference where they can be combined; `note` says why not, or what to be careful about."""
    obstacle = _obstacle(first, second, stale_after_ms, price_band, now)
    rates = [market.observation.rate for market in (first, second)]
    difference: Decimal | None = None
    if not obstacle and rates[0] is not None and rates[1] is not None:
        difference = rates[1].per_8h() - rates[0].per_8h()
    long, short = (first, second) if difference is None or difference >= 0 else (second, first)
    directed = difference is not None and difference != 0
    return RateComparison(
        symbol=first.symbol,
        dex1=_side(first, stale_after_ms, now),
        dex2=_side(second, stale_after_ms, now),
        divergence=None if difference is None else float(abs(difference)),
        divergence_bps=None if difference is None else float(abs(difference) * 10_000),
        long_recommendation=long.dex if directed else None,
        short_recommendation=short.dex if directed else None,
        estimated_net_profit_8h=None if difference is None else float(abs(difference)) - _round_trip(first, second, fees),
        note=obstacle,
        timestamp=now,
    )


def _obstacle(first: Market, second: Market, stale_after_ms: int, price_band: float, now: datetime) -> str:
    for market in (first, second):
        if market.observation.rate is None:
            return f"{market.dex}: {market.observation.unknown_because}"
        if market.is_stale(now, stale_after_ms):
            return f"{market.dex} was last observed {market.age_ms(now) / 1000:.0f} s ago"
    if first.dex == second.dex:
        return "both sides are the same venue"
    if first.observation.provenance is not second.observation.provenance:
        return "the two observations come from different worlds"
    if first.base_mark is None or second.base_mark is None:
        return "a mark price is unknown, so nothing shows that this is the same asset"
    gap = abs(first.base_mark - second.base_mark) / ((first.base_mark + second.base_mark) / 2)
    return "" if gap <= price_band else f"the mark prices differ by {gap:.1%}: perhaps not the same asset"


def _round_trip(first: Market, second: Market, fees: Mapping[str, FeeRates]) -> float:
    total = 0.0
    for market in (first, second):
        half_spread = np.asarray(np.nan if market.half_spread is None else market.half_spread, dtype=np.float64)
        volume = np.asarray(np.nan if market.volume_24h_usd is None else market.volume_24h_usd, dtype=np.float64)
        fee = np.asarray(float(fees[market.dex].taker), dtype=np.float64)
        total += 2 * float(leg_costs(fee, half_spread, volume, _SIZE_USD, FeeRole.TAKER).total)
    return total


def _side(market: Market, stale_after_ms: int, now: datetime) -> ComparedRate:
    rate = market.observation.rate
    return ComparedRate(
        **rate_truth(market, now, stale_after_ms),
        name=market.dex,
        funding_rate=float(rate.per_8h()) if rate else None,
        next_funding_time=rate.next_payment_at if rate else None,
        timestamp=market.observation.observed_at,
    )
