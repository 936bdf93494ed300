"""A of PERFORMANCE: CPU of one process per message, from the socket to a book its reader can use.

A frame server in a process of its own sends the same bytes to every contender, each a process of its own, in turn and for several
rounds. Back to back means as fast as the reader takes them: then readers of states may see only some of them, but every frame is
decoded into a book by everybody. One at a time means that every frame is a turn of the loop of its own and is seen by the reader.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from threading import Timer
from typing import Any

from benchmarks.environments import OURS, ROOT, Unavailable, compiled, python_of
from benchmarks.table import Row

LIMIT = "limit: C++ frames + simdjson"
READER_S_MAX = 120.0


@dataclass(frozen=True)
class Contender:
    """`feed`: what it reads of the server. `command`: makes its command line up to the arguments every reader takes."""

    name: str
    feed: str
    command: Callable[[], list[str]]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One row. `gap_us`: between frames; 0 sends back to back."""

    name: str
    venue: str
    contenders: tuple[Contender, ...]
    frames: int
    gap_us: int = 0
    note: str = ""


class FrameServer:
    """The server's process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.frame_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def tell(self, order: Any) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def script(peer: str, module: str) -> Callable[[], list[str]]:
    """The command of a Python reader."""
    return lambda: [str(python_of(peer)), "-m", f"benchmarks.peers.{module}"]


def claims(frames: int, paced_frames: int) -> list[Claim]:
    """The rows of this issue."""
    hyperliquid = _contenders("hyperliquid", "hyperliquid_book", "hyperliquid_book", "ccxt.pro")
    sdk = Contender("hyperliquid-python-sdk", "hyperliquid_book", script("hyperliquid_sdk", "hyperliquid_sdk_book"))
    paradex = _contenders("paradex", "paradex_deltas", "paradex_snapshots", "ccxt.pro (15×2 snapshots)")
    work = "ours and the limit read SBE, which the venue serves since 2026-09; ccxt.pro reads no deltas: it is sent 15×2 JSON snapshots, "
    work += "other work; the limit reads numbers and keeps no book"
    return [
        Claim("Hyperliquid l2Book 20×2, back to back", "hyperliquid", (*hyperliquid, sdk), frames),
        Claim("Hyperliquid l2Book 20×2, one at a time", "hyperliquid", hyperliquid, paced_frames, 300),
        Claim("Paradex deltas, back to back", "paradex", paradex, frames, 0, work),
        Claim("Paradex deltas, one at a time", "paradex", paradex, paced_frames, 300, work),
    ]


def _contenders(venue: str, feed: str, ccxt_feed: str, ccxt_name: str) -> tuple[Contender, ...]:
    return (
        Contender("ours: picows on uvloop", feed, script(OURS, "ours_book")),
        Contender("ours: portable websockets", feed, script(OURS, "ours_book"), ("--transport", "portable")),
        Contender(ccxt_name, ccxt_feed, script("ccxt", "ccxt_book")),
        Contender(LIMIT, feed, lambda: [str(compiled("limit_book.cpp"))]),
    )


def measure(claim: Claim, rounds: int, progress: Callable[[str], None]) -> Row:
    """Run every contender `rounds` times, in turn. One that can't be had here is left out and noted."""
    row = Row(claim.name, claim.contenders[0].name, {}, notes=[claim.note] if claim.note else [])
    ready = []
    for contender in claim.contenders:
        try:
            ready.append((contender, contender.command()))
        except Unavailable as why:
            row.notes.append(f"{contender.name}: not measured ({why})")
    row.limit = LIMIT if any(contender.name == LIMIT for contender, _ in ready) else None
    seen: dict[str, float] = {}
    server = FrameServer()
    try:
        for number in range(rounds):
            for contender, command in ready:
                progress(f"{claim.name}: {contender.name}, round {number + 1}")
                found = run(server, claim, contender, command)
                row.samples_us.setdefault(contender.name, []).append(found["us_per_frame"])
                seen[contender.name] = found["states"] / claim.frames
    finally:
        server.close()
    row.notes.append("states its reader saw: " + ", ".join(f"{name} {share:.0%}" for name, share in seen.items()))
    return row


def run(server: FrameServer, claim: Claim, contender: Contender, command: list[str]) -> dict[str, Any]:
    """One contender once; returns what it measured. Raises RuntimeError when it does not come to an end."""
    warm = max(200, claim.frames // 10)
    server.tell({"feed": contender.feed, "warm": warm, "frames": claim.frames, "gap_us": claim.gap_us})
    numbers = [str(server.port), str(warm), str(claim.frames)]
    is_limit = contender.name == LIMIT
    tail = [*numbers, claim.venue] if is_limit else [claim.venue, *numbers, *contender.arguments]
    reader = subprocess.Popen([*command, *tail], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    too_long = Timer(READER_S_MAX, reader.kill)
    too_long.start()
    said = reader.stdout.readline()
    if said.startswith("{") and "warm" in json.loads(said):
        server.tell("go")
    out, errors = reader.communicate()
    too_long.cancel()
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{contender.name} did not run: {errors.strip()[-2000:] or 'it printed nothing in time'}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
