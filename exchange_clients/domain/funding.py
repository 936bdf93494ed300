"""Funding truth: a rate without its interval can't be built, and a raw number is never thrown away."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

import msgspec

from exchange_clients.domain.assets import Asset
from exchange_clients.domain.numbers import exact, require_finite, text_number
from exchange_clients.domain.provenance import Provenance

HOURS_PER_YEAR = 8760
_RATES = Context(prec=28, rounding=ROUND_HALF_EVEN)


class FundingKind(StrEnum):
    """PREDICTED: what the next payment would be. SETTLED: what was paid. ACCRUING: paid continuously at this pace."""

    PREDICTED = "predicted"
    SETTLED = "settled"
    ACCRUING = "accruing"


class FundingRate(msgspec.Struct, frozen=True, kw_only=True):
    """A funding rate. `rate`: fraction of notional per `interval`, positive = longs pay shorts.

    `effective_at`: the instant it describes (observation for predicted and accruing, settlement for settled).
    `next_payment_at`: None where funding accrues continuously or the venue does not say. `source`: the call it came from.
    Raises ValueError for an interval that is not positive, a rate that is not finite or a naive time.
    """

    rate: Decimal
    interval: timedelta
    kind: FundingKind
    effective_at: datetime
    next_payment_at: datetime | None
    source: str

    def __post_init__(self) -> None:
        if self.interval <= timedelta(0):
            raise ValueError(f"a funding interval of {self.interval} is not an interval")
        if not self.rate.is_finite():
            raise ValueError(f"{self.rate} is not a funding rate")
        if self.effective_at.tzinfo is None or (self.next_payment_at is not None and self.next_payment_at.tzinfo is None):
            raise ValueError("funding times must be aware UTC")

    @property
    def interval_hours(self) -> Decimal:
        return _hours(self.interval)

    def per_hour(self) -> Decimal:
        """Fraction per hour."""
        return self._over(3600)

    def per_8h(self) -> Decimal:
        """Fraction per eight hours, the figure that most screens show."""
        return self._over(28800)

    def annual(self) -> Decimal:
        """Fraction per year of 8,760 hours, simple (not compounded)."""
        return self._over(3600 * HOURS_PER_YEAR)

    @exact
    def _over(self, seconds: int) -> Decimal:
        """28 digits of a quotient, as programs expect of a Decimal."""
        return _RATES.divide(self.rate * seconds, Decimal(self.interval // timedelta(seconds=1)))


class RawRate(msgspec.Struct, frozen=True):
    """The number exactly as the venue wrote it and what one unit of it means, for example ("0.0000742", "fraction per 8 h")."""

    value: str
    unit: str


class FundingObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue says about one market's funding now.

    `rate` is None when it can't be known (no number, or no interval to read it by); `unknown_because` then says why.
    """

    venue: str
    symbol: str
    venue_symbol: str
    multiplier: Decimal
    rate: FundingRate | None
    raw: RawRate | None
    unknown_because: str
    observed_at: datetime
    provenance: Provenance

    @classmethod
    def read(
        cls,
        *,
        venue: str,
        venue_symbol: str,
        asset: Asset,
        said: str | None,
        interval: timedelta | None,
        kind: FundingKind,
        effective_at: datetime,
        next_payment_at: datetime | None,
        source: str,
        observed_at: datetime,
        provenance: Provenance,
    ) -> "FundingObservation":
        """What the venue `said` of `asset`: a plain fraction per `interval`.

        A missing interval, or anything that is not a finite number, becomes the reason why the rate is unknown.
        """
        unit = "fraction per an unknown period" if interval is None else f"fraction per {_hours(interval):f} h"
        number, rate, why = text_number(said), None, ""
        if not said:
            why = "the venue gave no rate"
        elif number is None:
            why = f"the venue gave {said!r}, which is no number"
        elif interval is None or interval <= timedelta(0):
            why = "the venue gave no interval"
        else:
            rate = FundingRate(
                rate=number,
                interval=interval,
                kind=kind,
                effective_at=effective_at,
                next_payment_at=next_payment_at,
                source=source,
            )
        return cls(
            venue=venue,
            symbol=asset.base,
            venue_symbol=venue_symbol,
            multiplier=asset.multiplier,
            rate=rate,
            raw=RawRate(said, unit) if said else None,
            unknown_because=why,
            observed_at=observed_at,
            provenance=provenance,
        )


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Funding booked on our account. `amount` in settlement currency, positive = received.

    `rate` (fraction per the venue's interval) and `position_size` (signed, venue units) are None where the venue leaves them out.
    """

    venue: str
    symbol: str
    payment_id: str
    amount: Decimal
    rate: Decimal | None
    position_size: Decimal | None
    paid_at_ms: int

    def __post_init__(self) -> None:
        require_finite(self, self.amount, self.rate, self.position_size)


def _hours(interval: timedelta) -> Decimal:
    return _RATES.divide(Decimal(interval // timedelta(seconds=1)), Decimal(3600))
