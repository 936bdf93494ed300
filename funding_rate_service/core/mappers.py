"""From what we know to what we say: domain values into the models that are served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.funding import HOURS_PER_YEAR, FundingRate, RawRate
from exchange_clients.domain.times import to_ms
from funding_rate_service.core.fee_calculator import LegCosts, assumptions
from funding_rate_service.core.historical_analyzer import Outlook, outlook
from funding_rate_service.core.hourly_history import HourlyHistory, Key
from funding_rate_service.core.market import Market
from funding_rate_service.core.query import OpportunityQuery
from funding_rate_service.models.opportunities import (
    Confidence,
    FeeRole,
    LegTruth,
    NextPayments,
    Opportunity,
    Payment,
    SortField,
)


class PairFigures(NamedTuple):
    """One judged pair. `fees`: of the long and the short venue; `values`: by sort field, None where unknown."""

    long: Market
    short: Market
    price_gap: float
    long_costs: LegCosts
    short_costs: LegCosts
    fees: tuple[FeeRates, FeeRates]
    net: float
    values: Mapping[SortField, float | None]


def rate_truth(market: Market, now: datetime, stale_after_ms: int) -> dict[str, Any]:
    """The explicit figures of one market, as the fields of `models.rates.RateTruth`."""
    seen = market.observation
    rate = seen.rate
    return {
        "rate_hourly": rate.per_hour() if rate else None,
        "raw_rate": seen.raw.value if seen.raw else None,
        "raw_unit": seen.raw.unit if seen.raw else None,
        "interval_hours": rate.interval_hours if rate else None,
        "kind": rate.kind.value if rate else None,
        "annual_percent": rate.annual() * 100 if rate else None,
        "age_ms": market.age_ms(now),
        "stale": market.is_stale(now, stale_after_ms),
        "provenance": seen.provenance.value,
        "unknown_because": seen.unknown_because,
    }


def opportunity(
    pair: PairFigures, history: HourlyHistory, query: OpportunityQuery, stale_after_ms: int, now: datetime
) -> Opportunity:
    """A judged pair as it is served. Rates are taken from the exact decimals, estimates from float64."""
    long_rate, _ = _known(pair.long)
    short_rate, _ = _known(pair.short)
    carry = short_rate.per_hour() - long_rate.per_hour()
    entry = float(pair.long_costs.total + pair.short_costs.total)
    fees = sum(fee.maker if query.fee_role is FeeRole.MAKER else fee.taker for fee in pair.fees) * 2
    past = outlook(history.carry(history_key(pair.long), history_key(pair.short)), float(carry), query.horizon_hours)
    confidence, because = _confidence(pair, past, 2 * entry)
    stale = [m for m in (pair.long, pair.short) if m.is_stale(now, stale_after_ms)]
    return Opportunity(
        symbol=pair.long.symbol,
        long_dex=pair.long.dex,
        short_dex=pair.short.dex,
        long_rate=float(long_rate.per_8h()),
        short_rate=float(short_rate.per_8h()),
        divergence=float(short_rate.per_8h() - long_rate.per_8h()),
        estimated_fees=float(fees),
        net_profit_percent=pair.net,
        annualized_apy=pair.net * HOURS_PER_YEAR / query.horizon_hours,
        **_market_figures(pair),
        discovered_at=now,
        carry_hourly=float(carry),
        cost_entry=entry,
        cost_exit=entry,
        slippage=_or_none(float(pair.long_costs.slippage + pair.short_costs.slippage)),
        cost_assumptions=assumptions(query.fee_role, pair.long.dex, pair.short.dex, pair.long_costs, pair.short_costs),
        price_gap=pair.price_gap,
        horizon_hours=query.horizon_hours,
        size_usd=query.size_usd,
        expected_net_percent=pair.net * 100,
        net_low=None if past.sum_low is None else (past.sum_low - 2 * entry) * 100,
        net_high=None if past.sum_high is None else (past.sum_high - 2 * entry) * 100,
        net_apr_percent=pair.net * 100 * HOURS_PER_YEAR / query.horizon_hours,
        breakeven_hours=pair.values[SortField.BREAKEVEN_HOURS],
        half_life_hours=past.half_life_hours,
        history_note=past.note,
        history_hours=past.samples,
        next_payments=NextPayments(long=_payment(pair.long, now), short=_payment(pair.short, now)),
        long_leg=_leg(pair.long, now),
        short_leg=_leg(pair.short, now),
        confidence=confidence,
        confidence_because=because,
        stale=bool(stale),
        stale_because="; ".join(f"{m.dex} was last observed {m.age_ms(now) / 1000:.0f} s ago" for m in stale),
    )


def history_key(market: Market) -> Key:
    """Under which name the market's past is kept."""
    seen = market.observation
    return seen.venue, seen.venue_symbol, seen.provenance


def spread_bps(market: Market) -> float | None:
    """(ask − bid) / mid in basis points; None where unknown."""
    return None if market.half_spread is None else market.half_spread * 20_000


def _market_figures(pair: PairFigures) -> dict[str, Any]:
    values = pair.values
    ratio = values[SortField.OI_RATIO]
    balance = None if ratio is None else "long_heavy" if ratio > 1.2 else "short_heavy" if ratio < 0.8 else "balanced"
    return {
        "long_dex_volume_24h": pair.long.volume_24h_usd,
        "short_dex_volume_24h": pair.short.volume_24h_usd,
        "min_volume_24h": values[SortField.MIN_VOLUME_24H],
        "long_dex_oi_usd": pair.long.open_interest_usd,
        "short_dex_oi_usd": pair.short.open_interest_usd,
        "min_oi_usd": values[SortField.MIN_OI_USD],
        "max_oi_usd": values[SortField.MAX_OI_USD],
        "oi_ratio": ratio,
        "oi_imbalance": balance,
        "long_dex_spread_bps": spread_bps(pair.long),
        "short_dex_spread_bps": spread_bps(pair.short),
        "avg_spread_bps": values[SortField.AVG_SPREAD_BPS],
        "capacity_usd": values[SortField.CAPACITY_USD],
    }


def _confidence(pair: PairFigures, past: Outlook, round_trip: float) -> tuple[Confidence, list[str]]:
    """HIGH: quotes on both sides and a band that stays above zero. LOW: a blind cost, or a band that is all below zero."""
    blind = [m.dex for m in (pair.long, pair.short) if m.half_spread is None]
    because = [f"no quotes of {dex}: the spread is not in the costs" for dex in blind]
    if past.sum_low is None or past.sum_high is None:
        return (Confidence.LOW if blind else Confidence.MEDIUM), [*because, past.note]
    if past.sum_high < round_trip:
        return Confidence.LOW, [*because, "history expects less than the costs"]
    if past.sum_low < round_trip:
        return (Confidence.LOW if blind else Confidence.MEDIUM), [*because, "the lower end of the band does not pay the costs"]
    return (Confidence.MEDIUM if blind else Confidence.HIGH), [*because, "the whole band pays the costs"]


def _known(market: Market) -> tuple[FundingRate, RawRate]:
    rate, raw = market.observation.rate, market.observation.raw
    if rate is None or raw is None:
        raise ValueError(f"{market.dex} {market.symbol}: a pair needs known rates")
    return rate, raw


def _payment(market: Market, now: datetime) -> Payment:
    rate, _ = _known(market)
    at = rate.next_payment_at
    return Payment(dex=market.dex, at=at, in_ms=None if at is None else to_ms(at) - to_ms(now), kind=rate.kind.value)


def _leg(market: Market, now: datetime) -> LegTruth:
    rate, raw = _known(market)
    if market.base_mark is None:
        raise ValueError(f"{market.dex} {market.symbol}: a pair needs known marks")
    return LegTruth(
        venue_symbol=market.observation.venue_symbol,
        rate_hourly=float(rate.per_hour()),
        raw_rate=raw.value,
        raw_unit=raw.unit,
        interval_hours=float(rate.interval_hours),
        kind=rate.kind.value,
        annual_percent=float(rate.annual() * 100),
        age_ms=market.age_ms(now),
        provenance=market.observation.provenance.value,
        mark_price=market.base_mark,
        multiplier=float(market.observation.multiplier),
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
