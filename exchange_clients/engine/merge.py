"""Several topics read as one: what a venue splits over channels and a reader wants together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from exchange_clients.engine.subscription import Subscription


async def merged(*sources: Subscription) -> AsyncIterator[Any]:
    """Events of all `sources` as they come; at the same instant, in the order of `sources`. Each tells its own connectivity.

    Ends when every source ended; the first error of a source ends it with that error. Closing it unsubscribes all of them.
    """
    loop = asyncio.get_running_loop()
    waiting = {source: loop.create_task(source.__anext__()) for source in sources}
    try:
        while waiting:
            await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
            for source, task in list(waiting.items()):
                if not task.done():
                    continue
                del waiting[source]
                try:
                    event = task.result()
                except StopAsyncIteration:
                    continue
                waiting[source] = loop.create_task(source.__anext__())
                yield event
    finally:
        for task in waiting.values():
            task.cancel()
        for source in sources:
            await source.aclose()
