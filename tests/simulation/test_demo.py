"""The demo as a person runs it: real processes, real sockets, a real database. Slow, so the whole of it runs in `make simulate`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exchange_clients.sandbox.faults import FaultKind

TAPE = "perp_dex_hourly_2026-01-02.csv"
AGREES = "the ledger agrees with the venues' balances to the last digit"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "runbot.py", "demo", "--service-port", str(free_port()), *arguments]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def demo(root: Path, *arguments: str) -> str:
    process = start(root, *arguments)
    out, errors = process.communicate(timeout=480)
    assert process.returncode == 0, f"{out}\n{errors}"
    assert errors == "", errors
    return out


def test_on_real_history(root: Path, shared_dir: Path) -> None:
    """The short proof that always runs: a tape, at a speed that makes the round brief."""
    out = demo(root, "--tape", str(shared_dir / "tapes" / TAPE), "--speed", "800")
    assert "replayed" in out and "nothing is live" in out
    assert len(re.findall(r"enter: ", out)) >= 1 and len(re.findall(r"exit: ", out)) >= 2
    assert "funding received" in out or "funding paid" in out
    assert AGREES in out


def needs_time(long_run: bool) -> None:
    if not long_run:
        pytest.skip("takes minutes: `make simulate` runs it")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_the_model(root: Path, long_run: bool, seed: int) -> None:
    needs_time(long_run)
    out = demo(root, "--seed", str(seed))
    assert "seeded model" in out and AGREES in out


@pytest.mark.parametrize("world", [*(f"seed {n}" for n in range(1, 11)), f"tape {TAPE}", "tape perp_dex_hourly_2026-01-04.csv"])
def test_five_rounds(root: Path, shared_dir: Path, long_run: bool, tmp_path: Path, world: str) -> None:
    """What runs once hides what happens the second time: markets are watched, left and watched again."""
    needs_time(long_run)
    settings = (root / "configs" / "demo.yaml").read_text()
    for name, value in (("rounds_max", 5), ("hold_ms_max", 1_200_000), ("hold_ms_min", 1_200_000)):
        settings = re.sub(rf"{name}: \d+", f"{name}: {value}", settings)
    config = tmp_path / "five_rounds.yaml"
    config.write_text(settings)
    kind, which = world.split(" ")
    chosen = ["--seed", which] if kind == "seed" else ["--tape", str(shared_dir / "tapes" / which)]
    out = demo(root, "--config", str(config), *chosen)
    assert "5 of 5 rounds are done" in out and AGREES in out


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("kind", list(FaultKind))
def test_with_a_fault(root: Path, shared_dir: Path, long_run: bool, kind: FaultKind, nth: int) -> None:
    needs_time(long_run)
    tape = str(shared_dir / "tapes" / TAPE)
    assert AGREES in demo(root, "--tape", tape, "--speed", "600", "--fault", f"{kind.value}::{nth}")


def test_interrupted_in_the_middle_it_closes_everything(root: Path, long_run: bool) -> None:
    needs_time(long_run)
    process = start(root)
    assert process.stdout is not None
    seen = ""
    while "hedge: " not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    assert AGREES in rest, rest + errors
    assert process.returncode == 0


def test_killed_it_leaves_nothing_running(root: Path, long_run: bool) -> None:
    needs_time(long_run)
    process = start(root)
    assert process.stdout is not None
    seen = ""
    while "rates collected" not in seen:
        seen += process.stdout.readline()
    children = _descendants(process.pid)
    assert len(children) >= 3, "sandbox, service and database"
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in children):
        assert time.monotonic() < deadline, [pid for pid in children if _is_running(pid)]
        time.sleep(0.2)


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found |= {child} | _descendants(child)
    return found


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
