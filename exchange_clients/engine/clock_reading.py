"""How far our clock is from a venue's, by the `Date` that its replies carry.

Venues refuse what is signed at a time that is not theirs, in words that name no clock, and some only when money moves.
Source: RFC 9110, 6.6.1 (`Date`: when the reply was made, whole seconds, cut off) and 5.6.7 (its form); RFC 9111, 5.1 (`Age`: a copy
that somebody kept, as old as that).
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from exchange_clients.domain.times import to_ms
from exchange_clients.engine.transport import HttpResponse


class ClockReading(msgspec.Struct, frozen=True):
    """A reply that says when it was made. `asked_ms`, `heard_ms`: our clock around it, market ms."""

    date: str
    asked_ms: int
    heard_ms: int

    @classmethod
    def of(cls, response: HttpResponse, asked_ms: int, heard_ms: int) -> ClockReading | None:
        """None for a reply without a date, and for one that a cache kept."""
        date = response.headers.get("date", "")
        return cls(date, asked_ms, heard_ms) if date and response.headers.get("age", "0").strip() == "0" else None

    def ahead_ms(self) -> int | None:
        """How far our clock is certainly ahead, negative: behind, in market ms; 0 when it may be right.

        The reply was made within the second that it names and while we waited, so that a slow reply proves less. None: unreadable.
        """
        try:
            date = parsedate_to_datetime(self.date)
        except (ArithmeticError, ValueError):  # a year that no date has overflows
            return None
        from_ms = to_ms(date if date.tzinfo is not None else date.replace(tzinfo=UTC))
        return max(self.asked_ms - (from_ms + 999), 0) + min(self.heard_ms - from_ms, 0)
