"""Two topics read as one."""

import asyncio

import pytest

from exchange_clients.engine.merge import Merged
from exchange_clients.engine.subscription import Subscription


def source() -> Subscription:
    return Subscription(conflate=False, on_close=lambda: None, on_overflow=lambda: None)


async def test_events_of_one_instant_come_in_the_order_of_the_sources() -> None:
    first, second = source(), source()
    both = Merged(first, second)
    second.push("c")
    first.push("a")
    first.push("b")
    assert [await both.__anext__() for _ in range(3)] == ["a", "c", "b"]


async def test_it_ends_with_the_last_source() -> None:
    first, second = source(), source()
    first.push(1)
    first.end()
    second.push(2)
    second.push(3)
    second.end()
    assert [event async for event in Merged(first, second)] == [1, 2, 3]


async def test_a_cancelled_read_loses_nothing() -> None:
    first, second = source(), source()
    both = Merged(first, second)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(both.__anext__(), 0.01)
    second.push("late")
    assert await both.__anext__() == "late"


async def test_an_error_of_a_source_is_raised_as_it_is() -> None:
    first, second = source(), source()
    second.fail(LookupError("broken"))
    with pytest.raises(LookupError, match="broken"):
        await Merged(first, second).__anext__()


async def test_closing_unsubscribes_all_and_wakes_nobody_in_error() -> None:
    closed: list[int] = []
    sources = [Subscription(conflate=False, on_close=lambda n=n: closed.append(n), on_overflow=lambda: None) for n in range(2)]
    both = Merged(*sources)
    reader = asyncio.create_task(both.__anext__())
    await asyncio.sleep(0)
    await both.aclose()
    await both.aclose()
    with pytest.raises(StopAsyncIteration):
        await reader
    assert closed == [0, 1]
