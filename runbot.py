"""The command line, and the only place that chooses the world a bot lives in: live, testnet or demo."""

from __future__ import annotations

import asyncio
import decimal
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.domain.spellings import Spellings
from exchange_clients.engine.clock import SystemClock
from exchange_clients.errors import ExchangeError, Misconfigured
from exchange_clients.network import Network
from exchange_clients.sandbox.faults import Fault
from exchange_clients.sandbox.tape import TapeError, TapePrices
from exchange_clients.spec import VenueSpec
from exchange_clients.trading.opportunities import candidate
from exchange_clients.trading.progress import Ranking
from funding_rate_service.client import FundingServiceClient, Opportunity, ServiceRefused, ServiceUnavailable
from helpers.children import Child, ChildFailed, free_port
from helpers.config import BotConfig, ConfigError, load
from helpers.journal import Journal, JournalError
from helpers.terminal import Terminal, console
from strategies.factory import UnknownStrategy, kind
from trading_bot import ForeignPosition, Report, TradingBot, WrongJournal

ROOT = Path(__file__).resolve().parent
READY_WITHIN_S = 60.0
DEMO_WITHIN_S = 300.0
DEMO_BALANCE_USD = 10_000
DEMO_COLLECTION_LOOP_S = 8.0
DEMO_RANKED_HOURS = 72
FAILED, WRONG_USE = 1, 2

KNOWN_FAILURES = (
    ChildFailed,
    ConfigError,
    ExchangeError,
    ForeignPosition,
    JournalError,
    ServiceRefused,
    ServiceUnavailable,
    TapeError,
    UnknownStrategy,
    WrongJournal,
)

app = typer.Typer(
    help="Funding arbitrage on decentralised perpetual exchanges.", pretty_exceptions_enable=False, add_completion=False
)


@dataclass(frozen=True)
class Place:
    """Where one bot runs: its clock, its clients by venue, and the service it asks."""

    clock: SystemClock
    clients: dict[str, BaseExchangeClient]
    service: FundingServiceClient


class RankedByService:
    """The bot's source of opportunities: the service's HTTP API and nothing else.

    No filter of the service's own is left in place: what is worth opening or keeping, the strategy decides.
    """

    def __init__(self, service: FundingServiceClient, horizon_hours: float, size_usd: decimal.Decimal) -> None:
        self._service = service
        self._question: dict[str, int | float | decimal.Decimal] = {
            "horizon_hours": horizon_hours,
            "size_usd": size_usd,
            "min_divergence": 0,
            "min_profit": -1000,
            "limit": 100,
        }

    async def opportunities(self) -> Sequence[Opportunity]:
        return await self._service.opportunities(**self._question)

    async def of_pair(self, symbol: str, venues: tuple[str, str]) -> Opportunity | None:
        """By name, so that no page ends before it. None, too, when the service does not know the symbol any more."""
        try:
            found = await self._service.opportunities(**self._question, symbol=symbol, dex_pair=",".join(venues))
        except ServiceRefused:
            return None
        return found[0] if found else None


# Commands


@app.command()
def demo(
    tape: Annotated[
        Path | None, typer.Option(help="Prices and funding from this CSV of real history, not from the model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another simulated world.")] = 7,
    speed: Annotated[float, typer.Option(help="Market seconds per real second.", min=1.0, max=2000.0)] = 400.0,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Leave everything up until interrupted.")] = False,
    service_port: Annotated[
        int, typer.Option(help="Where the funding service listens on 127.0.0.1; 0: any free port.", min=0, max=65535)
    ] = 8000,
    fault: Annotated[
        list[str] | None, typer.Option(help="Strike once: KIND[:VENUE[:NTH]], repeatable; see the tutorial for kinds.")
    ] = None,
    config: Annotated[Path, typer.Option(help="What the bot runs.")] = ROOT / "configs" / "demo.yaml",
) -> None:
    """The whole product on loopback: simulated venues, the service, the bot, and a ledger that adds up. No keys, no network."""
    for text in fault or []:
        _usable(lambda text=text: Fault.parse(text))  # type: ignore[misc]
    options = DemoOptions(tape, seed, speed, keep_running, service_port or free_port(), tuple(fault or ()), config)
    _finish(_run(lambda: run_demo(options)))


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The strategy's YAML file.")],
    environment: Annotated[Environment, typer.Option(help="Which installation of the venues.")] = Environment.LIVE,
    journal: Annotated[Path | None, typer.Option(help="The journal file; default: the one the config names.")] = None,
    sandbox: Annotated[
        Path | None, typer.Option(help="With --environment sandbox: the file that the sandbox server's --ports-file wrote.")
    ] = None,
    account: Annotated[str, typer.Option(help="With --environment sandbox: which of its accounts to trade.")] = "bot",
) -> None:
    """Run a bot until it finishes or is interrupted. Interrupting leaves positions as they are; the journal remembers them.

    Credentials come from the environment: VENUE_FIELD in capitals, for each field that the venue's client asks for.
    """
    settings = _usable(lambda: load(config, lambda name: kind(name).config))
    _finish(_run(lambda: run_live(settings, environment, journal, sandbox, account)))


# The demo


@dataclass(frozen=True)
class DemoOptions:
    """The demo's command line."""

    tape: Path | None
    seed: int
    speed: float
    keep_running: bool
    service_port: int
    faults: tuple[str, ...]
    config: Path


async def run_demo(options: DemoOptions) -> int:
    """Everything up, one round, everything down. Returns the exit status."""
    settings = load(options.config, lambda name: kind(name).config)
    clock = SystemClock.starting_at(_demo_start_ms(options), options.speed)
    terminal = Terminal(console(), lambda: f"{clock.now():%m-%d %H:%M} UTC")
    stopping = _on_signals()
    async with AsyncExitStack() as stack:
        folder = _demo_folder(stack)
        sandbox = await _start_sandbox(stack, options, clock)
        told = json.loads(await sandbox.first_line(READY_WITHIN_S))
        terminal.say(
            f"{told['world']}: everything you see is {'replayed' if options.tape else 'simulated'}, nothing is live", "bold"
        )
        terminal.say(f"one real second is {options.speed:g} market seconds")
        terminal.say("venues up: " + ", ".join(f"{venue} on port {port}" for venue, port in told["ports"].items()))
        service = await _start_service(stack, options, clock, told["ports"], folder)
        place = await stack.enter_async_context(
            _sandbox_place(clock, told, "bot", f"http://127.0.0.1:{options.service_port}", "")
        )
        await _await_service(service, place.service, terminal, told["ports"])
        report = await _one_bot(
            settings, place, folder / "journal.sqlite3", terminal, stopping, [sandbox, service], DEMO_WITHIN_S
        )
        status = _verdict(report, terminal)
        if options.keep_running and not stopping.is_set():
            terminal.say(f"everything stays up: http://127.0.0.1:{options.service_port}/api/v1/docs – interrupt to end", "bold")
            await stopping.wait()
        return status


def _demo_folder(stack: AsyncExitStack) -> Path:
    """Where the demo keeps its files until it ends."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perp-demo-")))
    folder.chmod(0o711)  # started by root, the database runs as another user and must reach its own directory
    return folder


def _demo_start_ms(options: DemoOptions) -> int:
    """A minute into the tape's first hour in which every venue has prices; without a tape, now."""
    if options.tape is None:
        return SystemClock().now_ms()
    return TapePrices(options.tape, _demo_venues(options)).start_ms + 60_000


def _demo_venues(options: DemoOptions) -> list[str]:
    """All venues, or those of which the tape knows something; a tape that knows none is refused when it is played."""
    if options.tape is None:
        return list(registry.names())
    tape = TapePrices(options.tape)
    return [venue for venue in registry.names() if tape.assets(venue)] or list(registry.names())


async def _start_sandbox(stack: AsyncExitStack, options: DemoOptions, clock: SystemClock) -> Child:
    command = [sys.executable, "-m", "exchange_clients.sandbox.server", "--until-stdin-closes"]
    command += ["--venues", ",".join(_demo_venues(options))]
    command += ["--seed", str(options.seed), "--clock", clock.as_text(), "--account", f"bot:{DEMO_BALANCE_USD}"]
    command += ["--tape", str(options.tape)] if options.tape else []
    for fault in options.faults:
        command += ["--fault", fault]
    return await _child(stack, "the sandbox", command, {})


async def _start_service(
    stack: AsyncExitStack, options: DemoOptions, clock: SystemClock, ports: dict[str, int], folder: Path
) -> Child:
    settings = {
        "FUNDING_PORT": str(options.service_port),
        "FUNDING_ENVIRONMENT": "sandbox",
        "FUNDING_VENUES": ",".join(ports),
        "FUNDING_VENUE_URLS": json.dumps({venue: {"rest": f"http://127.0.0.1:{port}"} for venue, port in ports.items()}),
        "FUNDING_CLOCK": clock.as_text(),
        "FUNDING_DATA_DIR": str(folder / "service"),
        "FUNDING_COLLECTION_INTERVAL_S": str(DEMO_COLLECTION_LOOP_S * options.speed),
        "FUNDING_DIE_WITH_PARENT": "1",
        "FUNDING_LIMITS_DIR": str(folder / "limits"),
    }
    return await _child(stack, "the funding service", [sys.executable, "-m", "funding_rate_service"], settings)


async def _child(stack: AsyncExitStack, name: str, command: list[str], settings: dict[str, str]) -> Child:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    child = await Child.start(name, command, environment)
    stack.push_async_callback(child.stop)
    return child


async def _await_service(child: Child, service: FundingServiceClient, terminal: Terminal, venues: Collection[str]) -> None:
    """Until the service has rates of every venue and ranks them."""
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
    while not await service.ready():
        if child.has_ended:
            raise ChildFailed(child.obituary())
        if asyncio.get_running_loop().time() > deadline:
            raise ChildFailed(f"the funding service was not ready within {READY_WITHIN_S:g} s")
        await asyncio.sleep(0.2)
    rates = await service.rates()
    counts = {venue: sum(venue in by_venue for by_venue in rates.values()) for venue in venues}
    terminal.say("rates collected: " + ", ".join(f"{venue} {count}" for venue, count in counts.items()))
    ranked = await service.opportunities(horizon_hours=DEMO_RANKED_HOURS, min_profit=-1000)
    terminal.show(Ranking(tuple(candidate(opportunity) for opportunity in ranked)))


# One bot, wherever it runs


async def run_live(
    settings: BotConfig, environment: Environment, journal: Path | None, sandbox: Path | None, account: str
) -> int:
    """A bot on real venues (or on a sandbox that runs elsewhere). Returns the exit status."""
    stopping = _on_signals()
    if environment is Environment.SANDBOX:
        told = _sandbox_file(sandbox)
        clock = SystemClock.from_text(told["clock"])
        opened = _sandbox_place(clock, told, account, settings.bot.service_url, settings.bot.limits_dir)
    else:
        clock = SystemClock()
        opened = _live_place(clock, settings, environment)
    terminal = Terminal(console(), lambda: f"{clock.now():%Y-%m-%d %H:%M:%S} UTC")
    async with opened as place:
        terminal.say(f"{settings.strategy} on {', '.join(place.clients)} ({environment.value})", "bold")
        report = await _one_bot(settings, place, journal or Path(settings.bot.journal), terminal, stopping, [], None)
    return _verdict(report, terminal)


async def _one_bot(
    settings: BotConfig,
    place: Place,
    journal_path: Path,
    terminal: Terminal,
    stopping: asyncio.Event,
    children: Sequence[Child],
    within_s: float | None,
) -> Report:
    """Run one bot to its end. With `within_s`, a bot that takes longer is told to close everything."""
    strategy, speed = kind(settings.strategy), place.clock.speed
    config = settings.settings.scaled(speed)
    async with AsyncExitStack() as stack:
        await _check_symbols(place.clients, config.symbols, config.exclude)
        bot = TradingBot(
            clients=place.clients,
            strategy_name=settings.strategy,
            build_strategy=lambda run_id, orders, pairs: strategy.build(config, run_id, orders, pairs),
            settings=settings.bot.scaled(speed),
            limits=settings.risk,
            journal=stack.enter_context(Journal(journal_path)),
            clock=place.clock,
            source=RankedByService(place.service, config.horizon_hours, config.size_usd),
            run_id=str(uuid4()),
            ranking_errors=(ServiceRefused, ServiceUnavailable),
            progress=terminal.show,
        )
        watcher = asyncio.create_task(_watch(bot, stopping, children, within_s, terminal))
        try:
            return await bot.run()
        finally:
            watcher.cancel()


async def _check_symbols(clients: dict[str, BaseExchangeClient], symbols: Sequence[str], exclude: Sequence[str]) -> None:
    """Every symbol that the config names must be listed on two venues, and one that is excluded on some.

    Raises ConfigError, naming close matches.
    """
    if not symbols and not exclude:
        return
    listed = {venue: await client.fetch_instruments() for venue, client in clients.items()}
    spellings = Spellings((i.symbol, i.venue_symbol) for found in listed.values() for i in found)
    for symbol in symbols:
        meant = spellings.meant(symbol)
        venues = [venue for venue, found in listed.items() if any(i.symbol == meant for i in found)]
        if len(venues) < 2:
            where = f"listed on {venues[0]} only" if venues else f"not listed{spellings.hint(symbol)}"
            raise ConfigError(f"settings.symbols: {symbol!r} can't be paired: {where}")
    for symbol in exclude:
        if spellings.meant(symbol) is None:
            raise ConfigError(f"settings.exclude: {symbol!r} is not listed{spellings.hint(symbol)}")


async def _watch(
    bot: TradingBot, stopping: asyncio.Event, children: Sequence[Child], within_s: float | None, terminal: Terminal
) -> None:
    """Stop the bot when someone asks, when it takes too long, or when what it depends on ends."""
    loop = asyncio.get_running_loop()
    deadline = None if within_s is None else loop.time() + within_s
    while not stopping.is_set():
        if any(child.has_ended for child in children):
            ended = next(child for child in children if child.has_ended)
            terminal.say(ended.obituary(), "red")
            bot.stop(f"{ended.name} ended", exit_positions=False)
            return
        if deadline is not None and loop.time() > deadline:
            bot.stop(f"it took more than {within_s:g} s", exit_positions=True)
            return
        await asyncio.sleep(0.2)
    bot.stop("interrupted", exit_positions=within_s is not None)


def _verdict(report: Report, terminal: Terminal) -> int:
    """The exit status: 0 when every settled pair adds up and nothing was left open unasked."""
    terminal.say(f"finished: {report.reason}")
    if report.open_pairs:
        terminal.say(f"left open: {', '.join(report.open_pairs)}; run again with the same journal to take them up", "yellow")
    if not report.adds_up:
        terminal.say("the ledger does not agree with the venues' balances", "bold red")
        return FAILED
    if report.ledgers:
        terminal.say("the ledger agrees with the venues' balances to the last digit", "bold green")
        return 0
    terminal.say("no pair was opened and closed in this run", "yellow")
    return 0 if report.reason == "interrupted" else FAILED


# Places


@asynccontextmanager
async def _sandbox_place(
    clock: SystemClock, told: dict[str, Any], account: str, service_url: str, limits_dir: str
) -> AsyncIterator[Place]:
    """Clients of a sandbox server that described itself in `told`."""
    hosts = {venue: f"http://127.0.0.1:{port}" for venue, port in told["ports"].items()}
    async with Network(Environment.SANDBOX, hosts=hosts, clock=clock, folder=_folder(limits_dir)) as network:
        clients = {}
        for venue in hosts:
            held = told["accounts"][venue].get(account)
            if held is None:
                raise Misconfigured(venue, "sandbox", f"no account {account!r} was enrolled there")
            clients[venue] = network.client(venue, held)
        yield Place(clock, clients, FundingServiceClient(service_url, network.http))


@asynccontextmanager
async def _live_place(clock: SystemClock, settings: BotConfig, environment: Environment) -> AsyncIterator[Place]:
    """Clients of the real venues that the config names, with credentials from the environment."""
    async with Network(environment, clock=clock, folder=_folder(settings.bot.limits_dir)) as network:
        specs = [registry.spec(name) for name in settings.bot.venues or registry.names()]
        clients = {spec.name: network.client(spec.name, _secrets(spec)) for spec in specs}
        yield Place(clock, clients, FundingServiceClient(settings.bot.service_url, network.http))


def _folder(limits_dir: str) -> Path | None:
    return Path(limits_dir) if limits_dir else None


def _secrets(spec: VenueSpec) -> Credentials:
    """The credentials of one venue. Raises Misconfigured naming the variables that are missing."""
    names = [*spec.credential_fields, *spec.credential_fields_optional]
    found = {name: os.environ.get(f"{spec.name}_{name}".upper(), "") for name in names}
    missing = [f"{spec.name}_{name}".upper() for name in spec.credential_fields if not found[name]]
    if missing:
        raise Misconfigured(spec.name, "credentials", f"set {', '.join(missing)} in the environment")
    return Credentials({name: value for name, value in found.items() if value})


def _sandbox_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        raise ConfigError("--environment sandbox needs --sandbox FILE, as the sandbox server's --ports-file writes it")
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a description of a running sandbox: {error}") from error
    return told


# The top


def _on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set. A second signal ends the process at once."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        stopping.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return stopping


def _usable(work: Callable[[], Any]) -> Any:
    """A value from the command line or its files; what is wrong with it ends the program with one line."""
    try:
        return work()
    except (*KNOWN_FAILURES, ValueError) as failure:
        _complain(failure)
        raise typer.Exit(WRONG_USE) from failure


def _run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run to the end. A failure we know ends with one line; a bug ends with its traceback, loudly."""
    decimal.getcontext().traps[decimal.FloatOperation] = True
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main())
    except KNOWN_FAILURES as failure:
        _complain(failure)
        return WRONG_USE
    except KeyboardInterrupt:
        return 130


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        module = import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return factory


def _complain(failure: BaseException) -> None:
    sys.stderr.write(f"runbot: {' '.join(str(failure).split())}\n")


def _finish(status: int) -> None:
    raise typer.Exit(status)


if __name__ == "__main__":
    app()
