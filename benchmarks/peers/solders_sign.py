"""The documented steps of Pacifica's reference (a folder of scripts, not a package): sort, dump, sign with solders, base58."""

from __future__ import annotations

import json
import sys
from typing import Any

import base58
from solders.keypair import Keypair

from benchmarks import orders
from benchmarks.peers.stopwatch import cpu_us, report


def sorted_keys(value: Any) -> Any:
    """`value` with the keys of its objects in order, at every depth."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value


def main() -> None:
    key = Keypair.from_seed(orders.PACIFICA_SEED)
    bodies: list[str] = []

    def order() -> None:
        header = {"timestamp": orders.TIME_MS, "expiry_window": int(sys.argv[3])}
        payload = {
            "symbol": "BTC",
            "price": orders.PRICE,
            "amount": orders.SIZE,
            "side": "bid",
            "tif": "GTC",
            "reduce_only": False,
            "client_order_id": orders.CLIENT_ORDER_ID,
        }
        message = json.dumps(sorted_keys({**header, "type": "create_order", "data": payload}), separators=(",", ":"))
        signature = base58.b58encode(bytes(key.sign_message(message.encode("utf-8")))).decode("ascii")
        bodies[:] = [json.dumps({"account": str(key.pubkey()), "signature": signature, **header, **payload})]

    report({"sdk": cpu_us(order, int(sys.argv[2]))}, {"signature": json.loads(bodies[0])["signature"]})


if __name__ == "__main__":
    main()
