"""What the trading clients of all venues are made of."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from uuid import UUID

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.orders import Order, OrderRequest, TimeInForce
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream import Stream, StreamDialect
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured


class VenueClient(BaseExchangeClient):
    """One session and one stream of one account."""

    def __init__(self, wiring: Wiring, dialect: Dialect, streams: StreamDialect) -> None:
        self._clock = wiring.clock
        self._provenance = wiring.environment.provenance
        self._credentials = wiring.credentials
        self._session = Session(self.venue, wiring, dialect)
        self._stream = Stream(self.venue, wiring, streams)

    async def close(self) -> None:
        await self._stream.close()

    async def place_order(self, request: OrderRequest) -> Order:
        """What can be known to be wrong is refused before anything leaves this machine."""
        instrument, size = request.instrument, request.size
        why = (
            f"the instrument is of {instrument.venue}"
            if instrument.venue != self.venue
            else f"a size of {size!r} is not a positive Decimal"
            if not isinstance(size, Decimal) or size <= 0
            else f"{size} is not whole lots of {instrument.lot_size}"
            if size % instrument.lot_size
            else f"{request.client_order_id!r} is not a UUID"
            if request.client_order_id and not is_uuid(request.client_order_id)
            else ""
        )
        if why:
            raise Misconfigured(self.venue, "place_order", f"{why}; nothing was sent")
        for needed in _needs(request):
            self.require(needed)
        return await self._place(request)

    @abstractmethod
    async def _place(self, request: OrderRequest) -> Order:
        """Send it once and tell what the venue said at once. Never read here: a read that fails would deny the act."""

    def _credential(self, name: str) -> str:
        """Raises Misconfigured when it is not given."""
        value = self._credentials.get(name) if self._credentials is not None else ""
        if not value:
            raise Misconfigured(self.venue, "credentials", f"an account is known by the credential {name}, which is missing")
        return value


def is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _needs(request: OrderRequest) -> list[Capability]:
    wants = {
        Capability.MARKET: request.price is None,
        Capability.POST_ONLY: request.time_in_force is TimeInForce.POST_ONLY,
        Capability.IOC: request.time_in_force is TimeInForce.IOC,
        Capability.REDUCE_ONLY: request.reduce_only,
    }
    return [capability for capability, wanted in wants.items() if wanted]
