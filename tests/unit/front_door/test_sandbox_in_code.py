"""Simulated venues in one line: in memory on virtual time, in memory on the machine's, and on loopback."""

from decimal import Decimal
from uuid import UUID

import pytest

from exchange_clients import BaseExchangeClient, Order, OrderRequest, Provenance, Sandbox, Side, TimeInForce, registry
from exchange_clients.domain.orders import OrderStatus
from exchange_clients.engine.clock import LoopClock
from exchange_clients.errors import Misconfigured, OutcomeUnknown
from exchange_clients.network import Network
from exchange_clients.sandbox.virtual_loop import run_virtual

VENUES = registry.names()
START_MS = 1_767_400_000_000


def client_of(world: Sandbox, venue: str) -> BaseExchangeClient:
    return world.network.client(venue, world.enrol(venue))


async def buy(client: BaseExchangeClient, number: int = 1) -> Order:
    bitcoin = await client.instrument("BTC")
    book = await client.fetch_order_book(bitcoin)
    assert book.provenance is Provenance.SANDBOX and book.best_ask is not None
    price = bitcoin.round_price(book.best_ask * 1.01, Side.BUY)
    return await client.place_order(
        OrderRequest(str(UUID(int=number)), bitcoin, Side.BUY, bitcoin.round_size(0.01), price, TimeInForce.IOC)
    )


@pytest.mark.parametrize("loopback", [False, True])
@pytest.mark.parametrize("venue", VENUES)
async def test_a_first_order_takes_one_line_of_setting_up(venue: str, loopback: bool) -> None:
    async with Sandbox([venue], loopback=loopback) as world:
        client = client_of(world, venue)
        await buy(client)
        async with client.stream_account() as events:
            async for event in events:
                if getattr(event, "positions", None):
                    break
        (position,) = await client.fetch_positions()
        assert position.size == Decimal("0.01")
        assert {s.provenance for s in await world.network.adapter(venue).market_stats()} == {Provenance.SANDBOX}
        assert "simulated" in world.describe()


def test_the_same_seed_on_virtual_time_is_the_same_story() -> None:
    async def story() -> list[str]:
        async with Sandbox(clock=LoopClock(START_MS), latency_s=0.02) as world:
            told = []
            for venue in world.venues:
                client = client_of(world, venue)
                order = await buy(client)
                told += [repr(order), repr(await client.fetch_fills()), repr(await client.fetch_balance())]
            return told

    assert run_virtual(story) == run_virtual(story)


async def test_other_programs_can_be_pointed_at_it() -> None:
    async with (
        Sandbox(VENUES[0], loopback=True) as world,
        Network("sandbox", hosts=world.hosts, clock=world.clock) as elsewhere,
    ):
        assert await elsewhere.client(VENUES[0]).fetch_instruments()


def test_what_is_to_go_wrong_goes_wrong_once() -> None:
    async def story() -> None:
        async with Sandbox(VENUES[:1], clock=LoopClock(START_MS), faults=["lost_reply"]) as world:
            client = client_of(world, VENUES[0])
            with pytest.raises(OutcomeUnknown):
                await buy(client, 1)
            order = await buy(client, 2)
            assert world.enrol(VENUES[0]) is world.enrol(VENUES[0]), "the same name is the same account"
            assert order.status in (OrderStatus.FILLED, OrderStatus.PENDING)

    run_virtual(story)


async def test_mistakes_are_said_at_once() -> None:
    with pytest.raises(Misconfigured, match="unknown venue"):
        Sandbox(["nowhere"])
    world = Sandbox(VENUES[:1])
    with pytest.raises(Misconfigured, match="async with Sandbox"):
        world.enrol(VENUES[0])
    async with world:
        with pytest.raises(Misconfigured, match="not in this sandbox"):
            world.enrol(VENUES[1])


async def test_a_world_that_breaks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Sandbox(VENUES[:1], tick_s=0.001)
    with pytest.raises(ZeroDivisionError):
        async with world:
            monkeypatch.setattr(world.world.exchanges[VENUES[0]], "advance", lambda: 1 / 0)
            client = world.network.client(VENUES[0])
            while True:
                await client.fetch_instruments()
                if world._turning is not None and world._turning.done():
                    break
