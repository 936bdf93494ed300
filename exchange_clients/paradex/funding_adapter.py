"""Funding of Paradex: a rate per the market's own period that accrues every second. There are no payment times."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from exchange_clients.base import BaseFundingAdapter
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate, RawRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, to_ms
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.session import Session
from exchange_clients.engine.wiring import Wiring
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.signing import ParadexDialect

HISTORY_ROWS_MAX = 5000


class ParadexFundingAdapter(BaseFundingAdapter):
    """Reads `markets`, `markets/summary` and `funding/data`; venue sheet section 5."""

    venue = wire.VENUE

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._session = Session(self.venue, wiring, ParadexDialect(wiring))

    async def close(self) -> None:
        """Holds nothing of its own."""

    async def current_rates(self) -> Sequence[FundingObservation]:
        return (await self.snapshot())[0]

    async def rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Observations of the rate, about one per second on the venue: not payments, so never to be summed."""
        markets: wire.Page[wire.Market] = await self._session.call(common.MARKETS, query={"market": venue_symbol})
        usual = next((market.funding_period_hours for market in markets.results if market.symbol == venue_symbol), None)
        start_ms, end_ms = to_ms(since), to_ms(until)
        query = {"market": venue_symbol, "start_at": start_ms, "end_at": end_ms - 1, "page_size": HISTORY_ROWS_MAX}

        async def fetch(cursor: str | None) -> tuple[list[wire.FundingPoint], str | None]:
            page = await self._session.call(common.FUNDING_DATA, query={**query, "cursor": cursor})
            return page.results, page.next

        points = {p.created_at: p for p in await pages_by_cursor(fetch, self.venue, common.FUNDING_DATA.name)}
        inside = sorted(ms for ms in points if start_ms <= ms < end_ms)
        rates = (
            _rate(points[ms].funding_rate, points[ms].funding_period_hours or usual, ms, "GET /funding/data") for ms in inside
        )
        return [rate for rate in rates if rate is not None]

    async def market_stats(self) -> Sequence[MarketStats]:
        return (await self.snapshot())[1]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        pairs, provenance = await self._perpetuals(), self._wiring.environment.provenance
        return [self._observation(m, s) for m, s in pairs], [wire.to_stats(s, provenance) for _, s in pairs]

    async def _perpetuals(self) -> list[tuple[wire.Market, wire.Summary]]:
        """Listed perpetuals that have figures."""
        markets, summaries = await asyncio.gather(
            self._session.call(common.MARKETS), self._session.call(common.SUMMARIES, query={"market": "ALL"})
        )
        by_symbol = {summary.symbol: summary for summary in summaries.results}
        return [(m, by_symbol[m.symbol]) for m in markets.results if wire.is_listed(m) and m.symbol in by_symbol]

    def _observation(self, market: wire.Market, summary: wire.Summary) -> FundingObservation:
        hours, raw, rate = market.funding_period_hours, None, None
        if summary.funding_rate:
            unit = f"fraction per {hours:f} h" if hours else "fraction per an unknown period"
            raw = RawRate(summary.funding_rate, unit)
            rate = _rate(Decimal(summary.funding_rate), hours, summary.created_at, "GET /markets/summary")
        asset, now = identify(market.base_currency), self._wiring.clock.now()
        where = self._wiring.environment.provenance
        return FundingObservation.of(self.venue, market.symbol, asset, raw, rate, now, where)


def _rate(rate: Decimal, hours: Decimal | None, at_ms: int, source: str) -> FundingRate | None:
    """None when the period is not known."""
    if not hours:
        return None
    interval = timedelta(seconds=int(hours * 3600))
    return FundingRate(rate, interval, FundingKind.ACCRUING, from_ms(at_ms), None, source)
