"""What is known of the markets at one moment, and how names find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.funding import FundingObservation
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.spellings import Spellings
from exchange_clients.domain.times import to_ms


class Market(msgspec.Struct, frozen=True):
    """One market of one venue: its funding, and its figures where the venue gave any in the same collection."""

    observation: FundingObservation
    stats: MarketStats | None

    @property
    def dex(self) -> str:
        return self.observation.venue

    @property
    def symbol(self) -> str:
        """The base asset under its own name."""
        return self.observation.symbol

    @property
    def hourly(self) -> Decimal | None:
        """Fraction per hour; None when unknown."""
        return self.observation.rate.per_hour() if self.observation.rate else None

    @property
    def base_mark(self) -> float | None:
        """Mark price of one unit of the base asset, so that a thousand-unit market compares with a plain one."""
        if self.stats is None or self.stats.mark_price is None:
            return None
        return self.stats.mark_price / float(self.observation.multiplier)

    @property
    def half_spread(self) -> float | None:
        """(ask − bid) / 2 as a fraction of their mean; None without both or when they are crossed."""
        if self.stats is None or self.stats.best_bid is None or self.stats.best_ask is None:
            return None
        bid, ask = self.stats.best_bid, self.stats.best_ask
        return (ask - bid) / (ask + bid) if 0 < bid <= ask else None

    @property
    def volume_24h_usd(self) -> float | None:
        return self.stats.volume_24h_usd if self.stats else None

    @property
    def open_interest_usd(self) -> float | None:
        return self.stats.open_interest_usd if self.stats else None

    def age_ms(self, now: datetime) -> int:
        """Milliseconds since the observation; negative when it lies in the future of `now`."""
        return to_ms(now) - to_ms(self.observation.observed_at)

    def is_stale(self, now: datetime, stale_after_ms: int) -> bool:
        """Whether the observation is older than the limit. One from the future (another clock's) is no fresher than that."""
        return abs(self.age_ms(now)) > stale_after_ms


class DexFacts(msgspec.Struct, frozen=True):
    """One venue as the database has it. Durations in market seconds unless they say `wall`."""

    name: str
    display_name: str
    api_base_url: str
    is_active: bool
    supports_websocket: bool
    fees: FeeRates
    funding_interval_hours: Decimal
    rate_limit_per_minute: int
    collection_interval_s: float
    last_success_at: datetime | None
    last_duration_wall_ms: int | None
    consecutive_errors: int
    last_error: str | None
    last_error_at: datetime | None


class MarketTable:
    """Markets by symbol and venue. Names are matched in any case, and by alias: kPEPE finds PEPE.

    Where a venue lists several markets of one asset, the one with a known rate and then the largest open interest stands for it;
    all of them stay reachable by the venue's own spelling.
    """

    def __init__(self, markets: Iterable[Market], dexes: Iterable[DexFacts]) -> None:
        self.markets = tuple(markets)
        self.dexes: Mapping[str, DexFacts] = {dex.name: dex for dex in dexes}
        chosen: dict[str, dict[str, Market]] = {}
        for market in sorted(self.markets, key=lambda m: (m.symbol, m.dex, _rank(m))):
            chosen.setdefault(market.symbol, {})[market.dex] = market
        self.by_symbol: Mapping[str, Mapping[str, Market]] = chosen
        self._spellings = Spellings((m.symbol, m.observation.venue_symbol) for m in self.markets)
        self._venue_symbols = {(m.dex, m.observation.venue_symbol.casefold()): m for m in self.markets}

    @property
    def updated_at(self) -> datetime | None:
        """The newest observation."""
        return max((market.observation.observed_at for market in self.markets), default=None)

    def dex(self, name: str) -> DexFacts | None:
        """A venue by name, in any case."""
        return self.dexes.get(name.strip().lower())

    def symbol(self, name: str) -> str | None:
        """The listed base asset that `name` means: itself, an alias of it, or a venue's spelling; None when nothing does."""
        return self._spellings.meant(name)

    def of_dex(self, dex: str) -> dict[str, Market]:
        """The markets that stand for their symbols on one venue, by symbol."""
        return {symbol: markets[dex] for symbol, markets in self.by_symbol.items() if dex in markets}

    def find(self, dex: str, name: str) -> Market | None:
        """One market, by the venue's own spelling or by symbol."""
        exact = self._venue_symbols.get((dex, name.strip().casefold()))
        symbol = self.symbol(name)
        return exact or (self.by_symbol[symbol].get(dex) if symbol else None)


def _rank(market: Market) -> tuple[bool, float]:
    return market.observation.rate is not None, market.open_interest_usd or 0.0
