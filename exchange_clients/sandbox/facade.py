"""What a venue's sandbox must be: its HTTP and WebSocket protocol in front of a `SandboxExchange`, and nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from email.utils import formatdate
from hashlib import sha256
from typing import ClassVar, Protocol

from exchange_clients.engine.clock import Clock
from exchange_clients.engine.transport import HttpRequest, HttpResponse


class Peer(Protocol):
    """The other end of a WebSocket that a client opened."""

    def send(self, frame: bytes) -> None:
        """Push one text frame to the client."""

    def close(self, reason: str) -> None:
        """Drop the socket."""


class FacadeSocket(ABC):
    """One client's WebSocket as the façade sees it."""

    @abstractmethod
    def on_frame(self, frame: bytes) -> None:
        """The client sent a text frame."""

    @abstractmethod
    def on_close(self) -> None:
        """The client is gone; drop its subscriptions."""


class Facade(ABC):
    """One venue's protocol. Synchronous, without I/O of its own: hosts (loopback server, in-memory transport) carry the bytes.

    `request.url` as handed in holds path and query only, the venue's path prefix included (`/api/v1/info`).
    """

    clock: Clock | None = None
    """What the venue goes by, where it goes by one."""

    venue: ClassVar[str]
    book_marker: ClassVar[bytes]
    """Bytes that occur in every WebSocket frame of a book and in no other; faults use it to make gaps."""

    @abstractmethod
    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        """Answer one request from `address` (rate limits are kept per address) the way the venue would, errors included."""

    def dated(self, response: HttpResponse) -> HttpResponse:
        """The reply as a host sends it: with the `Date` of the venue's clock. A venue without one says nothing of it."""
        if self.clock is None:
            return response
        date = formatdate(self.clock.now_ms() // 1000, usegmt=True)
        return HttpResponse(response.status, response.body, {"date": date, **response.headers})

    @abstractmethod
    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        """A client opened a WebSocket; `opening` is its handshake, path, query and headers."""

    @abstractmethod
    def places_order(self, request: HttpRequest) -> bool:
        """Whether this request asks for a new order; faults use it to choose their victim."""

    @abstractmethod
    def enrol(self, name: str, balance: str) -> dict[str, str]:
        """Make a throw-away account called `name` holding `balance` of settlement currency, deterministic in `name`.

        Returns its credentials, named as the venue's `VenueSpec.credential_fields` are.
        """


def account_seed(name: str) -> bytes:
    """32 bytes to grow the key of the throw-away account `name` from: the same every time, worthless anywhere else."""
    return sha256(f"sandbox account {name}".encode()).digest()
