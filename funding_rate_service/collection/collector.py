"""One venue's collection: ask, pair rates with market figures, write, and keep how it went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from exchange_clients.domain.funding import FundingObservation
from exchange_clients.domain.market import MarketStats
from exchange_clients.engine.clock import Clock
from exchange_clients.errors import ExchangeError
from funding_rate_service.collection.venues import Venue
from funding_rate_service.core.market import Market
from funding_rate_service.database import dex_store
from funding_rate_service.database.connection import DATABASE_ERRORS, Database
from funding_rate_service.database.rate_store import RateWriter

log = logging.getLogger(__name__)

_CANCEL_LOOP_S_MAX = 1.0


class Collector:
    """Collects one venue. A venue that fails, hangs or has a bug in its adapter harms nobody else: its message is stored."""

    def __init__(self, venue: Venue, database: Database, writer: RateWriter, clock: Clock, timeout_loop_s: float) -> None:
        self.venue = venue
        self._database = database
        self._writer = writer
        self._clock = clock
        self._timeout_loop_s = timeout_loop_s
        self._busy = False

    async def run_once(self) -> None:
        """One cycle, bounded in time. Does nothing while the previous one still runs."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._cycle()
        except DATABASE_ERRORS as error:
            log.error("%s: collected, but the database did not take it: %s", self.venue.spec.name, error)
        finally:
            self._busy = False

    async def _cycle(self) -> None:
        name = self.venue.spec.name
        started = self._clock.now()
        markets, failure = await self._ask()
        completed = self._clock.now()
        if failure is None:
            await self._writer.write(name, markets)
        else:
            log.warning("%s: collection failed: %s", name, failure)
        known = sum(market.observation.rate is not None for market in markets)
        duration_wall_ms = round((completed - started).total_seconds() * 1000 / self._clock.speed)
        await dex_store.record_run(
            self._database, name, started, completed, duration_wall_ms, known, len(markets) - known, failure
        )

    async def _ask(self) -> tuple[Sequence[Market], str | None]:
        """The venue's markets, or none and the reason why."""
        task = asyncio.create_task(self._fetch())
        try:
            await asyncio.wait({task}, timeout=self._timeout_loop_s)
            if not task.done():
                return (), f"no complete answer within {self._timeout_loop_s:g} s"
            failure = task.exception()
            if failure is None:
                markets = task.result()
                return markets, None if markets else "the venue listed no markets"
            if not isinstance(failure, ExchangeError):
                log.error("%s: the adapter failed unexpectedly", self.venue.spec.name, exc_info=failure)
            return (), str(failure) or type(failure).__name__
        finally:
            if task.cancel():
                await asyncio.wait({task}, timeout=_CANCEL_LOOP_S_MAX)

    async def _fetch(self) -> Sequence[Market]:
        rates, stats = await self.venue.adapter.snapshot()
        return pair(rates, stats)


def pair(rates: Sequence[FundingObservation], stats: Sequence[MarketStats]) -> tuple[Market, ...]:
    """Rates with the figures of the same market; figures of another provenance are left out, the last of repeated rows wins."""
    figures = {row.venue_symbol: row for row in stats}
    markets = {}
    for seen in rates:
        found = figures.get(seen.venue_symbol)
        same_world = found is not None and found.provenance is seen.provenance
        markets[seen.venue_symbol] = Market(seen, found if same_world else None)
    return tuple(markets.values())
