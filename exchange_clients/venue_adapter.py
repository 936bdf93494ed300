"""What the funding adapters of all venues are made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from exchange_clients.base import BaseFundingAdapter
from exchange_clients.domain.funding import FundingObservation
from exchange_clients.domain.market import MarketStats
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
