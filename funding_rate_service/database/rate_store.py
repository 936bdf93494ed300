"""Funding rates in the database: one bulk write per collection, and the reads that serving needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate, RawRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import from_ms, to_ms
from funding_rate_service.core.hourly_history import Key
from funding_rate_service.core.market import Market
from funding_rate_service.database.connection import Database, Row

_PARTITION_LOCK = 7_205_003
_RATE_COLUMNS = (
    "raw_value", "raw_unit", "rate", "rate_hourly", "interval_seconds", "kind", "effective_at", "next_payment_at", "source",
    "provenance", "unknown_because",
)  # fmt: skip
_STATS_COLUMNS = (
    "mark_price", "index_price", "open_interest_usd", "volume_24h_usd", "best_bid", "best_ask", "stats_at",
)  # fmt: skip
_STAGED = ("symbol", "venue_symbol", "multiplier", "observed_at", *_RATE_COLUMNS, *_STATS_COLUMNS)

_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging (
    symbol text, venue_symbol text, multiplier numeric, observed_at timestamptz,
    raw_value text, raw_unit text, rate numeric, rate_hourly numeric, interval_seconds integer, kind text,
    effective_at timestamptz, next_payment_at timestamptz, source text, provenance text, unknown_because text,
    mark_price double precision, index_price double precision, open_interest_usd double precision,
    volume_24h_usd double precision, best_bid double precision, best_ask double precision, stats_at timestamptz
) ON COMMIT DELETE ROWS
"""
# Symbols are shared by venues that write at the same time: one order for all, or they would deadlock.
# Identity columns are asked for only where a row is missing: ON CONFLICT would burn a number for every row of every cycle.
_NEW_SYMBOLS = """
INSERT INTO symbols (name) SELECT DISTINCT symbol FROM staging s
WHERE NOT EXISTS (SELECT FROM symbols k WHERE k.name = s.symbol) ORDER BY symbol ON CONFLICT DO NOTHING
"""
_NEW_INSTRUMENTS = """
INSERT INTO instruments (dex_id, symbol_id, venue_symbol, multiplier)
SELECT $1, k.id, s.venue_symbol, s.multiplier FROM staging s JOIN symbols k ON k.name = s.symbol
WHERE NOT EXISTS (SELECT FROM instruments i WHERE i.dex_id = $1 AND i.venue_symbol = s.venue_symbol) ON CONFLICT DO NOTHING
"""
_CHANGED_INSTRUMENTS = """
UPDATE instruments i SET multiplier = s.multiplier, symbol_id = k.id FROM staging s JOIN symbols k ON k.name = s.symbol
WHERE i.dex_id = $1 AND i.venue_symbol = s.venue_symbol AND (i.multiplier, i.symbol_id) IS DISTINCT FROM (s.multiplier, k.id)
"""
_FROM_STAGING = "FROM staging s JOIN instruments i ON i.dex_id = $1 AND i.venue_symbol = s.venue_symbol"
_RATES = ", ".join(_RATE_COLUMNS)
_S_RATES = ", ".join(f"s.{name}" for name in _RATE_COLUMNS)
_LATEST = ("observed_at", *_RATE_COLUMNS, *_STATS_COLUMNS)
_APPEND = f"""
INSERT INTO funding_rates (dex_id, instrument_id, time, {_RATES})
SELECT $1, i.id, s.observed_at, {_S_RATES} {_FROM_STAGING} ON CONFLICT DO NOTHING
"""
_REPLACE_LATEST = f"""
INSERT INTO latest (dex_id, instrument_id, {", ".join(_LATEST)})
SELECT $1, i.id, {", ".join(f"s.{name}" for name in _LATEST)} {_FROM_STAGING}
ON CONFLICT (dex_id, instrument_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _LATEST)}
"""
_SAMPLE = f"""
INSERT INTO hourly_rates (instrument_id, hour, rate_hourly, provenance)
SELECT i.id, date_trunc('hour', s.observed_at, 'UTC'), s.rate_hourly, s.provenance {_FROM_STAGING}
WHERE s.rate_hourly IS NOT NULL
ON CONFLICT (instrument_id, hour) DO UPDATE SET rate_hourly = excluded.rate_hourly, provenance = excluded.provenance
"""
_READ_LATEST = """
SELECT d.name AS dex, k.name AS symbol, i.venue_symbol, i.multiplier, l.*
FROM latest l JOIN dexes d ON d.id = l.dex_id JOIN instruments i ON i.id = l.instrument_id JOIN symbols k ON k.id = i.symbol_id
WHERE d.is_active
"""
_READ_HOURLY = """
SELECT d.name AS dex, i.venue_symbol, h.provenance, h.hour, h.rate_hourly
FROM hourly_rates h JOIN instruments i ON i.id = h.instrument_id JOIN dexes d ON d.id = i.dex_id
WHERE d.is_active AND h.hour > :since AND h.hour <= :until ORDER BY h.hour
"""
_COUNTS = """
SELECT (SELECT count(*) FROM symbols) AS symbols, (SELECT count(*) FROM dexes) AS dexes,
       (SELECT count(*) FROM latest) AS latest_rates,
       (SELECT count(*) FROM funding_rates WHERE time > :since AND time <= :until) AS rates_last_24h
"""


class RateWriter:
    """Writes collections. Keeps in mind which monthly partitions exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._months: set[datetime] = set()

    async def write(self, dex: str, markets: Sequence[Market]) -> None:
        """Append one venue's observations, replace its latest and hourly ones: all in one transaction."""
        async with self._database.bulk() as connection:
            months = await self._partitions(connection, {_month(market.observation.observed_at) for market in markets})
            await connection.execute(_STAGING)
            rows = [_staged(market) for market in markets]
            await connection.copy_records_to_table("staging", records=rows, columns=_STAGED)
            dex_id = await connection.fetchval("SELECT id FROM dexes WHERE name = $1", dex)
            await connection.execute(_NEW_SYMBOLS)
            for statement in (_NEW_INSTRUMENTS, _CHANGED_INSTRUMENTS, _APPEND, _REPLACE_LATEST, _SAMPLE):
                await connection.execute(statement, dex_id)
        self._months |= months

    async def _partitions(self, connection: asyncpg.Connection, months: set[datetime]) -> set[datetime]:
        """Make the partitions of `months` and of the ones after them; returns those that were missing in our memory."""
        missing = (months | {_next_month(month) for month in months}) - self._months
        if missing:  # IF NOT EXISTS alone fails when two venues' first collections make the same one at once
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _PARTITION_LOCK)
        for month in sorted(missing):
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS funding_rates_{month:%Y_%m} PARTITION OF funding_rates "
                f"FOR VALUES FROM ('{month.isoformat()}') TO ('{_next_month(month).isoformat()}')"
            )
        return missing


async def load_latest(database: Database) -> tuple[Market, ...]:
    """The latest observation of every market of every active venue."""
    return tuple(_market(row) for row in await database.fetch_bulk(_READ_LATEST))


async def load_hourly(database: Database, since: datetime, until: datetime) -> list[tuple[Key, datetime, Decimal]]:
    """Hourly samples in (since, until], oldest first."""
    rows = await database.fetch_all(_READ_HOURLY, {"since": since, "until": until})
    return [((row["dex"], row["venue_symbol"], Provenance(row["provenance"])), row["hour"], row["rate_hourly"]) for row in rows]


async def count(database: Database, now: datetime) -> dict[str, int]:
    """Rows per table; rates of the 24 hours before `now`."""
    (row,) = await database.fetch_all(_COUNTS, {"since": now - timedelta(hours=24), "until": now})
    return {name: row[name] for name in ("symbols", "dexes", "latest_rates", "rates_last_24h")}


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(month: datetime) -> datetime:
    return _month(month + timedelta(days=31))


def _staged(market: Market) -> tuple[Any, ...]:
    seen, stats = market.observation, market.stats
    rate, raw = seen.rate, seen.raw
    return (
        seen.symbol,
        seen.venue_symbol,
        seen.multiplier,
        seen.observed_at,
        raw.value if raw else None,
        raw.unit if raw else None,
        rate.rate if rate else None,
        rate.per_hour() if rate else None,
        rate.interval // timedelta(seconds=1) if rate else None,
        rate.kind.value if rate else None,
        rate.effective_at if rate else None,
        rate.next_payment_at if rate else None,
        rate.source if rate else "",
        seen.provenance.value,
        "" if rate else seen.unknown_because or "the venue gave no reason",
        *(
            (
                stats.mark_price,
                stats.index_price,
                stats.open_interest_usd,
                stats.volume_24h_usd,
                stats.best_bid,
                stats.best_ask,
                from_ms(stats.time_ms),
            )
            if stats
            else (None,) * len(_STATS_COLUMNS)
        ),
    )


def _market(row: Row) -> Market:
    provenance = Provenance(row["provenance"])
    rate = None
    if row["rate"] is not None:
        rate = FundingRate(
            rate=row["rate"],
            interval=timedelta(seconds=row["interval_seconds"]),
            kind=FundingKind(row["kind"]),
            effective_at=row["effective_at"],
            next_payment_at=row["next_payment_at"],
            source=row["source"],
        )
    return Market(
        observation=FundingObservation(
            venue=row["dex"],
            symbol=row["symbol"],
            venue_symbol=row["venue_symbol"],
            multiplier=row["multiplier"],
            rate=rate,
            raw=None if row["raw_value"] is None else RawRate(row["raw_value"], row["raw_unit"]),
            unknown_because=row["unknown_because"],
            observed_at=row["observed_at"],
            provenance=provenance,
        ),
        stats=None if row["stats_at"] is None else _stats(row, provenance),
    )


def _stats(row: Row, provenance: Provenance) -> MarketStats:
    return MarketStats(
        venue=row["dex"],
        symbol=row["symbol"],
        venue_symbol=row["venue_symbol"],
        mark_price=row["mark_price"],
        index_price=row["index_price"],
        open_interest_usd=row["open_interest_usd"],
        volume_24h_usd=row["volume_24h_usd"],
        best_bid=row["best_bid"],
        best_ask=row["best_ask"],
        time_ms=to_ms(row["stats_at"]),
        provenance=provenance,
    )
