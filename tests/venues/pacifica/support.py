"""A façade, a clock that the test moves, and signed requests made by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica.common import SPEC
from exchange_clients.pacifica.sandbox import PacificaSandbox
from exchange_clients.pacifica.signing import Signer, signed_text
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import World, host

HOUR_MS = 3_600_000
START_MS = 1_767_400_000_000 // HOUR_MS * HOUR_MS + 60_000
CLIENT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


class SetClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self, now_ms: int = START_MS, speed: float = 1.0) -> None:
        super().__init__(speed)
        self.set_ms = now_ms

    def now_ms(self) -> int:
        return self.set_ms


class Site:
    """One sandbox with one account. `get` and `post` return (status, decoded body)."""

    def __init__(self, prices: PriceSource | None = None, clock: SetClock | None = None) -> None:
        self.clock = clock or SetClock()
        self.world = World.build(["pacifica"], prices or ModelPrices(7, START_MS), self.clock, seed=7)
        self.exchange = self.world.exchanges["pacifica"]
        facade = self.world.facades["pacifica"]
        assert isinstance(facade, PacificaSandbox)
        self.facade = facade
        enrolled = self.world.enrol("pacifica", "trader", Decimal(10_000))
        self.account, self.config_key = enrolled["account"], enrolled["api_config_key"]
        self.credentials = Credentials({"account": self.account, "private_key": enrolled["private_key"]})
        self.signer = Signer(self.credentials["private_key"])

    def wiring(self, **changes: Any) -> Wiring:
        transport = MemoryTransport({host("pacifica"): self.facade}, latency=lambda: 0.0)
        return memory_wiring(SPEC, transport, self.clock, changes.get("credentials", self.credentials))

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        url = f"/api/v1{path}" + (f"?{urlencode(query)}" if query else "")
        return self.send(HttpRequest("GET", url))

    def post(self, path: str, operation: str, data: dict[str, Any], **changes: Any) -> tuple[int, Any]:
        body = json.dumps(self.signed(operation, data, **changes)).encode()
        return self.send(HttpRequest("POST", f"/api/v1{path}", {}, body))

    def signed(self, operation: str, data: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A signed body; `changes` are made after signing."""
        signer: Signer = changes.pop("signer", self.signer)
        timestamp, window_ms = changes.pop("timestamp", self.clock.now_ms()), changes.pop("window_ms", 5_000)
        signature = signer.sign(signed_text(operation, timestamp, window_ms, data))
        body = {"account": self.account, "signature": signature, "timestamp": timestamp, "expiry_window": window_ms}
        return {**body, **data, **changes}

    def rested(self) -> None:
        """A minute of the wire goes by, and every credit is back."""
        self.clock.set_ms += self.clock.wire_ms(60_001)

    def socket(self, headers: dict[str, str] | None = None) -> Line:
        return Line(self, headers or {})

    def send(self, request: HttpRequest, address: str = "10.0.0.1") -> tuple[int, Any]:
        reply = self.facade.handle(request, address)
        return reply.status, json.loads(reply.body) if reply.body else None

    def order(self, **changes: Any) -> dict[str, Any]:
        """A bid that rests 2 % under the touch."""
        bids, _, _ = self.exchange.book("BTC", 1)
        price = str(int(bids[0][0] * Decimal("0.98")))
        order = {"symbol": "BTC", "side": "bid", "amount": "0.01", "price": price, "tif": "GTC", "reduce_only": False}
        return {**order, **changes}

    def create(self, **changes: Any) -> tuple[int, Any]:
        return self.post("/orders/create", "create_order", self.order(**changes))

    def trade(self, side: str = "bid", amount: str = "0.01", **changes: Any) -> tuple[int, Any]:
        order = {"symbol": "BTC", "side": side, "amount": amount, "slippage_percent": "5", "reduce_only": False, **changes}
        return self.post("/orders/create_market", "create_market_order", order)


def wiring_without_network() -> Wiring:
    transport = MemoryTransport({}, latency=lambda: 0.0)
    return Wiring(Environment.SANDBOX, "http://nobody", "ws://nobody", SetClock(), transport, transport, Credentials({}))


class Line:
    """A WebSocket to the façade. `say` sends a message and returns what came back at once; `heard` is what came since."""

    def __init__(self, site: Site, headers: dict[str, str]) -> None:
        self.heard: list[Any] = []
        self.end = site.facade.connect(HttpRequest("GET", "/ws", headers), self)

    def send(self, frame: bytes) -> None:
        self.heard.append(json.loads(frame))

    def close(self, reason: str) -> None:
        self.heard.append({"closed": reason})

    def say(self, message: Any) -> list[Any]:
        self.heard.clear()
        self.end.on_frame(json.dumps(message).encode())
        return list(self.heard)

    def subscribe(self, source: str, **which: Any) -> list[Any]:
        return self.say({"method": "subscribe", "params": {"source": source, **which}})
