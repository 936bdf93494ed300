"""The markets of one sandbox venue at the present time: prices, funding rates and funding indices."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.assets import Asset, identify
from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.orders import Rejected, RejectReason
from exchange_clients.sandbox.prices import MarketState, PriceSource
from exchange_clients.sandbox.rules import ContinuousFunding, Listing, VenueRules

_GRID_MS = 60_000
"""Funding indices move along whole minutes, so that they do not depend on when anybody asks."""


class Markets:
    """Answers what a market is now. Raises ValueError when a listing has no counterpart in the price source."""

    def __init__(self, rules: VenueRules, listings: tuple[Listing, ...], prices: PriceSource, clock: Clock) -> None:
        self.rules = rules
        self.listings = {listing.venue_symbol: listing for listing in listings}
        self._prices = prices
        self._clock = clock
        self._names = {listing.venue_symbol: _price_name(listing, prices, rules.venue) for listing in listings}
        start_ms = clock.now_ms() // _GRID_MS * _GRID_MS
        self._indices = {symbol: (start_ms, Decimal(0)) for symbol in self.listings}

    def listing(self, venue_symbol: str) -> Listing:
        """Raises Rejected(UNKNOWN_MARKET) for a market that is not listed."""
        found = self.listings.get(venue_symbol)
        if found is None:
            raise Rejected(RejectReason.UNKNOWN_MARKET, f"{self.rules.venue} does not list {venue_symbol!r}")
        return found

    def state(self, venue_symbol: str, at_ms: int | None = None) -> MarketState:
        """The market now, or at `at_ms`. Raises Rejected(UNKNOWN_MARKET) when it is not listed or has no prices yet."""
        self.listing(venue_symbol)
        found = self._state_at(venue_symbol, self._clock.now_ms() if at_ms is None else at_ms)
        if found is None:
            raise Rejected(RejectReason.UNKNOWN_MARKET, f"{self.rules.venue} {venue_symbol} has no prices yet")
        return found

    def mark(self, venue_symbol: str) -> Decimal:
        return self.state(venue_symbol).mark

    def funding_rate(self, venue_symbol: str, at_ms: int | None = None) -> Decimal | None:
        """Fraction per the venue's funding period, now or at `at_ms`; None when unknown."""
        return self._rate(self.state(venue_symbol, at_ms))

    def funding_index(self, venue_symbol: str) -> Decimal:
        """Settlement currency per unit accrued since the exchange opened; 0 where funding is paid at boundaries."""
        self.listing(venue_symbol)
        funding = self.rules.funding
        if not isinstance(funding, ContinuousFunding):
            return Decimal(0)
        now_ms = self._clock.now_ms()
        grid_ms, index = self._indices[venue_symbol]
        while grid_ms + _GRID_MS <= now_ms:
            index += self._index_step(funding, venue_symbol, grid_ms, _GRID_MS)
            grid_ms += _GRID_MS
        self._indices[venue_symbol] = (grid_ms, index)
        return index + self._index_step(funding, venue_symbol, grid_ms, now_ms - grid_ms)

    def next_funding_ms(self, venue_symbol: str) -> int | None:
        """When the next payment is due; None where funding accrues continuously."""
        self.listing(venue_symbol)
        return self.rules.funding.next_payment_ms(self._clock.now_ms())

    def _index_step(self, funding: ContinuousFunding, venue_symbol: str, at_ms: int, elapsed_ms: int) -> Decimal:
        state = self._state_at(venue_symbol, at_ms) if elapsed_ms > 0 else None
        rate = self._rate(state) if state is not None else None
        return Decimal(0) if state is None or rate is None else funding.index_step(rate, state.index, elapsed_ms)

    def _rate(self, state: MarketState) -> Decimal | None:
        if state.funding_rate is not None:
            return state.funding_rate
        return self.rules.funding.rate(state.premium) if state.funding_known else None

    def _state_at(self, venue_symbol: str, at_ms: int) -> MarketState | None:
        return self._prices.state(self.rules.venue, self._names[venue_symbol], at_ms)


def _price_name(listing: Listing, prices: PriceSource, venue: str) -> str:
    names = [name for name, _ in prices.assets(venue)]
    if listing.venue_symbol in names:
        return listing.venue_symbol
    asset = Asset(listing.instrument.symbol, listing.instrument.multiplier)
    for name in names:
        if identify(name) == asset:
            return name
    raise ValueError(f"{venue} lists {listing.venue_symbol}, but {prices.describe()} has no prices for it")
