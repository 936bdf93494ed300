"""GET /health and below, and the probes /livez and /readyz."""

from __future__ import annotations

from fastapi import APIRouter, Response

from funding_rate_service.api.context import Asked
from funding_rate_service.core import dex_health
from funding_rate_service.database import rate_store
from funding_rate_service.database.connection import DATABASE_ERRORS
from funding_rate_service.models.health import (
    DatabaseHealth,
    DatabaseState,
    DatabaseStatistics,
    OneDexHealth,
    Ping,
    Readiness,
    ServiceHealth,
    SimpleHealth,
)

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(asked: Asked) -> ServiceHealth:
    """Database, venues and freshness at a glance. Always 200: the status is in the body."""
    database = await _database_state(asked)
    table, limit_ms = asked.board.table, asked.board.limits.stale_after_ms
    venues = [dex_health.named_health(facts, table, limit_ms, asked.now) for facts in table.dexes.values()]
    counted = dex_health.summary(venues)
    return ServiceHealth(
        status=dex_health.overall(database.connected, counted),
        timestamp=asked.now,
        database=database,
        dex_health=venues,
        dex_summary=counted,
        data_freshness=dex_health.freshness(table, limit_ms, asked.now),
        is_leader=asked.service.leadership.is_leader,
    )


@router.get("/health/simple")
async def simple_health(asked: Asked) -> SimpleHealth:
    """A sign of life that asks nothing of the database."""
    return SimpleHealth(status="ok", timestamp=asked.now)


@router.get("/health/database")
async def database_health(asked: Asked) -> DatabaseHealth:
    """Rows per table."""
    try:
        counts = await rate_store.count(asked.service.database, asked.now)
    except DATABASE_ERRORS as error:
        return DatabaseHealth(
            status=dex_health.UNHEALTHY, connected=False, statistics=None, error=_text(error), timestamp=asked.now
        )
    return DatabaseHealth(
        status=dex_health.HEALTHY, connected=True, statistics=DatabaseStatistics(**counts), error=None, timestamp=asked.now
    )


@router.get("/health/dex/{dex}")
async def one_dex_health(asked: Asked, dex: str) -> OneDexHealth:
    """How collection from one venue goes."""
    found = dex_health.named_health(asked.dex(dex), asked.board.table, asked.board.limits.stale_after_ms, asked.now)
    return OneDexHealth(**found.model_dump(), recent_updates=found.active_symbols, timestamp=asked.now)


@router.get("/livez")
async def livez() -> Ping:
    """The process answers."""
    return Ping(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not yet, and why"}})
async def readyz(asked: Asked, response: Response) -> Readiness:
    """200 once the database answers and at least one venue's rates are fresh; 503 until then."""
    database = await _database_state(asked)
    fresh = dex_health.freshness(asked.board.table, asked.board.limits.stale_after_ms, asked.now).fresh_rates
    reason = f"database: {database.error}" if not database.connected else "" if fresh else "no fresh rates yet"
    if reason:
        response.status_code = 503
    return Readiness(ready=not reason, reason=reason)


async def _database_state(asked: Asked) -> DatabaseState:
    try:
        await asked.service.database.fetch_all("SELECT 1")
    except DATABASE_ERRORS as error:
        return DatabaseState(connected=False, error=_text(error))
    return DatabaseState(connected=True)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
