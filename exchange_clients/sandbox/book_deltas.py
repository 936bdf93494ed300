"""Books as a snapshot and differences, for venues that stream them so."""

from __future__ import annotations

from dataclasses import dataclass

from exchange_clients.domain.instruments import wire_text
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.exchange import SandboxExchange

Entry = tuple[Side, str, str]
"""(side, price, size), the numbers as text."""


@dataclass(frozen=True)
class BookDelta:
    """What changed between two sequence numbers, or (a snapshot) everything, in `inserts`."""

    sequence: int
    inserts: list[Entry]
    updates: list[Entry]
    deletes: list[Entry]


class BookDeltas:
    """Remembers of every market what was told last. Every change of a book must be told: the exchange reports each."""

    def __init__(self, exchange: SandboxExchange, depth: int) -> None:
        self._exchange = exchange
        self._depth = depth
        self._told: dict[str, dict[tuple[Side, str], str]] = {}

    def snapshot(self, market: str) -> BookDelta:
        """The whole book; what changes from now on is told on top of it."""
        now, sequence = self._levels(market)
        self._told[market] = now
        return BookDelta(sequence, [(*key, size) for key, size in now.items()], [], [])

    def change(self, market: str) -> BookDelta:
        """What changed since the market was told last."""
        now, sequence = self._levels(market)
        told, self._told[market] = self._told.get(market, {}), now
        inserts = [(*key, size) for key, size in now.items() if key not in told]
        updates = [(*key, size) for key, size in now.items() if key in told and told[key] != size]
        return BookDelta(sequence, inserts, updates, [(*key, "0") for key in told if key not in now])

    def _levels(self, market: str) -> tuple[dict[tuple[Side, str], str], int]:
        """Looking may move the book on, which is told to everybody before this returns."""
        bids, asks, sequence = self._exchange.book(market, self._depth)
        sides = ((Side.BUY, bids), (Side.SELL, asks))
        return {(side, wire_text(price)): wire_text(size) for side, rows in sides for price, size in rows}, sequence
