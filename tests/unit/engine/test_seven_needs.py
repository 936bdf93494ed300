"""What the next venues want of the engine, each told with the words of the venue sheet that wants it."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from exchange_clients.domain.events import Connected
from exchange_clients.domain.provenance import Environment, Provenance
from exchange_clients.engine.book_builder import BookBuilder, Gap
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.endpoint import Call, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream import Stream
from exchange_clients.engine.stream_dialect import Answer, Topic
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.unit.engine.test_session import Answer as Reply
from tests.unit.engine.test_session import Scripted
from tests.unit.engine.test_stream import EVENTS, Frame, Server, Talk, kinds, play, take, topic

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
SAID = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
METER, ORDERS = Meter("weight", 100, 60), Meter("orders", 2, 60)


class InTheQuery(Dialect):
    """Aster v1 section 6: the signature is the last parameter of the query; GRVT 6a: a session is in the reply's header."""

    cookie = ""

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        path, _, query = request.url.partition("?")
        signature = hmac.digest(SECRET.encode(), query.encode(), "sha256").hex()
        return msgspec.structs.replace(request, url=f"{path}?{query}&signature={signature}").with_headers(Cookie=self.cookie)

    def heard(self, call: Call, response: HttpResponse) -> None:
        self.cookie = response.headers.get("set-cookie", self.cookie)


def test_query_signature_cookie_other_host_and_two_meters() -> None:
    async def main() -> Scripted:
        transport = Scripted(
            [HttpResponse(200, b'{"value": 1}', {"set-cookie": "gravity=1"}), HttpResponse(200, b'{"value": 1}')]
        )
        wiring = Wiring(Environment.SANDBOX, "https://a", "", LoopClock(0), transport, None, rest_urls={"trades": "https://t"})  # type: ignore[arg-type]
        session = Session("venue", wiring, InTheQuery())
        order = Endpoint("order", "POST", "/order", Reply, METER, 1, Retry.ACT, host="trades", also=((ORDERS, 1),))
        query = dict(pair.split("=") for pair in SAID.split("&"))
        await session.call(order, query=query, urgent=True)
        await session.call(order, query=query, urgent=True)
        assert wiring.limits.try_take("venue", ORDERS, "", 1, 1.0, asyncio.get_running_loop().time()) > 0
        return transport

    first, second = run_virtual(main).requests
    assert first.url == f"https://t/order?{SAID}&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert second.headers["Cookie"] == "gravity=1"


class Mixed(Talk):
    def __init__(self) -> None:
        self.dials = 0

    async def address(self, base: str) -> str:
        self.dials += 1
        return f"{base}/ws/key{self.dials}"

    def control(self, frame: bytes) -> Any:
        said = msgspec.json.decode(frame)
        return Answer(b"pong " + str(said["ping"]).encode()) if "ping" in said else super().control(frame)


def test_a_server_ping_is_answered_and_the_address_is_made_for_every_dial() -> None:
    dialect, urls = Mixed(), []

    async def story(stream: Stream, server: Server) -> None:
        dial = server.connect

        async def connect(url: str, *rest: Any) -> Any:
            urls.append(url)
            return await dial(url, *rest)

        server.connect = connect  # type: ignore[method-assign]
        stream.subscribe(topic("a"))
        await asyncio.sleep(1)
        server.say(ping=7)
        assert server.sent[-1] == b"pong 7"
        server.on_close("bye")
        await asyncio.sleep(2)

    play(story, dialect)
    assert urls == ["ws://venue/ws/key1", "ws://venue/ws/key2"]


def test_no_acknowledgement_fresh_words_and_one_frame_for_two_readers() -> None:
    """Backpack acknowledges nothing and signs subscriptions by time; an order frame there holds its fill."""

    async def story(stream: Stream, server: Server) -> None:
        asked = []

        def words() -> bytes:
            asked.append(len(asked))
            return b"SUBSCRIBE %d" % len(asked)

        def own(name: str, read: Any) -> Topic:
            return Topic(EVENTS, name, b"own", "", None, words, b"", read)

        orders = stream.subscribe(own("orders", lambda f: (f"order {f.v}",)))
        fills = stream.subscribe(own("fills", lambda f: (f"fill {f.v}",)))
        await asyncio.sleep(100)
        server.data("own", 1)
        assert kinds(await take(orders, 2)) == [Connected, "order 1"] and kinds(await take(fills, 2)) == [Connected, "fill 1"]
        server.on_close("bye")
        await asyncio.sleep(2)
        assert next(f for f in server.sent if f.startswith(b"SUB")) != server.sent[-1] and server.connections == 2

    play(story)


def test_frames_wait_for_the_state_that_they_continue() -> None:
    """Backpack and Aster section 9: subscribe, buffer, read the book, drop what it holds already, splice the rest."""

    async def story(stream: Stream, server: Server) -> None:
        book = BookBuilder("venue", "BTC", Provenance.SANDBOX, 5, SequenceRule.RANGE)

        async def snapshot() -> list[str]:
            await asyncio.sleep(3)
            book.reset(10)
            return ["book at 10"]

        def change(frame: Frame) -> list[str]:
            return [f"change {frame.v}"] if book.advance(frame.v, frame.v - 1) else []

        reader = stream.subscribe(replace(topic("a", change), snapshot=snapshot, on_start=book.forget))
        await asyncio.sleep(1)
        for number in (9, 10, 11):
            server.data("a", number)
        await asyncio.sleep(5)
        server.data("a", 12)
        assert kinds(await take(reader, 4)) == [Connected, "book at 10", "change 11", "change 12"]

    play(story)


@pytest.mark.parametrize(
    ("rule", "sequence", "after", "applies"),
    [
        (SequenceRule.INCREMENT, 11, None, True),
        (SequenceRule.INCREMENT, 12, 10, None),
        (SequenceRule.CHAIN, 15, 10, True),
        (SequenceRule.CHAIN, 15, 9, None),
        (SequenceRule.CHAIN, 15, None, None),
        (SequenceRule.RANGE, 15, 8, True),
        (SequenceRule.RANGE, 9, 8, False),
        (SequenceRule.RANGE, 15, 12, None),
    ],
)
def test_every_way_of_numbering(rule: SequenceRule, sequence: int, after: int | None, applies: bool | None) -> None:
    """+1; a chain of names (GRVT, Lighter, Aster); ranges (Backpack, edgeX). The channel's row says which."""
    book = BookBuilder("venue", "BTC", Provenance.SANDBOX, 5, rule)
    book.reset(10)
    if applies is None:
        with pytest.raises(Gap):
            book.advance(sequence, after)
    else:
        assert book.advance(sequence, after) is applies
