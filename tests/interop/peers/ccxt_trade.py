"""ccxt, unmodified, lives one trading story through its unified calls; venues differ only in how the client is made."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import ccxt

Credentials = dict[str, str]


def hyperliquid(url: str, credentials: Credentials) -> ccxt.Exchange:
    """`sandboxMode` alone makes it sign for the test chain, as the façade wants it."""
    exchange = ccxt.hyperliquid(
        {"walletAddress": credentials["account_address"], "privateKey": "0x" + credentials["private_key"]}
    )
    exchange.set_sandbox_mode(True)
    exchange.urls["api"] = {"public": url, "private": url}
    return exchange


def paradex(url: str, credentials: Credentials) -> ccxt.Exchange:
    """The funded account's Stark key is given as it is; where ccxt grows one from an Ethereum key is `ccxt_onboard`'s story."""
    exchange = ccxt.paradex({"walletAddress": "0x" + "11" * 20, "privateKey": "0x" + "12" * 32})
    exchange.urls["api"] = {"v1": f"{url}/v1", "v2": f"{url}/v2"}
    key = {"privateKey": int(credentials["private_key"], 16), "address": credentials["account_address"]}
    exchange.options["paradexAccount"] = key
    return exchange


def pacifica(url: str, credentials: Credentials) -> ccxt.Exchange:
    exchange = ccxt.pacifica({"walletAddress": credentials["account"], "privateKey": credentials["private_key"]})
    exchange.urls["api"] = {"public": url, "private": url}
    return exchange


CLIENTS: dict[str, Callable[[str, Credentials], ccxt.Exchange]] = {
    "hyperliquid": hyperliquid,
    "paradex": paradex,
    "pacifica": pacifica,
}
SYMBOLS = {"hyperliquid": "BTC/USDC:USDC", "paradex": "BTC/USD:USDC", "pacifica": "BTC/USDC:USDC"}
MAKER = {"hyperliquid": {"postOnly": True}, "paradex": {"postOnly": True}, "pacifica": {"timeInForce": "PO"}}
"""How ccxt is asked for a post-only order: it sends Hyperliquid a "PO" as it is, and Pacifica a `postOnly` that it has not signed."""

BOUNDED = ("hyperliquid",)
"""Where ccxt makes a market order out of a price and a slippage; elsewhere a price would be sent, but not signed."""

SIZE = 0.01


def main() -> None:
    venue, url, credentials = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    exchange, symbol = CLIENTS[venue](url, credentials), SYMBOLS[venue]
    told: dict[str, Any] = market_data(exchange, symbol)
    mid = (told["book"]["bids"][0][0] + told["book"]["asks"][0][0]) / 2
    told |= resting_order(exchange, symbol, mid * 0.97, MAKER[venue])
    told |= taking_orders(exchange, symbol, mid if venue in BOUNDED else None)
    told |= refusals(exchange, symbol, mid)
    print(json.dumps(told))  # noqa: T201


def market_data(exchange: ccxt.Exchange, symbol: str) -> dict[str, Any]:
    markets = {name: bare(market, "id", "swap", "spot", "linear") for name, market in exchange.load_markets().items()}
    return {
        "markets": markets,
        "book": bare(exchange.fetch_order_book(symbol), "bids", "asks"),
        "funding": bare(exchange.fetch_funding_rates([symbol])[symbol], "fundingRate", "interval", "markPrice"),
    }


def resting_order(exchange: ccxt.Exchange, symbol: str, price: float, maker: dict[str, Any]) -> dict[str, Any]:
    """Placed, seen, cancelled, gone."""
    told: dict[str, Any] = {"balance": exchange.fetch_balance()["USDC"]}
    placed = exchange.create_order(symbol, "limit", "buy", SIZE, price, maker)
    told["open orders"] = [brief(order) for order in exchange.fetch_open_orders(symbol)]
    told["order"] = brief(exchange.fetch_order(placed["id"], symbol))
    exchange.cancel_order(placed["id"], symbol)
    told["placed"] = placed["id"]
    told["open orders after cancel"] = exchange.fetch_open_orders(symbol)
    return told


def taking_orders(exchange: ccxt.Exchange, symbol: str, mid: float | None) -> dict[str, Any]:
    """In at the market and out again, at a leverage of five."""
    exchange.set_leverage(5, symbol)
    exchange.create_order(symbol, "market", "buy", SIZE, mid)
    told: dict[str, Any] = {"positions": [position(row) for row in exchange.fetch_positions([symbol])]}
    exchange.create_order(symbol, "market", "sell", SIZE, mid, {"reduceOnly": True})
    told["positions after close"] = [position(row) for row in exchange.fetch_positions([symbol])]
    told["trades"] = [bare(row, "side", "amount", "price", "takerOrMaker") for row in exchange.fetch_my_trades(symbol)]
    return told


def refusals(exchange: ccxt.Exchange, symbol: str, mid: float) -> dict[str, str]:
    """The class of error that ccxt makes of the venue's words."""
    return {
        "too small": refused(lambda: exchange.create_order(symbol, "limit", "buy", 0.00002, mid * 0.97)),
        "nothing to cancel": refused(lambda: exchange.cancel_order("999999999", symbol)),
    }


def refused(action: Callable[[], Any]) -> str:
    try:
        action()
    except ccxt.BaseError as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return "accepted"


def bare(row: Any, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def brief(order: Any) -> dict[str, Any]:
    return bare(order, "id", "side", "amount", "price", "status", "filled")


def position(row: Any) -> dict[str, Any]:
    return bare(row, "side", "contracts", "entryPrice", "leverage")


if __name__ == "__main__":
    main()
