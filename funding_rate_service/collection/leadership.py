"""One process collects, however many serve: whoever holds a PostgreSQL advisory lock. All of them hear of new collections.

The lock belongs to a session: when its process or its connection dies, PostgreSQL gives it to the next one that asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from funding_rate_service.database.connection import CHANNEL, DATABASE_ERRORS, Database

log = logging.getLogger(__name__)

_LOCK = 7_205_002
_CHECK_LOOP_S = 2.0
_RECONNECT_LOOP_S = 1.0


class Leadership:
    """Calls `begin` when we start to lead and `end` when we no longer do (also when we never did).

    `on_collected` is called after every collection run of any process, and when something may have been missed.
    """

    def __init__(
        self,
        database: Database,
        begin: Callable[[], Awaitable[None]],
        end: Callable[[], None],
        on_collected: Callable[[], None],
    ) -> None:
        self.is_leader = False
        self._database = database
        self._begin = begin
        self._end = end
        self._on_collected = on_collected

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                connection = await self._database.dedicated()
                try:
                    await self._session(connection)
                finally:
                    self._step_down()
                    connection.terminate()
            except DATABASE_ERRORS as error:
                log.warning("the session that decides who collects is lost: %s; trying again", error)
            await asyncio.sleep(_RECONNECT_LOOP_S)

    async def _session(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener(CHANNEL, lambda *_: self._on_collected())
        self._on_collected()
        while True:
            if self.is_leader:
                await connection.execute("SELECT 1")
            elif await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                self.is_leader = True
                await self._begin()
                self._on_collected()
            await asyncio.sleep(_CHECK_LOOP_S)

    def _step_down(self) -> None:
        self._end()
        self.is_leader = False
