"""One market's book: background liquidity, users' resting orders, and the trades that were printed."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from exchange_clients.domain.side import Side
from exchange_clients.sandbox.liquidity import Level, background
from exchange_clients.sandbox.orders import SandboxOrder, SandboxTrade
from exchange_clients.sandbox.rules import Listing

_TRADES_KEPT = 1000


class MarketBook:
    """Price-time priority. Background liquidity counts as placed when it was last refreshed."""

    def __init__(self, listing: Listing, seed_text: str) -> None:
        self.listing = listing
        self.sequence = 0
        self.watchers = 0
        self.tick = -1
        self.trades: deque[SandboxTrade] = deque(maxlen=_TRADES_KEPT)
        self._seed_text = seed_text
        self._spread_bps = Random(f"{seed_text}:spread").uniform(1.0, 3.0)
        self._refreshed_ms = 0
        self._background: dict[Side, list[Level]] = {Side.BUY: [], Side.SELL: []}
        self._resting: dict[Side, list[SandboxOrder]] = {Side.BUY: [], Side.SELL: []}

    def refresh(self, tick: int, tick_ms: int, mark: Decimal) -> Random:
        """Replace the background by that of `tick`. Returns the tick's source of chance, for what else happens in it."""
        random = Random(f"{self._seed_text}:{tick}")
        bids, asks = background(self.listing.instrument, mark, random, self._spread_bps)
        self._background = {Side.BUY: bids, Side.SELL: asks}
        self.tick, self._refreshed_ms = tick, tick_ms
        return random

    def rest(self, order: SandboxOrder) -> None:
        """Queue an order behind those at its price that came before it."""
        insort(self._resting[order.side], order, key=_priority)

    def withdraw(self, order: SandboxOrder) -> None:
        """Take an order out; one that is not there stays away."""
        queue = self._resting[order.side]
        if order in queue:
            queue.remove(order)

    def resting(self, side: Side) -> list[SandboxOrder]:
        """Users' orders, best price first, then oldest first."""
        return list(self._resting[side])

    @property
    def is_active(self) -> bool:
        """Whether somebody watches or rests here."""
        return self.watchers > 0 or any(self._resting.values())

    def best_for(self, taker: Side, limit: Decimal | None) -> Level | SandboxOrder | None:
        """What a taker meets first, or None when nothing is at `limit` or better (None: at any price)."""
        orders, levels = self._resting[taker.opposite], self._background[taker.opposite]
        order, level = (orders[0] if orders else None), (levels[0] if levels else None)
        best: Level | SandboxOrder | None
        if order is None or level is None:
            best = order or level
        else:
            advantage = (_limit_of(level) - _limit_of(order)) * taker.sign
            order_first = advantage > 0 or (advantage == 0 and order.created_ms < self._refreshed_ms)
            best = order if order_first else level
        return best if best is not None and is_within(best, taker, limit) else None

    def background_for(self, taker: Side, limit: Decimal) -> Level | None:
        """The best background level at `limit` or better."""
        levels = self._background[taker.opposite]
        return levels[0] if levels and is_within(levels[0], taker, limit) else None

    def consume(self, side: Side, level: Level, size: Decimal) -> None:
        """Take `size` from the best background level of `side`."""
        level.size -= size
        if level.size <= 0:
            self._background[side].remove(level)

    def depth(self, side: Side, depth: int) -> list[tuple[Decimal, Decimal]]:
        """(price, size) per level, best first, users' orders included."""
        sizes: dict[Decimal, Decimal] = {}
        for price, size in self._rows(side):
            sizes[price] = sizes.get(price, Decimal(0)) + size
        return sorted(sizes.items(), key=lambda row: -side.sign * row[0])[:depth]

    def _rows(self, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        for level in self._background[side]:
            yield level.price, level.size
        for order in self._resting[side]:
            yield _limit_of(order), order.remaining


def is_within(best: Level | SandboxOrder, taker: Side, limit: Decimal | None) -> bool:
    """Whether a taker with `limit` may trade with `best`."""
    return limit is None or (_limit_of(best) - limit) * taker.sign <= 0


def _limit_of(best: Level | SandboxOrder) -> Decimal:
    if best.price is None:
        raise ValueError("a market order can't rest")
    return best.price


def _priority(order: SandboxOrder) -> tuple[Decimal, int]:
    return (-order.side.sign * _limit_of(order), order.order_id)
