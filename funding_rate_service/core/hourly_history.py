"""Evenly spaced samples of every market's hourly rate, in memory, a fixed number of hours back."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import EPOCH

Key = tuple[str, str, Provenance]
"""Venue, the venue's spelling, provenance: histories of different worlds are different histories."""


class HourlyHistory:
    """The last `hours` hours; within an hour the latest sample counts. Memory: 8 bytes per hour and market."""

    def __init__(self, hours: int) -> None:
        self.hours = hours
        self._samples: dict[Key, NDArray[np.float64]] = {}
        self._newest: dict[Key, int] = {}

    def add(self, key: Key, at: datetime, rate_hourly: Decimal) -> None:
        """Record a known rate. One that is older than the window is ignored; one from a new hour forgets the oldest."""
        hour = (at - EPOCH) // timedelta(hours=1)
        ring = self._samples.get(key)
        if ring is None:
            ring = self._samples[key] = np.full(self.hours, np.nan)
            self._newest[key] = hour
        newest = self._newest[key]
        if hour <= newest - self.hours:
            return
        for skipped in range(max(newest + 1, hour - self.hours + 1), hour):
            ring[skipped % self.hours] = np.nan
        ring[hour % self.hours] = float(str(rate_hourly))
        self._newest[key] = max(newest, hour)

    def carry(self, long: Key, short: Key) -> NDArray[np.float64]:
        """Hourly `short` − `long`, oldest first, up to the last hour that both know; NaN where either is unknown."""
        if long not in self._samples or short not in self._samples:
            return np.empty(0)
        last = min(self._newest[long], self._newest[short])
        first = max(self._newest[long], self._newest[short]) - self.hours + 1
        if last < first:
            return np.empty(0)
        hours = np.arange(first, last + 1) % self.hours
        return self._samples[short][hours] - self._samples[long][hours]
