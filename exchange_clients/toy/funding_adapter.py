"""Funding of Toy: one call tells every market's rate, a plain fraction per hour, paid on the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exchange_clients.domain import FundingObservation, FundingRate, MarketStats, from_ms, to_ms
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.engine.rows import readable
from exchange_clients.toy import common, wire
from exchange_clients.venue_adapter import VenueFundingAdapter

HOUR = timedelta(hours=1)


class ToyFundingAdapter(VenueFundingAdapter):
    """Reads `/figures` and `/funding`; venue sheet section 5."""

    venue = wire.VENUE

    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        async def fetch(start_ms: int) -> list[wire.FundingPoint]:
            query = {"symbol": venue_symbol, "since": start_ms, "until": to_ms(until), "limit": common.ROWS_MAX}
            points: list[wire.FundingPoint] = (await self._session.call(common.FUNDING, query=query)).result
            return points

        points = await pages_by_time(
            fetch, to_ms(since), common.ROWS_MAX, lambda p: p.time, lambda p: p.time, self.venue, common.FUNDING.name
        )
        return [self._paid(point.rate, HOUR, point.time, "GET /funding") for point in points]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        rows = readable((await self._session.call(common.FIGURES)).result, wire.FIGURES)
        return [self._observation(row) for row in rows], [wire.to_stats(row, self._provenance) for row in rows]

    def _observation(self, row: wire.Figures) -> FundingObservation:
        return self._observed(
            venue_symbol=row.symbol,
            asset=wire.asset_of(row.symbol),
            said=None if row.funding_rate is None else str(row.funding_rate),
            interval=HOUR,
            next_payment_at=None if row.next_funding_time is None else from_ms(row.next_funding_time),
            source="GET /figures",
        )
