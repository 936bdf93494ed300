"""A sandbox in a process of its own, and peers in processes and environments of theirs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.environments import ROOT, Unavailable, node_folder_of, python_of

PEER_S_MAX = 180
PEERS_DIR = Path(__file__).resolve().parent / "peers"
ACCOUNT = "interop"
BALANCE = "100000"
HISTORY_MS = 6 * 3_600_000


@dataclass(frozen=True)
class Stage:
    """One venue's façade on loopback. `url`: scheme, host and port. `credentials`: of a funded throw-away account."""

    url: str
    credentials: dict[str, str]


@contextmanager
def serving(venue: str) -> Iterator[Stage]:
    """A sandbox of one venue, for as long as the block lasts. Its time is this machine's; its markets are six hours old."""
    then_ms = int(time.time() * 1000) - HISTORY_MS
    command = [sys.executable, "-m", "exchange_clients.sandbox.server", "--venues", venue, "--until-stdin-closes"]
    options = ["--account", f"{ACCOUNT}:{BALANCE}", "--clock", f"1:{then_ms}:{then_ms}"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield Stage(f"http://127.0.0.1:{said['ports'][venue]}", said["accounts"][venue][ACCOUNT])
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def drive(peer: str, script: str, *arguments: str) -> dict[str, Any]:
    """What `peers/<script>.py` told after running in the environment of `peer`; skips when that can't be had."""
    try:
        python = python_of(peer)
    except Unavailable as why:
        pytest.skip(str(why))
    return _told([str(python), "-m", f"tests.interop.peers.{script}", *arguments], script)


def drive_node(peer: str, *arguments: str) -> dict[str, Any]:
    """The same for `peers/<peer>.mjs`, which runs beside the packages that it imports."""
    try:
        folder = node_folder_of(peer)
    except Unavailable as why:
        pytest.skip(str(why))
    script = shutil.copy(PEERS_DIR / f"{peer}.mjs", folder)
    return _told(["node", str(script), *arguments], peer)


def _told(command: list[str], script: str) -> dict[str, Any]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PEER_S_MAX)
    told = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0 and told, f"{script} did not come to its end:\n{done.stderr[-4000:]}{done.stdout[-1000:]}"
    found: dict[str, Any] = json.loads(told[-1])
    return found
