"""The running service: database, collection and the board, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from exchange_clients.engine.clock import Clock
from funding_rate_service.board import Board, Encoder
from funding_rate_service.collection.collector import Collector
from funding_rate_service.collection.leadership import Leadership
from funding_rate_service.collection.schedule import Schedule
from funding_rate_service.collection.venues import OpenVenues, Venue
from funding_rate_service.config import Settings
from funding_rate_service.core.market import MarketTable
from funding_rate_service.core.opportunity_finder import Limits
from funding_rate_service.database import dex_store, rate_store
from funding_rate_service.database.connection import DATABASE_ERRORS, Database
from funding_rate_service.database.embedded import EmbeddedPostgres

log = logging.getLogger(__name__)

_RETRY_LOOP_S = 1.0


@dataclass(frozen=True)
class FundingService:
    """What the routes need."""

    clock: Clock
    database: Database
    board: Board
    leadership: Leadership


@asynccontextmanager
async def run_service(
    settings: Settings, clock: Clock, open_venues: OpenVenues, encoders: Mapping[str, Encoder]
) -> AsyncIterator[FundingService]:
    """Start everything, collect in the background, and stop it all at the end. Raises StartupError when it can't start."""
    async with AsyncExitStack() as stack:
        venues = await stack.enter_async_context(open_venues(settings, clock))
        database = Database(await _database_url(settings, stack))
        stack.push_async_callback(database.disconnect)
        await database.connect()
        interval_loop_s = settings.interval_loop_s(clock.speed)
        board = Board(settings.history_hours, Limits(settings.stale_after_ms(clock.speed), settings.price_band))
        await _remember(database, board, clock)
        changed = asyncio.Event()
        schedule = Schedule(_collectors(venues, database, clock, settings), interval_loop_s)

        async def begin() -> None:
            await _register(database, venues, interval_loop_s * clock.speed)
            schedule.start()

        leadership = Leadership(database, begin, schedule.stop, changed.set)
        await _refresh(database, board, clock, encoders)
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(leadership.run()),
                tasks.create_task(_keep_fresh(changed, database, board, clock, encoders)),
            ]
            try:
                yield FundingService(clock, database, board, leadership)
            finally:
                for task in background:
                    task.cancel()


async def _database_url(settings: Settings, stack: AsyncExitStack) -> str:
    if settings.database_url:
        return settings.database_url
    embedded = EmbeddedPostgres(settings.data_dir)
    stack.push_async_callback(embedded.stop)
    return await embedded.start()


def _collectors(venues: Sequence[Venue], database: Database, clock: Clock, settings: Settings) -> list[Collector]:
    writer = rate_store.RateWriter(database)
    return [Collector(venue, database, writer, clock, settings.collection_timeout_loop_s) for venue in venues]


async def _register(database: Database, venues: Sequence[Venue], interval_s: float) -> None:
    """Write which venues are collected and what they are; whoever leads decides."""
    for venue in venues:
        await dex_store.register(database, venue.spec, venue.rest_url, interval_s)
    await dex_store.deactivate_others(database, [venue.spec.name for venue in venues])


async def _remember(database: Database, board: Board, clock: Clock) -> None:
    """Fill the board's history from the hourly samples in the database."""
    now = clock.now()
    for key, hour, rate_hourly in await rate_store.load_hourly(database, now - timedelta(hours=board.history.hours), now):
        board.history.add(key, hour, rate_hourly)


async def _refresh(database: Database, board: Board, clock: Clock, encoders: Mapping[str, Encoder]) -> None:
    markets = await rate_store.load_latest(database)
    dexes = await dex_store.load(database)
    board.show(MarketTable(markets, dexes), clock.now(), encoders)


async def _keep_fresh(
    changed: asyncio.Event, database: Database, board: Board, clock: Clock, encoders: Mapping[str, Encoder]
) -> None:
    """Show every committed collection; several at once are shown together. Retries while the database is away."""
    while True:
        await changed.wait()
        changed.clear()
        try:
            await _refresh(database, board, clock, encoders)
        except DATABASE_ERRORS as error:
            log.warning("the latest rates can't be read: %s; trying again", error)
            changed.set()
            await asyncio.sleep(_RETRY_LOOP_S)
