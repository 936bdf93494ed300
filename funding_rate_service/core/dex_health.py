"""How healthy collection is, from what the database says of the venues and from the age of their rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from funding_rate_service.core.market import DexFacts, MarketTable
from funding_rate_service.models.dexes import DexHealth
from funding_rate_service.models.health import DataFreshness, DexSummary, NamedDexHealth

HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN = "healthy", "degraded", "unhealthy", "unknown"


def dex_health(dex: DexFacts, table: MarketTable, stale_after_ms: int, now: datetime) -> DexHealth:
    """One venue. Healthy: the last collection succeeded and is fresh. Degraded: it failed, the rates are still fresh."""
    status = _status(dex, fresh_markets(dex.name, table, stale_after_ms, now))
    return DexHealth(
        status=status,
        is_healthy=status == HEALTHY,
        last_successful_fetch=dex.last_success_at,
        time_since_fetch_seconds=None if dex.last_success_at is None else (now - dex.last_success_at).total_seconds(),
        consecutive_errors=dex.consecutive_errors,
        last_error=dex.last_error,
        last_error_at=dex.last_error_at,
        last_duration_ms=dex.last_duration_wall_ms,
    )


def named_health(dex: DexFacts, table: MarketTable, stale_after_ms: int, now: datetime) -> NamedDexHealth:
    """The same with the venue's name and its number of fresh markets."""
    return NamedDexHealth(
        **dex_health(dex, table, stale_after_ms, now).model_dump(),
        dex_name=dex.name,
        is_active=dex.is_active,
        active_symbols=fresh_markets(dex.name, table, stale_after_ms, now),
    )


def fresh_markets(dex: str, table: MarketTable, stale_after_ms: int, now: datetime) -> int:
    """How many of a venue's markets have a fresh observation."""
    return sum(market.dex == dex and not market.is_stale(now, stale_after_ms) for market in table.markets)


def summary(healths: Sequence[NamedDexHealth]) -> DexSummary:
    """Venues counted."""
    return DexSummary(
        total=len(healths),
        active=sum(health.is_active for health in healths),
        healthy=sum(health.is_active and health.is_healthy for health in healths),
    )


def overall(database_connected: bool, venues: DexSummary) -> str:
    """Unhealthy without database or any healthy venue, degraded when some are not."""
    if not database_connected or venues.healthy == 0:
        return UNHEALTHY
    return HEALTHY if venues.healthy == venues.active else DEGRADED


def freshness(table: MarketTable, stale_after_ms: int, now: datetime) -> DataFreshness:
    """Ages of what is served."""
    ages = [market.age_ms(now) / 1000 for market in table.markets]
    return DataFreshness(
        oldest_data_age_seconds=max(ages, default=None),
        newest_data_age_seconds=min(ages, default=None),
        latest_update=table.updated_at,
        total_rates=len(ages),
        fresh_rates=sum(not market.is_stale(now, stale_after_ms) for market in table.markets),
        stale_after_seconds=stale_after_ms / 1000,
    )


def _status(dex: DexFacts, fresh: int) -> str:
    if dex.last_success_at is None and dex.last_error_at is None:
        return UNKNOWN
    if fresh == 0:
        return UNHEALTHY
    return HEALTHY if dex.consecutive_errors == 0 else DEGRADED
