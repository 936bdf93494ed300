"""A small world whose prices and time are set by the test."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import pytest

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import from_ms
from exchange_clients.sandbox.exchange import SandboxEvent, SandboxExchange
from exchange_clients.sandbox.prices import MarketState
from exchange_clients.sandbox.rules import ContinuousFunding, DiscreteFunding, Listing, VenueRules

START_MS = 1_767_400_200_000  # 2026-01-03 00:30 UTC
SYMBOL = "ABC-PERP"


class HandClock:
    """Time that the test moves."""

    speed = 1.0

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return from_ms(self.ms)

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)

    def wire_ms(self, duration_ms: int) -> int:
        return duration_ms


@dataclass
class HandPrices:
    """Prices that the test sets: from a moment on, a mark, an index and a rate."""

    provenance = Provenance.SANDBOX
    start_ms: int = START_MS
    end_ms: int | None = None
    steps: list[tuple[int, MarketState]] = field(default_factory=list)

    def describe(self) -> str:
        return "prices set by hand"

    def assets(self, venue: str) -> tuple[tuple[str, Decimal], ...]:
        return (("ABC", Decimal(100)),)

    def state(self, venue: str, name: str, now_ms: int) -> MarketState | None:
        return next((state for since_ms, state in reversed(self.steps) if since_ms <= now_ms), None)

    def set(self, since_ms: int, mark: str, rate: str | None = "0.0001", index: str | None = None) -> None:
        known = rate is not None
        state = MarketState(
            Decimal(mark), Decimal(index or mark), Decimal(0), Decimal(rate) if rate else None, known, None, None
        )
        self.steps.append((since_ms, state))


@dataclass
class HandWorld:
    """An exchange of one market, with what it said."""

    clock: HandClock
    prices: HandPrices
    exchange: SandboxExchange
    events: list[SandboxEvent]

    def move(self, seconds: float, mark: str | None = None) -> None:
        """Let time pass, and the price move at the end of it."""
        self.clock.ms += round(seconds * 1000)
        if mark is not None:
            self.prices.set(self.clock.ms, mark)
        self.exchange.advance()

    def of(self, kind: type) -> list[SandboxEvent]:
        return [event for event in self.events if isinstance(event, kind)]


RULES = VenueRules(
    venue="testventure",
    fees=FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.0005")),
    funding=DiscreteFunding(Decimal(1), Decimal("0.04")),
    money_quantum=Decimal("0.000001"),
    min_notional=Decimal(10),
)
INSTRUMENT = Instrument(
    venue="testventure",
    symbol="ABC",
    venue_symbol=SYMBOL,
    venue_id="0",
    multiplier=Decimal(1),
    quote="USDC",
    price_rule=PriceRule(Decimal("0.01")),
    lot_size=Decimal("0.01"),
    min_size=Decimal("0.01"),
    min_notional=Decimal(10),
)


@pytest.fixture
def make_world() -> Callable[..., HandWorld]:
    def make(funding: DiscreteFunding | ContinuousFunding | None = None, **changes: object) -> HandWorld:
        clock, prices = HandClock(), HandPrices()
        prices.set(START_MS - 3_600_000, "100")
        rules = replace(RULES, **({"funding": funding} if funding else {}), **changes)  # type: ignore[arg-type]
        exchange = SandboxExchange(rules, (Listing(SYMBOL, INSTRUMENT, 20),), prices, clock, seed=3)
        events: list[SandboxEvent] = []
        exchange.subscribe(events.append)
        exchange.open_account("ann", Decimal(10_000))
        exchange.open_account("bob", Decimal(10_000))
        return HandWorld(clock, prices, exchange, events)

    return make


@pytest.fixture
def world(make_world: Callable[..., HandWorld]) -> HandWorld:
    return make_world()
