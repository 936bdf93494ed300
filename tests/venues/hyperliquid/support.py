"""A façade with one funded account: requests made by hand, a socket whose frames are kept, and a client in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.orders import OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import LoopClock, SystemClock
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.hyperliquid.client import HyperliquidClient
from exchange_clients.hyperliquid.common import SPEC
from exchange_clients.hyperliquid.sandbox import HyperliquidSandbox
from exchange_clients.hyperliquid.signing import Signer
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.principals import Agent, LedAccount
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.world import World

START_MS = 1_767_400_200_000
HOUR_MS = 3_600_000
CLOID = "0x000000000000000000000000000000aa"


class StillClock(SystemClock):
    """Stands still until `market_origin_ms` is moved."""

    def now_ms(self) -> int:
        return self.market_origin_ms


class Site:
    """A façade with one funded account, and requests signed with its throw-away key."""

    def __init__(self) -> None:
        self.clock = StillClock(1.0, 0, START_MS)
        self.world = World.build(["hyperliquid"], ModelPrices(7, START_MS - 6 * HOUR_MS), self.clock, seed=7)
        facade = self.world.facades["hyperliquid"]
        assert isinstance(facade, HyperliquidSandbox)
        self.facade = facade
        secrets = facade.enrol("tester", "10000")
        self.signer, self.user = Signer(secrets["private_key"]), secrets["account_address"]
        self.nonce = self.clock.now_ms()

    def info(self, kind: str, **fields: Any) -> Any:
        status, body = self.post("/info", {"type": kind, **fields})
        assert status == 200, body
        return body

    def post(self, path: str, body: Any, address: str = "10.0.0.1") -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self.facade.handle(HttpRequest("POST", path, {}, raw), address)
        return reply.status, json.loads(reply.body) if reply.status == 200 else reply.body.decode()

    def act(self, action: dict[str, Any], nonce: int | None = None, signer: Signer | None = None, **changes: Any) -> Any:
        if nonce is None:
            self.nonce += 1
        used = self.nonce if nonce is None else nonce
        signature = (signer or self.signer).sign_action(action, used, mainnet=changes.pop("mainnet", False))
        body = {"action": action, "nonce": used, "signature": signature, "vaultAddress": None, "expiresAfter": None, **changes}
        return self.post("/exchange", body)[1]

    def order(
        self, price: str = "80000", size: str = "0.01", buy: bool = True, tif: str = "Gtc", **more: Any
    ) -> dict[str, Any]:
        row = {"a": 0, "b": buy, "p": price, "s": size, "r": more.pop("reduce", False), "t": {"limit": {"tif": tif}}}
        return {"type": "order", "orders": [{**row, **more}], "grouping": "na"}

    def later(self, ms: int) -> None:
        """Time passes, and the world with it."""
        self.clock.market_origin_ms += ms
        self.world.advance()

    def socket(self) -> Line:
        return Line(self)


class Line:
    """A client's socket; `frames` is all that came."""

    def __init__(self, site: Site) -> None:
        self.frames: list[dict[str, Any]] = []
        self._end = site.facade.connect(HttpRequest("GET", "/ws", {}, None), self)

    def send(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))

    def close(self, reason: str) -> None:
        self.frames.append({"closed": reason})

    def say(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What comes at once in answer."""
        before = len(self.frames)
        self._end.on_frame(json.dumps(message).encode())
        return self.frames[before:]

    def subscribe(self, kind: str, **which: Any) -> list[dict[str, Any]]:
        return self.say({"method": "subscribe", "subscription": {"type": kind, **which}})

    def told(self, channel: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame["channel"] == channel]


def enrol_agent(facade: HyperliquidSandbox, account: str, valid_until_ms: int) -> str:
    """The private key of an agent that `account` approved."""
    key = "ab" * 32
    facade.principals.agents[Signer(key).address] = Agent(Signer(key).address, account, "bot", valid_until_ms)
    return key


def open_sub_account(facade: HyperliquidSandbox, leader: str, kind: str = "subAccount", balance: int = 5000) -> str:
    """The address of an account without a key that `leader` acts for."""
    address = "0x" + {"subAccount": "5a", "vault": "7a"}[kind] * 20
    facade.principals.led[address] = LedAccount(address, leader, "second", kind)
    facade.exchange.open_account(address, Decimal(balance))
    return address


class Day:
    """A client beside its façade, in virtual time."""

    def __init__(self, world: World, clock: LoopClock, transport: MemoryTransport, credentials: Credentials) -> None:
        self.world, self.clock, self.transport = world, clock, transport
        facade = world.facades["hyperliquid"]
        assert isinstance(facade, HyperliquidSandbox)
        self.facade, self.exchange = facade, world.exchanges["hyperliquid"]
        self.user = credentials["account_address"]
        self.key = credentials["private_key"]
        self.client = self.another(self.key, self.user)
        self._names = 0

    def another(self, key: str, account: str) -> HyperliquidClient:
        """A client with that key for that account."""
        keys = Credentials({"private_key": key, "account_address": account})
        return HyperliquidClient(memory_wiring(SPEC, self.transport, self.clock, keys, Random(1)))

    async def request(self, away: float = -0.02, size: float = 0.01, **changes: Any) -> OrderRequest:
        """A buy of BTC, `away` from the best ask: negative rests."""
        bitcoin = await self.client.instrument("BTC")
        book = await self.client.fetch_order_book(bitcoin)
        assert book.best_ask is not None
        self._names += 1
        price = bitcoin.round_price(book.best_ask * (1 + away), Side.BUY)
        tif = changes.pop("tif", TimeInForce.POST_ONLY if away < 0 else TimeInForce.IOC)
        return OrderRequest(str(UUID(int=self._names)), bitcoin, Side.BUY, bitcoin.round_size(size), price, tif, **changes)

    async def buy(self, size: float = 0.01) -> None:
        await self.client.place_order(await self.request(0.01, size))


@asynccontextmanager
async def day(before: Callable[[Day], None] = lambda _: None) -> AsyncIterator[Day]:
    """A world that turns while the block lasts. `before`: what is different at the venue today."""
    clock = LoopClock(START_MS)
    world = World.build(["hyperliquid"], ModelPrices(7, START_MS - 6 * HOUR_MS), clock, seed=7)
    transport = MemoryTransport(world.hosts(), lambda: 0.01)
    found = Day(world, clock, transport, world.enrol("hyperliquid", "trader", Decimal(10_000)))
    before(found)
    turning = asyncio.create_task(world.run(0.5))
    try:
        async with found.client:
            yield found
    finally:
        turning.cancel()
        await transport.close()
