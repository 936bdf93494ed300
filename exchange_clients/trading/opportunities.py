"""Where rankings come from: all that a bot knows of the funding service."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from exchange_clients.trading.events import Candidate


class Opportunity(Protocol):
    """A ranked pair as the funding service describes it. `carry_hourly`: fraction per hour; None = unknown."""

    @property
    def symbol(self) -> str: ...
    @property
    def long_dex(self) -> str: ...
    @property
    def short_dex(self) -> str: ...
    @property
    def carry_hourly(self) -> Decimal: ...
    @property
    def net_apr_percent(self) -> Decimal | None: ...
    @property
    def breakeven_hours(self) -> Decimal | None: ...
    @property
    def capacity_usd(self) -> Decimal | None: ...
    @property
    def stale(self) -> bool: ...


class OpportunitySource(Protocol):
    """Something that ranks."""

    async def opportunities(self) -> Sequence[Opportunity]:
        """The ranking, best first."""

    async def of_pair(self, symbol: str, venues: tuple[str, str]) -> Opportunity | None:
        """How these two venues stand to each other now, whatever it earns and wherever it would rank; None = unknown."""


def candidate(opportunity: Opportunity) -> Candidate:
    """A ranked pair in the bot's own terms; ranking figures are measurements, so they become floats here."""
    return Candidate(
        symbol=opportunity.symbol,
        long_venue=opportunity.long_dex,
        short_venue=opportunity.short_dex,
        carry_hourly=float(opportunity.carry_hourly),
        net_apr_percent=_measured(opportunity.net_apr_percent),
        breakeven_hours=_measured(opportunity.breakeven_hours),
        capacity_usd=_measured(opportunity.capacity_usd),
        stale=opportunity.stale,
    )


def _measured(number: Decimal | None) -> float | None:
    return None if number is None else float(number)
