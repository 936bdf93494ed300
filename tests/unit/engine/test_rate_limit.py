"""Budgets hold in any window, whatever the pattern and however many processes spend them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimit, RateLimits
from exchange_clients.engine.shared_rate_limit import LOCKED_WAIT_S, SharedRateLimits
from exchange_clients.errors import RateLimited

METER = Meter("weight", capacity=10, window_s=60)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.5, 10)), min_size=1, max_size=60))
def test_no_window_ever_holds_more_than_the_capacity(asks: list[tuple[float, float]]) -> None:
    limit, now, used = RateLimit(METER), 0.0, list[tuple[float, float]]()
    for pause, weight in asks:
        now += pause
        while wait := limit.take(weight, now):
            now += wait + 1e-9
        used.append((now, weight))
    for ends, _ in used:
        assert sum(weight for at, weight in used if ends - METER.window_s + 1e-6 < at <= ends) <= METER.capacity + 1e-9


def test_there_is_no_wait_while_there_is_budget() -> None:
    limit = RateLimit(METER)
    assert [limit.take(1, 5.0) for _ in range(10)] == [0.0] * 10
    assert limit.take(1, 5.0) == 60
    assert limit.take(1, 65.0) == 0


def test_reads_leave_a_share_to_acting_calls() -> None:
    limit = RateLimit(METER)
    assert [limit.take(1, 0.0, share=0.8) for _ in range(8)] == [0.0] * 8
    assert limit.take(1, 1.0, share=0.8) == 59
    assert limit.take(1, 1.0) == 0


def test_a_weight_beyond_the_capacity_goes_through_alone() -> None:
    limit = RateLimit(METER)
    assert limit.take(25, 0.0) == 0
    assert limit.take(1, 1.0) == 59


def test_a_closed_meter_opens_when_the_venue_said() -> None:
    limit = RateLimit(METER)
    limit.close_for(7, now=100)
    assert limit.take(1, 101) == 6


@pytest.fixture(params=["own", "shared"])
def limits(request: pytest.FixtureRequest, tmp_path: Path) -> RateLimits:
    return RateLimits() if request.param == "own" else SharedRateLimits(tmp_path / "limits")


async def test_too_long_a_wait_is_refused_before_anything_is_sent_and_costs_nothing(limits: RateLimits) -> None:
    await limits.take("venue", "call", METER, "", 10)
    for _ in range(3):
        with pytest.raises(RateLimited, match="nothing was sent") as refusal:
            await limits.take("venue", "call", METER, "", 1)
        assert 59 < refusal.value.retry_after_s <= 60


async def test_keys_have_budgets_of_their_own(limits: RateLimits) -> None:
    await limits.take("venue", "call", METER, "one", 10)
    await limits.take("venue", "call", METER, "two", 10)
    await limits.take("other", "call", METER, "one", 10)


async def test_what_the_venue_closed_stays_closed(limits: RateLimits) -> None:
    quick = Meter("quick", capacity=10, window_s=1)
    limits.close_for("venue", quick, "", 0.2)
    begin = asyncio.get_running_loop().time()
    await limits.take("venue", "call", quick, "", 1)
    assert asyncio.get_running_loop().time() - begin >= 0.19


def test_the_venues_count_raises_ours_and_never_lowers_it() -> None:
    limit = RateLimit(METER)
    assert limit.take(3, 0) == 0
    limit.learn(left=2, capacity=10, now=1)
    assert limit.take(3, 2) == 58 and limit.take(2, 2) == 0
    limit.learn(left=9, capacity=10, now=3)
    assert limit.take(1, 4) > 0, "calls on their way are not in the venue's count yet"
    assert limit.take(8, 62) == 0, "what others spent is forgotten as well"


async def test_a_larger_budget_is_used_once_the_venue_tells_of_it(limits: RateLimits) -> None:
    limits.learn("venue", METER, "", 29, 30)
    await limits.take("venue", "call", METER, "", 29)
    with pytest.raises(RateLimited):
        await limits.take("venue", "call", METER, "", 1)


SPENDER = """
import asyncio, sys
from pathlib import Path
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.shared_rate_limit import SharedRateLimits

async def main():
    limits, meter = SharedRateLimits(Path(sys.argv[1])), Meter("weight", capacity=50, window_s=3600)
    now = asyncio.get_running_loop().time()
    print(sum(limits.try_take("venue", meter, "", 1, 1.0, now) == 0 for _ in range(40)))

asyncio.run(main())
"""


def test_processes_spend_one_budget_together(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SPENDER, str(tmp_path)]
    spenders = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(spender.communicate(timeout=30)[0]) for spender in spenders) == 50


async def test_a_broken_file_counts_as_empty(tmp_path: Path) -> None:
    limits = SharedRateLimits(tmp_path)
    await limits.take("venue", "call", METER, "", 10)
    (file,) = list(tmp_path.iterdir())  # noqa: ASYNC240  # a test may block
    file.write_bytes(b'{"taken": [[1,')
    await limits.take("venue", "call", METER, "", 10)


async def test_a_file_that_was_removed_is_made_again_and_one_that_is_held_is_waited_for(tmp_path: Path) -> None:
    import fcntl

    limits, other = SharedRateLimits(tmp_path), SharedRateLimits(tmp_path)
    await limits.take("venue", "call", METER, "", 10)
    (file,) = list(tmp_path.iterdir())  # noqa: ASYNC240
    now = asyncio.get_running_loop().time()
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert other.try_take("venue", METER, "", 1, 1.0, now) == LOCKED_WAIT_S
    assert other.try_take("venue", METER, "", 1, 1.0, now) > 1
    file.unlink()
    assert limits.try_take("venue", METER, "", 10, 1.0, now) == 0
    assert other.try_take("venue", METER, "", 1, 1.0, now) > 1


async def test_what_is_from_before_a_reboot_counts_as_nothing(tmp_path: Path) -> None:
    limits = SharedRateLimits(tmp_path)
    assert limits.try_take("venue", METER, "", 10, 1.0, 90_000.0) == 0
    assert limits.try_take("venue", METER, "", 10, 1.0, 5.0) == 0
    assert limits.try_take("venue", METER, "", 1, 1.0, 6.0) > 50


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 4)), max_size=150))
def test_a_shared_window_never_holds_more_than_the_capacity(steps: list[tuple[float, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        limits, now = SharedRateLimits(Path(folder)), 1000.0
        taken: list[tuple[float, float]] = []
        for pause, weight in steps:
            now += pause
            if limits.try_take("venue", METER, "", weight, 1.0, now) == 0:
                taken.append((now, weight))
                assert sum(w for at, w in taken if at > now - METER.window_s) <= METER.capacity + 1e-9
