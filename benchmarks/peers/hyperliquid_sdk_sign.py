"""The venue's SDK as it installs: `Exchange.order` up to the request, its network call replaced by the encoding of the body."""

from __future__ import annotations

import json
import sys
from typing import Any

import eth_account
import hyperliquid.exchange
from hyperliquid.exchange import Exchange
from hyperliquid.utils.types import Cloid

from benchmarks import orders
from benchmarks.peers.stopwatch import cpu_us, report


def main() -> None:
    hyperliquid.exchange.get_timestamp_ms = lambda: orders.TIME_MS
    nothing: Any = {"universe": [], "tokens": []}
    markets: Any = {"universe": [{"name": "BTC", "szDecimals": 5}]}
    wallet = eth_account.Account.from_key(orders.HYPERLIQUID_KEY)
    exchange = Exchange(wallet, "http://127.0.0.1:1", meta=markets, spot_meta=nothing)
    exchange.set_expires_after(orders.TIME_MS + int(sys.argv[3]))
    sent: list[str] = []
    exchange.post = lambda path, payload: sent.append(json.dumps(payload))
    cloid = Cloid.from_str("0x" + orders.CLIENT_ORDER_ID.replace("-", ""))

    def order() -> None:
        sent.clear()
        exchange.order("BTC", True, float(orders.SIZE), float(orders.PRICE), {"limit": {"tif": "Gtc"}}, False, cloid)

    us = cpu_us(order, int(sys.argv[2]))
    body = json.loads(sent[0])
    report({"sdk": us}, {name: body[name] for name in ("action", "nonce", "signature", "expiresAfter")})


if __name__ == "__main__":
    main()
