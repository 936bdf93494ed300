"""What every venue's adapter promises of funding, and what its client books of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from tests.support.stage import Stage

HOUR_MS = 3_600_000


async def test_current_rates_are_the_venues_numbers(on: Stage) -> None:
    found = {o.venue_symbol: o for o in await on.adapter.current_rates()}
    assert found.keys() == set(on.exchange.listings)
    for name, observation in found.items():
        truth = on.exchange.funding_rate(name)
        assert observation.rate is not None and observation.rate.rate == truth
        assert observation.raw is not None and Decimal(observation.raw.value) == truth and observation.raw.unit
        hours = Decimal(on.exchange.rules.funding.period_ms) / HOUR_MS
        assert observation.rate.interval_hours == hours
        assert observation.symbol == on.exchange.listings[name].instrument.symbol
        assert observation.provenance is Provenance.SANDBOX
        due = on.exchange.next_funding_ms(name)
        assert (observation.rate.next_payment_at is None) == (due is None)


@pytest.mark.needs(Capability.FUNDING_HISTORY)
async def test_history_is_ordered_and_inside_the_window(on: Stage) -> None:
    on.clock.jump(6 * HOUR_MS)
    until = on.clock.now()
    since = until - timedelta(hours=5)
    symbol = (await on.client.instrument("BTC")).venue_symbol
    rates = await on.adapter.rate_history(symbol, since, until)
    assert rates and all(since <= r.effective_at < until for r in rates)
    assert [r.effective_at for r in rates] == sorted(r.effective_at for r in rates)


async def test_funding_received_is_what_the_rate_says(on: Stage) -> None:
    await on.trade(side=Side.SELL, size=0.1)
    on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 2) * HOUR_MS + 500)
    on.world.advance()
    await on.trade(side=Side.BUY, size=0.1, reduce_only=True)
    payments = await on.client.fetch_funding_payments(await on.client.instrument("BTC"))
    assert payments and len({p.payment_id for p in payments}) == len(payments)
    assert sum(p.amount for p in payments) == sum(p.amount for p in on.exchange.funding_payments(on.account))
