"""Funding of Pacifica: one call tells every market's rate, a plain fraction per hour, paid on the hour.

`next_funding` is the estimate for the coming payment and what a carry is judged by; `funding` is what the last hour paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from exchange_clients.base import BaseFundingAdapter
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate, RawRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, next_boundary_ms, to_ms
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire

HOUR_MS = 3_600_000
HOUR = timedelta(hours=1)
HISTORY_ROWS_MAX = 4000


class PacificaFundingAdapter(BaseFundingAdapter):
    """Reads `/info`, `/info/prices` and `/funding_rate/history`; venue sheet section 5."""

    venue = wire.VENUE

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._session = Session(self.venue, wiring, Dialect())

    async def close(self) -> None:
        """Holds nothing of its own."""

    async def current_rates(self) -> Sequence[FundingObservation]:
        return (await self.snapshot())[0]

    async def rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Rows are not stamped on the hour; each tells what the full hour before it paid, and the last word of an hour counts."""
        since_ms, until_ms = to_ms(since), to_ms(until)

        async def fetch(cursor: str | None) -> tuple[list[wire.FundingPoint], str | None]:
            hours = (self._wiring.clock.now_ms() - since_ms) // HOUR_MS + 2
            query = {"symbol": venue_symbol, "limit": max(1, min(hours, HISTORY_ROWS_MAX)), "cursor": cursor}
            page = await self._session.call(common.FUNDING_RATE_HISTORY, query=query)
            goes_on = page.has_more and page.data and page.data[-1].created_at >= since_ms
            return page.data, page.next_cursor if goes_on else None

        points = await pages_by_cursor(fetch, self.venue, "funding_rate/history")
        by_hour = {p.created_at // HOUR_MS * HOUR_MS: p.funding_rate for p in sorted(points, key=lambda p: p.created_at)}
        return [self._settled(rate, hour_ms) for hour_ms, rate in by_hour.items() if since_ms <= hour_ms < until_ms]

    async def market_stats(self) -> Sequence[MarketStats]:
        return (await self.snapshot())[1]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        rows, provenance = await self._perpetuals(), self._wiring.environment.provenance
        return [self._observation(row) for row in rows], [wire.to_stats(row, provenance) for row in rows]

    async def _perpetuals(self) -> list[wire.PriceRow]:
        """The price list names spot markets too, and only the market list tells them apart."""
        listed = {i.venue_symbol for i in wire.to_instruments((await self._session.call(common.INFO)).data)}
        return [row for row in (await self._session.call(common.PRICES)).data if row.symbol in listed]

    def _observation(self, row: wire.PriceRow) -> FundingObservation:
        now, rate, raw = from_ms(self._wiring.clock.now_ms()), None, None
        if row.next_funding is not None:
            raw = RawRate(row.next_funding, "fraction per 1 h")
            due = from_ms(next_boundary_ms(to_ms(now), HOUR_MS))
            rate = FundingRate(Decimal(row.next_funding), HOUR, FundingKind.PREDICTED, now, due, "GET /info/prices")
        where = self._wiring.environment.provenance
        return FundingObservation.of(self.venue, row.symbol, identify(row.symbol), raw, rate, now, where)

    def _settled(self, rate: Decimal, hour_ms: int) -> FundingRate:
        return FundingRate(rate, HOUR, FundingKind.SETTLED, from_ms(hour_ms), None, "GET /funding_rate/history")
