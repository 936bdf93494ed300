"""What a strategy hears, besides the books of `domain.events`: outcomes, accounts, rankings and the passing of time."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import Fill
from exchange_clients.trading.intents import Intent, PairPlan
from exchange_clients.trading.order_tracker import TrackedOrder


class Candidate(msgspec.Struct, frozen=True):
    """An opportunity as ranked elsewhere; checked again on live books before anything is done.

    `carry_hourly`: fraction of one leg's notional per hour. Percentages are in percent. None = unknown.
    """

    symbol: str
    long_venue: str
    short_venue: str
    carry_hourly: float
    net_apr_percent: float | None
    breakeven_hours: float | None
    capacity_usd: float | None
    stale: bool


class VenueReady(msgspec.Struct, frozen=True):
    """A venue answered: what it lists, what it charges, what we have there."""

    venue: str
    instruments: tuple[Instrument, ...]
    fees: FeeRates
    can_set_leverage: bool


class OpportunitiesRanked(msgspec.Struct, frozen=True):
    """The funding service's ranking, best first."""

    candidates: tuple[Candidate, ...]


class OpportunitiesLost(msgspec.Struct, frozen=True):
    """The funding service did not answer."""

    reason: str


class OrderUpdate(msgspec.Struct, frozen=True):
    """One of our orders changed."""

    order: TrackedOrder


class ForeignFill(msgspec.Struct, frozen=True):
    """An execution on a market of ours by no order of ours: a liquidation or another hand."""

    fill: Fill


class FundingPaid(msgspec.Struct, frozen=True):
    """Funding was booked."""

    payment: FundingPayment


class AccountSeen(msgspec.Struct, frozen=True):
    """The account of a venue as fetched. `asked_ms`: when the question was sent; positions not listed are flat."""

    venue: str
    positions: tuple[Position, ...]
    balance: Balance
    asked_ms: int


class AccountHint(msgspec.Struct, frozen=True):
    """The account stream says positions changed; worth a look, not yet a fact at rest."""

    venue: str
    positions: tuple[Position, ...]


class FeedLost(msgspec.Struct, frozen=True):
    """A stream is blind. `symbol` is None for streams of the account."""

    venue: str
    feed: str
    symbol: str | None
    reason: str


class FeedResumed(msgspec.Struct, frozen=True):
    """A stream sees again (or for the first time)."""

    venue: str
    feed: str
    symbol: str | None


class LeverageSet(msgspec.Struct, frozen=True):
    """The leverage of a market is chosen; `failure` says why not, "" when it is."""

    venue: str
    symbol: str
    failure: str


class PairApproved(msgspec.Struct, frozen=True):
    """The risk limits let this plan pass, perhaps smaller than asked."""

    plan: PairPlan


class WalletsRead(msgspec.Struct, frozen=True):
    """Cash per venue after a pair was closed; a venue that did not answer is left out. `attempt`: from 1. For the bot itself."""

    pair_id: str
    wallets: dict[str, Decimal]
    attempt: int


class StopRequested(msgspec.Struct, frozen=True):
    """End now and leave positions as they are. For the bot itself."""

    reason: str


class IntentBlocked(msgspec.Struct, frozen=True):
    """The risk limits stopped an intent; nothing was sent."""

    intent: Intent
    reason: str


class PairReconciled(msgspec.Struct, frozen=True):
    """A closed pair's ledger is final."""

    pair_id: str


class Recovered(msgspec.Struct, frozen=True):
    """After a restart: a pair that was not closed, its signed positions (long leg, short leg; venue units), orders of it.
    `closing`: why it was being settled, "" while it was not."""

    plan: PairPlan
    opened_ms: int
    long_size: Decimal
    short_size: Decimal
    orders: tuple[TrackedOrder, ...]
    closing: str


class ExitRequested(msgspec.Struct, frozen=True):
    """Someone wants everything closed."""

    reason: str


class Tick(msgspec.Struct, frozen=True):
    """Time passed."""


Event = (
    BookEvent
    | VenueReady
    | OpportunitiesRanked
    | OpportunitiesLost
    | OrderUpdate
    | ForeignFill
    | FundingPaid
    | AccountSeen
    | AccountHint
    | FeedLost
    | FeedResumed
    | LeverageSet
    | PairApproved
    | IntentBlocked
    | PairReconciled
    | Recovered
    | ExitRequested
    | WalletsRead
    | StopRequested
    | Tick
)
