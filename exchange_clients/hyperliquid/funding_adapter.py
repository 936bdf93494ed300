"""Funding of Hyperliquid: one call tells every market's rate, a plain fraction per hour, paid on the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from exchange_clients.base import BaseFundingAdapter
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate, RawRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, next_boundary_ms, to_ms
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import common, wire

HOUR_MS = 3_600_000
HISTORY_ROWS_MAX = 500


class HyperliquidFundingAdapter(BaseFundingAdapter):
    """Reads `metaAndAssetCtxs` and `fundingHistory`; venue sheet section 5."""

    venue = wire.VENUE

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._session = Session(self.venue, wiring, Dialect())

    async def close(self) -> None:
        """Holds nothing of its own."""

    async def current_rates(self) -> Sequence[FundingObservation]:
        return (await self.snapshot())[0]

    async def rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        rates: list[FundingRate] = []
        start_ms, end_ms = to_ms(since), to_ms(until) - 1
        while start_ms <= end_ms:
            query = {"type": "fundingHistory", "coin": venue_symbol, "startTime": start_ms, "endTime": end_ms}
            page: list[wire.FundingPoint] = await self._session.call(common.FUNDING_HISTORY, payload=query)
            rates += [self._settled(point) for point in page]
            if len(page) < HISTORY_ROWS_MAX:
                break
            start_ms = page[-1].time + 1
        return rates

    async def market_stats(self) -> Sequence[MarketStats]:
        return (await self.snapshot())[1]

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        now_ms, provenance = self._wiring.clock.now_ms(), self._wiring.environment.provenance
        markets = await self._markets()
        stats = [wire.to_stats(meta, ctx, now_ms, provenance) for meta, ctx in markets]
        return [self._observation(meta, ctx, now_ms) for meta, ctx in markets], stats

    async def _markets(self) -> list[tuple[wire.AssetMeta, wire.AssetCtx]]:
        meta, contexts = await self._session.call(common.META_AND_CONTEXTS, payload={"type": "metaAndAssetCtxs"})
        return [pair for pair in zip(meta.universe, contexts, strict=True) if not pair[0].is_delisted]

    def _observation(self, meta: wire.AssetMeta, ctx: wire.AssetCtx, now_ms: int) -> FundingObservation:
        asset, now, rate = identify(meta.name), from_ms(now_ms), None
        if ctx.funding is not None:
            rate = FundingRate(
                rate=Decimal(ctx.funding),
                interval=timedelta(hours=1),
                kind=FundingKind.PREDICTED,
                effective_at=now,
                next_payment_at=from_ms(next_boundary_ms(now_ms, HOUR_MS)),
                source="POST /info metaAndAssetCtxs",
            )
        raw = None if ctx.funding is None else RawRate(ctx.funding, "fraction per 1 h")
        return FundingObservation.of(self.venue, meta.name, asset, raw, rate, now, self._wiring.environment.provenance)

    def _settled(self, point: wire.FundingPoint) -> FundingRate:
        return FundingRate(
            rate=point.funding_rate,
            interval=timedelta(hours=1),
            kind=FundingKind.SETTLED,
            effective_at=from_ms(point.time),
            next_payment_at=None,
            source="POST /info fundingHistory",
        )
