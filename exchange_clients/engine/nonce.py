"""Nonces: one source per signing key, always growing, near the clock."""

from __future__ import annotations

from weakref import WeakValueDictionary


class NonceSource:
    """Millisecond nonces for one key. Two calls never give the same number, even within one millisecond.

    A venue remembers what a key has used, whichever client used it: `of` gives every client of a process the same source.
    """

    _known: WeakValueDictionary[tuple[str, str], NonceSource] = WeakValueDictionary()

    def __init__(self) -> None:
        self._last = 0

    @classmethod
    def of(cls, venue: str, key: str) -> NonceSource:
        """The source of one key on one venue. `key`: what the venue knows the key by (its address), never the secret."""
        found = cls._known.get((venue, key))
        if found is None:
            found = cls._known[venue, key] = cls()
        return found

    def next(self, now_ms: int) -> int:
        """A number greater than every one before, at least `now_ms`."""
        self._last = max(self._last + 1, now_ms)
        return self._last

    def resynchronise(self, floor: int) -> None:
        """The venue has seen `floor`: go on above it."""
        self._last = max(self._last, floor)
