"""What rates were, for façades: those that were paid at boundaries, and observations of those that accrue."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exchange_clients.domain.times import next_boundary_ms
from exchange_clients.sandbox.reads import ExchangeReads


@dataclass(frozen=True)
class Accruing:
    """A rate (fraction per the rules' period) at `time_ms`, the premium that it means and the funding index, in quote currency."""

    time_ms: int
    rate: Decimal
    premium: Decimal
    index: Decimal


def rates_accruing(exchange: ExchangeReads, venue_symbol: str, since_ms: int, step_ms: int) -> list[Accruing]:
    """One observation per `step_ms`, newest first, from now back to `since_ms` or as far as prices go; unknown rates are left out.

    The index walks back from its value now by the rate and price of each row.
    """
    now_ms, period_ms = exchange.clock.now_ms(), exchange.rules.funding.period_ms
    rows, index, later_ms = [], exchange.funding_index(venue_symbol), now_ms
    for at_ms in range(now_ms // step_ms * step_ms, max(since_ms, exchange.prices.start_ms) - 1, -step_ms):
        state, rate = exchange.find_state(venue_symbol, at_ms), exchange.rate_at(venue_symbol, at_ms)
        if state is None or rate is None:
            continue
        premium = rate * state.index
        index -= premium * (later_ms - at_ms) / period_ms
        later_ms = at_ms
        rows.append(Accruing(at_ms, rate, premium, index))
    return rows


def rates_paid(exchange: ExchangeReads, venue_symbol: str, since_ms: int, until_ms: int) -> list[tuple[int, Decimal]]:
    """(time, rate) of every payment in [since_ms, until_ms) that is over, oldest first; unknown rates are left out."""
    period_ms = exchange.rules.funding.period_ms
    first = next_boundary_ms(max(since_ms, exchange.prices.start_ms) - 1, period_ms)
    times = range(first, min(until_ms, exchange.clock.now_ms() + 1), period_ms)
    rates = ((time_ms, exchange.rate_at(venue_symbol, time_ms - 1)) for time_ms in times)
    return [(time_ms, rate) for time_ms, rate in rates if rate is not None]
