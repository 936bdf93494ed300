"""Budgets that several processes of one machine spend together, as the venues count them: by address.

Each meter and key is one small file of fixed size, locked while it is read and written in place; whoever finds it locked asks again
a moment later, so that a process which was stopped in the middle holds up nobody's loop. Where a file can't be had, the budget is
this process's own. Times are the event loop's, which every process of a machine shares (a monotonic clock since boot).

A window is cut into SLOTS; uses of one slot count together, all as the last of them, so that a budget is never counted too small.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimit, RateLimits

LOCK_TRIES = 1000
LOCKED_WAIT_S = 0.005
SLOTS = 256
_KEPT = SLOTS + 2  # so that what a slot held before is older than a window when it is used again
_MAGIC = b"budget 2"
_HEAD = struct.Struct("<8sd")
_SLOT = struct.Struct("<dd")
_BODY = struct.Struct(f"<{2 * _KEPT}d")
_SIZE = _HEAD.size + _BODY.size


class _Uses:
    """One file, while it is locked: what was used, by slot, and until when the venue wants to hear nothing."""

    def __init__(self, descriptor: int, meter: Meter, now: float) -> None:
        self._descriptor = descriptor
        self._slot_s = meter.window_s / SLOTS
        self._now = now
        content = os.pread(descriptor, _SIZE + 1, 0)
        if not _is_usable(content, now):
            content = _HEAD.pack(_MAGIC, 0.0) + bytes(_BODY.size)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
        self._content = content
        _, self.closed_until = _HEAD.unpack_from(content)
        self.taken = _uses(content, now - meter.window_s)

    def add(self, weight: float) -> None:
        """`weight` is used now."""
        number = int(self._now / self._slot_s)
        place = _HEAD.size + number % _KEPT * _SLOT.size
        at, used = _SLOT.unpack_from(self._content, place)
        same = int(at / self._slot_s) == number
        os.pwrite(self._descriptor, _SLOT.pack(self._now, weight + (used if same else 0.0)), place)

    def close(self, until: float) -> None:
        """Nothing before `until`."""
        os.pwrite(self._descriptor, _HEAD.pack(_MAGIC, max(until, self.closed_until)), 0)


class SharedRateLimits(RateLimits):
    """RateLimits whose state lies in `folder`, for every process that is given the same one. POSIX only."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._files: dict[tuple[str, str, str], int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def __del__(self) -> None:
        for descriptor in self._files.values():
            with suppress(OSError):
                os.close(descriptor)

    def try_take(self, venue: str, meter: Meter, key: str, weight: float, share: float, now: float) -> float:
        try:
            with self._locked(venue, meter, key, now) as uses:
                allowed = self._limit(venue, meter, key).capacity  # what this process has been told; the uses are everybody's
                wait = RateLimit(meter, uses.taken, uses.closed_until, allowed).take(weight, now, share)
                if not wait:
                    uses.add(weight)
                return wait
        except BlockingIOError:
            return LOCKED_WAIT_S
        except OSError:
            return super().try_take(venue, meter, key, weight, share, now)

    def debit(self, venue: str, meter: Meter, key: str, weight: float) -> None:
        now = asyncio.get_running_loop().time()
        super().debit(venue, meter, key, weight)
        with suppress(OSError), self._locked(venue, meter, key, now) as uses:
            uses.add(weight)

    def learn(self, venue: str, meter: Meter, key: str, left: float, capacity: float) -> None:
        now = asyncio.get_running_loop().time()
        super().learn(venue, meter, key, left, capacity)
        with suppress(OSError), self._locked(venue, meter, key, now) as uses:
            unseen = capacity - left - sum(used for _, used in uses.taken)
            if unseen > 0:
                uses.add(unseen)

    def close_for(self, venue: str, meter: Meter, key: str, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        super().close_for(venue, meter, key, seconds)
        with suppress(OSError), self._locked(venue, meter, key, now) as uses:
            uses.close(now + seconds)

    @contextmanager
    def _locked(self, venue: str, meter: Meter, key: str, now: float) -> Iterator[_Uses]:
        descriptor = self._open(venue, meter, key)
        _lock(descriptor)
        try:
            yield _Uses(descriptor, meter, now)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _open(self, venue: str, meter: Meter, key: str) -> int:
        """The file's descriptor; opened anew when somebody has removed the file."""
        which = (venue, meter.name, key)
        descriptor = self._files.get(which)
        if descriptor is not None and os.fstat(descriptor).st_nlink:
            return descriptor
        if descriptor is not None:
            os.close(self._files.pop(which))
        name = sha256("\n".join(which).encode()).hexdigest()[:24]  # keys may be addresses: not in file names
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = self._files[which] = os.open(self._folder / name, flags, 0o600)
        return descriptor


def _lock(descriptor: int) -> None:
    """Raises BlockingIOError when another process holds the lock for longer than its arithmetic takes."""
    for _ in range(LOCK_TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_usable(content: bytes, now: float) -> bool:
    """Not of a file that is new, of an older version or half written, or from before a reboot, when loop times began anew."""
    if len(content) != _SIZE or not content.startswith(_MAGIC):
        return False
    latest: float = max(_BODY.unpack_from(content, _HEAD.size)[::2])
    return latest <= now + 1


def _uses(content: bytes, since: float) -> list[tuple[float, float]]:
    """What was used after `since`, oldest first."""
    numbers = _BODY.unpack_from(content, _HEAD.size)
    return sorted((at, used) for at, used in zip(numbers[::2], numbers[1::2], strict=True) if used and at > since)
