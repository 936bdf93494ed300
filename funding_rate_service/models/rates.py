"""Funding rates as they are served."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from funding_rate_service.models.base import JsonNumber, Reply


class RateTruth(Reply):
    """The explicit figures behind a rate: what the venue sent and what it means."""

    rate_hourly: JsonNumber | None = Field(description="Fraction per hour, positive when longs pay shorts; null when unknown")
    raw_rate: str | None = Field(description="The number exactly as the venue sent it; null when it sent none")
    raw_unit: str | None = Field(description="What one unit of raw_rate means")
    interval_hours: JsonNumber | None = Field(description="The venue's funding interval; null when unknown")
    kind: str | None = Field(description="predicted, settled or accruing; null when the rate is unknown")
    annual_percent: JsonNumber | None = Field(description="rate_hourly x 8,760 h, in percent, not compounded")
    age_ms: int = Field(description="Age of the observation when this reply was made, market time")
    stale: bool = Field(description="Whether the observation is older than the service's limit")
    provenance: str = Field(description="live, testnet, replay or sandbox; figures of different provenance are never combined")
    unknown_because: str = Field(description="Why the rate is unknown; empty when it is known")


class RateDetail(RateTruth):
    """One venue's rate of one symbol, in the table of all rates."""

    venue_symbol: str = Field(description="The venue's own spelling")
    multiplier: JsonNumber = Field(description="Units of the base asset in one venue unit")
    funding_rate: JsonNumber | None = Field(description="8-hour equivalent, fraction")
    next_funding_time: datetime | None
    timestamp: datetime = Field(description="When it was observed")


class DexMetadata(Reply):
    """About one venue in the table of all rates."""

    name: str
    display_name: str
    is_active: bool
    rates_count: int = Field(description="Markets in this reply")
    last_updated: datetime | None


class FundingRates(Reply):
    """All current rates."""

    data: dict[str, dict[str, JsonNumber | None]] = Field(
        description="symbol -> venue -> 8-hour equivalent as a fraction; null when the venue lists it and the rate is unknown"
    )
    details: dict[str, dict[str, RateDetail]] = Field(description="The same shape with the explicit figures")
    updated_at: datetime | None = Field(description="The newest observation; null before the first one")
    count: int = Field(description="Number of symbols")
    generated_at: datetime = Field(description="Market time of this reply; ages are counted to it")
    dex_metadata: dict[str, DexMetadata] | None = None


class DexRate(RateTruth):
    """One market in the table of one venue."""

    funding_rate: JsonNumber | None = Field(description="8-hour equivalent, fraction")
    annualized_rate: JsonNumber | None = Field(description="Fraction per year of 8,760 h, not compounded")
    next_funding_time: datetime | None
    timestamp: datetime


class DexFundingRates(Reply):
    """All current rates of one venue."""

    dex_name: str
    rates: dict[str, DexRate]
    updated_at: datetime | None


class SymbolFundingRate(DexRate):
    """One market of one venue."""

    dex_name: str
    symbol: str
    venue_symbol: str
    volume_24h: JsonNumber | None
    open_interest_usd: JsonNumber | None


class ComparedRate(RateTruth):
    """One side of a comparison."""

    name: str
    funding_rate: JsonNumber | None = Field(description="8-hour equivalent, fraction")
    next_funding_time: datetime | None
    timestamp: datetime


class RateComparison(Reply):
    """Two venues' rates of one symbol. Everything derived is null while either rate is unknown or the two can't be combined."""

    symbol: str
    dex1: ComparedRate
    dex2: ComparedRate
    divergence: JsonNumber | None = Field(description="|8-hour difference|, fraction")
    divergence_bps: JsonNumber | None
    long_recommendation: str | None = Field(description="The venue with the lower rate; null when equal or unknown")
    short_recommendation: str | None
    estimated_net_profit_8h: JsonNumber | None = Field(
        description="Eight hours of carry minus one whole round trip of taker costs, fraction of one leg's notional"
    )
    note: str = Field(description="Why something is null, or what to be careful about; empty when nothing")
    timestamp: datetime
