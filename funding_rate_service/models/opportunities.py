"""Ranked opportunities as they are served."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from funding_rate_service.models.base import JsonNumber, Reply


class FeeRole(StrEnum):
    """How the legs are entered and left: taking liquidity or resting."""

    TAKER = "taker"
    MAKER = "maker"


class SortField(StrEnum):
    """What opportunities can be sorted by. Unknown values come last in either direction."""

    NET_PROFIT_PERCENT = "net_profit_percent"
    EXPECTED_NET_PERCENT = "expected_net_percent"
    ANNUALIZED_APY = "annualized_apy"
    NET_APR_PERCENT = "net_apr_percent"
    DIVERGENCE = "divergence"
    CARRY_HOURLY = "carry_hourly"
    LONG_RATE = "long_rate"
    SHORT_RATE = "short_rate"
    ESTIMATED_FEES = "estimated_fees"
    BREAKEVEN_HOURS = "breakeven_hours"
    CAPACITY_USD = "capacity_usd"
    PRICE_GAP = "price_gap"
    MIN_VOLUME_24H = "min_volume_24h"
    MIN_OI_USD = "min_oi_usd"
    MAX_OI_USD = "max_oi_usd"
    OI_RATIO = "oi_ratio"
    AVG_SPREAD_BPS = "avg_spread_bps"


class Confidence(StrEnum):
    """How much of an opportunity rests on observation: HIGH needs quotes, depth of market and history that supports it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class LegTruth(Reply):
    """One leg's observation."""

    venue_symbol: str
    rate_hourly: JsonNumber
    raw_rate: str
    raw_unit: str
    interval_hours: JsonNumber
    kind: str
    annual_percent: JsonNumber
    age_ms: int
    provenance: str
    mark_price: JsonNumber = Field(description="Quote currency per unit of the base asset, not per venue unit")
    multiplier: JsonNumber


class Payment(Reply):
    """When a leg's funding is next paid."""

    dex: str
    at: datetime | None = Field(description="null where funding accrues continuously or the venue does not say")
    in_ms: int | None = Field(
        description="Market milliseconds from generated_at; negative when it should have happened already"
    )
    kind: str


class NextPayments(Reply):
    """Both legs' clocks."""

    long: Payment
    short: Payment


class Opportunity(Reply):
    """Long where the rate is lower, short where it is higher. Fractions are of one leg's notional."""

    symbol: str
    long_dex: str
    short_dex: str
    long_rate: JsonNumber = Field(description="8-hour equivalent, fraction")
    short_rate: JsonNumber = Field(description="8-hour equivalent, fraction")
    divergence: JsonNumber = Field(description="short_rate - long_rate, 8-hour equivalent")
    estimated_fees: JsonNumber = Field(description="Venue fees of the whole round trip, both legs, once; fraction")
    net_profit_percent: JsonNumber = Field(
        description="Expected net over the horizon as a FRACTION (the name is the peer's); see expected_net_percent"
    )
    annualized_apy: JsonNumber = Field(description="net_profit_percent per year of 8,760 h, fraction, not compounded")
    long_dex_volume_24h: JsonNumber | None
    short_dex_volume_24h: JsonNumber | None
    min_volume_24h: JsonNumber | None
    long_dex_oi_usd: JsonNumber | None
    short_dex_oi_usd: JsonNumber | None
    min_oi_usd: JsonNumber | None
    max_oi_usd: JsonNumber | None
    oi_ratio: JsonNumber | None = Field(description="long / short open interest")
    oi_imbalance: str | None = Field(description="long_heavy above 1.2, short_heavy below 0.8, else balanced")
    long_dex_spread_bps: JsonNumber | None
    short_dex_spread_bps: JsonNumber | None
    avg_spread_bps: JsonNumber | None
    discovered_at: datetime = Field(description="When this ranking was made")

    carry_hourly: JsonNumber = Field(description="Fraction earned per hour while both rates last")
    cost_entry: JsonNumber = Field(description="Fees, half-spreads and slippage of both legs, fraction")
    cost_exit: JsonNumber
    slippage: JsonNumber | None = Field(description="Estimate inside cost_entry for size_usd, both legs; null when unknown")
    cost_assumptions: list[str] = Field(description="What the costs could not know and therefore leave out or assume")
    price_gap: JsonNumber = Field(description="(short mark - long mark) / their mean, per unit of the base asset")
    horizon_hours: JsonNumber
    size_usd: JsonNumber
    expected_net_percent: JsonNumber = Field(description="carry over the horizon minus one round trip of costs, percent")
    net_low: JsonNumber | None = Field(description="Percent; lower end of the 80 % band from history")
    net_high: JsonNumber | None
    net_apr_percent: JsonNumber = Field(description="expected_net_percent per year of 8,760 h, not compounded")
    breakeven_hours: JsonNumber | None = Field(description="Hours of this carry that pay the costs; null when carry is zero")
    half_life_hours: JsonNumber | None = Field(description="In how many hours a deviation of the carry halves (AR(1) fit)")
    history_note: str = Field(description="Why half life or band are null; empty when they are given")
    history_hours: int = Field(description="Hourly samples of the pair that the history figures rest on")
    capacity_usd: JsonNumber | None = Field(
        description="1 % of the smaller open interest and of the smaller 24 h volume, whichever is less; null when a leg has neither"
    )
    next_payments: NextPayments
    long_leg: LegTruth
    short_leg: LegTruth
    confidence: Confidence
    confidence_because: list[str]
    stale: bool
    stale_because: str = Field(description="Which leg is how old; empty when fresh")


class Excluded(Reply):
    """How many venue pairs were not ranked, and why."""

    unknown_rate: int
    stale: int
    mixed_provenance: int
    unknown_price: int
    price_disagrees: int


class Opportunities(Reply):
    """A ranked page."""

    opportunities: list[Opportunity]
    total_count: int = Field(description="All that pass the filters, counted before offset and limit")
    filters_applied: dict[str, str | float | int | bool | list[str] | None]
    excluded: Excluded
    generated_at: datetime


class BestOpportunity(Reply):
    """The first of the ranking; null when nothing passes."""

    opportunity: Opportunity | None
    rank: int | None
    message: str
    generated_at: datetime


class SymbolOpportunities(Reply):
    """The ranking of one symbol."""

    symbol: str
    opportunities: list[Opportunity]
    count: int = Field(description="Opportunities in this reply")
    total_count: int
    generated_at: datetime
