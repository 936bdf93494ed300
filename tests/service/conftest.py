"""One embedded PostgreSQL for the whole folder, emptied for each test that asks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from funding_rate_service.database.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def reachable_dir() -> Iterator[Path]:
    """A directory that an unprivileged database may be given, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="service-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(reachable_dir: Path) -> Iterator[str]:
    server = EmbeddedPostgres(reachable_dir / "shared")
    url = asyncio.run(server.start())
    yield url
    asyncio.run(server.stop())


@pytest.fixture
def database_url(server_url: str) -> str:
    """The URL of a database without tables. It is one and the same: making a new one for each test costs a second of fsync."""

    async def empty() -> None:
        socket_dir = server_url.partition("?host=")[2]
        password = server_url.partition("://funding:")[2].partition("@")[0]
        connection = await asyncpg.connect(host=socket_dir, user="funding", password=password, database="postgres")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()

    asyncio.run(empty())
    return server_url
