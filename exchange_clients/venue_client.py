"""What the trading clients of all venues are made of."""

from __future__ import annotations

from typing import Any

from exchange_clients.base import BaseExchangeClient
from exchange_clients.engine.guarded import guard
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream import Stream
from exchange_clients.engine.stream_dialect import StreamDialect
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured


class VenueClient(BaseExchangeClient):
    """One session and one stream of one account."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard(cls)

    def __init__(self, wiring: Wiring, dialect: Dialect, streams: StreamDialect) -> None:
        self._clock = wiring.clock
        self._provenance = wiring.provenance
        self._credentials = wiring.credentials
        self._session = Session(self.venue, wiring, dialect)
        self._stream = Stream(self.venue, wiring, streams)

    async def close(self) -> None:
        await self._stream.close()

    def _credential(self, name: str) -> str:
        """Raises Misconfigured when it is not given."""
        value = self._credentials.get(name) if self._credentials is not None else ""
        if not value:
            raise Misconfigured(self.venue, "credentials", f"an account is known by the credential {name}, which is missing")
        return value
