"""Budgets that several processes of one machine spend together, as the venues count them: by address.

Each meter and key is one small file, locked while it is read and written; whoever finds it locked asks again a moment later, so
that a process which was stopped in the middle holds up nobody's loop. Where a file can't be had, the budget is this process's
own. Times are the event loop's, which every process of a
machine shares (a monotonic clock since boot).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimit, RateLimits

LOCK_TRIES = 1000
LOCKED_WAIT_S = 0.005


class _Kept(msgspec.Struct):
    """A file's content: what was taken, oldest first, and until when the venue wants to hear nothing."""

    taken: list[tuple[float, float]] = []
    closed_until: float = 0.0


class SharedRateLimits(RateLimits):
    """RateLimits whose state lies in `folder`, for every process that is given the same one. POSIX only."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def try_take(self, venue: str, meter: Meter, key: str, weight: float, share: float, now: float) -> float:
        try:
            with self._locked(venue, meter, key, now) as limit:
                return limit.take(weight, now, share)
        except BlockingIOError:
            return LOCKED_WAIT_S
        except OSError:
            return super().try_take(venue, meter, key, weight, share, now)

    def debit(self, venue: str, meter: Meter, key: str, weight: float) -> None:
        now = asyncio.get_running_loop().time()
        super().debit(venue, meter, key, weight)
        with suppress(OSError), self._locked(venue, meter, key, now) as limit:
            limit.debit(weight, now)

    def close_for(self, venue: str, meter: Meter, key: str, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        super().close_for(venue, meter, key, seconds)
        with suppress(OSError), self._locked(venue, meter, key, now) as limit:
            limit.close_for(seconds, now)

    @contextmanager
    def _locked(self, venue: str, meter: Meter, key: str, now: float) -> Iterator[RateLimit]:
        name = sha256(f"{venue}\n{meter.name}\n{key}".encode()).hexdigest()[:24]  # keys may be addresses: not in file names
        with os.fdopen(os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
            _lock(file.fileno())
            kept = _read(file.read(), now)
            limit = RateLimit(meter, kept.taken, kept.closed_until)
            yield limit
            file.seek(0)
            file.truncate()
            file.write(msgspec.json.encode(_Kept(list(limit.taken), limit.closed_until)))


def _lock(descriptor: int) -> None:
    """Raises BlockingIOError when another process holds the lock for longer than its arithmetic takes."""
    for _ in range(LOCK_TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(content: bytes, now: float) -> _Kept:
    """What a file says. One that a killed process left half-written, or that is from before a reboot, counts as empty."""
    try:
        kept: Any = msgspec.json.decode(content, type=_Kept) if content else _Kept()
    except msgspec.MsgspecError:
        return _Kept()
    return _Kept() if any(at > now + 1 for at, _ in kept.taken) else kept
