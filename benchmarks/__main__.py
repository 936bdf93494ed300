"""`python -m benchmarks [market_data | signing | a venue | part of a claim …] [--quick] [--rounds N]`.

Prints ratios of one run and never fails on a time; exits with 1 only when something does not run. Touches nothing but loopback,
apart from installing the peers once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from benchmarks import market_data, signing
from benchmarks.table import Row, show

Subject = TypeVar("Subject")
WIDTH_MIN = 145  # columns of the tables, also into a file


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Ours, the peers and the limit, as ratios of one run."
    )
    parser.add_argument(
        "names", nargs="*", help="market_data, signing, a venue or any part of a claim's name; all when left out"
    )
    parser.add_argument("--quick", action="store_true", help="one round of few frames: shows that it runs, and little else")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per contender; the median counts (default 5)")
    asked = parser.parse_args()
    rounds = 1 if asked.quick else asked.rounds
    out, progress = Console(width=max(WIDTH_MIN, Console().width)), Console(stderr=True)
    failures: list[str] = []

    def run(names: list[tuple[str, Subject]], measure: Callable[[Subject], Row]) -> list[Row]:
        rows = []
        for name, subject in names:
            if asked.names and not any(word.lower() in name.lower() for word in asked.names):
                continue
            try:
                rows.append(measure(subject))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failures.append(f"{name}: {error}")
        return rows

    def tell(text: str) -> None:
        progress.print(text, style="dim", highlight=False)

    frames, paced = (4_000, 1_000) if asked.quick else (20_000, 4_000)
    books = [(f"market_data {claim.name}", claim) for claim in market_data.claims(frames, paced)]
    orders = [(f"signing {venue}", venue) for venue in signing.SDKS]
    out.print(
        f"{os.cpu_count()} CPUs, CPython {sys.version.split()[0]}; medians; CPU of the process, not time on the wall",
        highlight=False,
    )
    if rows := run(books, lambda claim: market_data.measure(claim, rounds, tell)):
        show(out, "Market data: CPU per message, from the socket to a usable book", rows)
    if rows := run(orders, lambda venue: signing.measure(venue, rounds, tell)):
        show(out, "Orders: CPU to build and sign one", rows)
    for failure in failures:
        progress.print(failure, style="red", highlight=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
