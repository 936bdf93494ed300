"""Rates that were paid, for façades of venues that pay at boundaries."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.times import next_boundary_ms
from exchange_clients.sandbox.reads import ExchangeReads


def rates_paid(exchange: ExchangeReads, venue_symbol: str, since_ms: int, until_ms: int) -> list[tuple[int, Decimal]]:
    """(time, rate) of every payment in [since_ms, until_ms] that is over, oldest first; unknown rates are left out."""
    period_ms = exchange.rules.funding.period_ms
    first = next_boundary_ms(max(since_ms, exchange.prices.start_ms) - 1, period_ms)
    times = range(first, min(until_ms, exchange.clock.now_ms() + 1), period_ms)
    rates = ((time_ms, exchange.rate_at(venue_symbol, time_ms - 1)) for time_ms in times)
    return [(time_ms, rate) for time_ms, rate in rates if rate is not None]
