"""The service's own state as it is served."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from funding_rate_service.models.base import JsonNumber, Reply
from funding_rate_service.models.dexes import DexHealth


class ServiceInfo(Reply):
    """What answers here."""

    service: str
    version: str
    status: str
    docs: str


class Ping(Reply):
    """A sign of life."""

    status: str


class SimpleHealth(Reply):
    """A sign of life with the market time."""

    status: str
    timestamp: datetime


class NamedDexHealth(DexHealth):
    """Collection from one venue, with its name."""

    dex_name: str
    is_active: bool
    active_symbols: int = Field(description="Markets whose latest observation is fresh")


class DexSummary(Reply):
    """Venues counted."""

    total: int
    active: int
    healthy: int


class DataFreshness(Reply):
    """Ages in market seconds; null before the first observation."""

    oldest_data_age_seconds: JsonNumber | None
    newest_data_age_seconds: JsonNumber | None
    latest_update: datetime | None
    total_rates: int
    fresh_rates: int
    stale_after_seconds: JsonNumber


class DatabaseState(Reply):
    """Whether the database answers."""

    connected: bool
    error: str | None = None


class ServiceHealth(Reply):
    """Everything at a glance. Times are market time."""

    status: str = Field(description="healthy, degraded or unhealthy")
    timestamp: datetime
    database: DatabaseState
    dex_health: list[NamedDexHealth]
    dex_summary: DexSummary
    data_freshness: DataFreshness
    is_leader: bool = Field(description="Whether this process collects; another one may")


class DatabaseStatistics(Reply):
    """Rows per table. `rates_last_24h` counts market time."""

    symbols: int
    dexes: int
    latest_rates: int
    rates_last_24h: int


class DatabaseHealth(Reply):
    """The database in detail."""

    status: str
    connected: bool
    statistics: DatabaseStatistics | None
    error: str | None
    timestamp: datetime


class OneDexHealth(NamedDexHealth):
    """One venue's health with the time of the answer."""

    recent_updates: int = Field(description="The same as active_symbols, under the peer's name")
    timestamp: datetime


class Readiness(Reply):
    """Ready once the database answers and at least one venue's rates are fresh."""

    ready: bool
    reason: str = Field(description="What is still missing; empty when ready")
