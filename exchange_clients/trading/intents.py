"""What a strategy wants. Frozen values; nothing happens until the bot has judged, journaled and sent them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import OrderRequest
from exchange_clients.domain.side import Side


class Purpose(StrEnum):
    """Why an order is wanted. ENTER and HEDGE open; UNWIND and EXIT only ever reduce."""

    ENTER = "enter"
    HEDGE = "hedge"
    UNWIND = "unwind"
    EXIT = "exit"

    @property
    def reduces(self) -> bool:
        return self in (Purpose.UNWIND, Purpose.EXIT)


class PairPlan(msgspec.Struct, frozen=True):
    """Two legs held against each other. `size_base`: target of each leg in units of the base asset.

    `notional_usd`: what one leg is worth at the decision. `carry_hourly`: expected funding income as a fraction of one leg's
    notional per hour. `price_ratio`: long mid ÷ short mid (per base unit) at the decision.
    """

    pair_id: str
    symbol: str
    long: Instrument
    short: Instrument
    size_base: Decimal
    notional_usd: Decimal
    leverage: int
    carry_hourly: float
    price_ratio: float

    def instrument(self, side: Side) -> Instrument:
        """The instrument of the leg that `side` opens: BUY the long one, SELL the short one."""
        return self.long if side is Side.BUY else self.short

    @property
    def venues(self) -> tuple[str, str]:
        return self.long.venue, self.short.venue


class OpenPairIntent(msgspec.Struct, frozen=True, tag=True):
    """Open a pair; the risk limits may shrink both legs alike, never one."""

    plan: PairPlan


class PlaceIntent(msgspec.Struct, frozen=True, tag=True):
    """Send one order of a pair. `reference_price`: the mid at the decision, on the grid; slippage is measured from it."""

    pair_id: str
    purpose: Purpose
    request: OrderRequest
    reference_price: Decimal


class CancelIntent(msgspec.Struct, frozen=True, tag=True):
    """Ask the venue to cancel one order."""

    instrument: Instrument
    client_order_id: str


class SetLeverageIntent(msgspec.Struct, frozen=True, tag=True):
    """Choose the leverage of one market before trading it."""

    instrument: Instrument
    leverage: int


class AdoptPositionIntent(msgspec.Struct, frozen=True, tag=True):
    """The venue's position differs from our belief, twice and at rest: take the venue's word. Sizes signed, venue units."""

    pair_id: str
    instrument: Instrument
    believed: Decimal
    actual: Decimal


class ClosePairIntent(msgspec.Struct, frozen=True, tag=True):
    """Both legs are flat: settle the ledger. `reason`: why the pair ended."""

    pair_id: str
    reason: str


class ResolveIntent(msgspec.Struct, frozen=True, tag=True):
    """Ask the venue what became of an order (reads only). `position_before`: signed, venue units, without this order."""

    instrument: Instrument
    client_order_id: str
    venue_order_id: str | None
    position_before: Decimal


class FetchBookIntent(msgspec.Struct, frozen=True, tag=True):
    """Read a book once, because its stream is blind or silent."""

    instrument: Instrument


class FetchAccountIntent(msgspec.Struct, frozen=True, tag=True):
    """Read fills, then positions and balance of a venue."""

    venue: str


class WatchIntent(msgspec.Struct, frozen=True, tag=True):
    """Stream a book from now on."""

    instrument: Instrument


class UnwatchIntent(msgspec.Struct, frozen=True, tag=True):
    """Stop streaming a book."""

    instrument: Instrument


class StandStill(msgspec.Struct, frozen=True, tag=True):
    """Nothing is done now; `reason` is for people."""

    reason: str


class Finish(msgspec.Struct, frozen=True, tag=True):
    """The strategy has nothing more to do."""

    reason: str


ActingIntent = OpenPairIntent | PlaceIntent | CancelIntent | SetLeverageIntent | AdoptPositionIntent | ClosePairIntent
"""Intents that the journal holds before they take effect."""

ReadingIntent = ResolveIntent | FetchBookIntent | FetchAccountIntent | WatchIntent | UnwatchIntent | StandStill | Finish

Intent = ActingIntent | ReadingIntent
