"""The venue's side of rate limits, for façades."""

from __future__ import annotations

from collections import defaultdict, deque

from exchange_clients.engine.clock import Clock
from exchange_clients.engine.endpoint import Meter


class SpentMeter:
    """What each key spent in the last window. Time is the wire's: market time divided by the clock's speed."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock
        self._spent: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)

    def spend(self, key: str, weight: float) -> bool:
        """Take `weight` for `key`; False (and nothing taken) when the budget does not allow it."""
        if self.left(key) < weight:
            return False
        self._spent[key].append((self._now_s(), weight))
        return True

    def debit(self, key: str, weight: float) -> None:
        """Count `weight` after the fact, whether or not the budget still has it: some calls are priced by their reply."""
        self._spent[key].append((self._now_s(), weight))

    def left(self, key: str) -> float:
        """What `key` may still spend now."""
        spent, begins = self._spent[key], self._now_s() - self._meter.window_s
        while spent and spent[0][0] <= begins:
            spent.popleft()
        return self._meter.capacity - sum(weight for _, weight in spent)

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000 / self._clock.speed
