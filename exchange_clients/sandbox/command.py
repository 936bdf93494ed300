"""The command line of the sandbox server."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from exchange_clients import registry
from exchange_clients.engine.clock import SystemClock
from exchange_clients.errors import Misconfigured
from exchange_clients.sandbox.faults import Fault, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.server import SandboxServer
from exchange_clients.sandbox.tape import TapeError, TapePrices
from exchange_clients.sandbox.world import World

_DESCRIPTION = """\
Serve simulated venues on loopback. Prints one JSON line with ports, accounts and a description of the world, then runs until
SIGTERM or SIGINT. Nothing it shows is real."""


def main(arguments: list[str] | None = None) -> int:
    """Run the server. Returns the exit status: 0 when stopped, 2 with one message when it can't start."""
    return asyncio.run(_serve(parser().parse_args(arguments)))


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        clock, prices = _world_of(options)
        world = World.build(options.venues, prices, clock, options.seed)
        server = SandboxServer(world, FaultPlan(options.fault), options.tick_s, dict(options.port))
        ports = await server.start()
    except (TapeError, Misconfigured, ValueError, OSError) as failure:
        sys.stderr.write(f"sandbox: {failure}\n")
        return 2
    try:
        _say({"world": world.describe(), "clock": clock.as_text(), "ports": ports, "accounts": _enrol(world, options)}, options)
        if options.until_stdin_closes:
            await _end_with_stdin(stop)
        await _until(stop, server)
    finally:
        await server.stop()
    return 0


def _world_of(options: argparse.Namespace) -> tuple[SystemClock, PriceSource]:
    if options.tape:
        tape = TapePrices(options.tape, options.venues)
        return options.clock or SystemClock.starting_at(tape.start_ms, 1.0), tape
    clock: SystemClock = options.clock or SystemClock()
    return clock, ModelPrices(options.seed, clock.market_origin_ms or clock.now_ms())


def _enrol(world: World, options: argparse.Namespace) -> dict[str, dict[str, dict[str, str]]]:
    return {
        venue: {name: dict(world.enrol(venue, name, balance).values) for name, balance in options.account}
        for venue in options.venues
    }


class _EndOfInput(asyncio.Protocol):
    """Sets `stop` when whoever holds the other end of stdin is gone, however it went."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


async def _end_with_stdin(stop: asyncio.Event) -> None:
    await asyncio.get_running_loop().connect_read_pipe(lambda: _EndOfInput(stop), sys.stdin)


async def _until(stop: asyncio.Event, server: SandboxServer) -> None:
    tasks = {asyncio.create_task(stop.wait()), asyncio.create_task(server.wait())}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def _say(said: dict[str, Any], options: argparse.Namespace) -> None:
    line = json.dumps(said) + "\n"
    ports_file: Path | None = options.ports_file
    if ports_file is not None:
        partial = ports_file.with_name(ports_file.name + ".part")
        partial.write_text(line, encoding="utf-8")
        partial.replace(ports_file)  # readers see all of it or nothing
    sys.stdout.write(line)
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """The options, for the command and for the reference page."""
    made = argparse.ArgumentParser(prog="python -m exchange_clients.sandbox.server", description=_DESCRIPTION)
    known = ",".join(registry.names())
    made.add_argument("--venues", type=_venues, default=list(registry.names()), metavar="A,B", help=f"default: {known}")
    made.add_argument("--seed", type=int, default=7, help="of the model and the books (default 7)")
    made.add_argument("--tape", type=Path, help="prices from this CSV file instead of the model")
    made.add_argument("--clock", type=_clock, metavar="SPEED:REAL_MS:MARKET_MS", help="market time; default: this machine's")
    made.add_argument(
        "--account", type=_account, action="append", default=[], metavar="NAME:BALANCE", help="enrol on each venue"
    )
    made.add_argument("--fault", type=_fault, action="append", default=[], metavar="KIND[:VENUE[:NTH]]", help="repeatable")
    made.add_argument("--port", type=_port, action="append", default=[], metavar="VENUE:PORT", help="default: any free port")
    made.add_argument("--tick-s", type=float, default=0.1, help="seconds between two moves of the world (default 0.1)")
    made.add_argument("--ports-file", type=Path, help="also write the JSON line to this file")
    made.add_argument("--until-stdin-closes", action="store_true", help="also stop when stdin ends")
    return made


def _venues(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _account(text: str) -> tuple[str, Decimal]:
    name, _, balance_text = text.partition(":")
    try:
        balance = Decimal(balance_text)
    except InvalidOperation as failure:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:BALANCE") from failure
    if not name or not balance.is_finite() or balance < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:BALANCE")
    return name, balance


def _clock(text: str) -> SystemClock:
    try:
        return SystemClock.from_text(text)
    except ValueError as failure:
        raise argparse.ArgumentTypeError(f"{text!r} is not SPEED:REAL_MS:MARKET_MS") from failure


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as failure:
        raise argparse.ArgumentTypeError(str(failure)) from failure


def _port(text: str) -> tuple[str, int]:
    venue, _, port_text = text.partition(":")
    if not venue or not port_text.isdigit() or not 0 <= int(port_text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not VENUE:PORT")
    return venue, int(port_text)
