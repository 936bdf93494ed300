"""Several topics read as one: what a venue splits over channels and a reader wants together."""

from __future__ import annotations

import asyncio
from typing import Any

from exchange_clients.engine.subscription import Closing, Subscription

_ENDED = object()


class Merged(Closing):
    """Events of all `sources` as they come; at the same instant, in the order of `sources`. Each tells its own connectivity.

    Ends when every source ended; an error of one is raised as it is. A read that is cancelled loses nothing.
    """

    def __init__(self, *sources: Subscription) -> None:
        self._sources = sources
        self._open = list(sources)
        self._reads: dict[Subscription, asyncio.Task[Any]] = {}

    def __aiter__(self) -> Merged:
        return self

    async def __anext__(self) -> Any:
        while self._open:
            for source in list(self._open):
                read = self._reads.get(source)
                if read is None:
                    self._reads[source] = asyncio.get_running_loop().create_task(_next(source))
                elif read.done():
                    del self._reads[source]
                    event = read.result()
                    if event is not _ENDED:
                        return event
                    self._open.remove(source)
            if self._reads:
                await asyncio.wait(self._reads.values(), return_when=asyncio.FIRST_COMPLETED)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Unsubscribe all. Idempotent."""
        for source in self._sources:
            await source.aclose()
        await asyncio.gather(*self._reads.values(), return_exceptions=True)


async def _next(source: Subscription) -> Any:
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        return _ENDED
