"""A loop that starts tasks at once, as eager task factories do (Python 3.12 has one, 3.11 has not): what was safe only because
tasks begin later shows up on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any


def start_at_once(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """A task factory. The first step of `work` runs inside the call that makes the task, if the loop runs."""
    if not loop.is_running():
        return asyncio.Task(work, loop=loop, **options)
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return asyncio.Task(_ended(done.value), loop=loop, **options)
    return asyncio.Task(_rest(work, waits_for), loop=loop, **options)


async def _ended(value: Any) -> Any:
    return value


@coroutine
def _rest(work: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    step: Callable[[], Any]
    while True:
        try:
            step = partial(work.send, (yield waits_for))
        except BaseException as error:
            step = partial(work.throw, error)
        try:
            waits_for = step()
        except StopIteration as done:
            return done.value
