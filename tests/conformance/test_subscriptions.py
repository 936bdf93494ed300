"""What every venue's client promises of watching: again and again, together, after a refusal, and when a topic falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.events import BookEvent, Connected, Lost, Resumed
from exchange_clients.domain.instruments import Instrument
from exchange_clients.errors import Refused
from tests.support.stage import Stage, collect
from tests.support.wires import MuffledSockets

needs = pytest.mark.needs

STREAMS: dict[Capability, Callable[[BaseExchangeClient, Instrument], Any]] = {
    Capability.STREAM_BOOK: lambda client, bitcoin: client.stream_book(bitcoin, depth=5),
    Capability.STREAM_ORDERS: lambda client, bitcoin: client.stream_orders(),
    Capability.STREAM_FILLS: lambda client, bitcoin: client.stream_fills(),
    Capability.STREAM_ACCOUNT: lambda client, bitcoin: client.stream_account(),
}


async def _first(stream: Any) -> Any:
    return await asyncio.wait_for(stream.__anext__(), 30)


@needs(Capability.STREAM_BOOK)
async def test_a_book_is_watched_left_and_watched_200_times(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    for _ in range(200):
        async with on.client.stream_book(bitcoin) as events:
            assert isinstance(await _first(events), Connected)
            assert isinstance(await _first(events), BookEvent)


@pytest.mark.parametrize("capability", STREAMS)
async def test_every_stream_is_watched_left_and_watched(on: Stage, capability: Capability) -> None:
    if capability not in on.spec.capabilities:
        pytest.skip(f"{on.spec.name} does not declare {capability.value}")
    bitcoin = await on.client.instrument("BTC")
    for _ in range(20):
        async with STREAMS[capability](on.client, bitcoin) as events:
            assert isinstance(await _first(events), Connected)


@needs(Capability.STREAM_BOOK)
async def test_a_market_is_watched_again_while_another_keeps_the_socket_open(on: Stage) -> None:
    bitcoin, ether = await on.client.instrument("BTC"), await on.client.instrument("ETH")
    async with on.client.stream_book(ether) as staying:
        await _first(staying)
        for _ in range(20):
            async with on.client.stream_book(bitcoin) as events:
                books = await collect(events, lambda e: isinstance(e[-1], BookEvent))
            assert isinstance(books[0], Connected) and books[-1].book.symbol == "BTC"
        seen = await collect(staying, lambda e: isinstance(e[-1], BookEvent))
        assert {e.book.symbol for e in seen if isinstance(e, BookEvent)} == {"ETH"}
        assert not any(isinstance(e, Lost) for e in seen)


@pytest.mark.parametrize("capability", STREAMS)
async def test_a_stream_has_as_many_readers_as_want_it(on: Stage, capability: Capability) -> None:
    """Each is told that it is connected; one that leaves takes nothing from the others."""
    if capability not in on.spec.capabilities:
        pytest.skip(f"{on.spec.name} does not declare {capability.value}")
    bitcoin = await on.client.instrument("BTC")
    async with STREAMS[capability](on.client, bitcoin) as staying:
        assert isinstance(await _first(staying), Connected)
        for _ in range(3):
            async with STREAMS[capability](on.client, bitcoin) as passing:
                assert isinstance(await _first(passing), Connected)
        await on.trade(size=0.02)
        said = await collect(staying, lambda e: not isinstance(e[-1], Connected))
        assert not any(isinstance(event, Lost) for event in said)


@needs(Capability.STREAM_BOOK)
async def test_readers_of_one_book_choose_their_depth(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    async with on.client.stream_book(bitcoin, depth=2) as short, on.client.stream_book(bitcoin, depth=5) as long:
        few = (await collect(short, lambda e: isinstance(e[-1], BookEvent)))[-1].book
        many = (await collect(long, lambda e: isinstance(e[-1], BookEvent)))[-1].book
        assert len(few.bids) == 2 and len(many.bids) == 5


@needs(Capability.STREAM_BOOK)
async def test_a_refused_topic_ends_alone_and_can_be_asked_for_again(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    unlisted = msgspec.structs.replace(bitcoin, symbol="NOSUCH", venue_symbol=on.spec.symbol_format.format(base="NOSUCH"))
    async with on.client.stream_book(bitcoin) as staying:
        for _ in range(2):
            with pytest.raises(Refused):
                async with on.client.stream_book(unlisted) as refused:
                    await collect(refused, lambda e: False, within_s=30)
        seen = await collect(staying, lambda e: sum(isinstance(x, BookEvent) for x in e) >= 3)
        assert {e.book.symbol for e in seen if isinstance(e, BookEvent)} == {"BTC"}
        assert not any(isinstance(e, Lost) for e in seen), "another's refusal is no loss"


@needs(Capability.STREAM_BOOK)
async def test_topics_asked_for_in_one_breath_are_refused_one_by_one(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    unlisted = msgspec.structs.replace(bitcoin, symbol="NOSUCH", venue_symbol=on.spec.symbol_format.format(base="NOSUCH"))
    async with on.client.stream_book(unlisted) as refused, on.client.stream_book(bitcoin) as good:
        with pytest.raises(Refused):
            await collect(refused, lambda e: False, within_s=30)
        await collect(good, lambda e: sum(isinstance(x, BookEvent) for x in e) >= 3)


@needs(Capability.STREAM_BOOK)
async def test_a_topic_that_falls_silent_on_a_living_socket_is_told_and_asked_for_again(on: Stage) -> None:
    """Heartbeats go on and so does another market; only this one says nothing any more."""
    bitcoin, ether = await on.client.instrument("BTC"), await on.client.instrument("ETH")
    wire = MuffledSockets(on.wiring.websocket, bitcoin.venue_symbol.encode())
    async with on.another_client(websocket=wire) as client:
        silent, lively = client.stream_book(bitcoin), client.stream_book(ether)
        async with silent, lively:
            await collect(silent, lambda e: isinstance(e[-1], BookEvent))
            wire.is_muffled = True
            seen = await collect(silent, lambda e: isinstance(e[-1], Resumed), within_s=300)
            assert [type(e) for e in seen if isinstance(e, Lost | Resumed)] == [Lost, Resumed]
            assert "silent" in next(e.reason for e in seen if isinstance(e, Lost))
            await collect(silent, lambda e: isinstance(e[-1], BookEvent))
            others = await collect(lively, lambda e: isinstance(e[-1], BookEvent))
            assert not any(isinstance(e, Lost) for e in others) and wire.connections == 1


async def test_a_closed_client_ends_its_streams(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    client = on.another_client()
    stream = client.stream_book(bitcoin)
    await _first(stream)
    await client.close()
    assert [event async for event in stream if not isinstance(event, BookEvent)] == []
    await stream.aclose()
