"""The venue's side of nonces: which it still takes from a key."""

from __future__ import annotations


class NonceWindow:
    """Per key the highest `kept` nonces are remembered; a new one is above the lowest of them, unused, and near the clock."""

    def __init__(self, kept: int, past_ms: int, future_ms: int) -> None:
        self._kept, self._past_ms, self._future_ms = kept, past_ms, future_ms
        self._used: dict[str, list[int]] = {}

    def take(self, key: str, nonce: int, now_ms: int) -> bool:
        """Use `nonce`; False (and nothing kept) when it can't be."""
        used = self._used.setdefault(key, [])
        is_near = now_ms - self._past_ms < nonce < now_ms + self._future_ms
        if not is_near or nonce in used or (len(used) == self._kept and nonce < used[0]):
            return False
        self._used[key] = sorted([*used, nonce])[-self._kept :]
        return True
