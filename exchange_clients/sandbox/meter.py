"""The venue's side of rate limits, for façades."""

from __future__ import annotations

from exchange_clients.engine.clock import Clock
from exchange_clients.engine.endpoint import Meter


class SpentMeter:
    """Counts what each key spent. Time is the wire's: market time divided by the clock's speed."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, key: str, weight: float) -> bool:
        """Take `weight` for `key`; False (and nothing taken) when the budget does not allow it."""
        now_s = self._clock.now_ms() / 1000 / self._clock.speed
        capacity = self._meter.capacity
        left, at_s = self._left.get(key, (capacity, now_s))
        left = min(capacity, left + (now_s - at_s) * capacity / self._meter.window_s)
        allowed = left >= weight
        self._left[key] = (left - weight if allowed else left, now_s)
        return allowed

    def left(self, key: str) -> float:
        """What `key` had left when it last spent."""
        return self._left.get(key, (self._meter.capacity, 0.0))[0]
