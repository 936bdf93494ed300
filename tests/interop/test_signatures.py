"""The same words signed by those who wrote the venues' clients and by us.

Deterministic schemes give the same bytes. Stark signatures may differ (ours follow RFC 6979 plainly, starknet.py adds entropy), so
there each side's hash is compared and each side judges the other's signature.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from exchange_clients.domain.side import Side
from exchange_clients.hyperliquid import signing as ethereum
from exchange_clients.keys import stark
from exchange_clients.pacifica import signing as solana
from exchange_clients.paradex.signing import Messages
from tests.interop.driver import drive

TIME_MS = 1_780_000_000_000
ETHEREUM_KEY = "0x" + "12" * 32
STARK_KEY = "0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"
STARK_ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
ACCOUNT_HASH = "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e"
PROXY_HASH = "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9"

ORDER = {"a": 0, "b": True, "p": "68674", "s": "0.123", "r": False, "t": {"limit": {"tif": "Gtc"}}}
ACTIONS: list[dict[str, Any]] = [
    {"type": "order", "orders": [ORDER], "grouping": "na"},
    {"type": "order", "orders": [{**ORDER, "c": "0x" + "0a" * 16}, {**ORDER, "b": False}], "grouping": "na"},
    {"type": "cancel", "cancels": [{"a": 3, "o": 77_738_308}]},
    {"type": "cancelByCloid", "cancels": [{"asset": 3, "cloid": "0x" + "0a" * 16}]},
    {"type": "batchModify", "modifies": [{"oid": 77_738_308, "order": ORDER}]},
    {"type": "updateLeverage", "asset": 3, "isCross": True, "leverage": 5},
]


def test_ethereum_signatures_are_equal() -> None:
    cases = [
        {"action": action, "nonce": TIME_MS + n, "vault": vault, "expires_after": expires, "mainnet": mainnet}
        for n, action in enumerate(ACTIONS)
        for vault in (None, "0x" + "1b" * 20)
        for expires in (None, TIME_MS + 5_000)
        for mainnet in (True, False)
    ]
    signer = ethereum.Signer(ETHEREUM_KEY)
    theirs = drive("hyperliquid_sdk", "hyperliquid_sdk_sign", ETHEREUM_KEY, json.dumps(cases))
    assert theirs["address"] == signer.address
    assert theirs["signatures"] == [signer.sign_action(**case) for case in cases]


def stark_cases() -> list[tuple[int, dict[str, Any]]]:
    """Our hash of each message, and the message as typed data."""
    messages, market, size, price = Messages(CHAIN, STARK_ACCOUNT), "BTC-USD-PERP", Decimal("0.123"), Decimal("68674.5")
    cases: list[tuple[int, dict[str, Any]]] = [
        (messages.onboarding(), {"type": "Constant", "values": {"action": "Onboarding"}}),
        (
            messages.auth(TIME_MS // 1000, TIME_MS // 1000 + 180),
            {
                "type": "Request",
                "values": {
                    "method": "POST",
                    "path": "/v1/auth",
                    "body": "",
                    "timestamp": str(TIME_MS // 1000),
                    "expiration": str(TIME_MS // 1000 + 180),
                },
            },
        ),
    ]
    for n, (side, kind) in enumerate(((Side.BUY, "LIMIT"), (Side.SELL, "LIMIT"), (Side.BUY, "MARKET"), (Side.SELL, "MARKET"))):
        limit = price if kind == "LIMIT" else Decimal(0)
        terms = (TIME_MS + n, market, side, kind, size, limit)
        values = {
            "timestamp": str(TIME_MS + n),
            "market": market,
            "side": "1" if side is Side.BUY else "2",
            "orderType": kind,
            "size": "12300000",
            "price": str(int(limit * 10**8)),
        }
        cases.append((messages.order(*terms), {"type": "Order", "values": values}))
        if kind == "LIMIT":
            number = "1795233865188000000001000001"
            cases.append((messages.modify(*terms, number), {"type": "ModifyOrder", "values": {**values, "id": number}}))
    return cases


def test_stark_signatures_are_accepted_by_either_side() -> None:
    signer, cases = stark.Signer(STARK_KEY), stark_cases()
    asked = json.dumps([{**case, "ours": signer.sign(message)} for message, case in cases])
    theirs = drive("starknet", "starknet_sign", STARK_KEY, STARK_ACCOUNT, CHAIN, asked)
    assert theirs["public_key"] == signer.public_key
    assert theirs["hashes"] == [hex(message) for message, _ in cases]
    assert all(theirs["accepted"])
    for (message, _), signature in zip(cases, theirs["signatures"], strict=True):
        assert stark.is_signed_by(signer.public_key, message, signature)
        assert not stark.is_signed_by(signer.public_key, message + 1, signature)


def test_stark_hashes_and_accounts_are_those_of_ccxt() -> None:
    signer, cases = stark.Signer(STARK_KEY), stark_cases()
    system = {
        "starknet_chain_id": CHAIN,
        "l1_chain_id": "11155111",
        "paraclear_account_hash": ACCOUNT_HASH,
        "paraclear_account_proxy_hash": PROXY_HASH,
    }
    theirs = drive("ccxt", "ccxt_stark", STARK_KEY, STARK_ACCOUNT, json.dumps(system), json.dumps([case for _, case in cases]))
    assert theirs["hashes"] == [hex(message) for message, _ in cases]
    for (message, _), signature in zip(cases, theirs["signatures"], strict=True):
        assert stark.is_signed_by(signer.public_key, message, signature)
    grown = theirs["grown"]
    assert int(grown["address"], 16) == int(stark.account_address(grown["publicKey"], PROXY_HASH, ACCOUNT_HASH), 16)


def test_ed25519_signatures_are_equal() -> None:
    order = {"symbol": "BTC", "price": "68674", "amount": "0.123", "side": "bid", "tif": "GTC", "reduce_only": False}
    nested = {"symbol": "BTC", "take_profit": {"stop_price": "70000", "limit_price": "70010"}, "side": "ask"}
    cases = [("create_order", order), ("cancel_all_orders", {"all_symbols": True}), ("set_position_tpsl", nested)]
    signer = solana.Signer.from_seed(bytes(range(1, 33)))
    ours = [signer.sign(solana.signed_text(operation, TIME_MS, 5_000, payload)) for operation, payload in cases]
    asked = [
        {"signed": {"type": operation, "timestamp": TIME_MS, "expiry_window": 5_000, "data": payload}, "ours": signature}
        for (operation, payload), signature in zip(cases, ours, strict=True)
    ]
    theirs = drive("solders", "solders_sign", signer.private_key, json.dumps(asked))
    assert theirs["address"] == signer.address
    assert theirs["signatures"] == ours
    assert all(theirs["accepted"])
