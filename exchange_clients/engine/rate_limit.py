"""Budgets. A call takes its weight before it is signed, so that a signature never ages in a queue.

Reads leave a share of every budget alone, and so do acts that are not urgent: a cancellation or a hedge must wait neither behind
somebody's curiosity nor behind new orders. An act has a deadline: it is sent now, or not at all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from exchange_clients.engine.endpoint import Meter, Retry
from exchange_clients.errors import RateLimited

WAIT_S_MAX = 30.0
ACT_WAIT_S_MAX = 3.0
SHARES = {Retry.READ: 0.8, Retry.ACT: 0.9}
URGENT_SHARE = 1.0


class RateLimit:
    """One meter for one key: at most `capacity` units in any `window_s` seconds, whatever the pattern. Times are loop seconds."""

    def __init__(
        self, meter: Meter, taken: Iterable[tuple[float, float]] = (), closed_until: float = 0.0, capacity: float | None = None
    ) -> None:
        """`taken`: (time, weight) of earlier uses, oldest first. `capacity`: the venue's last word where it is not the meter's."""
        self._meter = meter
        self.capacity = meter.capacity if capacity is None else capacity
        self.taken = deque(taken)
        self._used = sum(used for _, used in self.taken)
        self.closed_until = closed_until

    def take(self, weight: float, now: float, share: float = 1.0) -> float:
        """Use `weight` now if `share` of the capacity allows it: returns 0. Otherwise the seconds to wait before asking again."""
        meter, taken = self._meter, self.taken
        self._forget(now)
        wait = self.closed_until - now
        room = max(self.capacity * share, weight) - weight - self._used
        for taken_at, used in taken:
            if room >= 0:
                break
            room += used
            wait = max(wait, taken_at + meter.window_s - now)
        if wait > 0:
            return wait
        taken.append((now, weight))
        self._used += weight
        return 0.0

    def debit(self, weight: float, now: float) -> None:
        """`weight` was used, whether it was allowed or not."""
        self.taken.append((now, weight))
        self._used += weight

    def learn(self, left: float, capacity: float, now: float) -> None:
        """The venue said what is `left` of which `capacity`. What it counts beyond our own count is taken now.

        Our own count may be ahead of it, with calls that are still on their way; so it is never lowered.
        """
        self._forget(now)
        self.capacity = capacity
        unseen = capacity - left - self._used
        if unseen > 0:
            self.taken.append((now, unseen))
            self._used += unseen

    def _forget(self, now: float) -> None:
        """Let go of what is older than the window."""
        while self.taken and self.taken[0][0] <= now - self._meter.window_s:
            self._used -= self.taken.popleft()[1]
        if not self.taken:
            self._used = 0.0  # what rounding left over

    def close_for(self, seconds: float, now: float) -> None:
        """The venue said it is too much: nothing before `now` + `seconds`."""
        self.closed_until = max(self.closed_until, now + seconds)


class RateLimits:
    """All budgets of one process, keyed as the venues key them. Clients that share an address share one of these."""

    def __init__(self) -> None:
        self._limits: dict[tuple[str, str, str], RateLimit] = {}

    async def take(
        self,
        venue: str,
        operation: str,
        meter: Meter,
        key: str,
        weight: float,
        share: float = 1.0,
        within_s: float = WAIT_S_MAX,
    ) -> None:
        """Wait for `weight` units. Raises RateLimited, before anything is sent, when that would take over `within_s`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within_s
        while (wait := self.try_take(venue, meter, key, weight, share, clock())) > 0:
            if clock() + wait > deadline:
                detail = f"our budget of {meter.name} is spent for {wait:.0f} s; nothing was sent"
                raise RateLimited(venue, operation, detail, wait)
            await asyncio.sleep(wait)

    def debit(self, venue: str, meter: Meter, key: str, weight: float) -> None:
        """A reply cost `weight` more than was taken for it."""
        self._limit(venue, meter, key).debit(weight, asyncio.get_running_loop().time())

    def try_take(self, venue: str, meter: Meter, key: str, weight: float, share: float, now: float) -> float:
        """Take `weight` at loop time `now` and return 0, or take nothing and return the seconds to wait."""
        return self._limit(venue, meter, key).take(weight, now, share)

    def learn(self, venue: str, meter: Meter, key: str, left: float, capacity: float) -> None:
        """The venue said, beside a reply, what is left of a budget and how large it is."""
        self._limit(venue, meter, key).learn(left, capacity, asyncio.get_running_loop().time())

    def close_for(self, venue: str, meter: Meter, key: str, seconds: float) -> None:
        """The venue refused for `seconds`."""
        self._limit(venue, meter, key).close_for(seconds, asyncio.get_running_loop().time())

    def _limit(self, venue: str, meter: Meter, key: str) -> RateLimit:
        found = self._limits.get((venue, meter.name, key))
        if found is None:
            found = self._limits[venue, meter.name, key] = RateLimit(meter)
        return found
