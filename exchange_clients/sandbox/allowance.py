"""Budgets that an account earns: so many actions to begin with, more for what it trades, and a trickle beyond."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from exchange_clients.engine.clock import Clock
from exchange_clients.engine.endpoint import Meter
from exchange_clients.sandbox.meter import SpentMeter


@dataclass
class Activity:
    """What an account did: volume in settlement currency, actions used, actions bought, and when to cancel all it has."""

    traded: Decimal = Decimal(0)
    used: int = 0
    bought: int = 0
    cancel_at_ms: int | None = None


class Allowance:
    """`first`: actions before anything is traded; each unit of volume is one more. `trickle`: what passes when all are used."""

    def __init__(self, first: int, trickle: Meter, clock: Clock) -> None:
        self.first = first
        self.of: defaultdict[str, Activity] = defaultdict(Activity)
        self._trickle = SpentMeter(trickle, clock)

    def cap(self, account: str) -> int:
        """How many actions the account may have used."""
        return self.first + int(self.of[account].traded) + self.of[account].bought

    def charge(self, account: str, units: int, cap: int) -> bool:
        """Use `units` of `cap`; False (and nothing used) when neither they nor the trickle allow it."""
        if self.of[account].used + units > cap and not self._trickle.spend(account, 1):
            return False
        self.of[account].used += units
        return True

    def buy(self, account: str, units: int) -> None:
        """So many more, for ever."""
        self.of[account].bought += units

    def overdue(self, now_ms: int) -> list[str]:
        """Accounts whose hour to cancel everything has come; each is named once."""
        due = [name for name, did in self.of.items() if did.cancel_at_ms is not None and now_ms >= did.cancel_at_ms]
        for name in due:
            self.of[name].cancel_at_ms = None
        return due
