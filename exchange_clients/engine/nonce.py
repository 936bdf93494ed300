"""Nonces: one source per signing key, always growing, near the clock."""

from __future__ import annotations


class NonceSource:
    """Millisecond nonces for one key. Two calls never give the same number, even within one millisecond."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_ms: int) -> int:
        """A number greater than every one before, at least `now_ms`."""
        self._last = max(self._last + 1, now_ms)
        return self._last

    def resynchronise(self, floor: int) -> None:
        """The venue has seen `floor`: go on above it."""
        self._last = max(self._last, floor)
