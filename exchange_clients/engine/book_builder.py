"""A book kept from a snapshot and changes. Prices live in sorted lists kept by bisection (measured faster than trees)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Protocol

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.market import Level, OrderBook
from exchange_clients.domain.provenance import Provenance
from exchange_clients.engine.bounds import BOOK_LEVELS_MAX
from exchange_clients.engine.endpoint import SequenceRule


class Gap(Exception):
    """A frame is missing or the state can't be right; only a fresh snapshot helps."""


class SidedLevel(Protocol):
    """A level that says which side it is on, in the venue's word."""

    @property
    def side(self) -> str: ...

    @property
    def price(self) -> float: ...

    @property
    def size(self) -> float: ...


class _Side:
    """One side: sizes by price, and the prices in order, best first (bid prices negated, so that both sides ascend).

    Most changes are of a price that is there already: they touch the dictionary alone. Levels are made when somebody reads.
    """

    __slots__ = ("keys", "sign", "sizes")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[float] = []
        self.sizes: dict[float, float] = {}

    def put(self, price: float, size: float) -> None:
        if not size:
            self.remove(price)
            return
        if price not in self.sizes:
            insort(self.keys, price * self.sign)
        self.sizes[price] = size

    def remove(self, price: float) -> None:
        if self.sizes.pop(price, None) is not None:
            keys = self.keys
            del keys[bisect_left(keys, price * self.sign)]

    def clear(self) -> None:
        self.keys.clear()
        self.sizes.clear()

    def levels(self, depth: int) -> list[Level]:
        sign, sizes = self.sign, self.sizes
        return [Level(price := key * sign, sizes[price]) for key in self.keys[:depth]]


class BookBuilder:
    """One instrument's book. `depth`: levels per side that `book` shows. `rule`: the channel's, which says what a gap is.

    `put_bid`, `put_ask` set one level, whose size 0 removes it. `remove_bid`, `remove_ask` take the level at a price away; absent
    is fine. They run for every level of every frame, so they are the sides' own methods.
    """

    def __init__(
        self, venue: str, symbol: str, provenance: Provenance, depth: int = 20, rule: SequenceRule = SequenceRule.INCREMENT
    ) -> None:
        self._venue = venue
        self._symbol = symbol
        self._provenance = provenance
        self._depth = depth
        self._rule = rule
        self._sequence: int | None = None
        self.time_ms = 0
        self._bids, self._asks = _Side(-1), _Side(1)
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
        if self._rule is SequenceRule.INCREMENT:
            after = sequence - 1
        elif after is None:
            raise Gap(f"frame {sequence} does not say what it continues")
        if after > expected or (after < expected and self._rule is not SequenceRule.RANGE):
            raise Gap(f"frame {expected + 1} is missing, {after + 1} to {sequence} came")
        self._sequence = sequence
        return True

    def put(self, levels: Iterable[SidedLevel], bid: str) -> None:
        """Set levels that say their own side: `bid` is the venue's word for one, anything else is an ask. Size 0 removes."""
        bids, asks = self._bids, self._asks
        for level in levels:
            side, price, size = bids if level.side == bid else asks, level.price, level.size
            if size and price in side.sizes:
                side.sizes[price] = size
            else:
                side.put(price, size)

    def take(
        self, sequence: int, is_whole: bool, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]], unit: float
    ) -> bool:
        """A whole book, or what changed of it, as (price, size) in `unit`ths; size 0 removes a level. False: skipped, as `advance`."""
        if is_whole:
            self.reset(sequence)
        elif not self.advance(sequence):
            return False
        for put, levels in ((self.put_bid, bids), (self.put_ask, asks)):
            for price, size in levels:
                put(price / unit, size / unit)
        return True

    def put_bids(self, levels: Iterable[Level]) -> None:
        """Set bid levels; size 0 removes one."""
        for level in levels:
            self.put_bid(level.price, level.size)

    def put_asks(self, levels: Iterable[Level]) -> None:
        """Set ask levels; size 0 removes one."""
        for level in levels:
            self.put_ask(level.price, level.size)

    def state(self, depth: int | None) -> BookEvent | None:
        """The best `depth` levels a side, as of `time_ms`; None before a snapshot. Raises Gap as `book` does."""
        return None if self._sequence is None else BookEvent(self.book(self.time_ms, depth))

    def book(self, time_ms: int, depth: int | None = None) -> OrderBook:
        """The best `depth` levels now. Raises Gap when bid and ask cross (something was lost without a number saying so),
        and when there are more levels than any book has.
        """
        if max(len(self._bids.keys), len(self._asks.keys)) > BOOK_LEVELS_MAX:
            raise Gap(f"more than {BOOK_LEVELS_MAX} levels on one side can't be a book")
        depth = self._depth if depth is None else depth
        bids, asks = self._bids.levels(depth), self._asks.levels(depth)
        if bids and asks and bids[0].price >= asks[0].price:
            raise Gap(f"the book crosses: bid {bids[0].price} ≥ ask {asks[0].price}")
        return OrderBook(self._venue, self._symbol, bids, asks, time_ms, self._provenance, self._sequence)
