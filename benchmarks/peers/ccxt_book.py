"""ccxt.pro's `watch_order_book`, its WebSocket address pointed at the frame server and its markets stated instead of fetched."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro

from benchmarks.frames import PARADEX_MARKET
from benchmarks.peers.meter import Meter, arguments

MARKETS: dict[str, dict[str, Any]] = {
    "hyperliquid": {"id": "0", "symbol": "BTC/USDC:USDC", "base": "BTC", "baseName": "BTC", "quote": "USDC", "settle": "USDC"},
    "paradex": {"id": PARADEX_MARKET, "symbol": "BTC/USD:USDC", "base": "BTC", "quote": "USD", "settle": "USDC"},
}


def exchange_of(venue: str, port: int) -> Any:
    """ccxt's exchange with one market. Paradex is read as JSON: its binary feed is another subject."""
    exchange = getattr(ccxt.pro, venue)({"enableRateLimit": False})
    url = f"ws://127.0.0.1:{port}/ws"
    exchange.urls["api"]["ws"] = {"public": url} if venue == "hyperliquid" else url
    exchange.options["sbe"] = False
    market = {"type": "swap", "swap": True, "spot": False, "contract": True, "linear": True, "active": True, **MARKETS[venue]}
    exchange.set_markets([exchange.safe_market_structure(market)])
    return exchange


async def read(venue: str, port: int, meter: Meter) -> None:
    """Watch the book until the last frame."""
    exchange = exchange_of(venue, port)
    symbol = MARKETS[venue]["symbol"]
    while True:
        book = await exchange.watch_order_book(symbol)
        if meter.see(book["timestamp"]):
            break
    await exchange.close()


def main() -> None:
    asked = arguments()
    asyncio.run(read(asked.venue, asked.port, Meter(asked.warm, asked.frames)))


if __name__ == "__main__":
    main()
