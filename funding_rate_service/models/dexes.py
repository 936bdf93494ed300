"""Venues as they are served."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from funding_rate_service.models.base import JsonNumber, Reply


class FeeStructure(Reply):
    """Default tier. The names are the peer's, the values fractions of notional (0.00045 = 0.045 %)."""

    maker_fee_percent: JsonNumber
    taker_fee_percent: JsonNumber
    has_fee_tiers: bool = Field(description="Whether other tiers are known to the service")


class DexHealth(Reply):
    """How collection from one venue goes."""

    status: str = Field(description="healthy, degraded, unhealthy or unknown (nothing collected yet)")
    is_healthy: bool
    last_successful_fetch: datetime | None
    time_since_fetch_seconds: JsonNumber | None = Field(description="Market seconds")
    consecutive_errors: int
    last_error: str | None = Field(description="The message of the last failure, kept after recovery; null when there was none")
    last_error_at: datetime | None
    last_duration_ms: int | None = Field(description="Wall time of the last completed collection")


class Dex(Reply):
    """One venue."""

    name: str
    display_name: str
    api_base_url: str
    is_active: bool
    supports_websocket: bool
    fee_structure: FeeStructure
    collection_interval_seconds: JsonNumber = Field(description="Market seconds")
    rate_limit_per_minute: int
    supported_symbols_count: int
    funding_interval_hours: JsonNumber = Field(description="The venue's usual interval; each rate carries its own")
    health: DexHealth


class Dexes(Reply):
    """All venues."""

    dexes: list[Dex]
    count: int


class DexSymbol(Reply):
    """One market of a venue."""

    symbol: str
    dex_symbol_format: str = Field(description="The venue's own spelling")
    is_active: bool = Field(description="Whether it was in the venue's latest fresh answer")
    min_order_size: JsonNumber | None = Field(description="null: the public figures do not carry it")
    volume_24h: JsonNumber | None
    open_interest_usd: JsonNumber | None
    spread_bps: JsonNumber | None
    last_updated: datetime


class DexSymbols(Reply):
    """All markets of a venue."""

    dex_name: str
    symbols: list[DexSymbol]
    count: int
