"""Ours: the public `place_order` of a client up to the moment at which the HTTP library would be given the request.

That is more than building and signing: it takes the budget, goes through the retry policy and encodes the body. The signature alone
and the native library's bare signature (nothing is faster than that in this language) are measured beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any

import coincurve
from fast_stark_crypto import sign as stark_sign
from nacl.signing import SigningKey

from benchmarks import orders
from benchmarks.peers.ours_book import bitcoin, client_of
from benchmarks.peers.stopwatch import cpu_us, report
from exchange_clients.base import BaseExchangeClient
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.orders import OrderRequest
from exchange_clients.domain.provenance import Environment
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import signing as hyperliquid
from exchange_clients.pacifica import signing as pacifica
from exchange_clients.paradex import signing as paradex

BATCH = 100
AMPLE = Meter("ample", capacity=1e12, window_s=0.001)


class StoppedClock(SystemClock):
    """Always the same instant, so that contenders sign the same order."""

    def now_ms(self) -> int:
        return orders.TIME_MS


class AmpleLimits(RateLimits):
    """Budgets that are taken as ever and never run out."""

    def try_take(self, venue: str, meter: Meter, key: str, weight: float, share: float, now: float) -> float:
        return self._limit(venue, AMPLE, key).take(weight, now, share)


class Gate:
    """An HttpTransport that answers a login and keeps every other request waiting for ever."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.reached = asyncio.Event()
        self._replies = [(part, HttpResponse(200, json.dumps(reply).encode())) for part, reply in login_replies().items()]

    async def request(self, request: HttpRequest) -> HttpResponse:
        for part, reply in self._replies:
            if part in request.url:
                return reply
        self.requests.append(request)
        self.reached.set()
        await Never()
        raise AssertionError("nobody answers")

    async def close(self) -> None:
        """Nothing is open."""


class Never:
    """Yields for ever."""

    def __await__(self) -> Generator[None, None, None]:
        while True:
            yield


def login_replies() -> dict[str, Any]:
    """What a venue says before it lets anybody trade, by a part of the address."""
    now_s = orders.TIME_MS // 1000
    claims = urlsafe_b64encode(json.dumps({"iat": now_s - 1, "exp": now_s + 300}).encode()).decode().rstrip("=")
    account = {"role": "user"}
    return {
        "/info": account,
        "/system/config": {"starknet_chain_id": orders.PARADEX_CHAIN},
        "/auth": {"jwt_token": f"e30.{claims}.x"},
    }


def credentials(venue: str) -> Credentials:
    key = pacifica.Signer.from_seed(orders.PACIFICA_SEED)
    return Credentials(
        {
            "hyperliquid": {"private_key": orders.HYPERLIQUID_KEY, "account_address": "0x" + "0" * 40},
            "paradex": {"private_key": orders.PARADEX_KEY, "account_address": orders.PARADEX_ACCOUNT},
            "pacifica": {"private_key": key.private_key, "account": key.address},
        }[venue]
    )


async def place(venue: str, count: int) -> tuple[float, bytes]:
    """CPU µs of one `place_order` up to the HTTP library, and the first request's body."""
    gate = Gate()
    wiring = Wiring(
        environment=Environment.SANDBOX,
        rest_url="http://127.0.0.1:1",
        websocket_url="ws://127.0.0.1:1",
        clock=StoppedClock(),
        http=gate,
        websocket=PicowsTransport(),
        credentials=credentials(venue),
        limits=AmpleLimits(),
    )
    client = client_of(venue, wiring)
    assert isinstance(client, BaseExchangeClient)
    size, price = Decimal(orders.SIZE), Decimal(orders.PRICE)
    request = OrderRequest(orders.CLIENT_ORDER_ID, bitcoin(venue), Side.BUY, size, price)
    first = asyncio.ensure_future(client.place_order(request))
    await gate.reached.wait()
    first.cancel()
    body = gate.requests[0].body or b""
    spent = 0.0
    for number in range(count // BATCH + 1):
        gate.requests.clear()
        started = time.process_time()
        waiting = []
        for _ in range(BATCH):
            placing = client.place_order(request)
            placing.send(None)
            waiting.append(placing)
        if number:  # the first batch warms up
            spent += time.process_time() - started
        assert len(gate.requests) == BATCH
        for placing in waiting:
            placing.close()
    await client.close()
    return spent / (count // BATCH * BATCH) * 1e6, body


def bare(venue: str, body: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any], Any]:
    """Our signature of the built order, the library's bare signature, and what the parent checks."""
    if venue == "hyperliquid":
        signer, action = hyperliquid.Signer(orders.HYPERLIQUID_KEY), body["action"]
        key, digest = coincurve.PrivateKey(bytes.fromhex(orders.HYPERLIQUID_KEY[2:])), bytes(range(32))
        check = {name: body[name] for name in ("action", "nonce", "signature", "expiresAfter")}
        return (
            lambda: signer.sign_action(action, body["nonce"], False, None, body["expiresAfter"]),
            lambda: key.sign_recoverable(digest, hasher=None),
            check,
        )
    if venue == "paradex":
        messages, stark = paradex.Messages(orders.PARADEX_CHAIN, orders.PARADEX_ACCOUNT), paradex.Signer(orders.PARADEX_KEY)
        size, price = Decimal(body["size"]), Decimal(body["price"])

        def message() -> int:
            return messages.order(body["signature_timestamp"], body["market"], Side.BUY, body["type"], size, price)

        number, digest_number = int(orders.PARADEX_KEY, 16), message()
        check = {
            "message": hex(digest_number),
            "valid": paradex.is_signed_by(stark.public_key, digest_number, body["signature"]),
        }
        return lambda: stark.sign(message()), lambda: stark_sign(number, digest_number), check
    payload = {k: v for k, v in body.items() if k not in ("account", "agent_wallet", "signature", "timestamp", "expiry_window")}
    ed, sodium = pacifica.Signer.from_seed(orders.PACIFICA_SEED), SigningKey(orders.PACIFICA_SEED)
    window_ms = body["expiry_window"]
    text = pacifica.signed_text("create_order", orders.TIME_MS, window_ms, payload)
    check = {"signature": body["signature"], "payload": payload, "expiry_window": window_ms}
    return (
        lambda: ed.sign(pacifica.signed_text("create_order", orders.TIME_MS, window_ms, payload)),
        lambda: sodium.sign(text),
        check,
    )


def main() -> None:
    venue, count = sys.argv[1], int(sys.argv[2])
    placed_us, body = asyncio.run(place(venue, count))
    signature, library, check = bare(venue, json.loads(body))
    us = {"place_order": placed_us, "signature": cpu_us(signature, count), "library": cpu_us(library, count)}
    report(us, check)


if __name__ == "__main__":
    main()
