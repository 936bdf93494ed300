"""Replies that no venue should send, to an order and to a question, on every venue: an ExchangeError, and after sending, doubt."""

import asyncio
from uuid import UUID

import pytest

from exchange_clients import Network, OrderRequest, Sandbox, Side, registry
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import ExchangeError, Misconfigured, OutcomeUnknown
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


def test_what_is_printed_of_secrets_hides_them() -> None:
    from rich.console import Console

    from exchange_clients import Credentials

    secrets = Credentials({"private_key": "0xfeedbeef", "account": "0xabc"})
    request = HttpRequest("GET", "https://a.example/x?signature=feedbeef", {"Authorization": "Bearer feedbeef"}, b"feedbeef")
    with open("/dev/null", "w") as nowhere:
        console = Console(record=True, file=nowhere, width=200)
        console.print(secrets, request, {"request": request})
        shown = console.export_text() + repr(secrets) + repr(request) + str([secrets, request])
    assert "feedbeef" not in shown and "private_key" in shown and "https://a.example/x" in shown


def test_a_venue_that_echoes_what_it_was_sent_does_not_get_it_into_a_message() -> None:
    async def story() -> None:
        echo = b"HTTP/1.1 500: Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJlc2lnbmF0dXJl"

        class Echoes:
            async def request(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse(500, echo)

            async def close(self) -> None: ...

        venue = registry.names()[0]
        transport = Echoes()
        network = Network("testnet", http=transport, websocket=transport, clock=LoopClock(0), shared=False)  # type: ignore[arg-type]
        with pytest.raises(OutcomeUnknown) as error:
            await network.client(venue).fetch_instruments()
        assert "c2lnbmF0" not in str(error.value) and "(hidden)" in str(error.value)

    run_virtual(story)


async def test_a_misspelt_market_is_answered_with_one_that_exists() -> None:
    async with Sandbox(registry.names()[:1]) as world:
        with pytest.raises(Misconfigured, match=r"'BTCX' is not listed; did you mean BTC"):
            await world.network.client(registry.names()[0]).instrument("BTCX")
