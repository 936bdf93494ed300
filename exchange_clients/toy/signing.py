"""Signatures of Toy: hex HMAC-SHA256 over time, METHOD, path with query, and body, one behind the other.

Source: venue sheet section 6; every vector there is a test.
"""

from __future__ import annotations

import hmac


class Signer:
    """One API secret. Any text is one."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, time_ms: int, method: str, path: str, body: bytes = b"") -> str:
        """`path`: as it is sent, with the venue's prefix and the query. Deterministic."""
        return hmac.digest(self._secret, f"{time_ms}{method}{path}".encode() + body, "sha256").hex()

    def has_signed(self, signature: str, time_ms: int, method: str, path: str, body: bytes = b"") -> bool:
        """Whether `signature` is this key's."""
        return hmac.compare_digest(signature.encode(), self.sign(time_ms, method, path, body).encode())
