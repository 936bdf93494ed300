"""starknet.py hashes typed data, signs it, and judges signatures."""

from __future__ import annotations

import json
import sys
from typing import Any

from starknet_py.hash.utils import message_signature, private_to_stark_key, verify_message_signature
from starknet_py.utils.typed_data import TypedData

DOMAIN = ("name", "chainId", "version")


def main() -> None:
    key, account, chain, cases = int(sys.argv[1], 16), int(sys.argv[2], 16), sys.argv[3], json.loads(sys.argv[4])
    public_key = private_to_stark_key(key)
    told: dict[str, Any] = {"public_key": hex(public_key), "hashes": [], "signatures": [], "accepted": []}
    for case in cases:
        message = typed(case, chain).message_hash(account)
        r, s = message_signature(message, key)
        told["hashes"].append(hex(message))
        told["signatures"].append(f'["{r}","{s}"]')
        told["accepted"].append(verify_message_signature(message, [int(part) for part in json.loads(case["ours"])], public_key))
    print(json.dumps(told))  # noqa: T201


def typed(case: Any, chain: str) -> TypedData:
    types = {"StarkNetDomain": felts(DOMAIN), case["type"]: felts(case["values"])}
    domain = {"name": "Paradex", "chainId": hex(int.from_bytes(chain.encode(), "big")), "version": "1"}
    return TypedData.from_dict({"domain": domain, "primaryType": case["type"], "types": types, "message": case["values"]})


def felts(names: Any) -> list[dict[str, str]]:
    return [{"name": name, "type": "felt"} for name in names]


if __name__ == "__main__":
    main()
