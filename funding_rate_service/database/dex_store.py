"""Venues and their collection runs in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exchange_clients.base import Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.spec import VenueSpec
from funding_rate_service.core.market import DexFacts
from funding_rate_service.database.connection import CHANNEL, Database, Row

_REGISTER = """
INSERT INTO dexes (name, display_name, api_base_url, is_active, supports_websocket, maker_fee, taker_fee,
                   funding_interval_hours, rate_limit_per_minute, collection_interval_seconds)
VALUES (:name, :display_name, :url, true, :websocket, :maker, :taker, :hours, :rate_limit, :interval)
ON CONFLICT (name) DO UPDATE SET
    display_name = excluded.display_name, api_base_url = excluded.api_base_url, is_active = true,
    supports_websocket = excluded.supports_websocket, maker_fee = excluded.maker_fee, taker_fee = excluded.taker_fee,
    funding_interval_hours = excluded.funding_interval_hours, rate_limit_per_minute = excluded.rate_limit_per_minute,
    collection_interval_seconds = excluded.collection_interval_seconds
"""
_RECORD_RUN = """
INSERT INTO collection_runs (dex_id, started_at, completed_at, duration_ms, status, rates_known, rates_unknown, error_message)
SELECT id, :started, :completed, :duration, CASE WHEN CAST(:error AS text) IS NULL THEN 'success' ELSE 'failed' END,
       :known, :unknown, CAST(:error AS text)
FROM dexes WHERE name = :name
"""
_SUCCEEDED = """
UPDATE dexes SET last_success_at = :completed, last_duration_ms = :duration, consecutive_errors = 0 WHERE name = :name
"""
_FAILED = """
UPDATE dexes SET last_error = :error, last_error_at = :completed, last_duration_ms = :duration,
                 consecutive_errors = consecutive_errors + 1
WHERE name = :name
"""


async def register(database: Database, spec: VenueSpec, rest_url: str, interval_s: float) -> None:
    """Write what a venue is; its fees live here and nowhere else. `interval_s`: market seconds between collections."""
    values = {
        "name": spec.name,
        "display_name": spec.display_name,
        "url": rest_url,
        "websocket": Capability.STREAM_BOOK in spec.capabilities,
        "maker": spec.fees.maker,
        "taker": spec.fees.taker,
        "hours": spec.funding_interval_hours,
        "rate_limit": spec.rate_limit_per_minute,
        "interval": interval_s,
    }
    await database.execute(_REGISTER, values)


async def deactivate_others(database: Database, names: Sequence[str]) -> None:
    """Mark every venue that is not in `names` as no longer collected."""
    await database.execute("UPDATE dexes SET is_active = false WHERE NOT (name = ANY (:names))", {"names": list(names)})


async def record_run(
    database: Database,
    dex: str,
    started: datetime,
    completed: datetime,
    duration_wall_ms: int,
    known: int,
    unknown: int,
    error: str | None,
) -> None:
    """Keep one collection run and tell every process. `error`: its message; None means success. It outlives a recovery."""
    outcome = {"name": dex, "completed": completed, "duration": duration_wall_ms}
    await database.execute(_RECORD_RUN, {**outcome, "started": started, "known": known, "unknown": unknown, "error": error})
    if error is None:
        await database.execute(_SUCCEEDED, outcome)
    else:
        await database.execute(_FAILED, {**outcome, "error": error})
    await database.execute("SELECT pg_notify(:channel, :name)", {"channel": CHANNEL, "name": dex})


async def load(database: Database) -> tuple[DexFacts, ...]:
    """All venues, active or not, by name."""
    return tuple(_facts(row) for row in await database.fetch_all("SELECT * FROM dexes ORDER BY name"))


def _facts(row: Row) -> DexFacts:
    return DexFacts(
        name=row["name"],
        display_name=row["display_name"],
        api_base_url=row["api_base_url"],
        is_active=row["is_active"],
        supports_websocket=row["supports_websocket"],
        fees=FeeRates(maker=row["maker_fee"], taker=row["taker_fee"]),
        funding_interval_hours=row["funding_interval_hours"],
        rate_limit_per_minute=row["rate_limit_per_minute"],
        collection_interval_s=row["collection_interval_seconds"],
        last_success_at=row["last_success_at"],
        last_duration_wall_ms=row["last_duration_ms"],
        consecutive_errors=row["consecutive_errors"],
        last_error=row["last_error"],
        last_error_at=row["last_error_at"],
    )
