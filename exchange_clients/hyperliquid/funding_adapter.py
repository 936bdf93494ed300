"""Funding of Hyperliquid: one call tells every market's rate, a plain fraction per hour, paid on the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exchange_clients.domain import FundingObservation, FundingRate, MarketStats, identify, to_ms
from exchange_clients.engine.paging import pages_by_time
from exchange_clients.hyperliquid import common, wire
from exchange_clients.venue_adapter import VenueFundingAdapter

HOUR = timedelta(hours=1)
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
        return [self._paid(point.funding_rate, HOUR, point.time, "POST /info fundingHistory") for point in points]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        now_ms = self._clock.now_ms()
        meta, contexts = await self._session.call(common.META_AND_CONTEXTS, payload={"type": "metaAndAssetCtxs"})
        markets = wire.markets_of(meta, contexts)
        rates = [self._observation(market, ctx) for _, market, ctx in markets]
        return rates, [wire.to_stats(market, ctx, now_ms, self._provenance) for _, market, ctx in markets]

    def _observation(self, meta: wire.AssetMeta, ctx: wire.AssetCtx) -> FundingObservation:
        return self._observed(
            venue_symbol=meta.name,
            asset=identify(meta.name),
            said=ctx.funding,
            interval=HOUR,
            next_payment_at=self._due(HOUR),
            source="POST /info metaAndAssetCtxs",
        )
