"""Stops and take-profits: orders that wait for the mark to come to a price before they are orders like any other."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from exchange_clients.sandbox.orders import SandboxOrder


class WaitingOrders:
    """Those that wait, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[SandboxOrder] = []

    def add(self, order: SandboxOrder) -> None:
        self._waiting.append(order)

    def withdraw(self, order: SandboxOrder) -> bool:
        """Take one out; False when it does not wait (any more)."""
        if order not in self._waiting:
            return False
        self._waiting.remove(order)
        return True

    def take_due(self, mark_of: Callable[[str], Decimal]) -> list[SandboxOrder]:
        """Those whose price has come, taken out."""
        due = [o for o in self._waiting if o.trigger is not None and o.trigger.is_due(mark_of(o.venue_symbol))]
        for order in due:
            self._waiting.remove(order)
        return due
