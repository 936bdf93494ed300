"""The bot on the venues' real protocols, in memory and on virtual time: every run is a function of its seed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter
from exchange_clients.domain.funding import HOURS_PER_YEAR, FundingObservation
from exchange_clients.engine.clock import LoopClock
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.faults import Fault, FaultPlan
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.sandbox.world import World
from exchange_clients.trading.progress import Progress
from helpers.config import BotSettings
from helpers.journal import Journal
from helpers.risk_manager import RiskLimits
from strategies.execution_limits import ExecutionLimits
from strategies.exit_rules import ExitRules
from strategies.factory import kind
from strategies.funding_arbitrage_strategy import FundingArbitrageConfig
from tests.support.bot_world import HOUR_MS, Ranked, named
from trading_bot import Report, TradingBot

START_MS = 1_767_400_200_000
DEPOSIT = Decimal(20_000)
SHOWN_MAX = 5


class RankedByAdapters:
    """Stands for the service where there are no sockets: the widest differences of current rates, best first."""

    def __init__(self, adapters: Sequence[BaseFundingAdapter]) -> None:
        self._adapters = adapters

    async def opportunities(self) -> list[Ranked]:
        return (await self._all())[:SHOWN_MAX]

    async def of_pair(self, symbol: str, venues: tuple[str, str]) -> Ranked | None:
        return named(await self._all(), symbol, venues)

    async def _all(self) -> list[Ranked]:
        found: dict[str, list[FundingObservation]] = {}
        for adapter in self._adapters:
            for seen in await adapter.current_rates():
                if seen.rate is not None:
                    found.setdefault(seen.symbol, []).append(seen)
        pairs = []
        for symbol, seen_here in found.items():
            ordered = sorted(seen_here, key=_hourly)
            carry = _hourly(ordered[-1]) - _hourly(ordered[0])
            if ordered[0].venue != ordered[-1].venue:
                percent = carry * HOURS_PER_YEAR * 100
                pairs.append(Ranked(symbol, ordered[0].venue, ordered[-1].venue, carry, percent, Decimal(10)))
        return sorted(pairs, key=lambda pair: (-pair.carry_hourly, pair.symbol))


def _hourly(seen: FundingObservation) -> Decimal:
    assert seen.rate is not None
    return seen.rate.per_hour()


@dataclass
class WireWorld:
    """`turn_s`: virtual seconds between two moves of the world. `hold_hours`: how long a pair is held.

    `told`: everything that people were shown; `world`: the venues, for what only they know.
    """

    seed: int
    journal: Path
    venues: tuple[str, ...] = field(default_factory=registry.names)
    faults: tuple[Fault, ...] = ()
    hold_hours: float = 0.05
    rounds: int = 1
    turn_s: float = 0.5
    latency_s: tuple[float, float] = (0.005, 0.05)
    prices: PriceSource | None = None
    start_ms: int = START_MS
    told: list[Progress] = field(default_factory=list)

    def client_clock(self, clock: LoopClock) -> LoopClock:
        """What the machine of the bot goes by; `clock` is the venues'."""
        return clock

    def run(self, hours: float = 2.0) -> Report:
        """One bot from start to end on a fresh virtual loop."""
        return run_virtual(lambda: self._main(hours))

    async def _main(self, hours: float) -> Report:
        clock, random = LoopClock(self.start_ms), Random(f"wire {self.seed}")
        self.world = World.build(self.venues, self.prices or ModelPrices(self.seed, self.start_ms), clock, self.seed)
        self.plan = FaultPlan(self.faults)
        transport = MemoryTransport(self.world.hosts(), lambda: random.uniform(*self.latency_s), self.plan)
        self.accounts = {venue: self.world.enrol(venue, "bot", DEPOSIT) for venue in self.venues}
        turning = asyncio.create_task(self.world.run(self.turn_s))
        async with AsyncExitStack() as stack:
            clients: dict[str, BaseExchangeClient] = {}
            adapters: list[BaseFundingAdapter] = []
            for venue in self.venues:
                spec = registry.spec(venue)
                wiring = memory_wiring(
                    spec, transport, self.client_clock(clock), self.accounts[venue], Random(f"{self.seed} {venue}")
                )
                clients[venue] = await stack.enter_async_context(spec.client_class()(wiring))
                adapters.append(await stack.enter_async_context(spec.adapter_class()(wiring)))
            journal = stack.enter_context(Journal(self.journal))
            bot = self._bot(clients, RankedByAdapters(adapters), journal, clock)
            report = await asyncio.wait_for(bot.run(), hours * 3600)
        turning.cancel()
        await transport.close()
        return report

    def _bot(self, clients: dict[str, BaseExchangeClient], source: Any, journal: Journal, clock: LoopClock) -> TradingBot:
        strategy, pace_ms = kind("funding_arbitrage"), round(self.turn_s * 2000)
        execution = ExecutionLimits(
            spread_bps_max=60,
            price_band_bps=500,
            stale_after_ms=max(5_000, 5 * pace_ms),
            naked_ms_max=max(10_000, 3 * pace_ms),
            account_check_ms=max(60_000, 60 * pace_ms),
        )
        exits = ExitRules(
            hold_ms_max=round(self.hold_hours * HOUR_MS),
            hold_ms_min=round(self.hold_hours * HOUR_MS),
            apr_percent_min=-1e9,
            divergence_bps_max=1e9,
        )
        config = FundingArbitrageConfig(
            rounds_max=self.rounds, net_apr_percent_min=-1e9, breakeven_hours_max=1e9, exit=exits, execution=execution,
            look_ms_max=max(10_000, 5 * pace_ms),
        )  # fmt: skip
        return TradingBot(
            clients=clients,
            strategy_name="funding_arbitrage",
            build_strategy=lambda run_id, orders, pairs: strategy.build(config, run_id, orders, pairs),
            settings=BotSettings(
                venues=self.venues,
                tick_ms=max(1_000, pace_ms // 2),
                rank_every_ms=max(30_000, 10 * pace_ms),
                funding_every_ms=max(300_000, HOUR_MS if self.hold_hours > 1 else 0),
            ),
            limits=RiskLimits(daily_loss_usd_max=Decimal(100_000)),
            journal=journal,
            clock=clock,
            source=source,
            run_id=f"run-{self.seed}",
            progress=self.told.append,
        )

    def positions(self) -> dict[tuple[str, str], Decimal]:
        """What the venues say is open."""
        return {
            (venue, name): position.size
            for venue, exchange in self.world.exchanges.items()
            for account in _accounts(exchange)
            for name, position in exchange.positions(account).items()
        }

    def earned(self) -> Decimal:
        """What all wallets gained since the deposits."""
        return sum(
            (
                exchange.wallet(account) - DEPOSIT
                for exchange in self.world.exchanges.values()
                for account in _accounts(exchange)
            ),
            Decimal(0),
        )

    def venue_log(self) -> list[Any]:
        """Every execution and payment as the venues booked them."""
        log: list[Any] = []
        for venue, exchange in self.world.exchanges.items():
            for account in _accounts(exchange):
                log += [(venue, *row) for row in _rows(exchange.fills(account))]
                log += [(venue, *row) for row in _rows(exchange.funding_payments(account))]
        return log


def _accounts(exchange: Any) -> Iterable[str]:
    return tuple(exchange._accounts)


def _rows(records: Iterable[Any]) -> list[tuple[str]]:
    return [(repr(record),) for record in records]
