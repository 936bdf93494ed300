"""Who may try again, in one place: a policy is (endpoint, error class), never a decorator on a method."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay

from exchange_clients.engine.endpoint import Retry
from exchange_clients.errors import NotSent, OutcomeUnknown, RateLimited

T = TypeVar("T")

ATTEMPTS_MAX = 4
BACKOFF_S_FIRST = 0.1
BACKOFF_S_MAX = 5.0
WAIT_S_MAX = 120.0
"""Budgets are by the minute; a longer wait than two is the caller's to decide."""

REPEATABLE: dict[Retry, tuple[type[Exception], ...]] = {
    Retry.READ: (NotSent, OutcomeUnknown, RateLimited),
    Retry.ACT: (NotSent,),
}


def backoff_s(attempt: int, random: Random, first_s: float = BACKOFF_S_FIRST, max_s: float = BACKOFF_S_MAX) -> float:
    """Seconds to wait before try number `attempt` + 1 (attempt ≥ 1): doubling, bounded, jittered downwards by up to half."""
    return float(min(max_s, first_s * 2 ** (attempt - 1)) * (0.5 + random.random() / 2))


async def repeat(policy: Retry, work: Callable[[], Awaitable[T]], random: Random, within_s: float = math.inf) -> T:
    """Run `work` until it succeeds, fails for good, was tried ATTEMPTS_MAX times or `within_s` are over; the last error is raised
    as it is. What asks for a wait of more than WAIT_S_MAX is raised at once.

    A first try that succeeds, as nearly all do, never meets the machinery of repetition: setting that up costs more CPU than
    signing an order.
    """
    try:
        return await work()
    except REPEATABLE[policy] as error:
        failed = [error]

    async def attempt() -> T:
        if failed:
            raise failed.pop()
        return await work()

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RateLimited):
            return error.retry_after_s
        return backoff_s(state.attempt_number, random)

    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS_MAX) | stop_before_delay(within_s),
        retry=retry_if_exception(lambda error: isinstance(error, REPEATABLE[policy]) and not _is_long(error)),
        wait=wait,
        reraise=True,
    )
    return await retrying(attempt)


def _is_long(error: BaseException) -> bool:
    return isinstance(error, RateLimited) and error.retry_after_s > WAIT_S_MAX
