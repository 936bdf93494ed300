"""A sandbox world: one exchange and one façade per venue, on the same prices and the same clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, cast

from exchange_clients import registry
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.times import from_ms
from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.facade import Facade
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.rules import Listing, VenueRules
from exchange_clients.sandbox.tape import TapePrices


class FacadeClass(Protocol):
    """What a venue's façade class must offer beside `Facade`."""

    def __call__(self, exchange: SandboxExchange) -> Facade: ...

    def rules(self) -> VenueRules: ...

    def listing(self, name: str, first_price: Decimal, index: int) -> Listing: ...


def host(venue: str) -> str:
    """The host name that a venue's sandbox has in memory."""
    return f"{venue}.sandbox"


@dataclass(frozen=True)
class World:
    """`exchanges` and `facades` by venue. Everything in it is simulated; `describe()` says from what."""

    prices: PriceSource
    clock: Clock
    exchanges: dict[str, SandboxExchange]
    facades: dict[str, Facade]

    @classmethod
    def build(cls, venues: Iterable[str], prices: PriceSource, clock: Clock, seed: int) -> World:
        """A world of the venues named, with the markets that have prices when it begins.

        Raises Misconfigured for an unknown venue, ValueError for a clock that stands before the first price or a venue without
        prices, TapeError for a tape whose rates are per another interval than the venue's.
        """
        now_ms = clock.now_ms()
        if now_ms < prices.start_ms:
            begins, shows = from_ms(prices.start_ms), from_ms(now_ms)
            raise ValueError(
                f"{prices.describe()} begins at {begins:%Y-%m-%d %H:%M} UTC, the clock shows {shows:%Y-%m-%d %H:%M}"
            )
        exchanges: dict[str, SandboxExchange] = {}
        facades: dict[str, Facade] = {}
        for venue in venues:
            facade_class = cast(FacadeClass, registry.spec(venue).sandbox_class())
            exchanges[venue] = SandboxExchange(
                facade_class.rules(), _listings(facade_class, venue, prices, now_ms), prices, clock, seed
            )
            facades[venue] = facade_class(exchanges[venue])
        return cls(prices, clock, exchanges, facades)

    def describe(self) -> str:
        """One line for people."""
        return f"sandbox of {', '.join(self.facades)} on a {self.prices.describe()}"

    def hosts(self) -> dict[str, Facade]:
        """The façades by host name, for a MemoryTransport."""
        return {host(venue): facade for venue, facade in self.facades.items()}

    def enrol(self, venue: str, name: str, balance: Decimal) -> Credentials:
        """Make a throw-away account on one venue."""
        return Credentials(self.facades[venue].enrol(name, format(balance, "f")))

    def advance(self) -> None:
        """Bring every exchange to the clock's present."""
        for exchange in self.exchanges.values():
            exchange.advance()

    async def run(self, tick_s: float) -> None:
        """Advance every `tick_s` seconds of market time until cancelled."""
        while True:
            await self.clock.sleep(tick_s)
            self.advance()


def _listings(facade_class: FacadeClass, venue: str, prices: PriceSource, now_ms: int) -> tuple[Listing, ...]:
    if isinstance(prices, TapePrices):
        prices.require_interval(venue, facade_class.rules().funding.period_ms)
    present = [(name, first) for name, first in prices.assets(venue) if prices.state(venue, name, now_ms) is not None]
    if not present:
        raise ValueError(f"{prices.describe()} has no prices for {venue}")
    return tuple(facade_class.listing(name, first, index) for index, (name, first) in enumerate(present))
