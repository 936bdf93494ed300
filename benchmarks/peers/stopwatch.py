"""CPU per call, and the line in which a signer reports it. Standard library only: peers import it too."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def cpu_us(work: Callable[[], Any], count: int) -> float:
    """CPU µs of this process per call of `work`, over `count` calls after a few that do not count."""
    for _ in range(max(1, count // 20)):
        work()
    started = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - started) / count * 1e6


def report(us: dict[str, float], check: Any) -> None:
    """`us`: µs of each contender in this process. `check`: what the parent compares before it believes them."""
    sys.stdout.write(json.dumps({"us": us, "check": check}) + "\n")
    sys.stdout.flush()
