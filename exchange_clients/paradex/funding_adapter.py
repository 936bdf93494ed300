"""Funding of Paradex: a rate per the market's own period that accrues every second. There are no payment times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from exchange_clients import domain
from exchange_clients.domain import FundingKind, FundingObservation, FundingRate, from_ms, said_number, to_ms
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.rows import readable, row_of
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
        markets = await self._session.call(common.MARKETS, query={"market": venue_symbol})
        usual = next((m.funding_period_hours for m in readable(markets.results, wire.to_market)), None)
        start_ms, end_ms = to_ms(since), to_ms(until)
        query = {"market": venue_symbol, "start_at": start_ms, "end_at": end_ms - 1, "page_size": HISTORY_ROWS_MAX}

        async def fetch(cursor: str | None) -> tuple[list[msgspec.Raw], str | None]:
            page = await self._session.call(common.FUNDING_DATA, query={**query, "cursor": cursor})
            return page.results or [], page.next

        rows = await pages_by_cursor(fetch, self.venue, common.FUNDING_DATA.name)
        points = {p.created_at: p for p in readable(rows, lambda row: row_of(row, wire.FundingPoint))}
        inside = [(points[ms], ms) for ms in sorted(points) if start_ms <= ms < end_ms]
        known = [(p.funding_rate, _period(p.funding_period_hours or usual), from_ms(ms)) for p, ms in inside]
        terms: dict[str, Any] = {"kind": FundingKind.ACCRUING, "next_payment_at": None, "source": "GET /funding/data"}
        return [FundingRate(rate=rate, interval=period, effective_at=at, **terms) for rate, period, at in known if period]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[domain.MarketStats]]:
        """Of listed perpetuals that have figures."""
        pairs, now_ms = await common.fetch_figures(self._session), self._clock.now_ms()
        return [self._observation(m, s) for m, s in pairs], [wire.to_stats(s, self._provenance, now_ms) for _, s in pairs]

    def _observation(self, market: wire.Market, summary: wire.Summary) -> FundingObservation:
        said, told_ms = summary.funding_rate, said_number(summary.created_at)
        return self._observed(
            venue_symbol=market.symbol,
            asset=domain.identify(market.base_currency),
            said=str(said) if said is not None and said != "" else None,
            interval=_period(market.funding_period_hours),
            kind=FundingKind.ACCRUING,
            effective_at=from_ms(int(told_ms)) if told_ms else None,
            next_payment_at=None,
            source="GET /markets/summary",
        )


def _period(hours: Any) -> timedelta | None:
    """None when the venue does not say it (0 in old rows)."""
    found = said_number(hours)
    return timedelta(seconds=int(found * 3600)) if found else None
