"""A book kept from a snapshot and changes. Prices live in sorted lists kept by bisection (measured faster than trees)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.market import Level, OrderBook
from exchange_clients.domain.provenance import Provenance
from exchange_clients.engine.bounds import BOOK_LEVELS_MAX
from exchange_clients.engine.endpoint import SequenceRule


class Gap(Exception):
    """A frame is missing or the state can't be right; only a fresh snapshot helps."""


class _Side:
    """One side: prices in ascending order, and what is known of each.

    Most changes are of a price that is there already: they touch the dictionary alone, and leave a bare size there. Whoever reads
    makes levels of the sizes that he meets, which stay until they change.
    """

    __slots__ = ("known", "prices", "step", "unit")

    def __init__(self, step: int, unit: float) -> None:
        self.step = step
        self.unit = unit
        self.prices: list[float] = []
        self.known: dict[float, float | Level] = {}

    def put(self, price: float, size: float) -> None:
        if not size:
            self.remove(price)
            return
        if price not in self.known:
            insort(self.prices, price)
        self.known[price] = size

    def remove(self, price: float) -> None:
        if self.known.pop(price, None) is not None:
            prices = self.prices
            del prices[bisect_left(prices, price)]

    def take(self, numbers: Sequence[float]) -> None:
        """Price and size of one level after the other. A loop of its own: a call per level would cost more than the rest."""
        known, prices = self.known, self.prices
        for at in range(0, len(numbers), 2):
            price, size = numbers[at], numbers[at + 1]
            if size:
                if price not in known:
                    insort(prices, price)
                known[price] = size
            elif known.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]

    def clear(self) -> None:
        self.prices.clear()
        self.known.clear()

    def levels(self, depth: int) -> list[Level]:
        """The best first."""
        best = self.prices[:depth] if self.step > 0 else self.prices[: -depth - 1 : -1]
        known, made = self.known, self._made
        return [level if type(level := known[price]) is Level else made(price, level) for price in best]

    def _made(self, price: float, size: Any) -> Level:
        if size < 0 or price < 0:
            raise Gap(f"a size of {size} at {price} can't be")
        level = self.known[price] = Level(price / self.unit, size / self.unit)
        return level


class BookBuilder:
    """One instrument's book. `depth`: levels per side that `book` shows. `rule`: the channel's, which says what a gap is.
    `unit`: prices and sizes are told in so many parts of one.

    `put_bid`, `put_ask` set one level, whose size 0 removes it. `remove_bid`, `remove_ask` take the level at a price away; absent
    is fine. They run for every level of every frame, so they are the sides' own methods.
    """

    def __init__(
        self,
        venue: str,
        symbol: str,
        provenance: Provenance,
        depth: int = 20,
        rule: SequenceRule = SequenceRule.INCREMENT,
        unit: float = 1,
    ) -> None:
        self._venue = venue
        self._symbol = symbol
        self._provenance = provenance
        self._depth = depth
        self._rule = rule
        self._is_counted = rule is SequenceRule.INCREMENT
        self._sequence: int | None = None
        self.time_ms = 0
        self._bids, self._asks = _Side(-1, unit), _Side(1, unit)
        self.put_bid, self.remove_bid = self._bids.put, self._bids.remove
        self.put_ask, self.remove_ask = self._asks.put, self._asks.remove

    def forget(self) -> None:
        """Nothing is known until the next snapshot; changes are skipped."""
        self._sequence = None

    def reset(self, sequence: int) -> None:
        """Empty the book; what follows belongs to the snapshot numbered `sequence`."""
        self._sequence = sequence
        self._bids.clear()
        self._asks.clear()

    def advance(self, sequence: int, after: int | None = None) -> bool:
        """The next frame ends at `sequence` and continues `after`, where the channel's rule has frames say so (CHAIN: the number
        before; RANGE: one less than its first). False: skip it (already applied, or no snapshot yet). Raises Gap when one is missing.
        """
        expected = self._sequence
        if expected is None or sequence <= expected:
            return False
        if self._is_counted:
            after = sequence - 1
        elif after is None:
            raise Gap(f"frame {sequence} does not say what it continues")
        if after > expected or (after < expected and self._rule is not SequenceRule.RANGE):
            raise Gap(f"frame {expected + 1} is missing, {after + 1} to {sequence} came")
        self._sequence = sequence
        return True

    def take(self, sequence: int, time_ms: int, is_whole: bool, bids: Sequence[float], asks: Sequence[float]) -> bool:
        """A whole book, or what changed of it: price and size of one level after the other. False: skipped, as `advance`."""
        if is_whole:
            self.reset(sequence)
        elif not self.advance(sequence):
            return False
        self.time_ms = time_ms
        if bids:
            self._bids.take(bids)
        if asks:
            self._asks.take(asks)
        return True

    def state(self, depth: int | None) -> BookEvent | None:
        """The best `depth` levels a side, as of `time_ms`; None before a snapshot. Raises Gap as `book` does."""
        return None if self._sequence is None else BookEvent(self.book(self.time_ms, depth))

    def book(self, time_ms: int, depth: int | None = None) -> OrderBook:
        """The best `depth` levels now. Raises Gap when bid and ask cross (something was lost without a number saying so),
        and when there are more levels than any book has.
        """
        if max(len(self._bids.prices), len(self._asks.prices)) > BOOK_LEVELS_MAX:
            raise Gap(f"more than {BOOK_LEVELS_MAX} levels on one side can't be a book")
        depth = self._depth if depth is None else depth
        bids, asks = self._bids.levels(depth), self._asks.levels(depth)
        if bids and asks and bids[0].price >= asks[0].price:
            raise Gap(f"the book crosses: bid {bids[0].price} ≥ ask {asks[0].price}")
        return OrderBook(self._venue, self._symbol, bids, asks, time_ms, self._provenance, self._sequence)
