"""Venues made of rows, a clock moved by hand, and a running service to ask."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import uvicorn

from exchange_clients.base import BaseFundingAdapter, Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingRate, RawRate
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.provenance import Environment, Provenance
from exchange_clients.domain.times import from_ms, to_ms
from exchange_clients.engine.clock import Clock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.errors import Unsupported
from exchange_clients.spec import Urls, VenueSpec
from funding_rate_service.client import FundingServiceClient
from funding_rate_service.collection.venues import Venue
from funding_rate_service.config import Settings
from funding_rate_service.front_door import FrontDoor
from funding_rate_service.main import create_app
from funding_rate_service.service import FundingService

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class HandClock:
    """Market time that moves when it is told to."""

    speed = 1.0

    def __init__(self, start: datetime = NOON) -> None:
        self._now_ms = to_ms(start)

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return from_ms(self._now_ms)

    def advance(self, by: timedelta) -> None:
        self._now_ms += by // timedelta(milliseconds=1)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def wire_ms(self, duration_ms: int) -> int:
        return duration_ms


@dataclass(frozen=True)
class Row:
    """One market as a venue tells it. `rate` None: unknown. `mark` per venue unit."""

    name: str
    rate: str | None = "0.0001"
    hours: int | None = 8
    mark: float | None = 100.0
    volume: float | None = 50_000_000.0
    oi: float | None = 10_000_000.0
    spread_bps: float | None = 2.0
    kind: FundingKind = FundingKind.PREDICTED
    next_payment: datetime | None = NOON + timedelta(hours=4)
    provenance: Provenance = Provenance.SANDBOX


class RowsAdapter(BaseFundingAdapter):
    """A venue that says what its rows say, fails with `failure`, or hangs."""

    venue = "rows"

    def __init__(self, name: str, clock: Clock, rows: Sequence[Row]) -> None:
        self.name = name
        self.clock = clock
        self.rows = list(rows)
        self.failure: Exception | None = None
        self.hangs = False
        self.asked = 0

    async def close(self) -> None:
        pass

    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        raise Unsupported(self.name, "rate_history", "rows have no past")

    async def current_rates(self) -> Sequence[FundingObservation]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return [self.observation(row) for row in self.rows]

    async def market_stats(self) -> Sequence[MarketStats]:
        return [self._stats(row) for row in self.rows]

    def observation(self, row: Row) -> FundingObservation:
        now, asset = self.clock.now(), identify(row.name)
        rate = None
        if row.rate is not None and row.hours is not None:
            rate = FundingRate(
                rate=Decimal(row.rate),
                interval=timedelta(hours=row.hours),
                kind=row.kind,
                effective_at=now,
                next_payment_at=row.next_payment,
                source="rows",
            )
        return FundingObservation(
            venue=self.name,
            symbol=asset.base,
            venue_symbol=row.name,
            multiplier=asset.multiplier,
            rate=rate,
            raw=None if row.rate is None else RawRate(row.rate, f"fraction per {row.hours} h"),
            unknown_because="" if rate else "the venue sent no rate" if row.rate is None else "the venue sent no interval",
            observed_at=now,
            provenance=row.provenance,
        )

    def _stats(self, row: Row) -> MarketStats:
        half = None if row.spread_bps is None or row.mark is None else row.mark * row.spread_bps / 20_000
        return MarketStats(
            venue=self.name,
            symbol=identify(row.name).base,
            venue_symbol=row.name,
            mark_price=row.mark,
            index_price=row.mark,
            open_interest_usd=row.oi,
            volume_24h_usd=row.volume,
            best_bid=None if half is None or row.mark is None else row.mark - half,
            best_ask=None if half is None or row.mark is None else row.mark + half,
            time_ms=self.clock.now_ms(),
            provenance=row.provenance,
        )


def spec(name: str, maker: str = "0.0001", taker: str = "0.0004") -> VenueSpec:
    """A venue that exists in these tests only."""
    return VenueSpec(
        name=name,
        display_name=name.title(),
        urls={Environment.LIVE: Urls("http://localhost", "ws://localhost")},
        rest_path="",
        websocket_path="",
        credential_fields=(),
        fees=FeeRates(maker=Decimal(maker), taker=Decimal(taker)),
        funding_interval_hours=Decimal(8),
        symbol_format="{base}",
        rate_limit_per_minute=600,
        capabilities=frozenset({Capability.STREAM_BOOK}),
        client="",
        adapter="",
        sandbox="",
    )


@dataclass
class World:
    """A running service and what it is fed from."""

    base_url: str
    clock: HandClock
    adapters: dict[str, RowsAdapter]
    http: AiohttpTransport
    service: FundingService
    client: FundingServiceClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = FundingServiceClient(self.base_url, self.http)

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and decoded body of GET /api/v1<path>."""
        reply = await self.http.request(HttpRequest("GET", f"{self.base_url}/api/v1{path}"))
        return reply.status, json.loads(reply.body)

    async def ok(self, path: str) -> Any:
        """The body of a reply that must be 200."""
        status, body = await self.get(path)
        assert status == 200, (path, status, body)
        return body

    async def collected(self) -> None:
        """Until every venue that can answer has been asked anew and the board shows what it said."""
        seen = {name: adapter.asked for name, adapter in self.adapters.items()}
        moment = self.clock.now()
        await until(lambda: all(adapter.asked > seen[name] + 1 for name, adapter in self.adapters.items() if not adapter.hangs))
        sound = {name for name, adapter in self.adapters.items() if not adapter.hangs and adapter.failure is None}
        await until(lambda: sound <= {m.dex for m in self.service.board.table.markets if m.observation.observed_at == moment})


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for `condition`, no longer than `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    database_url: str,
    venues: dict[str, Sequence[Row]],
    *,
    specs: dict[str, VenueSpec] | None = None,
    clock: HandClock | None = None,
    hanging: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[World]:
    """A service on `database_url`, on an ephemeral port, collecting four times a second; yielded after the first collection."""
    market_clock = clock or HandClock()
    adapters = {name: RowsAdapter(name, market_clock, rows) for name, rows in venues.items()}
    for name in hanging:
        adapters[name].hangs = True

    @asynccontextmanager
    async def open_rows(_: Settings, __: Clock) -> AsyncIterator[Sequence[Venue]]:
        yield [Venue((specs or {}).get(name, spec(name)), a, f"rows://{name}") for name, a in adapters.items()]

    chosen: dict[str, Any] = {"collection_interval_s": 0.25, "stale_after_s": 300, **settings}
    app = create_app(Settings(DATABASE_URL=database_url, **chosen), clock=market_clock, venues=open_rows)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(FrontDoor(app), lifespan="off", log_config=None))
    http = AiohttpTransport()
    async with app.router.lifespan_context(app):
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            port = listening.getsockname()[1]
            world = World(f"http://127.0.0.1:{port}", market_clock, adapters, http, app.state.service)
            await until(lambda: server.started)
            if adapters:
                await world.collected()
            yield world
        finally:
            await http.close()
            server.should_exit = True
            await serving
