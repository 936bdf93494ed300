"""Recorded history through façade, wire, adapter and database: every rate that is served is the tape's, digit by digit."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from exchange_clients import registry
from exchange_clients.domain.assets import identify
from exchange_clients.domain.provenance import Environment
from exchange_clients.sandbox.server import SandboxServer
from exchange_clients.sandbox.tape import COLUMNS, TapePrices
from exchange_clients.sandbox.world import World
from funding_rate_service.config import Settings, VenueUrls
from funding_rate_service.main import create_app
from tests.service.world import HandClock, until

Rows = dict[tuple[str, str], dict[str, str]]


@asynccontextmanager
async def served(database_url: str, tape: Path, venues: list[str], moment: datetime) -> AsyncIterator[Mapping[str, Any]]:
    """`details` of /funding-rates at one instant of a tape, from a sandbox on loopback and a service on PostgreSQL."""
    clock = HandClock(moment)
    server = SandboxServer(World.build(venues, TapePrices(tape, venues), clock, seed=1))
    ports = await server.start()
    settings = Settings(
        DATABASE_URL=database_url,
        venues=tuple(venues),
        environment=Environment.SANDBOX,
        venue_urls={venue: VenueUrls(rest=f"http://127.0.0.1:{port}") for venue, port in ports.items()},
        collection_interval_s=1,
    )
    app = create_app(settings, clock=clock)
    try:
        async with app.router.lifespan_context(app):
            board = app.state.service.board
            await until(lambda: {m.dex for m in board.table.markets if m.observation.observed_at == clock.now()} == set(venues))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as http:
                reply = await http.get("/api/v1/funding-rates", params={"include_metadata": "true"})
                yield json.loads(reply.text, parse_float=Decimal)["details"]
    finally:
        await server.stop()


def by_hour(tape: Path) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(dict)
    with tape.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["venue"] in registry.names():
                found[row["hour_utc"]][row["venue"], row["venue_symbol"]] = row
    return found


def symbol_of(venue: str, venue_symbol: str) -> str:
    before, _, after = registry.spec(venue).symbol_format.partition("{base}")
    return identify(venue_symbol.removeprefix(before).removesuffix(after)).base


async def test_every_rate_of_the_tape_is_served_as_it_stands(database_url: str, shared_dir: Path) -> None:
    tape = shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv"
    checked = 0
    for hour, rows in sorted(by_hour(tape).items()):
        venues = sorted({venue for venue, _ in rows})
        moment = datetime.strptime(hour, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) + timedelta(minutes=20)
        async with served(database_url, tape, venues, moment) as details:
            for (venue, venue_symbol), row in rows.items():
                said = details[symbol_of(venue, venue_symbol)][venue]
                rate, hours = Decimal(row["funding_rate"]), Decimal(row["funding_interval_hours"])
                where = (hour, venue, venue_symbol)
                assert Decimal(said["raw_rate"]) == rate, where
                assert Decimal(str(said["interval_hours"])) == hours, where
                assert said["rate_hourly"] == rate / hours, where
                assert said["funding_rate"] == rate * 8 / hours, where
                assert said["provenance"] == "sandbox", where
                checked += 1
    assert checked == sum(len(rows) for rows in by_hour(tape).values()) > 2000


async def test_a_rate_without_an_interval_stays_unknown(database_url: str, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    names = {venue: registry.spec(venue).symbol_format.format(base="BTC") for venue in registry.names()}
    others = {venue: registry.spec(venue).symbol_format.format(base="ETH") for venue in registry.names()}
    lines = [",".join(COLUMNS)]
    for venue in registry.names():
        hours = format(registry.spec(venue).funding_interval_hours, "f")
        lines.append(f"2026-01-02T20:00:00Z,{venue},{names[venue]},90000.5,90001,0,,1000000,5000")
        lines.append(f"2026-01-02T20:00:00Z,{venue},{others[venue]},3000.5,3001,0,{hours},1000000,5000")
    tape.write_text("\n".join(lines) + "\n")
    async with served(database_url, tape, list(registry.names()), datetime(2026, 1, 2, 20, 5, tzinfo=UTC)) as details:
        for venue in registry.names():
            unknown, zero = details["BTC"][venue], details["ETH"][venue]
            assert (unknown["rate_hourly"], unknown["funding_rate"], unknown["interval_hours"]) == (None, None, None)
            assert unknown["unknown_because"]
            assert (zero["rate_hourly"], zero["funding_rate"]) == (0, 0)
