"""What each venue says in good days: every verb's replies and every stream's frames, recorded from its sandbox, and the payloads
that were recorded elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter, Capability
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByClientId, ByVenueId, Order, OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.domain.times import from_ms
from exchange_clients.engine.transport import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    OnClose,
    OnFrame,
    Socket,
    WebSocketTransport,
)
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.support.stage import Stage, stage
from tests.support.wires import OtherSocket

HOUR_MS = 3_600_000
RECORDED_BYTES_MAX = 100_000


@dataclass(frozen=True)
class Scene:
    """What verbs are called with."""

    client: BaseExchangeClient
    adapter: BaseFundingAdapter
    bitcoin: Instrument
    request: OrderRequest
    resting: Order
    now_ms: int


Verb = Callable[[Scene], Awaitable[Any]]


def _ask(scene: Scene, **changes: Any) -> Awaitable[Order]:
    return scene.client.place_order(msgspec.structs.replace(scene.request, **changes))


READS: dict[str, Verb] = {
    "instruments": lambda s: s.client.fetch_instruments(),
    "instrument": lambda s: s.client.instrument("ETH"),
    "order book": lambda s: s.client.fetch_order_book(s.bitcoin),
    "quote": lambda s: s.client.fetch_quote(s.bitcoin),
    "trades": lambda s: s.client.fetch_trades(s.bitcoin, 20),
    "stats": lambda s: s.client.fetch_stats(),
    "order by the venue's id": lambda s: s.client.fetch_order(s.bitcoin, ByVenueId(s.resting.venue_order_id)),
    "order by our id": lambda s: s.client.fetch_order(s.bitcoin, ByClientId(s.resting.client_order_id or "")),
    "open orders": lambda s: s.client.fetch_open_orders(),
    "open orders of one market": lambda s: s.client.fetch_open_orders(s.bitcoin),
    "fills": lambda s: s.client.fetch_fills(),
    "fills of one market": lambda s: s.client.fetch_fills(s.bitcoin, s.now_ms - 9 * HOUR_MS),
    "positions": lambda s: s.client.fetch_positions(),
    "balance": lambda s: s.client.fetch_balance(),
    "payments": lambda s: s.client.fetch_funding_payments(s.bitcoin),
    "fee rates": lambda s: s.client.fetch_fee_rates(),
    "access": lambda s: s.client.verify_access(),
    "rates": lambda s: s.adapter.current_rates(),
    "figures": lambda s: s.adapter.market_stats(),
    "history": lambda s: s.adapter.rate_history(s.bitcoin, from_ms(s.now_ms - 5 * HOUR_MS), from_ms(s.now_ms)),
    "history by name": lambda s: s.adapter.rate_history("BTC", from_ms(s.now_ms - 5 * HOUR_MS), from_ms(s.now_ms)),
}
ACTS: dict[str, tuple[Capability | None, Verb]] = {
    "place": (None, lambda s: _ask(s)),
    "place or cancel": (Capability.IOC, lambda s: _ask(s, time_in_force=TimeInForce.IOC)),
    "place at market": (Capability.MARKET, lambda s: _ask(s, price=None, time_in_force=TimeInForce.IOC)),
    "place to rest": (Capability.POST_ONLY, lambda s: _ask(s, price=s.resting.price, time_in_force=TimeInForce.POST_ONLY)),
    "cancel": (None, lambda s: s.client.cancel_order(s.bitcoin, ByVenueId(s.resting.venue_order_id))),
    "cancel by our id": (None, lambda s: s.client.cancel_order(s.bitcoin, ByClientId(s.resting.client_order_id or ""))),
    "cancel all": (Capability.CANCEL_ALL, lambda s: s.client.cancel_all_orders()),
    "amend": (Capability.AMEND, lambda s: s.client.amend_order(s.resting, s.bitcoin, price=_price(s), size=s.resting.size * 2)),
    "set leverage": (Capability.SET_LEVERAGE, lambda s: s.client.set_leverage(s.bitcoin, int(s.bitcoin.max_leverage or 3))),
}


def _price(scene: Scene) -> Any:
    return scene.resting.price


STREAMS: dict[str, Callable[[BaseExchangeClient, Instrument], Any]] = {
    "book": lambda client, bitcoin: client.stream_book(bitcoin, depth=10),
    "orders": lambda client, bitcoin: client.stream_orders(),
    "fills": lambda client, bitcoin: client.stream_fills(),
    "account": lambda client, bitcoin: client.stream_account(),
}


def key(request: HttpRequest) -> str:
    """Which call a request is, whatever it asks for: where one path carries several, the operation tells them apart."""
    said: Any = None
    with suppress(msgspec.DecodeError):
        said = msgspec.json.decode(request.body or b"null")
    operation = said.get("type") or said.get("action") if isinstance(said, dict) else ""
    operation = operation.get("type") if isinstance(operation, dict) else operation
    return f"{request.method} {request.url.partition('?')[0]} {operation or ''}"


@dataclass
class Recorder:
    """A wire that remembers. `frames`: how many frames had been sent when each came, and the frame."""

    http: HttpTransport
    websocket: WebSocketTransport
    replies: list[tuple[str, HttpResponse]] = field(default_factory=list)
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    said: int = 0

    async def request(self, request: HttpRequest) -> HttpResponse:
        response = await self.http.request(request)
        self.replies.append((key(request), response))
        return response

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        def hear(frame: bytes) -> None:
            self.frames.append((self.said, frame))
            on_frame(frame)

        socket = await self.websocket.connect(url, headers, hear, on_close, timeout_s)

        def say(frame: bytes) -> None:
            self.said += 1
            socket.send(frame)

        return OtherSocket(socket, say)

    async def close(self) -> None:
        """The wires belong to whoever made them."""


@dataclass(frozen=True)
class Play:
    """One verb: with what it was called, and the replies that it got."""

    request: OrderRequest
    resting: Order
    replies: list[tuple[str, HttpResponse]]


@dataclass(frozen=True)
class Corpus:
    """`plays`: by verb; those that asked nothing are left out. `frames`: of all streams of one client together, with the replies
    that it needed for them. `elsewhere`: payloads that were recorded at the venue itself."""

    venue: str
    credentials: Credentials
    now_ms: int
    bitcoin: Instrument
    plays: dict[str, Play]
    frames: list[tuple[int, bytes]]
    stream_replies: list[tuple[str, HttpResponse]]
    elsewhere: list[bytes]


@lru_cache
def corpus(venue: str, recorded: Path | None) -> Corpus:
    """A good day of `venue`. `recorded`: the folder of payloads recorded elsewhere, if there is one."""

    async def main() -> Corpus:
        async with stage(venue) as on:
            bitcoin = await on.client.instrument("BTC")
            await on.trade(size=0.05)
            on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 3) * HOUR_MS + 500)
            await asyncio.sleep(0.2)
            price = await on.resting_price(bitcoin, Side.BUY)
            resting = await on.trade(price=price, time_in_force=TimeInForce.GTC)
            request, now_ms = await on.request(time_in_force=TimeInForce.GTC), on.clock.now_ms()
            plays = {}
            acts = {name: verb for name, (needed, verb) in ACTS.items() if needed in (None, *on.spec.capabilities)}
            for name, verb in (READS | acts).items():
                plays[name] = await _played(on, verb, bitcoin, request, resting, now_ms)
            frames, replies = await _recorded_streams(on, bitcoin)
            return Corpus(
                venue=venue,
                credentials=on.credentials,
                now_ms=now_ms,
                bitcoin=bitcoin,
                plays={name: play for name, play in plays.items() if play.replies},
                frames=frames,
                stream_replies=replies,
                elsewhere=list(_elsewhere(recorded / venue)) if recorded is not None else [],
            )

    return run_virtual(main)


async def _played(on: Stage, verb: Verb, bitcoin: Instrument, request: OrderRequest, resting: Order, now_ms: int) -> Play:
    wire = Recorder(on.wiring.http, on.wiring.websocket)
    changed = msgspec.structs.replace(request, client_order_id=on.client_order_id())
    if verb in [verb for _, verb in ACTS.values()]:  # an act may end the order that the next one needs
        resting = await on.trade(price=resting.price, time_in_force=TimeInForce.GTC)
    async with on.another_client(http=wire) as client, on.another_adapter(http=wire) as adapter:
        await verb(Scene(client, adapter, bitcoin, changed, resting, now_ms))
    return Play(changed, resting, wire.replies)


async def _recorded_streams(on: Stage, bitcoin: Instrument) -> tuple[list[tuple[int, bytes]], list[tuple[str, HttpResponse]]]:
    wire = Recorder(on.wiring.http, on.wiring.websocket)
    async with on.another_client(http=wire, websocket=wire) as client:
        streams = [open_stream(client, bitcoin) for open_stream in STREAMS.values()]
        reading = [asyncio.create_task(_read(stream)) for stream in streams]
        await asyncio.sleep(0.3)
        await on.trade(size=0.02)
        await on.trade(size=0.01, side=Side.SELL)
        await asyncio.sleep(1.0)
        for stream in streams:
            await stream.aclose()
        await asyncio.gather(*reading)
    return wire.frames, wire.replies


async def _read(stream: Any) -> None:
    async for _ in stream:
        pass


def _elsewhere(folder: Path) -> list[bytes]:
    """Payloads of a folder, whole and by their first parts, whatever its files are called."""
    found: list[Any] = []
    for file in sorted(folder.rglob("*.json")):
        if file.stat().st_size <= RECORDED_BYTES_MAX:
            found.append(json.loads(file.read_text()))
    for file in sorted(folder.rglob("*.yaml")):
        if file.stat().st_size <= RECORDED_BYTES_MAX:
            whole = yaml.safe_load(file.read_text())
            for exchange in whole.get("interactions", []) if isinstance(whole, dict) else []:
                text = exchange["response"]["body"].get("string", "")
                found.append(json.loads(text) if text else None)
    parts = [part for whole in found for part in (whole.values() if isinstance(whole, dict) else whole or ()) if part]
    return [json.dumps(part).encode() for part in (*found, *parts) if isinstance(part, dict | list)]
