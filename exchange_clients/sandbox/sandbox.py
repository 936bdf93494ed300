"""Simulated venues inside this program, in one line.

    async with Sandbox(["…"]) as world:
        client = world.network.client("…", world.enrol("…"))

Everything they show is simulated, and says so: provenance SANDBOX from the seeded model, REPLAY from a tape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TypeVar

from exchange_clients import registry
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import Clock, SystemClock
from exchange_clients.engine.observer import Observer
from exchange_clients.engine.transport import HttpTransport, WebSocketTransport
from exchange_clients.errors import Misconfigured
from exchange_clients.network import Network
from exchange_clients.sandbox.facade import Facade
from exchange_clients.sandbox.faults import Fault, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.server import SandboxServer
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import World, host

__all__ = ["Sandbox"]

Part = TypeVar("Part")

DEPOSIT = Decimal(10_000)


class Sandbox:
    """A world of the venues named (default: all of the registry), alive inside the `async with` block.

    `loopback`: served on ports of 127.0.0.1, for other programs too (`hosts` tells where); otherwise in memory, without sockets.
    `seed`: of the prices and the books. `prices`: a tape instead of the seeded model. `clock`: market time; default: this
    machine's. `faults`: what is to go wrong, each once. `latency_s`: seconds of one way in memory. `tick_s`: seconds between two
    moves of the world. `capture`: a new file for everything that the clients send and receive, as Network writes it.
    `observer`: as of Network. `tamper`: puts something between a venue's façade and its clients, such as a venue that has changed.

    Raises Misconfigured for an unknown venue, ValueError for a clock that stands before the first price.
    """

    def __init__(
        self,
        venues: Iterable[str] | None = None,
        *,
        loopback: bool = False,
        seed: int = 7,
        prices: PriceSource | None = None,
        clock: Clock | None = None,
        faults: Iterable[Fault | str] = (),
        latency_s: float = 0.0,
        tick_s: float = 0.1,
        capture: Path | None = None,
        observer: Observer | None = None,
        tamper: Callable[[Facade], Facade] | None = None,
    ) -> None:
        named = registry.names() if venues is None else [venues] if isinstance(venues, str) else venues
        self.venues = tuple(registry.spec(venue).name for venue in named)
        self.faults = FaultPlan([Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults])
        self.clock: Clock = clock or SystemClock()
        self._loopback = loopback
        self._seed = seed
        self._prices = prices
        self._latency_s = latency_s
        self._tick_s = tick_s
        self._capture = capture
        self._observer = observer
        self._tamper = tamper
        self._world: World | None = None
        self._network: Network | None = None
        self._server: SandboxServer | None = None
        self._transport: MemoryTransport | None = None
        self._turning: asyncio.Task[None] | None = None
        self._enrolled: dict[tuple[str, str], Credentials] = {}

    @property
    def world(self) -> World:
        """The exchanges behind the venues' protocols: the truth that clients only read about."""
        return _alive(self._world)

    @property
    def network(self) -> Network:
        """Makes clients and adapters of this world's venues."""
        return _alive(self._network)

    @property
    def hosts(self) -> dict[str, str]:
        """The root address of each venue. In memory the names mean something to `network` alone."""
        if self._server is not None:
            return {venue: f"http://127.0.0.1:{port}" for venue, port in self._server.ports.items()}
        return {venue: f"http://{host(venue)}" for venue in self.venues}

    def enrol(self, venue: str, name: str = "trader", balance: Decimal | int = DEPOSIT) -> Credentials:
        """The credentials of a throw-away account that holds `balance` of the settlement currency; worthless anywhere else.

        The same `name` again is the same account, as it stands by then. Raises Misconfigured for a venue that is not in this world.
        """
        world = self.world
        if venue not in self.venues:
            raise Misconfigured(venue, "enrol", f"it is not in this sandbox, which has {', '.join(self.venues)}")
        found = self._enrolled.get((venue, name))
        if found is None:
            found = self._enrolled[venue, name] = world.enrol(venue, name, Decimal(balance))
        return found

    def describe(self) -> str:
        """One line for people: which world this is."""
        return f"{self.world.describe()}: simulated, nothing is live"

    async def __aenter__(self) -> Self:
        prices = self._prices or ModelPrices(self._seed, self.clock.now_ms())
        self._world = world = World.build(self.venues, prices, self.clock, self._seed)
        if self._tamper is not None:
            for venue, facade in world.facades.items():
                world.facades[venue] = self._tamper(facade)
        http: HttpTransport | None = None
        websocket: WebSocketTransport | None = None
        if self._loopback:
            self._server = SandboxServer(world, self.faults, self._tick_s)
            await self._server.start()
        else:
            http = websocket = self._transport = MemoryTransport(world.hosts(), lambda: self._latency_s, self.faults)
            self._turning = asyncio.create_task(world.run(self._tick_s), name="sandbox turns")
        self._network = Network(
            Environment.SANDBOX,
            hosts=self.hosts,
            clock=self.clock,
            http=http,
            websocket=websocket,
            random=Random(self._seed),
            capture=self._capture,
            observer=self._observer,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes clients first. Raises what broke the world, if something did."""
        await self.network.close()
        if self._transport is not None:
            await self._transport.close()
        if self._server is not None:
            await self._server.stop()
        if self._turning is not None:
            self._turning.cancel()
            with suppress(asyncio.CancelledError):
                await self._turning


def _alive(part: Part | None) -> Part:
    if part is None:
        raise Misconfigured("sandbox", "open", "the world lives inside `async with Sandbox(…) as world`")
    return part
