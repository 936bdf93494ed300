"""solders signs texts and judges signatures: Ed25519 as Solana's own clients do it."""

from __future__ import annotations

import json
import sys
from typing import Any

import base58
from solders.keypair import Keypair
from solders.signature import Signature


def main() -> None:
    key, cases = Keypair.from_base58_string(sys.argv[1]), json.loads(sys.argv[2])
    told: dict[str, Any] = {"address": str(key.pubkey()), "signatures": [], "accepted": []}
    for case in cases:
        message = json.dumps(sorted_keys(case["signed"]), separators=(",", ":")).encode()
        told["signatures"].append(base58.b58encode(bytes(key.sign_message(message))).decode())
        told["accepted"].append(Signature.from_string(case["ours"]).verify(key.pubkey(), message))
    print(json.dumps(told))  # noqa: T201


def sorted_keys(value: Any) -> Any:
    """`value` with the keys of its objects in order, at every depth (the venue's reference calls it sort_json_keys)."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
