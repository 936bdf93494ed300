"""Where a sandbox's prices come from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from exchange_clients.domain.provenance import Provenance


@dataclass(frozen=True)
class MarketState:
    """One market at one instant.

    `mark`, `index`: settlement currency per venue unit. `premium`: (perp − index) / index, what a funding rule starts from.
    `funding_rate`: when not None, the venue's own number, exact digits, per the venue's funding period. None and
    `funding_known`: the venue's rule computes it from `premium`. Not `funding_known`: nobody knows it.
    `open_interest_usd`, `volume_24h_usd`: None where the source has none.
    """

    mark: Decimal
    index: Decimal
    premium: Decimal
    funding_rate: Decimal | None
    funding_known: bool
    open_interest_usd: float | None
    volume_24h_usd: float | None


class PriceSource(Protocol):
    """A pure function from (venue, market, time) to a state: asking often or seldom changes nothing."""

    @property
    def provenance(self) -> Provenance:
        """SANDBOX for a model, REPLAY for recorded history."""

    @property
    def start_ms(self) -> int:
        """The first instant that has prices."""

    @property
    def end_ms(self) -> int | None:
        """The last instant that has news; None when the source never ends."""

    def describe(self) -> str:
        """One line for people: which world this is."""

    def assets(self, venue: str) -> tuple[tuple[str, Decimal], ...]:
        """The venue's markets, each by the name this source knows it under and with its first mark price."""

    def state(self, venue: str, name: str, now_ms: int) -> MarketState | None:
        """The market at `now_ms`; None when the source has nothing for it (yet). `name`: as `assets` spells it."""
