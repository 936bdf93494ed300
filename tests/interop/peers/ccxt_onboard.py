"""ccxt grows a Stark account from an Ethereum key that the venue has never met, introduces it and logs in."""

from __future__ import annotations

import json
import sys

import ccxt


def main() -> None:
    url = sys.argv[1]
    exchange = ccxt.paradex({"walletAddress": "0x" + "11" * 20, "privateKey": "0x" + "12" * 32})
    exchange.urls["api"] = {"v1": f"{url}/v1", "v2": f"{url}/v2"}
    told = {"stranger": refused(exchange)}
    exchange.onboarding()
    told["token"] = exchange.authenticate_rest()
    told["account"] = exchange.retrieve_account()["address"]
    told["balance"] = exchange.fetch_balance()["USDC"]
    print(json.dumps(told))  # noqa: T201


def refused(exchange: ccxt.Exchange) -> str:
    try:
        exchange.authenticate_rest()
    except ccxt.BaseError as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return "accepted"


if __name__ == "__main__":
    main()
