"""Whatever is wrong on the way in: one clear line, a non-zero status, no traceback, nothing half-done."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange_clients import registry

VENUES = ", ".join(registry.names())
GOOD = f"strategy: funding_arbitrage\nbot:\n  venues: [{VENUES}]\n"


def runbot(root: Path, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "runbot.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd or root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", **environment},
    )


def must_say(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One line on stderr that holds all of `parts`."""
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert all(part in lines[0] for part in parts), lines[0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("strategy: funding_arbitrage\nbot:\n  venues: [nowhere, elsewhere]\n", ("nowhere", registry.names()[0])),
        ("strategy: grid_of_dreams\n", ("grid_of_dreams", "funding_arbitrage")),
        (GOOD + "settings:\n  size_used: 5\n", ("size_used", "size_usd")),
        (GOOD + "setings: {}\n", ("setings", "settings")),
        (GOOD + "settings:\n  leverage: many\n", ("settings.leverage", "many")),
        ("strategy: [\n", ("not YAML",)),
        ("- a list\n", ("mapping",)),
    ],
)
def test_config(root: Path, tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(text)
    secrets = {f"{v}_{f}".upper(): "1" for v in registry.names() for f in registry.spec(v).credential_fields}
    must_say(runbot(root, "run", "--config", str(config), "--environment", "testnet", cwd=tmp_path, **secrets), *parts)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bot.yaml"], "nothing half-done"


def test_missing_config(root: Path, tmp_path: Path) -> None:
    must_say(runbot(root, "run", "--config", str(tmp_path / "none.yaml")), "none.yaml")


def test_missing_credentials_name_the_variables(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    wanted = f"{registry.names()[0]}_{registry.spec(registry.names()[0]).credential_fields[0]}".upper()
    must_say(runbot(root, "run", "--config", str(config), cwd=tmp_path), wanted)


HEADER = (
    "hour_utc,venue,venue_symbol,mark_price,index_price,funding_rate,funding_interval_hours,open_interest_usd,volume_quote_1h\n"
)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (None, ("tape.csv",)),
        ("a,b,c\n", ("line 1",)),
        (HEADER + "2026-01-02T20:00:00Z,somewhere,BTC,1,1,0\n", ("line 2", "columns")),
        (HEADER + "2026-01-02T20:00:00Z,somewhere,BTC,ninety,1,0,1,1,1\n", ("line 2", "ninety")),
        (HEADER + "yesterday,somewhere,BTC,1,1,0,1,1,1\n", ("line 2", "yesterday")),
        (HEADER + "2026-01-02T20:00:00Z,somewhere,BTC,1,1,0,sometimes,1,1\n", ("line 2", "sometimes")),
    ],
)
def test_tape(root: Path, tmp_path: Path, rows: str | None, parts: tuple[str, ...]) -> None:
    tape = tmp_path / "tape.csv"
    if rows is not None:
        tape.write_text(rows)
    must_say(runbot(root, "demo", "--tape", str(tape)), *parts)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_port_in_use(root: Path, taken_port: int) -> None:
    must_say(runbot(root, "demo", "--service-port", str(taken_port)), str(taken_port), "in use")


def test_unknown_fault(root: Path) -> None:
    must_say(runbot(root, "demo", "--fault", "gremlins"), "gremlins", "lost_reply")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[dict]:
    """A sandbox server of every venue, as an operator would start it."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "exchange_clients.sandbox.server",
            "--account",
            "bot:10000",
            "--account",
            "other:10000",
            "--until-stdin-closes",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.communicate(timeout=20)


def ports_file(tmp_path: Path, told: dict) -> Path:
    path = tmp_path / "ports.json"
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ("symbols: [NOSUCHCOIN]", ("settings.symbols", "NOSUCHCOIN")),
        ("symbols: [btc, ETHH]", ("settings.symbols", "'ETHH'", "did you mean", "ETH")),
        ("exclude: [ETHH]", ("settings.exclude", "'ETHH'", "did you mean", "ETH")),
    ],
)
def test_unknown_symbol(root: Path, tmp_path: Path, sandbox: dict, settings: str, parts: tuple[str, ...]) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD + f"settings:\n  {settings}\n")
    told = ports_file(tmp_path, sandbox)
    result = runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), cwd=tmp_path)
    must_say(result, *parts)


@pytest.mark.parametrize(("skew_ms", "said"), [(-30_000, "s behind"), (30_000, "s ahead of")])
def test_a_clock_that_is_off(root: Path, tmp_path: Path, sandbox: dict, skew_ms: int, said: str) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    speed, real, market = (sandbox["clock"] or "1.0:0:0").split(":")
    told = ports_file(tmp_path, {**sandbox, "clock": f"{speed}:{real}:{int(market) + skew_ms}"})
    result = runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), cwd=tmp_path)
    must_say(result, "clock", said)
    assert "opening" not in result.stdout


@pytest.mark.parametrize("venue", registry.names())
def test_malformed_key(root: Path, tmp_path: Path, sandbox: dict, venue: str) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    accounts = {name: {"bot": dict(held["bot"])} for name, held in sandbox["accounts"].items()}
    accounts[venue]["bot"]["private_key"] = "not-a-key"
    told = ports_file(tmp_path, {**sandbox, "accounts": accounts})
    result = runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), cwd=tmp_path)
    must_say(result, venue, "private_key")
    assert "not-a-key" not in result.stderr + result.stdout


@pytest.mark.parametrize("venue", registry.names())
def test_wrong_key(root: Path, tmp_path: Path, sandbox: dict, venue: str) -> None:
    """A well-formed key of somebody else: found out before anything is sent."""
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    accounts = {name: {"bot": dict(held["bot"])} for name, held in sandbox["accounts"].items()}
    accounts[venue]["bot"]["private_key"] = sandbox["accounts"][venue]["other"]["private_key"]
    told = ports_file(tmp_path, {**sandbox, "accounts": accounts})
    result = runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), cwd=tmp_path)
    must_say(result, venue)
    assert "opening" not in result.stdout


def test_unknown_account_and_missing_sandbox_file(root: Path, tmp_path: Path, sandbox: dict) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    told = ports_file(tmp_path, sandbox)
    must_say(
        runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), "--account", "nobody"),
        "nobody",
    )
    must_say(
        runbot(root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(tmp_path / "no.json")),
        "no.json",
    )


def test_journal_on_a_full_disk(root: Path, tmp_path: Path, sandbox: dict) -> None:
    config = tmp_path / "bot.yaml"
    config.write_text(GOOD)
    told = ports_file(tmp_path, sandbox)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    result = runbot(
        root, "run", "--config", str(config), "--environment", "sandbox", "--sandbox", str(told), "--journal", str(full)
    )
    must_say(result, "journal", "/dev/full")
