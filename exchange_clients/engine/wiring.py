"""Everything a client is built from, chosen by whoever composes the program and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment, Provenance
from exchange_clients.engine.clock import Clock
from exchange_clients.engine.observer import Observer
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.transport import HttpTransport, WebSocketTransport
from exchange_clients.market_watch import MarketWatch


@dataclass(frozen=True)
class Wiring:
    """One client's world. `rest_url`, `websocket_url`: base addresses without trailing slash, the venue's path included.

    `credentials`: None for reading only. `limits`: budgets, shared by clients behind one address. `random`: jitter of
    back-off. Transports belong to whoever made them; clients share
    them and do not close them. `replayed`: what comes was recorded earlier. `observer`: looks on.
    `markets`: how the venue's markets were last seen; None: this client remembers for itself.
    """

    environment: Environment
    rest_url: str
    websocket_url: str
    clock: Clock
    http: HttpTransport
    websocket: WebSocketTransport
    credentials: Credentials | None = None
    limits: RateLimits = field(default_factory=RateLimits)
    random: Random = field(default_factory=Random)
    rest_urls: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False
    observer: Observer | None = None
    markets: MarketWatch | None = None

    @property
    def provenance(self) -> Provenance:
        """What observations made through this wiring are worth."""
        return Provenance.REPLAY if self.replayed else self.environment.provenance
