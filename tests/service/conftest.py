"""One embedded PostgreSQL for the whole folder, one empty database in it for each test that asks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from funding_rate_service.database.embedded import EmbeddedPostgres

_numbers = count(1)


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
    """The URL of an empty database."""
    name = f"test_{next(_numbers)}"

    async def create() -> None:
        socket_dir = server_url.partition("?host=")[2]
        password = server_url.partition("://funding:")[2].partition("@")[0]
        connection = await asyncpg.connect(host=socket_dir, user="funding", password=password, database="postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return server_url.replace("/postgres?", f"/{name}?")
