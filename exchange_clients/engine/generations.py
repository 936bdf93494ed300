"""Orders that take each other's place: one order to us, several to a venue that answers an amendment with a new id.

The venue counts each from nothing. To us the size is what was ordered in all, and what filled of every generation has filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise

import msgspec

from exchange_clients.domain.numbers import EXACT
from exchange_clients.domain.orders import Order

REMEMBERED_MAX = 10_000


class Generations:
    """What replaced what, by the venue's ids, and what had filled of each. Forgets the oldest beyond REMEMBERED_MAX."""

    def __init__(self) -> None:
        self._firsts: dict[str, None] = {}
        self._before: dict[str, str] = {}
        self._replaced: set[str] = set()
        self._filled: dict[str, Decimal] = {}
        self._ended: set[str] = set()
        self._giving_way: set[str] = set()

    def replaced(self, old: Order, new_id: str, of_its_own: Decimal | None = None) -> None:
        """`old`, as it was last seen and counted over its generations, has made room for `new_id`.

        `of_its_own`: what filled of it alone, where that is known.
        """
        own = EXACT.subtract(old.filled, self.before(old.venue_order_id)) if of_its_own is None else of_its_own
        self._filled[old.venue_order_id] = max(self._filled.get(old.venue_order_id, own), own)
        self._before[new_id] = old.venue_order_id
        self._replaced.add(old.venue_order_id)
        while len(self._firsts) > REMEMBERED_MAX:
            del self._firsts[next(iter(self._firsts))]
        while len(self._before) > REMEMBERED_MAX:
            forgotten = self._before.pop(next(iter(self._before)))
            self._filled.pop(forgotten, None)
            self._ended.discard(forgotten)
            self._replaced.discard(forgotten)

    @contextmanager
    def replacing(self, order: Order) -> Iterator[None]:
        """While an amendment is under way: that this generation ends is no news of the order (`now`)."""
        self._giving_way.add(order.venue_order_id)
        try:
            yield
        finally:
            self._giving_way.discard(order.venue_order_id)

    def followed(self, orders: Iterable[Order]) -> None:
        """All generations of one order, as the venue tells of each; numbers rise. One alone has no predecessor."""
        chain = sorted({int(order.venue_order_id): order for order in orders}.items())
        self._firsts[str(chain[0][0])] = None
        for (_, old), (number, _) in pairwise(chain):
            self.replaced(old, str(number), of_its_own=old.filled)

    def knows(self, venue_order_id: str) -> bool:
        """Whether what came before this order, if anything did, is known."""
        return venue_order_id in self._before or venue_order_id in self._firsts

    def before(self, venue_order_id: str) -> Decimal:
        """What filled of the generations before this one, as far as is known."""
        total = Decimal(0)
        while (earlier := self._before.get(venue_order_id)) is not None:
            total = EXACT.add(total, self._filled.get(earlier, Decimal(0)))
            venue_order_id = earlier
        return total

    def unsettled(self, venue_order_id: str) -> list[str]:
        """Earlier generations of which it is not known what filled of them in the end."""
        found: list[str] = []
        while (earlier := self._before.get(venue_order_id)) is not None:
            if earlier not in self._ended:
                found.append(earlier)
            venue_order_id = earlier
        return found

    def now(self, said: Order) -> Order | None:
        """What a report says of the order as it stands; None when it is about a generation that another one has replaced."""
        whole, number = self.whole(said), said.venue_order_id
        is_past = number in self._replaced or (number in self._giving_way and said.status.is_terminal)
        return None if is_past else whole

    def whole(self, said: Order) -> Order:
        """What the venue says of one generation, counted over all up to it."""
        number = said.venue_order_id
        if number in self._filled and said.filled >= self._filled[number]:
            self._filled[number] = said.filled
        if said.status.is_terminal and number in self._filled:
            self._ended.add(number)
        before = self.before(number)
        if not before:
            return said
        size, filled = EXACT.add(said.size, before), EXACT.add(said.filled, before)
        return msgspec.structs.replace(said, size=size, filled=filled, average_price=None)
