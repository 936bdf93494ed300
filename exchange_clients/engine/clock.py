"""Time as a parameter. Market time (what venues stamp, sign and pay funding by) comes from a Clock; waiting for the wire
(time-outs, heartbeats, back-off) is measured by the event loop.

An accelerated clock runs market time faster than the wire. `wire_ms` converts a duration of the wire (how long a signature
may be under way, how long a session token lives) into market milliseconds, so that such windows keep their real length.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Protocol

from exchange_clients.domain.times import from_ms


class Clock(Protocol):
    """Market time."""

    @property
    def speed(self) -> float:
        """Market seconds per second of the event loop."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""

    def now(self) -> datetime:
        """Aware UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of market time."""

    def wire_ms(self, duration_ms: int) -> int:
        """`duration_ms` of the wire in market milliseconds."""


class _ScaledClock(ABC):
    def __init__(self, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"a clock can't run at speed {speed}")
        self.speed = speed

    @abstractmethod
    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    def wire_ms(self, duration_ms: int) -> int:
        return round(duration_ms * self.speed)


class SystemClock(_ScaledClock):
    """The machine's clock, or an accelerated one: market time was `market_origin_ms` when the machine showed `real_origin_ms`.

    Processes given the same three numbers agree on market time.
    """

    def __init__(self, speed: float = 1.0, real_origin_ms: int = 0, market_origin_ms: int = 0) -> None:
        super().__init__(speed)
        self.real_origin_ms = real_origin_ms
        self.market_origin_ms = market_origin_ms

    def now_ms(self) -> int:
        real_ms = time.time_ns() / 1_000_000
        return int(self.market_origin_ms + (real_ms - self.real_origin_ms) * self.speed)

    def as_text(self) -> str:
        """`speed:real_origin_ms:market_origin_ms`, to hand the same clock to another process."""
        return f"{self.speed}:{self.real_origin_ms}:{self.market_origin_ms}"

    @classmethod
    def from_text(cls, text: str) -> SystemClock:
        """The clock that `as_text` described; an empty text is the machine's own. Raises ValueError for anything else."""
        if not text:
            return cls()
        speed, real, market = text.split(":")
        return cls(float(speed), int(real), int(market))

    @classmethod
    def starting_at(cls, market_ms: int, speed: float) -> SystemClock:
        """A clock that shows `market_ms` now and runs at `speed`."""
        return cls(speed, time.time_ns() // 1_000_000, market_ms)


class LoopClock(_ScaledClock):
    """Market time that is the event loop's time since this clock was made; on a virtual loop, virtual time."""

    def __init__(self, epoch_ms: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(1.0)
        self._loop = loop or asyncio.get_running_loop()
        self._zero = self._loop.time()
        self._epoch_ms = epoch_ms

    def now_ms(self) -> int:
        return self._epoch_ms + round((self._loop.time() - self._zero) * 1000)
