"""Ours: the public `stream_book` of the venue's client, over picows on uvloop or over the portable transport."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from importlib import import_module

import uvloop

from benchmarks.frames import PARADEX_MARKET
from benchmarks.peers.meter import Meter, arguments
from exchange_clients import registry
from exchange_clients.base import MarketClient
from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.websocket_portable import WebsocketsTransport
from exchange_clients.engine.wiring import Wiring

VENUE_SYMBOLS = {"hyperliquid": "BTC", "paradex": PARADEX_MARKET}


def client_of(venue: str, wiring: Wiring) -> MarketClient:
    """The venue's client, found through the registry as everybody finds it."""
    module, _, name = registry.spec(venue).client.partition(":")
    made: MarketClient = getattr(import_module(module), name)(wiring)
    return made


def bitcoin(venue: str) -> Instrument:
    """BTC on `venue`, without asking anybody."""
    step = Decimal("0.00001")
    rule = PriceRule(Decimal("0.1"), significant_figures=5 if venue == "hyperliquid" else None)
    return Instrument(
        venue=venue,
        symbol="BTC",
        venue_symbol=VENUE_SYMBOLS.get(venue, "BTC"),
        venue_id="0",
        multiplier=Decimal(1),
        quote="USDC",
        price_rule=rule,
        lot_size=step,
        min_size=step,
        min_notional=Decimal(10),
    )


async def read(venue: str, port: int, meter: Meter, portable: bool) -> None:
    """Read the book until the last frame."""
    http = AiohttpTransport()
    wiring = Wiring(
        environment=Environment.SANDBOX,
        rest_url=f"http://127.0.0.1:{port}",
        websocket_url=f"ws://127.0.0.1:{port}/ws",
        clock=SystemClock(),
        http=http,
        websocket=WebsocketsTransport() if portable else PicowsTransport(),
    )
    client = client_of(venue, wiring)
    async for event in client.stream_book(bitcoin(venue), depth=20):
        if isinstance(event, BookEvent) and meter.see(event.book.time_ms):
            break
    await client.close()
    await http.close()


def main() -> None:
    asked = arguments()
    portable = asked.transport != "picows"
    runner = asyncio.run if portable else uvloop.run
    runner(read(asked.venue, asked.port, Meter(asked.warm, asked.frames), portable))


if __name__ == "__main__":
    main()
