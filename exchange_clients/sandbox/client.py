"""What a client needs to talk to a sandbox, in memory or on loopback."""

from __future__ import annotations

from random import Random

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import Clock
from exchange_clients.engine.transport import HttpTransport, WebSocketTransport
from exchange_clients.engine.wiring import Wiring
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import host
from exchange_clients.spec import VenueSpec


def memory_wiring(
    spec: VenueSpec,
    transport: MemoryTransport,
    clock: Clock,
    credentials: Credentials | None = None,
    random: Random | None = None,
) -> Wiring:
    """A client's wiring to a façade behind a MemoryTransport."""
    return _wiring(spec, host(spec.name), clock, transport, transport, credentials, random)


def loopback_wiring(
    spec: VenueSpec,
    port: int,
    clock: Clock,
    http: HttpTransport,
    websocket: WebSocketTransport,
    credentials: Credentials | None = None,
    random: Random | None = None,
) -> Wiring:
    """A client's wiring to a SandboxServer on this machine; the transports are real ones."""
    return _wiring(spec, f"127.0.0.1:{port}", clock, http, websocket, credentials, random)


def _wiring(
    spec: VenueSpec,
    authority: str,
    clock: Clock,
    http: HttpTransport,
    websocket: WebSocketTransport,
    credentials: Credentials | None,
    random: Random | None,
) -> Wiring:
    urls = spec.urls_at(f"http://{authority}")
    return Wiring(
        environment=Environment.SANDBOX,
        rest_url=urls.rest,
        websocket_url=urls.websocket,
        rest_urls=urls.others,
        clock=clock,
        http=http,
        websocket=websocket,
        credentials=credentials,
        random=random or Random(0),
    )
