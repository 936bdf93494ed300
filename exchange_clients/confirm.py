"""`python -m exchange_clients.confirm`: a person says that a market which changed by ten times or more is so."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from exchange_clients import registry
from exchange_clients.domain.provenance import Environment
from exchange_clients.errors import Misconfigured
from exchange_clients.market_watch import MarketWatch
from exchange_clients.network import markets_file
from exchange_clients.user_folder import user_folder

_DESCRIPTION = """\
Say that a market whose lot, multiplier, tick or price changed by a factor of ten or more since it was last seen really is so. Until
then nothing is traded on it. Without a symbol, list what is in doubt. A running program takes it over at once."""


def parser() -> argparse.ArgumentParser:
    """The options, for the command and for the reference page."""
    made = argparse.ArgumentParser(prog="python -m exchange_clients.confirm", description=_DESCRIPTION)
    made.add_argument("venue", metavar="VENUE", help="which venue")
    made.add_argument("symbols", nargs="*", metavar="SYMBOL", help="what to confirm: a base asset or the venue's spelling")
    made.add_argument("--environment", choices=[e.value for e in Environment], default="live", help="which installation")
    made.add_argument("--folder", type=Path, help="where the program keeps its state; default: the user's own folder")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 when nothing is left in doubt, 1 when something is, 2 when it could not be done."""
    options = parser().parse_intermixed_args(arguments)
    try:
        venue = registry.spec(options.venue).name
        root = options.folder or user_folder()
        if root is None:
            raise Misconfigured(venue, "confirm", "there is no folder of this user's own; give --folder")
        watch = MarketWatch(venue, markets_file(root, Environment(options.environment), venue))
        for symbol in options.symbols:
            watch.confirm(symbol)
            sys.stdout.write(f"{symbol}: believed from now on\n")
    except Misconfigured as wrong:
        sys.stderr.write(f"confirm: {wrong}\n")
        return 2
    for doubt in watch.doubts:
        sys.stdout.write(f"in doubt: {doubt.venue_symbol} ({doubt.figures.symbol}): {doubt.reason}\n")
    if not watch.doubts:
        sys.stdout.write("nothing is in doubt\n")
    return 1 if watch.doubts else 0


if __name__ == "__main__":
    raise SystemExit(main())
