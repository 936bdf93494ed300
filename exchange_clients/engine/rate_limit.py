"""Budgets. A call takes its weight before it is signed, so that a signature never ages in a queue."""

from __future__ import annotations

import asyncio
from collections import deque

from exchange_clients.engine.endpoint import Meter
from exchange_clients.errors import RateLimited

WAIT_S_MAX = 30.0


class RateLimit:
    """One meter for one key: at most `capacity` units in any `window_s` seconds of the event loop, whatever the pattern."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._taken: deque[tuple[float, float]] = deque()
        self._used = 0.0
        self._closed_until = 0.0

    def wait_s(self, weight: float, now: float) -> float:
        """Seconds from loop time `now` until `weight` may be used, behind everything that was taken before."""
        while self._taken and self._taken[0][0] <= now - self._meter.window_s:
            self._used -= self._taken.popleft()[1]
        at = max(now, self._closed_until, self._taken[-1][0] if self._taken else now)
        used = self._used
        for taken_at, freed in self._taken:
            if used + weight <= self._meter.capacity:
                break
            used -= freed
            at = max(at, taken_at + self._meter.window_s)
        return at - now

    def take(self, weight: float, at: float) -> None:
        """Use `weight` at loop time `at`, as `wait_s` allowed it."""
        self._taken.append((at, weight))
        self._used += weight

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
        limit, now = self.limit(venue, meter, key), asyncio.get_running_loop().time()
        wait = limit.wait_s(weight, now)
        if wait > WAIT_S_MAX:
            raise RateLimited(venue, operation, f"our {meter.name} budget is spent for {wait:.0f} s; nothing was sent", wait)
        limit.take(weight, now + wait)
        if wait > 0:
            await asyncio.sleep(wait)
