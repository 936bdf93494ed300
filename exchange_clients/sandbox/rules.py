"""What makes one venue's exchange differ from another's: fees, funding, margin and the markets it lists. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.times import next_boundary_ms

MS_PER_HOUR = 3_600_000
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


@dataclass(frozen=True)
class VenueRules:
    """One venue's terms.

    `money_quantum`: the step of everything booked in settlement currency. `min_notional`: settlement currency.
    `maintenance_fraction`: of the initial margin at the market's highest leverage. `price_band`: limit prices further from
    the mark than this fraction, either way, are refused. `decide_later`: orders are answered PENDING first and judged in the
    next `flush()` or `advance()`. `amend_keeps_id`: an amended order is still the same order.
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


@dataclass(frozen=True)
class Listing:
    """A market that the venue lists. Its index is its position among the venue's listings."""

    venue_symbol: str
    instrument: Instrument
    max_leverage: int


def _bounded(number: Decimal, bound: Decimal) -> Decimal:
    return max(-bound, min(bound, number))
