"""What makes one venue's exchange differ from another's: fees, funding, margin and the markets it lists. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.side import Side
from exchange_clients.domain.times import from_ms, next_boundary_ms

MS_PER_HOUR = 3_600_000
MS_PER_DAY = 24 * MS_PER_HOUR
_RATE_QUANTUM = Decimal("1e-12")
_INDEX_QUANTUM = Decimal("1e-18")


class FundingRule(Protocol):
    """How a venue turns a premium into funding."""

    @property
    def period_ms(self) -> int:
        """The period that a quoted rate is for, in milliseconds."""

    def rate(self, premium: Decimal) -> Decimal:
        """The quoted rate, a fraction per period, positive when longs pay. `premium`: (perp − index) / index."""

    def next_payment_ms(self, now_ms: int) -> int | None:
        """The first payment later than `now_ms`; None where funding accrues without payments."""


@dataclass(frozen=True)
class DiscreteFunding:
    """Funding paid at every UTC multiple of the interval.

    `cap` bounds the rate per interval; `interest_8h` and `clamp` are fractions per eight hours.
    """

    interval_hours: Decimal
    cap: Decimal
    interest_8h: Decimal = Decimal("0.0001")
    clamp: Decimal = Decimal("0.0005")

    @property
    def period_ms(self) -> int:
        return int(self.interval_hours * MS_PER_HOUR)

    def rate(self, premium: Decimal) -> Decimal:
        """Fraction per interval: (premium + clamp(interest − premium)) × interval / 8 h, capped."""
        eight_hours = premium + _bounded(self.interest_8h - premium, self.clamp)
        return _bounded(eight_hours * self.interval_hours / 8, self.cap).quantize(_RATE_QUANTUM)

    def next_payment_ms(self, now_ms: int) -> int:
        return next_boundary_ms(now_ms, self.period_ms)

    def payment(self, size: Decimal, index_price: Decimal, rate: Decimal) -> Decimal:
        """What a position of signed `size` receives (negative: pays), not yet quantised."""
        return -(size * index_price * rate)


@dataclass(frozen=True)
class ContinuousFunding:
    """Funding that accrues through an index per market (settlement currency per unit) and is realised when a position changes.

    `cap`, `interest` and `clamp` are fractions per period.
    """

    period_hours: Decimal
    cap: Decimal
    interest: Decimal = Decimal("0.0001")
    clamp: Decimal = Decimal("0.0005")

    @property
    def period_ms(self) -> int:
        return int(self.period_hours * MS_PER_HOUR)

    def rate(self, premium: Decimal) -> Decimal:
        """Fraction per period: premium + clamp(interest − premium), capped."""
        return _bounded(premium + _bounded(self.interest - premium, self.clamp), self.cap).quantize(_RATE_QUANTUM)

    def next_payment_ms(self, now_ms: int) -> None:
        return None

    def index_step(self, rate: Decimal, index_price: Decimal, elapsed_ms: int) -> Decimal:
        """How far the funding index moves in `elapsed_ms` at this rate and price."""
        return (rate * index_price * elapsed_ms / self.period_ms).quantize(_INDEX_QUANTUM)

    def payment(self, size: Decimal, index_now: Decimal, index_cached: Decimal) -> Decimal:
        """What a position of signed `size` receives (negative: pays) since its cached index, not yet quantised."""
        return -(size * (index_now - index_cached))


class Phase(StrEnum):
    """What a venue takes at present: everything, cancellations, or also orders that only rest."""

    OPEN = "open"
    CANCEL_ONLY = "cancel only"
    POST_ONLY = "post only"


@dataclass(frozen=True)
class DailyRelease:
    """A pause on weekdays: `cancel_only_ms` of cancellations only, then `post_only_ms` of orders that only rest.

    `starts_ms`: after midnight UTC. `price_band`: buys dearer than the mark by more than this fraction, and sells cheaper, do
    not outlive it. Nobody is liquidated and nothing trades meanwhile.
    """

    starts_ms: int
    cancel_only_ms: int
    post_only_ms: int
    price_band: Decimal

    def phase(self, now_ms: int) -> Phase:
        into_ms = now_ms % MS_PER_DAY - self.starts_ms
        if from_ms(now_ms).weekday() >= 5 or not 0 <= into_ms < self.cancel_only_ms + self.post_only_ms:
            return Phase.OPEN
        return Phase.CANCEL_ONLY if into_ms < self.cancel_only_ms else Phase.POST_ONLY

    def allows(self, side: Side, price: Decimal | None, mark: Decimal) -> bool:
        """Whether an order at this price outlives the pause."""
        return price is not None and side.sign * (price - mark) <= mark * self.price_band


@dataclass(frozen=True)
class VenueRules:
    """One venue's terms.

    `money_quantum`: the step of everything booked in settlement currency. `min_notional`: settlement currency.
    `maintenance_fraction`: of the initial margin at the market's highest leverage. `price_band`: limit prices further from
    the mark than this fraction, either way, are refused. `decide_later`: orders are answered PENDING first and judged in the
    next `flush()` or `advance()`. `amend_keeps_id`: an amended order is still the same order. `reduce_only_fits`: reduce-only
    orders are not cut to the position: those that do not fit into it, behind the better priced ones, are refused or cancelled.
    `release`: when the venue pauses; None: never.
    `amend_counts_fills`: the size of an amendment is the total, of which what filled before is taken; where not, it is the size of a
    fresh order.
    """

    venue: str
    fees: FeeRates
    funding: DiscreteFunding | ContinuousFunding
    money_quantum: Decimal
    min_notional: Decimal
    maintenance_fraction: Decimal = Decimal("0.5")
    price_band: Decimal = Decimal("0.8")
    decide_later: bool = False
    amend_keeps_id: bool = False
    amend_counts_fills: bool = True
    reduce_only_fits: bool = False
    release: DailyRelease | None = None

    def phase(self, now_ms: int) -> Phase:
        """What the venue takes at `now_ms`."""
        return Phase.OPEN if self.release is None else self.release.phase(now_ms)


@dataclass(frozen=True)
class Listing:
    """A market that the venue lists. Its index is its position among the venue's listings. `fees`: where it has its own."""

    venue_symbol: str
    instrument: Instrument
    max_leverage: int
    fees: FeeRates | None = None


def _bounded(number: Decimal, bound: Decimal) -> Decimal:
    return max(-bound, min(bound, number))
