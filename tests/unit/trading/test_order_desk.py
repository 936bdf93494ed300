"""What an error says about whether it happened, and what waits in the inbox."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
import pytest

from exchange_clients import errors
from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.orders import Order, OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.trading.events import Tick
from exchange_clients.trading.inbox import Inbox, InboxFull
from exchange_clients.trading.intents import CancelIntent
from exchange_clients.trading.order_desk import OrderDesk
from exchange_clients.trading.order_names import OrderNames, name_of
from exchange_clients.trading.records import SendRefused, SendUnknown
from tests.support.bot_world import BotWorld
from tests.support.direct_client import DirectClient
from tests.support.pairs import book, place

ARGUMENTS = ("east", "place_order", "words of the venue")


class Failing(DirectClient):
    """A venue whose orders all end in one way."""

    failure: errors.ExchangeError

    async def place_order(self, request: OrderRequest) -> Order:
        raise self.failure


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.NotSent, SendRefused),
        (errors.RateLimited, SendRefused),
        (errors.Refused, SendRefused),
        (errors.OrderRejected, SendRefused),
        (errors.InsufficientMargin, SendRefused),
        (errors.AuthenticationFailed, SendRefused),
        (errors.Unsupported, SendRefused),
        (errors.Misconfigured, SendRefused),
        (errors.OutcomeUnknown, SendUnknown),
        (errors.ProtocolViolation, SendUnknown),
        (errors.StaleData, SendUnknown),
        (errors.ExchangeError, SendUnknown),
    ],
)
def test_each_error_is_a_certain_no_or_a_doubt(
    tmp_path: object, error: type[errors.ExchangeError], outcome: type[SendRefused] | type[SendUnknown]
) -> None:
    async def main() -> object:
        stage = BotWorld(1, tmp_path)  # type: ignore[arg-type]
        stage.build()
        client = Failing(stage.exchanges["east"], Random(1))
        client.failure = error(*ARGUMENTS)
        assert stage.clock is not None
        return await OrderDesk({"east": client}, stage.clock).place(place("one", Side.BUY, "0.1").request)

    assert run_virtual(main) == outcome("one", "east place_order: words of the venue")


def test_only_the_newest_book_of_a_market_waits() -> None:
    inbox = Inbox()
    for time_ms in (1, 2, 3):
        inbox.put(BookEvent(book("east", time_ms=time_ms)))
        inbox.put(BookEvent(book("west", time_ms=time_ms)))
        inbox.put(Tick())
    waiting = [inbox.get_nowait() for _ in range(5)]
    assert waiting == [BookEvent(book("east", time_ms=3)), BookEvent(book("west", time_ms=3)), Tick(), Tick(), Tick()]
    assert inbox.get_nowait() is None


def test_a_full_inbox_says_so() -> None:
    inbox = Inbox(items_max=2)
    inbox.put(Tick())
    inbox.put(Tick())
    with pytest.raises(InboxFull, match="2 events wait"):
        inbox.put(Tick())


async def test_a_reader_waits_for_what_comes() -> None:
    inbox = Inbox()
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(Tick())
    assert await asyncio.wait_for(reader, 1) == Tick()


def test_order_names_depend_on_the_run_and_the_count_alone() -> None:
    names = OrderNames("run")
    first = [names.next() for _ in range(3)]
    assert first == [name_of("run", count) for count in (1, 2, 3)]
    assert OrderNames("run", used=2).next() == first[2]
    assert OrderNames("other").next() != first[0]
    assert len(set(first)) == 3


def test_a_cancellation_reaches_the_venue_by_the_name_of_the_order(tmp_path: object) -> None:
    async def main() -> list[object]:
        stage = BotWorld(1, tmp_path)  # type: ignore[arg-type]
        stage.build()
        assert stage.clock is not None
        desk, name = OrderDesk(stage.clients, stage.clock), name_of("run", 1)
        request = place(name, Side.BUY, "0.1").request
        far_away = msgspec.structs.replace(request, price=request.instrument.round_price(2000.0, Side.BUY))
        await desk.place(msgspec.structs.replace(far_away, time_in_force=TimeInForce.GTC))
        resting = stage.exchanges["east"].orders("ours")
        await desk.cancel(CancelIntent(request.instrument, name))
        await desk.cancel(CancelIntent(request.instrument, name))  # already gone: nothing to say
        return [len(resting), len(stage.exchanges["east"].orders("ours"))]

    assert run_virtual(main) == [1, 0]
