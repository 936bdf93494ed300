"""Funding of Paradex: a rate per the market's own period that accrues every second. There are no payment times."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, to_ms
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.wiring import Wiring
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.dialect import ParadexDialect
from exchange_clients.venue_adapter import VenueFundingAdapter

HISTORY_ROWS_MAX = 5000


class ParadexFundingAdapter(VenueFundingAdapter):
    """Reads `markets`, `markets/summary` and `funding/data`; venue sheet section 5."""

    venue = wire.VENUE

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring, ParadexDialect(wiring))

    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Observations of the rate, about one per second on the venue: not payments, so never to be summed."""
        markets: wire.Page[wire.Market] = await self._session.call(common.MARKETS, query={"market": venue_symbol})
        usual = next((market.funding_period_hours for market in markets.results if market.symbol == venue_symbol), None)
        start_ms, end_ms = to_ms(since), to_ms(until)
        query = {"market": venue_symbol, "start_at": start_ms, "end_at": end_ms - 1, "page_size": HISTORY_ROWS_MAX}

        async def fetch(cursor: str | None) -> tuple[list[wire.FundingPoint], str | None]:
            page = await self._session.call(common.FUNDING_DATA, query={**query, "cursor": cursor})
            return page.results, page.next

        points = {p.created_at: p for p in await pages_by_cursor(fetch, self.venue, common.FUNDING_DATA.name)}
        inside = [(points[ms], ms) for ms in sorted(points) if start_ms <= ms < end_ms]
        known = [(p.funding_rate, _period(p.funding_period_hours or usual), from_ms(ms)) for p, ms in inside]
        kind, source = FundingKind.ACCRUING, "GET /funding/data"
        return [
            FundingRate(rate=rate, interval=period, kind=kind, effective_at=at, next_payment_at=None, source=source)
            for rate, period, at in known
            if period is not None
        ]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        """Of listed perpetuals that have figures."""
        markets, summaries = await asyncio.gather(
            self._session.call(common.MARKETS), self._session.call(common.SUMMARIES, query={"market": "ALL"})
        )
        by_symbol = {summary.symbol: summary for summary in summaries.results}
        pairs = [(m, by_symbol[m.symbol]) for m in markets.results if wire.is_listed(m) and m.symbol in by_symbol]
        return [self._observation(m, s) for m, s in pairs], [wire.to_stats(s, self._provenance) for _, s in pairs]

    def _observation(self, market: wire.Market, summary: wire.Summary) -> FundingObservation:
        return FundingObservation.read(
            venue=self.venue,
            venue_symbol=market.symbol,
            asset=identify(market.base_currency),
            said=summary.funding_rate or None,
            interval=_period(market.funding_period_hours),
            kind=FundingKind.ACCRUING,
            effective_at=from_ms(summary.created_at),
            next_payment_at=None,
            source="GET /markets/summary",
            observed_at=self._clock.now(),
            provenance=self._provenance,
        )


def _period(hours: Decimal | None) -> timedelta | None:
    """None when the venue does not say it (0 in old rows)."""
    return timedelta(seconds=int(hours * 3600)) if hours else None
