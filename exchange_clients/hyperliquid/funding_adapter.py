"""Funding of Hyperliquid: one call tells every market's rate, a plain fraction per hour, paid on the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, next_boundary_ms, to_ms
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.hyperliquid import common, wire
from exchange_clients.venue_adapter import VenueFundingAdapter

HOUR, HOUR_MS = timedelta(hours=1), 3_600_000
HISTORY_ROWS_MAX = 500


class HyperliquidFundingAdapter(VenueFundingAdapter):
    """Reads `metaAndAssetCtxs` and `fundingHistory`; venue sheet section 5."""

    venue = wire.VENUE

    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        async def fetch(start_ms: int) -> list[wire.FundingPoint]:
            query = {"type": "fundingHistory", "coin": venue_symbol, "startTime": start_ms, "endTime": to_ms(until) - 1}
            page: list[wire.FundingPoint] = await self._session.call(common.FUNDING_HISTORY, payload=query)
            return page

        terms = (to_ms(since), HISTORY_ROWS_MAX, lambda p: p.time, lambda p: p.time, self.venue, common.FUNDING_HISTORY.name)
        points = await pages_by_time(fetch, *terms)
        kind, source = FundingKind.SETTLED, "POST /info fundingHistory"
        return [
            FundingRate(
                rate=p.funding_rate, interval=HOUR, kind=kind, effective_at=from_ms(p.time), next_payment_at=None, source=source
            )
            for p in points
        ]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        now_ms = self._clock.now_ms()
        meta, contexts = await self._session.call(common.META_AND_CONTEXTS, payload={"type": "metaAndAssetCtxs"})
        markets = wire.markets_of(meta, contexts)
        rates = [self._observation(market, ctx, now_ms) for _, market, ctx in markets]
        return rates, [wire.to_stats(market, ctx, now_ms, self._provenance) for _, market, ctx in markets]

    def _observation(self, meta: wire.AssetMeta, ctx: wire.AssetCtx, now_ms: int) -> FundingObservation:
        now, due = from_ms(now_ms), from_ms(next_boundary_ms(now_ms, HOUR_MS))
        return FundingObservation.read(
            venue=self.venue,
            venue_symbol=meta.name,
            asset=identify(meta.name),
            said=ctx.funding,
            interval=HOUR,
            kind=FundingKind.PREDICTED,
            effective_at=now,
            next_payment_at=due,
            source="POST /info metaAndAssetCtxs",
            observed_at=now,
            provenance=self._provenance,
        )
