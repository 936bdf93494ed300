"""Replies that no venue should send, to an order and to a question, on every venue: an ExchangeError, and after sending, doubt."""

import asyncio
from uuid import UUID

import pytest

from exchange_clients import OrderRequest, Sandbox, Side, registry
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import ExchangeError, OutcomeUnknown
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer
from exchange_clients.sandbox.virtual_loop import run_virtual

START_MS = 1_767_400_000_000
DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES = {
    "nested deeply": b'{"status":"ok","success":true,"x":' + DEEP + b"}",
    "nothing else but nesting": DEEP,
    "no text": b'{"status":"ok","success":true,"x":"\xff\xfe"}',
    "empty": b"",
    "a number": b"1",
    "null": b"null",
    "a page for people": b"<html>504</html>",
    "not even JSON": b'{"status":',
}


class Broken(Facade):
    """Handles everything as the venue would and answers nonsense, once it is told to."""

    def __init__(self, inner: Facade) -> None:
        self.inner = inner
        self.venue = inner.venue  # type: ignore[misc]
        self.book_marker = inner.book_marker  # type: ignore[misc]
        self.body: bytes | None = None

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        response = self.inner.handle(request, address)
        return response if self.body is None else HttpResponse(200, self.body, {"content-type": "application/json"})

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return self.inner.connect(opening, peer)

    def places_order(self, request: HttpRequest) -> bool:
        return self.inner.places_order(request)

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        return self.inner.enrol(name, balance)


@pytest.mark.parametrize("venue", registry.names())
@pytest.mark.parametrize("name", BODIES)
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(venue: str, name: str) -> None:
    async def story() -> None:
        broken: list[Broken] = []

        def tamper(facade: Facade) -> Facade:
            broken.append(Broken(facade))
            return broken[-1]

        async with Sandbox([venue], clock=LoopClock(START_MS), tamper=tamper) as world:
            client = world.network.client(venue, world.enrol(venue))
            bitcoin = await client.instrument("BTC")
            await client.fetch_balance()
            bid = (await client.fetch_order_book(bitcoin)).best_bid
            assert bid is not None
            broken[0].body = BODIES[name]
            wanted = OrderRequest(
                str(UUID(int=1)), bitcoin, Side.BUY, bitcoin.round_size(0.01), bitcoin.round_price(bid * 0.99, Side.BUY)
            )
            with pytest.raises(OutcomeUnknown):
                await client.place_order(wanted)
            for read in (client.fetch_balance, client.fetch_positions, client.fetch_stats, client.fetch_instruments):
                with pytest.raises(ExchangeError):
                    await read()
            broken[0].body = None
            await asyncio.sleep(1)
            assert len(await client.fetch_open_orders()) == 1, "it had happened"

    run_virtual(story)
