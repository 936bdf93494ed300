"""hyperliquid-python-sdk signs the actions it is given."""

from __future__ import annotations

import json
import sys

import eth_account
from hyperliquid.utils.signing import sign_l1_action


def main() -> None:
    wallet, cases = eth_account.Account.from_key(sys.argv[1]), json.loads(sys.argv[2])
    signatures = [
        sign_l1_action(wallet, case["action"], case["vault"], case["nonce"], case["expires_after"], case["mainnet"])
        for case in cases
    ]
    print(json.dumps({"address": wallet.address.lower(), "signatures": signatures}))  # noqa: T201


if __name__ == "__main__":
    main()
