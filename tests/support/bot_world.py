"""A whole bot on made-up venues, on a virtual loop: every run is a function of its seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

from exchange_clients.domain.account import FeeRates
from exchange_clients.engine.clock import LoopClock
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.rules import ContinuousFunding, DiscreteFunding, Listing, VenueRules
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.trading.ledger import PairStatement
from exchange_clients.trading.progress import Progress
from helpers.config import BotSettings
from helpers.journal import Journal
from helpers.risk_manager import RiskLimits
from strategies.execution_limits import ExecutionLimits
from strategies.exit_rules import ExitRules
from strategies.factory import kind
from strategies.funding_arbitrage_strategy import FundingArbitrageConfig
from tests.support.direct_client import ACCOUNT, DirectClient, Misfortune, instrument
from trading_bot import Report, TradingBot

START_MS = 1_767_400_200_000
HOUR_MS = 3_600_000
DEPOSIT = Decimal(20_000)

_FUNDING = {
    "east": DiscreteFunding(Decimal(1), Decimal("0.04")),
    "north": ContinuousFunding(Decimal(8), Decimal("0.05")),
    "west": DiscreteFunding(Decimal(8), Decimal("0.02")),
}
_MARKETS = {
    "east": (("ETH", "0.1", "0.001", 1), ("kPEPE", "0.0000001", "1", 1000)),
    "north": (("ETH", "0.01", "0.01", 1), ("kPEPE", "0.0000001", "100", 1000)),
    "west": (("ETH", "0.05", "0.003", 1), ("kPEPE", "0.0000001", "10", 1000)),
}


@dataclass(frozen=True)
class Ranked:
    """An opportunity as the service would describe it."""

    symbol: str
    long_dex: str
    short_dex: str
    carry_hourly: Decimal
    net_apr_percent: Decimal | None
    breakeven_hours: Decimal | None
    capacity_usd: Decimal | None = None
    stale: bool = False


def named(ranked: Sequence[Ranked], symbol: str, venues: tuple[str, str]) -> Ranked | None:
    """The pair of these venues, whichever of them is long."""
    return next((r for r in ranked if r.symbol == symbol and {r.long_dex, r.short_dex} == set(venues)), None)


@dataclass
class BotWorld:
    """`told`: everything that people were shown. `naked_usd_max`, `held_usd_max`: the worst that was seen, at marks."""

    seed: int
    journal: Path
    venues: tuple[str, ...] = ("east", "north")
    misfortune: Misfortune = field(default_factory=Misfortune)
    settings: FundingArbitrageConfig = field(
        default_factory=lambda: FundingArbitrageConfig(
            rounds_max=1,
            net_apr_percent_min=-1e9,
            breakeven_hours_max=1e9,
            exit=ExitRules(hold_ms_max=3 * HOUR_MS, apr_percent_min=-1e9, divergence_bps_max=1e9),
            execution=ExecutionLimits(spread_bps_max=50, price_band_bps=500),
        )
    )
    limits: RiskLimits = field(default_factory=lambda: RiskLimits(daily_loss_usd_max=Decimal(100_000)))
    symbol: str = "ETH"
    more_symbols: tuple[str, ...] = ()
    turn_s: float = 0.5
    tick_ms: int = 1_000
    gone_after_ms: int = 10_000
    naked_usd_max: float = 0.0
    held_usd_max: float = 0.0
    told: list[Progress] = field(default_factory=list)
    exchanges: dict[str, SandboxExchange] = field(default_factory=dict)
    clients: dict[str, DirectClient] = field(default_factory=dict)
    clock: LoopClock | None = None

    async def opportunities(self) -> Sequence[Ranked]:
        return [
            Ranked(symbol, self.venues[0], self.venues[1], Decimal("0.0001"), Decimal(50), Decimal(12))
            for symbol in (self.symbol, *self.more_symbols)
        ]

    async def of_pair(self, symbol: str, venues: tuple[str, str]) -> Ranked | None:
        return named(await self.opportunities(), symbol, venues)

    def build(self) -> None:
        """Exchanges and clients on the running loop's clock."""
        self.clock = LoopClock(START_MS)
        prices = ModelPrices(self.seed, START_MS)
        for venue in self.venues:
            rules = VenueRules(
                venue,
                FeeRates(maker=Decimal("0.00015"), taker=Decimal("0.00045")),
                _FUNDING[venue],
                Decimal("0.000001"),
                Decimal(10),
                decide_later=venue == "north",
            )
            listings = tuple(
                Listing(f"{name}-PERP", instrument(venue, name, tick, lot, multiplier), 20)
                for name, tick, lot, multiplier in _MARKETS[venue]
            )
            exchange = SandboxExchange(rules, listings, prices, self.clock, self.seed, refresh_ms=round(self.turn_s * 1000))
            exchange.open_account(ACCOUNT, DEPOSIT)
            self.exchanges[venue] = exchange
            self.clients[venue] = DirectClient(exchange, Random(f"{self.seed}:{venue}"), self.misfortune)

    def bot(self, journal: Journal) -> TradingBot:
        assert self.clock is not None
        strategy = kind("funding_arbitrage")
        return TradingBot(
            clients=self.clients,
            strategy_name="funding_arbitrage",
            build_strategy=lambda run_id, orders, pairs: strategy.build(self.settings, run_id, orders, pairs),
            settings=BotSettings(
                venues=self.venues, journal=str(self.journal), gone_after_ms=self.gone_after_ms, tick_ms=self.tick_ms
            ),
            limits=self.limits,
            journal=journal,
            clock=self.clock,
            source=self,
            run_id=f"run-{self.seed}",
            progress=self.told.append,
        )

    async def turn(self) -> None:
        """The world's own motion."""
        while True:
            await asyncio.sleep(self.turn_s)
            for exchange in self.exchanges.values():
                exchange.advance()
            self._measure()

    def _measure(self) -> None:
        """How much is unhedged and how much is held, at marks."""
        values = [
            float(position.size * exchange.state(name).mark)
            for exchange in self.exchanges.values()
            for name, position in exchange.positions(ACCOUNT).items()
        ]
        self.naked_usd_max = max(self.naked_usd_max, abs(sum(values)))
        self.held_usd_max = max([self.held_usd_max, *map(abs, values)])

    def run(self, hours: float = 24) -> Report:
        """One bot from start to end on a fresh virtual loop."""

        async def main() -> Report:
            self.build()
            turning = asyncio.create_task(self.turn())
            with Journal(self.journal) as journal:
                report = await asyncio.wait_for(self.bot(journal).run(), hours * 3600)
            turning.cancel()
            return report

        return run_virtual(main)

    def positions(self) -> dict[str, Decimal]:
        """Signed size per venue of the market traded; flat ones are left out."""
        return {v: p.size for v, e in self.exchanges.items() for p in e.positions(ACCOUNT).values()}

    def earned(self) -> Decimal:
        """What all wallets gained since the deposits."""
        return sum((e.wallet(ACCOUNT) - DEPOSIT for e in self.exchanges.values()), Decimal(0))


def net(report: Report) -> Decimal:
    """What the ledgers of a run say was earned."""
    statements: list[PairStatement] = [ledger.statement for ledger in report.ledgers]
    return sum((s.net for s in statements), Decimal(0))
