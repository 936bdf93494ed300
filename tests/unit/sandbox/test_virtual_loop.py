"""A loop whose clock jumps."""

import asyncio
import socket
import time

import aiohttp
import pytest

from exchange_clients.engine.clock import LoopClock
from exchange_clients.sandbox.virtual_loop import VirtualDeadlock, VirtualLoop, run_virtual


def test_a_week_passes_in_no_time() -> None:
    async def week() -> tuple[float, int]:
        clock = LoopClock(1_767_400_000_000)
        for _ in range(7 * 24 * 60):
            await clock.sleep(60)
        return asyncio.get_running_loop().time(), clock.now_ms()

    began = time.perf_counter()
    virtual_s, market_ms = run_virtual(week)
    assert time.perf_counter() - began < 1.0
    assert virtual_s == pytest.approx(7 * 86_400)
    assert market_ms == 1_767_400_000_000 + 7 * 86_400_000


def test_the_same_program_runs_the_same_way_twice() -> None:
    async def busy() -> list[tuple[float, int]]:
        log: list[tuple[float, int]] = []

        async def worker(number: int) -> None:
            for step in range(20):
                await asyncio.sleep((number * 7 + step * 3) % 11 / 10)
                log.append((asyncio.get_running_loop().time(), number))

        await asyncio.gather(*(worker(number) for number in range(30)))
        return log

    first = run_virtual(busy)
    assert first == run_virtual(busy)
    assert len(first) == 600 and [moment for moment, _ in first] == sorted(moment for moment, _ in first)


def test_timeouts_fire_and_cancel() -> None:
    async def impatient() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.sleep(1_000_000)
        return asyncio.get_running_loop().time()

    assert run_virtual(impatient) == 30


def test_waiting_for_what_never_happens_raises() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(VirtualDeadlock, match="can never happen"):
        run_virtual(forever)


def test_what_belongs_to_another_clock_raises() -> None:
    async def outside() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="thread pool"):
            await asyncio.to_thread(time.time)
        with pytest.raises(RuntimeError, match="name resolution"):
            await loop.getaddrinfo("localhost", 80)
        with pytest.raises(RuntimeError, match="virtual loop"):
            await asyncio.open_connection("127.0.0.1", 9)
        with pytest.raises(RuntimeError, match="server socket"):
            await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        with pytest.raises(RuntimeError, match="subprocess"):
            await asyncio.create_subprocess_exec("true")
        with socket.socket() as plain, pytest.raises(RuntimeError, match="a socket"):
            await loop.sock_connect(plain, ("127.0.0.1", 9))
        async with aiohttp.ClientSession() as session:
            with pytest.raises(RuntimeError, match="virtual loop"):
                await session.get("http://127.0.0.1:9/")

    run_virtual(outside)


def test_an_error_in_the_program_comes_out() -> None:
    async def broken() -> None:
        await asyncio.sleep(5)
        raise LookupError("as it should")

    with pytest.raises(LookupError):
        run_virtual(broken)


def test_a_loop_can_be_closed_unused() -> None:
    loop = VirtualLoop()
    assert loop.time() == 0
    loop.close()
