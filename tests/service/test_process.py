"""`python -m funding_rate_service` as a process: it starts, serves, ends, and says in one line why it can't."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_clients import registry
from exchange_clients.engine.http import AiohttpTransport
from funding_rate_service.client import FundingServiceClient, ServiceUnavailable
from funding_rate_service.config import load_settings
from funding_rate_service.errors import StartupError
from tests.service.world import until

STARTER = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-m", "funding_rate_service"]).pid, flush=True)
time.sleep(60)
"""
VENUE = registry.names()[0]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _environment(**settings: str) -> dict[str, str]:
    nowhere = {"rest": f"http://127.0.0.1:{_free_port()}"}
    chosen = {
        "FUNDING_ENVIRONMENT": "sandbox",
        "FUNDING_VENUES": VENUE,
        "FUNDING_VENUE_URLS": json.dumps({VENUE: nowhere}),
        "FUNDING_PORT": "0",
        **settings,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FUNDING_") and name != "DATABASE_URL"}
    return kept | chosen


def _fails(root: Path, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "funding_rate_service"], cwd=root, env=_environment(**settings), capture_output=True,
        text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("funding-rate-service: ")]
    assert done.stderr.strip().endswith(line)
    return line


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"FUNDING_VENUES": "omega"}, "FUNDING_VENUES: unknown venue omega; known are"),
        ({"FUNDING_PORT": "eighty"}, "FUNDING_PORT: "),
        ({"FUNDING_CLOCK": "fast"}, "FUNDING_CLOCK: not a clock"),
        ({"FUNDING_VENUE_URLS": "{}"}, f"the sandbox needs FUNDING_VENUE_URLS for {VENUE}"),
        ({"FUNDING_VENUE_URLS": "nonsense"}, "FUNDING_VENUE_URLS"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str) -> None:
    for name, value in _environment(**settings).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartupError) as refused:
        load_settings()
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"FUNDING_VENUES": "omega"}, "settings: FUNDING_VENUES: unknown venue omega; known are"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "only postgresql:// is supported"),
        (
            {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"},
            "the database at postgresql://u:***@127.0.0.1:1/x can't be used",
        ),
        ({"FUNDING_DATA_DIR": "/dev/null/x"}, "embedded database in /dev/null/x"),
    ],
)
def test_what_prevents_the_start_is_one_line(root: Path, settings: dict[str, str], says: str) -> None:
    line = _fails(root, **settings)
    assert says in line and "secret" not in line


def test_a_port_in_use_is_one_line(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"can't listen on 127.0.0.1:{port}" in _fails(root, FUNDING_PORT=port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_without_its_venue_and_ends_cleanly(root: Path, reachable_dir: Path, number: signal.Signals) -> None:
    port = _free_port()
    env = _environment(FUNDING_PORT=str(port), FUNDING_DATA_DIR=str(reachable_dir / "process"))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "funding_rate_service", cwd=root, env=env)
    http = AiohttpTransport()
    client = FundingServiceClient(f"http://127.0.0.1:{port}", http)
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    health = await client.health()
                except ServiceUnavailable:
                    await asyncio.sleep(0.05)
                    continue
                if health.dex_health and health.dex_health[0].last_error:
                    break
                await asyncio.sleep(0.05)
        assert (health.status, health.dex_health[0].is_healthy) == ("unhealthy", False)
        assert not await client.ready()
        process.send_signal(number)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        await http.close()
        if process.returncode is None:
            process.kill()
    assert not (reachable_dir / "process" / "cluster" / "postmaster.pid").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel")
async def test_it_ends_with_its_parent_when_asked(root: Path, reachable_dir: Path) -> None:
    env = _environment(FUNDING_DIE_WITH_PARENT="1", FUNDING_DATA_DIR=str(reachable_dir / "orphan"))
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, cwd=root, env=env, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    lock = reachable_dir / "orphan" / "cluster" / "postmaster.pid"
    await until(lock.exists, 20)
    parent.kill()
    await parent.wait()
    await until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text(), 20)
    await until(lambda: not lock.exists(), 20)
