"""Budgets hold in any window, whatever the pattern."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimit, RateLimits
from exchange_clients.errors import RateLimited

METER = Meter("weight", capacity=10, window_s=60)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.5, 10)), min_size=1, max_size=60))
def test_no_window_ever_holds_more_than_the_capacity(asks: list[tuple[float, float]]) -> None:
    limit, now, used = RateLimit(METER), 0.0, list[tuple[float, float]]()
    for pause, weight in asks:
        now += pause
        wait = limit.wait_s(weight, now)
        assert wait >= 0
        limit.take(weight, now + wait)
        used.append((now + wait, weight))
    assert all(a[0] <= b[0] + 1e-6 for a, b in pairwise(used)), "first come, first served"
    for ends, _ in used:
        assert sum(weight for at, weight in used if ends - METER.window_s + 1e-6 < at <= ends) <= METER.capacity + 1e-9


def test_there_is_no_wait_while_there_is_budget() -> None:
    limit = RateLimit(METER)
    for _ in range(10):
        assert limit.wait_s(1, 5.0) == 0
        limit.take(1, 5.0)
    assert limit.wait_s(1, 5.0) == 60
    assert limit.wait_s(1, 65.0) == 0


def test_a_closed_meter_opens_when_the_venue_said() -> None:
    limit = RateLimit(METER)
    limit.close_for(7, now=100)
    assert limit.wait_s(1, 101) == 6


async def test_too_long_a_wait_is_refused_before_anything_is_sent_and_costs_nothing() -> None:
    limits = RateLimits()
    await limits.take("venue", "call", METER, "", 10)
    for _ in range(3):
        with pytest.raises(RateLimited, match="nothing was sent") as refusal:
            await limits.take("venue", "call", METER, "", 1)
        assert 59 < refusal.value.retry_after_s <= 60


async def test_keys_have_budgets_of_their_own() -> None:
    limits = RateLimits()
    await limits.take("venue", "call", METER, "one", 10)
    await limits.take("venue", "call", METER, "two", 10)
    await limits.take("other", "call", METER, "one", 10)
