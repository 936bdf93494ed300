"""ccxt's own Stark code: typed data hashed and signed, and the account that it grows from an Ethereum key."""

from __future__ import annotations

import json
import sys
from typing import Any

import ccxt


def main() -> None:
    key, account, system, cases = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
    exchange = ccxt.paradex({"walletAddress": "0x" + "11" * 20, "privateKey": "0x" + "12" * 32})
    exchange.options["systemConfig"] = system
    domain = exchange.prepare_paradex_domain()
    told: dict[str, Any] = {"hashes": [], "signatures": []}
    for case in cases:
        types = {case["type"]: [{"name": name, "type": "felt"} for name in case["values"]]}
        message = exchange.starknet_encode_structured_data(domain, types, case["values"], account)
        told["hashes"].append(hex(message))
        told["signatures"].append(exchange.starknet_sign(message, key))
    told["grown"] = {name: exchange.retrieve_account()[name] for name in ("publicKey", "address")}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
