"""Session tokens of façades: JSON web tokens, signed with a key that everybody may know."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from exchange_clients.engine.clock import Clock

_KEY = b"sandbox tokens"


class Tokens:
    """Issues and reads tokens that live `life_ms` of the wire."""

    def __init__(self, clock: Clock, issuer: str, life_ms: int) -> None:
        self._clock = clock
        self._issuer = issuer
        self._life_ms = life_ms

    def issue(self, account: str, key: str = "") -> str:
        """A token for `account`. `key`: the public key that asked for it, where an account has several."""
        now_ms = self._clock.now_ms()
        exp = (now_ms + self._clock.wire_ms(self._life_ms)) // 1000
        claims = {"typ": "at+JWT", "exp": exp, "iat": now_ms // 1000, "iss": self._issuer, "sub": account, "key": key}
        head = b".".join(_base64(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return (head + b"." + _signature(head)).decode()

    def account(self, token: str) -> str | None:
        """Whose token it is; None for one that is malformed, forged or expired."""
        claims = self._claims(token)
        return None if claims is None else str(claims["sub"])

    def key(self, token: str) -> str | None:
        """The public key that asked for it; None for one that is malformed, forged or expired."""
        claims = self._claims(token)
        return None if claims is None else str(claims["key"])

    def _claims(self, token: str) -> dict[str, Any] | None:
        head, _, signature = token.encode().rpartition(b".")
        if not hmac.compare_digest(_signature(head), signature):
            return None
        claims = msgspec.json.decode(urlsafe_b64decode(head.split(b".")[1] + b"=="), type=dict[str, Any])
        return claims if claims["exp"] > self._clock.now_ms() / 1000 else None


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _signature(head: bytes) -> bytes:
    return _base64(hmac.digest(_KEY, head, "sha256"))
