"""Observations of a market. Prices and sizes are float64, decoded straight from the wire; time is the venue's, in ms."""

from collections.abc import Iterable
from math import isfinite
from typing import Annotated

import msgspec

from exchange_clients.domain.assets import Asset
from exchange_clients.domain.numbers import require_finite
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side

Measure = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]
"""A price or a size as it is decoded: NaN, infinities and negative numbers are refused by the decoder, which costs next to nothing."""


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price level: `price` in quote currency, `size` in venue units. Venues' wire levels are subclasses under other names.

    Left out of garbage collection: two floats can't be part of a cycle, and books make thousands of levels a second.
    """

    price: Measure
    size: Measure


def to_levels(levels: Iterable[Level]) -> list[Level]:
    """Levels without the names that a venue gives them."""
    return [Level(level.price, level.size) for level in levels]


class OrderBook(msgspec.Struct, frozen=True, gc=False):
    """What we believe a book to be. `bids` best (highest) first, `asks` best (lowest) first; either may be empty.

    `time_ms`: the venue's time of the state. `sequence`: the venue's counter, None where it has none.
    """

    venue: str
    symbol: str
    bids: list[Level]
    asks: list[Level]
    time_ms: int
    provenance: Provenance
    sequence: int | None = None

    @property
    def best_bid(self) -> float | None:
        return self.bids[0].price if self.bids else None

    @property
    def best_ask(self) -> float | None:
        return self.asks[0].price if self.asks else None

    @property
    def mid(self) -> float | None:
        """Halfway between best bid and best ask; None unless both sides are there."""
        return (self.bids[0].price + self.asks[0].price) / 2 if self.bids and self.asks else None

    @property
    def spread_bps(self) -> float | None:
        """(ask − bid) / mid in basis points; None unless both sides are there."""
        if not self.bids or not self.asks:
            return None
        bid, ask = self.bids[0].price, self.asks[0].price
        return (ask - bid) / ((ask + bid) / 2) * 10_000

    def is_crossed(self) -> bool:
        return bool(self.bids and self.asks and self.bids[0].price >= self.asks[0].price)

    def top(self, depth: int) -> "OrderBook":
        """The same state with at most `depth` levels a side."""
        return msgspec.structs.replace(self, bids=self.bids[:depth], asks=self.asks[:depth])

    def taker_levels(self, side: Side) -> list[Level]:
        """The levels that a taker on `side` would meet, best first."""
        return self.asks if side is Side.BUY else self.bids

    def taker_price(self, side: Side, size: float) -> float | None:
        """Average price for taking `size` (venue units, > 0) on `side`; None when the visible depth is not enough."""
        left, cost = size, 0.0
        for level in self.taker_levels(side):
            take = min(left, level.size)
            cost += take * level.price
            left -= take
            if left <= 0:
                return cost / size
        return None

    def depth_size(self, side: Side, worst_price: float) -> float:
        """Venue units a taker on `side` can get at `worst_price` or better."""
        total = 0.0
        for level in self.taker_levels(side):
            if (level.price - worst_price) * side.sign > 0:
                break
            total += level.size
        return total


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask at `time_ms`; a side is None when nothing rests there."""

    venue: str
    symbol: str
    bid: Level | None
    ask: Level | None
    time_ms: int
    provenance: Provenance


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A public trade. `side` is the taker's."""

    venue: str
    symbol: str
    trade_id: str
    side: Side
    price: float
    size: float
    time_ms: int
    provenance: Provenance

    def __post_init__(self) -> None:
        require_finite(self, self.price, self.size)


class MarketStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one market; None where the venue does not give them.

    `mark_price`, `index_price`, `best_bid`, `best_ask`: quote currency per venue unit. `open_interest_usd`: as the venue counts
    it (one- or two-sided, see the venue sheet) times mark price. `volume_24h_usd`: quote notional of 24 hours.
    """

    venue: str
    symbol: str
    venue_symbol: str
    mark_price: float | None
    index_price: float | None
    open_interest_usd: float | None
    volume_24h_usd: float | None
    best_bid: float | None
    best_ask: float | None
    time_ms: int
    provenance: Provenance

    @classmethod
    def of(
        cls,
        *,
        venue: str,
        venue_symbol: str,
        asset: Asset,
        mark: float | None,
        index: float | None,
        open_interest: float | None,
        volume_24h_usd: float | None,
        time_ms: int,
        provenance: Provenance,
        best_bid: float | None = None,
        best_ask: float | None = None,
    ) -> "MarketStats":
        """Figures of `asset` where the venue counts `open_interest` in venue units, which the mark price turns into money.

        What is no finite number is unknown.
        """
        mark, open_interest = _known(mark), _known(open_interest)
        return cls(
            venue=venue,
            symbol=asset.base,
            venue_symbol=venue_symbol,
            mark_price=mark,
            index_price=_known(index),
            open_interest_usd=None if mark is None or open_interest is None else _known(open_interest * mark),
            volume_24h_usd=_known(volume_24h_usd),
            best_bid=_known(best_bid),
            best_ask=_known(best_ask),
            time_ms=time_ms,
            provenance=provenance,
        )


def _known(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None
