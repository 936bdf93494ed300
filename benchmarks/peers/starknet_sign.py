"""starknet.py as the venue's SDK uses it: the order as typed data, its hash, and the signature. The SDK itself has no build here."""

from __future__ import annotations

import json
import sys
from decimal import Decimal

from starknet_py.hash.utils import message_signature
from starknet_py.utils.typed_data import TypedData

from benchmarks import orders
from benchmarks.peers.stopwatch import cpu_us, report

FIELDS = ("timestamp", "market", "side", "orderType", "size", "price")


def typed_order() -> TypedData:
    """The order as the SDK states it."""
    values = (
        str(orders.TIME_MS),
        orders.PARADEX_MARKET,
        "1",
        "LIMIT",
        str(int(Decimal(orders.SIZE).scaleb(8))),
        str(int(Decimal(orders.PRICE).scaleb(8))),
    )
    chain = hex(int.from_bytes(orders.PARADEX_CHAIN.encode(), "big"))
    return TypedData.from_dict(
        {
            "domain": {"name": "Paradex", "chainId": chain, "version": "1"},
            "primaryType": "Order",
            "types": {
                "StarkNetDomain": [{"name": name, "type": "felt"} for name in ("name", "chainId", "version")],
                "Order": [{"name": name, "type": "felt"} for name in FIELDS],
            },
            "message": dict(zip(FIELDS, values, strict=True)),
        }
    )


def main() -> None:
    account, key = int(orders.PARADEX_ACCOUNT, 16), int(orders.PARADEX_KEY, 16)
    bodies: list[bytes] = []

    def order() -> None:
        digest = typed_order().message_hash(account)
        r, s = message_signature(digest, key)
        body = {"market": orders.PARADEX_MARKET, "side": "BUY", "type": "LIMIT", "size": orders.SIZE, "price": orders.PRICE}
        signed = {"signature": f'["{r}","{s}"]', "signature_timestamp": orders.TIME_MS}
        bodies.append(json.dumps({**body, "instruction": "GTC", "client_id": orders.CLIENT_ORDER_ID, **signed}).encode())

    us = cpu_us(order, int(sys.argv[2]))
    signature = json.loads(bodies[-1])["signature"]
    report({"sdk": us}, {"message": hex(typed_order().message_hash(account)), "signature": signature})


if __name__ == "__main__":
    main()
