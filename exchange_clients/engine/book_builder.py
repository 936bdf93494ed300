"""A book kept from a snapshot and changes. Prices live in sorted lists searched by bisection (measured faster than trees)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from exchange_clients.domain.market import Level, OrderBook
from exchange_clients.domain.provenance import Provenance


class Gap(Exception):
    """A frame is missing or the state can't be right; only a fresh snapshot helps."""


class BookBuilder:
    """One instrument's book. `depth`: levels per side that `book` shows."""

    def __init__(self, venue: str, symbol: str, provenance: Provenance, depth: int) -> None:
        self._venue = venue
        self._symbol = symbol
        self._provenance = provenance
        self._depth = depth
        self._sequence: int | None = None
        self._bids: list[Level] = []
        self._asks: list[Level] = []
        self._bid_keys: list[float] = []
        self._ask_keys: list[float] = []

    def forget(self) -> None:
        """Nothing is known until the next snapshot; changes are skipped."""
        self._sequence = None

    def reset(self, sequence: int) -> None:
        """Empty the book; what follows belongs to the snapshot numbered `sequence`."""
        self._sequence = sequence
        self._bids, self._asks, self._bid_keys, self._ask_keys = [], [], [], []

    def advance(self, sequence: int) -> bool:
        """The next frame is numbered `sequence`. False: skip it (already applied, or no snapshot yet). Raises Gap when one is missing."""
        expected = self._sequence
        if expected is None:
            return False
        if sequence <= expected:
            return False
        if sequence != expected + 1:
            raise Gap(f"frame {expected + 1} is missing, {sequence} came")
        self._sequence = sequence
        return True

    def put_bids(self, levels: Iterable[Level]) -> None:
        """Set bid levels; size 0 removes one."""
        keys, kept = self._bid_keys, self._bids
        for level in levels:
            _put(keys, kept, -level.price, level)

    def put_asks(self, levels: Iterable[Level]) -> None:
        """Set ask levels; size 0 removes one."""
        keys, kept = self._ask_keys, self._asks
        for level in levels:
            _put(keys, kept, level.price, level)

    def put_bid(self, level: Level) -> None:
        """Set one bid level; size 0 removes it."""
        _put(self._bid_keys, self._bids, -level.price, level)

    def put_ask(self, level: Level) -> None:
        """Set one ask level; size 0 removes it."""
        _put(self._ask_keys, self._asks, level.price, level)

    def remove_bid(self, price: float) -> None:
        """Take one bid level away; absent is fine."""
        _remove(self._bid_keys, self._bids, -price)

    def remove_ask(self, price: float) -> None:
        """Take one ask level away; absent is fine."""
        _remove(self._ask_keys, self._asks, price)

    def book(self, time_ms: int) -> OrderBook:
        """The best `depth` levels now. Raises Gap when bid and ask cross: something was lost without a number saying so."""
        bids, asks = self._bids, self._asks
        if bids and asks and bids[0].price >= asks[0].price:
            raise Gap(f"the book crosses: bid {bids[0].price} ≥ ask {asks[0].price}")
        depth = self._depth
        return OrderBook(self._venue, self._symbol, bids[:depth], asks[:depth], time_ms, self._provenance, self._sequence)


def _put(keys: list[float], kept: list[Level], key: float, level: Level) -> None:
    at = bisect_left(keys, key)
    if at < len(keys) and keys[at] == key:
        if level.size:
            kept[at] = level
        else:
            del keys[at], kept[at]
    elif level.size:
        keys.insert(at, key)
        kept.insert(at, level)


def _remove(keys: list[float], kept: list[Level], key: float) -> None:
    at = bisect_left(keys, key)
    if at < len(keys) and keys[at] == key:
        del keys[at], kept[at]
