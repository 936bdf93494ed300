"""On which side each of our orders was, so that a fill that a venue tells the wrong way round is noticed."""

from __future__ import annotations

from exchange_clients.domain.orders import Fill, Order
from exchange_clients.domain.side import Side
from exchange_clients.errors import ProtocolViolation

REMEMBERED_MAX = 10_000


class OrderSides:
    """Sides by the venue's order ids. Forgets the oldest beyond REMEMBERED_MAX."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._sides: dict[str, Side] = {}

    def seen(self, order: Order) -> Order:
        """`order`, whose side is remembered."""
        self._sides[order.venue_order_id] = order.side
        if len(self._sides) > REMEMBERED_MAX:
            del self._sides[next(iter(self._sides))]
        return order

    def knows(self, venue_order_id: str) -> bool:
        return venue_order_id in self._sides

    def checked(self, fill: Fill) -> Fill:
        """`fill`. Raises ProtocolViolation where it is on the other side than its order: it would be booked reversed."""
        order, side = fill.venue_order_id, self._sides.get(fill.venue_order_id)
        if side not in (None, fill.side):
            detail = f"fill {fill.fill_id} is a {fill.side}, its order {order} a {side}: nobody knows which way it went"
            raise ProtocolViolation(self._venue, "fills", detail)
        return fill
