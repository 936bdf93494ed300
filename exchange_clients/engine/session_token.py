"""Session tokens that end: kept fresh in the background, so that no order waits for a login."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable

import msgspec

from exchange_clients.engine.clock import Clock
from exchange_clients.errors import ProtocolViolation

RENEWED_AT = 0.6
"""Of a token's life: after three of five minutes."""


class TokenClaims(msgspec.Struct, frozen=True):
    """When a token ends and when it was made, seconds since 1970 by the venue's clock."""

    exp: int
    iat: int


class SessionToken:
    """A JSON web token. `login` asks the venue for a new one.

    Past `RENEWED_AT` of its life a token is replaced in the background; only an expired one is waited for.
    """

    def __init__(self, venue: str, clock: Clock, login: Callable[[], Awaitable[str]]) -> None:
        self.text = ""
        self.claims = TokenClaims(exp=0, iat=0)
        self._venue = venue
        self._clock = clock
        self._login = login
        self._renewing: asyncio.Task[None] | None = None

    async def valid(self) -> str:
        """A token that is valid now. Raises whatever the login raises."""
        now_s, claims = self._clock.now_ms() / 1000, self.claims
        if self._renewing is None and now_s >= claims.iat + (claims.exp - claims.iat) * RENEWED_AT:
            self._renewing = asyncio.get_running_loop().create_task(self._renew(), name=f"{self._venue} login")
            self._renewing.add_done_callback(self._renewed)
        if self._renewing is not None and now_s >= claims.exp:
            await asyncio.shield(self._renewing)
        return self.text

    def forget(self) -> None:
        """The venue refused it. Nothing happens while it is being replaced: another call met the same refusal before."""
        if self._renewing is None:
            self.claims, self.text = TokenClaims(exp=0, iat=0), ""

    async def close(self) -> None:
        """End a renewal that is under way."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _renew(self) -> None:
        text = await self._login()
        try:
            body = text.split(".")[1]
            claims = msgspec.json.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=TokenClaims)
        except (ValueError, IndexError) as error:
            raise ProtocolViolation(self._venue, "login", "the session token is not a JWT with exp and iat") from error
        self.claims, self.text = claims, text

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # told to whoever waits; when nobody does, the next call tries again while the old token lasts
