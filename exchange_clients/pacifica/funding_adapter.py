"""Funding of Pacifica: one call tells every market's rate, a plain fraction per hour, paid on the hour.

`next_funding` is the estimate for the coming payment and what a carry is judged by; `funding` is what the last hour paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exchange_clients.domain import FundingObservation, FundingRate, MarketStats, identify, to_ms
from exchange_clients.engine.paging import pages_by_cursor
from exchange_clients.engine.rows import readable
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.dialect import PacificaDialect
from exchange_clients.venue_adapter import VenueFundingAdapter

HOUR, HOUR_MS = timedelta(hours=1), 3_600_000
HISTORY_ROWS_MAX = 4000


class PacificaFundingAdapter(VenueFundingAdapter):
    """Reads `/info`, `/info/prices` and `/funding_rate/history`; venue sheet section 5."""

    venue = wire.VENUE

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring, PacificaDialect(wiring))
        self._kinds: dict[str, bool] = {}

    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Rows are not stamped on the hour; each tells what the full hour before it paid, and the last word of an hour counts."""
        since_ms, until_ms = to_ms(since), to_ms(until)
        hours = (self._clock.now_ms() - since_ms) // HOUR_MS + 2
        query = {"symbol": venue_symbol, "limit": max(1, min(hours, HISTORY_ROWS_MAX))}

        async def fetch(cursor: str | None) -> tuple[list[wire.FundingPoint], str | None]:
            page = await self._session.call(common.FUNDING_RATE_HISTORY, query={**query, "cursor": cursor})
            rows = readable(page.data, wire.reader(wire.FundingPoint))
            return rows, page.cursor if rows and rows[-1].created_at >= since_ms else None

        points = await pages_by_cursor(fetch, self.venue, "funding_rate/history")
        by_hour = {p.created_at // HOUR_MS * HOUR_MS: p.funding_rate for p in sorted(points, key=lambda p: p.created_at)}
        inside = {hour_ms: rate for hour_ms, rate in by_hour.items() if since_ms <= hour_ms < until_ms}
        return [self._paid(rate, HOUR, hour_ms, "GET /funding_rate/history") for hour_ms, rate in inside.items()]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        """The price list names spot markets too, and only the market list tells them apart: it is read again for a new name."""
        prices = wire.price_rows((await self._session.call(common.PRICES)).data)
        if not {row.symbol for row in prices} <= self._kinds.keys():
            listed = readable((await self._session.call(common.INFO)).data, wire.reader(wire.Named))
            self._kinds = {row.symbol: False for row in prices} | {row.symbol: wire.is_perpetual(row) for row in listed}
        rows, now_ms = [row for row in prices if self._kinds[row.symbol]], self._clock.now_ms()
        return [self._observation(row) for row in rows], [wire.to_stats(row, now_ms, self._provenance) for row in rows]

    def _observation(self, row: wire.PriceRow) -> FundingObservation:
        return self._observed(
            venue_symbol=row.symbol,
            asset=identify(row.symbol),
            said=None if row.next_funding is None else str(row.next_funding),
            interval=HOUR,
            next_payment_at=self._due(HOUR),
            source="GET /info/prices",
        )
