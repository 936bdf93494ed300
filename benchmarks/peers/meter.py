"""Counts the CPU of this process from the end of the warm-up to the last frame. Standard library only: peers import it too."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from benchmarks.frames import EPOCH_MS


class Meter:
    """`see` is told the time of every state that reached the reader; the server waits between warm-up and rest for our word."""

    def __init__(self, warm: int, frames: int) -> None:
        self._warm_ms = EPOCH_MS + warm - 1
        self._last_ms = EPOCH_MS + warm + frames - 1
        self._frames = frames
        self._states = 0
        self._started_cpu_s: float | None = None
        self._started_s = 0.0

    def see(self, time_ms: int) -> bool:
        """True when `time_ms` is that of the last frame."""
        self._states += 1
        if time_ms < self._last_ms:
            if time_ms == self._warm_ms and self._started_cpu_s is None:
                say({"warm": True})
                self._states = 0
                self._started_s = time.perf_counter()
                self._started_cpu_s = time.process_time()
            return False
        cpu_s = time.process_time() - (self._started_cpu_s or 0.0)
        say(
            {
                "us_per_frame": cpu_s / self._frames * 1e6,
                "states": self._states,
                "wall_s": time.perf_counter() - self._started_s,
            }
        )
        return True


def say(message: dict[str, Any]) -> None:
    """One JSON line for the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """`venue port warm frames [--transport …]`, as every reader is started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("venue")
    parser.add_argument("port", type=int)
    parser.add_argument("warm", type=int)
    parser.add_argument("frames", type=int)
    parser.add_argument("--transport", default="picows")
    return parser.parse_args()
