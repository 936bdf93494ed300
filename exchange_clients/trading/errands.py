"""Calls that run beside the bot's loop and bring back what they learn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from exchange_clients.errors import ExchangeError
from exchange_clients.trading.inbox import Item

T = TypeVar("T")
Call = Callable[[], Coroutine[Any, Any, T]]


class Errands:
    """`put` takes what was learnt, `complain` the words of a venue that did not answer a question."""

    def __init__(self, group: asyncio.TaskGroup, put: Callable[[Item], None], complain: Callable[[str], None]) -> None:
        self._group = group
        self._put = put
        self._complain = complain
        self._reading: set[Hashable] = set()
        self._acting: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()

    def act(self, call: Call[Item | None]) -> None:
        """Run a call that moves money; it is waited for even when the run ends."""
        self._start(self._bring(call), self._acting)

    def read(self, key: Hashable, call: Call[list[Item]]) -> None:
        """Ask a question, unless the same one is under way. Whoever needs an answer that did not come asks again."""
        if key not in self._reading:
            self._reading.add(key)
            self.beside(self._answer(key, call))

    def beside(self, call: Coroutine[Any, Any, None]) -> None:
        """Run something that may be cut off when the run ends."""
        self._start(call, self._background)

    async def finish(self) -> None:
        """Wait for what moves money, cut off the rest."""
        while self._acting:
            await asyncio.gather(*self._acting)
        for task in list(self._background):
            task.cancel()

    def _start(self, call: Coroutine[Any, Any, None], shelf: set[asyncio.Task[None]]) -> None:
        task = self._group.create_task(call)
        shelf.add(task)
        task.add_done_callback(shelf.discard)

    async def _bring(self, call: Call[Item | None]) -> None:
        item = await call()
        if item is not None:
            self._put(item)

    async def _answer(self, key: Hashable, call: Call[list[Item]]) -> None:
        try:
            for item in await call():
                self._put(item)
        except ExchangeError as error:
            self._complain(str(error))
        finally:
            self._reading.discard(key)
