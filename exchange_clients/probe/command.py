"""The command line of the probe."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from exchange_clients import registry
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import SystemClock
from exchange_clients.errors import ExchangeError, Misconfigured
from exchange_clients.network import Network
from exchange_clients.probe.documented import documented_fields
from exchange_clients.probe.fields import Kinds
from exchange_clients.probe.report import Report, report, table
from exchange_clients.probe.walk import Walk
from exchange_clients.probe.watcher import Watcher
from exchange_clients.sandbox.sandbox import Sandbox
from exchange_clients.spec import VenueSpec

_DESCRIPTION = """\
Look at venues from this machine: read every call and stream that the clients use, compare the fields with those that are known,
and measure clocks, round trips, paces and budgets. Only reads, unless --place-and-cancel says otherwise. Prints a table and writes
a file per venue that holds no value of an account and makes a good issue. Exit status: 0 nothing has changed, 1 something has,
2 it could not be done."""


def parser() -> argparse.ArgumentParser:
    """The options, for the command and for the reference page."""
    made = argparse.ArgumentParser(prog="python -m exchange_clients.probe", description=_DESCRIPTION)
    made.add_argument("venues", nargs="*", metavar="VENUE", help="which venues; default: all")
    made.add_argument("--environment", choices=[e.value for e in Environment], default="live", help="which installation")
    made.add_argument(
        "--host",
        help="root address of a sandbox or a testnet of your own (one venue); without it, sandbox starts one of its own",
    )
    made.add_argument(
        "--credentials",
        metavar="FILE",
        help="also read the account; VENUE_FIELD=value lines of a file, or `env` for the environment",
    )
    made.add_argument("--seconds", type=float, default=60.0, help="how long streams are watched")
    made.add_argument("--market", default="", help="base asset to look at; default: a well-known one")
    made.add_argument(
        "--place-and-cancel",
        action="store_true",
        help="testnet and sandbox only: one smallest post-only order, cancelled at once",
    )
    made.add_argument("--output", type=Path, default=Path(), metavar="FOLDER", help="where the files go")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Probe each venue in turn. Returns the exit status."""
    options = parser().parse_intermixed_args(arguments)
    try:
        specs = [registry.spec(venue) for venue in options.venues or registry.names()]
        _check(options, specs)
        secrets = {spec.name: _credentials(options.credentials, spec) for spec in specs}
        found = []
        for spec in specs:
            known = documented_fields(spec.name)
            found.append(asyncio.run(_probe(options, spec, secrets[spec.name], known)))
            _tell(options.output, found[-1])
    except (ExchangeError, OSError, ValueError) as failure:
        sys.stderr.write(f"probe: {failure}\n")
        return 2
    return 1 if any(one.findings for one in found) else 0


def _check(options: argparse.Namespace, specs: list[VenueSpec]) -> None:
    if options.host and len(specs) != 1:
        raise Misconfigured("probe", "--host", "an address is of one venue: name it")
    if options.place_and_cancel and options.environment == Environment.LIVE.value:
        raise Misconfigured("probe", "--place-and-cancel", "no order is ever placed on live; use a testnet or the sandbox")
    if not options.seconds > 0:
        raise Misconfigured("probe", "--seconds", "it must be positive")
    if options.place_and_cancel and not options.credentials and (options.environment == "testnet" or options.host):
        raise Misconfigured("probe", "--place-and-cancel", "an order needs an account: give --credentials")


async def _probe(options: argparse.Namespace, spec: VenueSpec, secrets: Credentials | None, known: dict[str, Kinds]) -> Report:
    clock = SystemClock()
    watcher = Watcher(clock.now_ms, asyncio.get_running_loop().time)
    if options.environment == Environment.SANDBOX.value and not options.host:
        async with Sandbox([spec.name], loopback=True, clock=clock, observer=watcher) as world:
            given = secrets or world.enrol(spec.name, "probe")
            return await look(
                world.network, spec.name, given, watcher, known, options.seconds, options.market, options.place_and_cancel
            )
    hosts = {spec.name: options.host} if options.host else None
    async with Network(options.environment, hosts=hosts, clock=clock, observer=watcher) as network:
        return await look(
            network, spec.name, secrets, watcher, known, options.seconds, options.market, options.place_and_cancel
        )


async def look(
    network: Network,
    venue: str,
    secrets: Credentials | None,
    watcher: Watcher,
    known: dict[str, Kinds],
    seconds: float,
    market: str = "",
    place_and_cancel: bool = False,
) -> Report:
    """Walk one venue and report. `watcher` is the network's observer; `known`: what `documented_fields` gives."""
    began = network.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    hidden = () if secrets is None else tuple(secrets.values.values())
    walk = Walk(network.client(venue, secrets), network.adapter(venue), network.clock, market, hidden)
    await walk.public()
    if secrets is not None:
        await walk.account()
    watching = asyncio.create_task(walk.watch(seconds, secrets is not None))
    if place_and_cancel and secrets is not None and network.environment is not Environment.LIVE:
        await asyncio.sleep(min(1.0, seconds / 4))
        await walk.place_and_cancel(uuid4())
    await watching
    if not watcher.rows:
        raise Misconfigured(venue, "probe", f"nothing answered: {'; '.join({step.error for step in walk.steps})}")
    return report(venue, network.environment.value, began, seconds, walk, watcher, known, secrets is not None)


def _tell(folder: Path, found: Report) -> None:
    file = folder / f"probe-{found.venue}-{found.environment}-{found.began.replace(':', '').replace('-', '')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    sys.stdout.write(f"{table(found)}\nwritten to {file}\n\n")


def _credentials(source: str | None, spec: VenueSpec) -> Credentials | None:
    """Credentials of one venue from `source`; None when none were asked for. Raises Misconfigured naming what is missing."""
    if not source:
        return None
    texts: Mapping[str, str] = os.environ if source == "env" else _file(Path(source))
    names = (*spec.credential_fields, *spec.credential_fields_optional)
    found = {name: texts.get(f"{spec.name}_{name}".upper(), "") for name in names}
    missing = [f"{spec.name}_{name}".upper() for name in spec.credential_fields if not found[name]]
    if missing:
        raise Misconfigured(spec.name, "credentials", f"{source} does not give {', '.join(missing)}")
    return Credentials({name: value for name, value in found.items() if value})


def _file(path: Path) -> dict[str, str]:
    """NAME=value lines; empty ones and comments are skipped."""
    pairs: Any = (
        line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line and line[:1] != "#"
    )
    return {name.strip().removeprefix("export "): value.strip().strip("'\"") for name, value in pairs}
