"""What the funding adapters of all venues are made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from exchange_clients.base import BaseFundingAdapter
from exchange_clients.domain.assets import Asset
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.times import from_ms, next_boundary_ms
from exchange_clients.engine.guarded import guard
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.wiring import Wiring


class VenueFundingAdapter(BaseFundingAdapter):
    """One session, without an account. Rates and figures come from one `snapshot`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard(cls)

    def __init__(self, wiring: Wiring, dialect: Dialect | None = None) -> None:
        self._clock = wiring.clock
        self._provenance = wiring.provenance
        self._session = Session(self.venue, wiring, dialect or Dialect())

    async def close(self) -> None:
        """Holds nothing of its own."""

    async def current_rates(self) -> Sequence[FundingObservation]:
        return (await self.snapshot())[0]

    async def market_stats(self) -> Sequence[MarketStats]:
        return (await self.snapshot())[1]

    @abstractmethod
    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        """Both of one moment, in as few calls as the venue allows."""

    def _observed(
        self,
        *,
        venue_symbol: str,
        asset: Asset,
        said: str | None,
        interval: timedelta | None,
        next_payment_at: datetime | None,
        source: str,
        kind: FundingKind = FundingKind.PREDICTED,
        effective_at: datetime | None = None,
    ) -> FundingObservation:
        """What the venue said of one market just now: `said`, exactly as it wrote it, is a plain fraction per `interval`.

        Anything that is no number, and a missing interval, becomes the reason why the rate is unknown.
        """
        now = self._clock.now()
        return FundingObservation.read(
            venue=self.venue,
            venue_symbol=venue_symbol,
            asset=asset,
            said=said,
            interval=interval,
            kind=kind,
            effective_at=effective_at or now,
            next_payment_at=next_payment_at,
            source=source,
            observed_at=now,
            provenance=self._provenance,
        )

    def _due(self, period: timedelta) -> datetime:
        """When the next payment is due at a venue that pays at every full `period`."""
        return from_ms(next_boundary_ms(self._clock.now_ms(), period // timedelta(milliseconds=1)))

    def _paid(self, rate: Decimal, interval: timedelta, time_ms: int, source: str) -> FundingRate:
        """What was paid at `time_ms`: a fraction per `interval`."""
        return FundingRate(
            rate=rate,
            interval=interval,
            kind=FundingKind.SETTLED,
            effective_at=from_ms(time_ms),
            next_payment_at=None,
            source=source,
        )
