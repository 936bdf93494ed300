"""The one file that knows how the database is reached. `databases` for the ordinary, asyncpg beneath it for bulk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import databases
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from funding_rate_service.database.migrate import migrate
from funding_rate_service.errors import DatabaseUnavailable

CONNECT_S_MAX = 10.0
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What any call here may raise when the database is gone or refuses."""

CHANNEL = "funding_collected"
"""Notified, with the venue's name, after every collection run, successful or not."""

Row = Mapping[str, Any]


class Database:
    """A pool of connections to one PostgreSQL. `url`: postgresql://… or postgres://…, a socket directory as ?host=."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise DatabaseUnavailable(
                "DATABASE_URL is not a URL; expected postgresql://user:password@host:5432/name"
            ) from error
        if parsed.get_backend_name() not in ("postgresql", "postgres"):
            raise DatabaseUnavailable(f"DATABASE_URL is for {parsed.get_backend_name()}; only postgresql:// is supported")
        self._url = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._place = parsed.set(password=None).render_as_string()
        self._database = databases.Database(self._url, min_size=1, max_size=8, command_timeout=60)

    async def connect(self) -> None:
        """Migrate to the newest schema and open the pool. Raises DatabaseUnavailable, in one line."""
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                probe = await self.dedicated()
                await probe.close()
            await migrate(self._url)
            await self._database.connect()
        except DATABASE_ERRORS as error:
            reason = str(error) or f"no answer within {CONNECT_S_MAX:.0f} s"
            raise DatabaseUnavailable(f"the database at {self._place} can't be used: {reason}") from error

    async def disconnect(self) -> None:
        """Close the pool. Idempotent."""
        if self._database.is_connected:
            await self._database.disconnect()

    async def fetch_all(self, statement: str, values: dict[str, Any] | None = None) -> Sequence[Row]:
        """All rows of a query with :named values. Raises one of DATABASE_ERRORS."""
        return [row._mapping for row in await self._database.fetch_all(statement, values)]

    async def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Run one statement with :named values. Raises one of DATABASE_ERRORS."""
        await self._database.execute(statement, values)

    async def fetch_bulk(self, statement: str) -> Sequence[Row]:
        """All rows of a query without values, straight from asyncpg: for thousands of rows. Raises one of DATABASE_ERRORS."""
        async with self._database.connection() as connection:
            return list(await connection.raw_connection.fetch(statement))

    @asynccontextmanager
    async def bulk(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction on the asyncpg connection itself, for COPY. Committed at the end, rolled back on any error."""
        async with self._database.connection() as connection:
            raw = connection.raw_connection
            async with raw.transaction():
                yield raw

    async def dedicated(self) -> asyncpg.Connection:
        """A connection outside the pool, for what lives as long as a session: locks and notifications."""
        url = make_url(self._url)
        query = dict(url.query)
        return await asyncpg.connect(
            host=url.host or query.get("host"),
            port=url.port,
            user=url.username,
            password=url.password,
            database=url.database,
            ssl=query.get("ssl"),
            timeout=CONNECT_S_MAX,
            command_timeout=CONNECT_S_MAX,
        )
