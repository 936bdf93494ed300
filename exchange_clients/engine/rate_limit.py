"""Budgets. A call takes its weight before it is signed, so that a signature never ages in a queue."""

from __future__ import annotations

import asyncio

from exchange_clients.engine.endpoint import Meter
from exchange_clients.errors import RateLimited

WAIT_S_MAX = 30.0


class RateLimit:
    """A leaky bucket for one meter and key: `capacity` at once, refilled evenly over `window_s` seconds of the event loop."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._left = meter.capacity
        self._at: float | None = None
        self._closed_until = 0.0

    def wait_s(self, weight: float, now: float) -> float:
        """Take `weight` at loop time `now`; returns the seconds to wait before using it (0 when there is budget)."""
        meter = self._meter
        if self._at is not None:
            self._left = min(meter.capacity, self._left + (now - self._at) * meter.capacity / meter.window_s)
        self._at = now
        self._left -= weight
        by_budget = max(0.0, -self._left * meter.window_s / meter.capacity)
        return max(by_budget, self._closed_until - now)

    def give_back(self, weight: float) -> None:
        """Return what was taken and not used."""
        self._left = min(self._meter.capacity, self._left + weight)

    def close_for(self, seconds: float, now: float) -> None:
        """The venue said it is too much: nothing before `now` + `seconds`."""
        self._closed_until = max(self._closed_until, now + seconds)


class RateLimits:
    """All budgets of one process, keyed as the venues key them. Clients that share an address share one of these."""

    def __init__(self) -> None:
        self._limits: dict[tuple[str, str, str], RateLimit] = {}

    def limit(self, venue: str, meter: Meter, key: str) -> RateLimit:
        """The budget of `venue` for `meter`, counted for `key`."""
        found = self._limits.get((venue, meter.name, key))
        if found is None:
            found = self._limits[venue, meter.name, key] = RateLimit(meter)
        return found

    async def take(self, venue: str, operation: str, meter: Meter, key: str, weight: float) -> None:
        """Wait for `weight` units. Raises RateLimited, before anything is sent, when that would take over WAIT_S_MAX."""
        limit = self.limit(venue, meter, key)
        wait = limit.wait_s(weight, asyncio.get_running_loop().time())
        if wait > WAIT_S_MAX:
            limit.give_back(weight)
            raise RateLimited(venue, operation, f"our {meter.name} budget is spent for {wait:.0f} s; nothing was sent", wait)
        if wait > 0:
            await asyncio.sleep(wait)
