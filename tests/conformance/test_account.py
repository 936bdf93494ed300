"""What every venue's client promises of the account: its money, its leverage, and that nobody else's key moves it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.side import Side
from exchange_clients.errors import AuthenticationFailed, Misconfigured, OrderRejected
from tests.support.stage import DEPOSIT, Stage
from tests.support.venues import is_secret, mixtures, with_field

HOUR_MS = 3_600_000


async def test_the_wallet_is_the_sum_of_what_was_reported(on: Stage) -> None:
    for side, size in ((Side.BUY, 0.02), (Side.BUY, 0.01), (Side.SELL, 0.013)):
        await on.trade(side=side, size=size)
    on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 3) * HOUR_MS + 1000)
    await on.trade(side=Side.SELL, size=0.017, reduce_only=True)
    assert not await on.client.fetch_positions()
    bitcoin = await on.client.instrument("BTC")
    fills = await on.client.fetch_fills(bitcoin)
    payments = await on.client.fetch_funding_payments(bitcoin)
    assert payments, "three hours passed with a position open"
    expected = DEPOSIT - sum(f.side.sign * f.size * f.price + f.fee for f in fills) + sum(p.amount for p in payments)
    balance = await on.client.fetch_balance()
    assert balance.wallet == expected == balance.equity


async def test_equity_counts_what_is_open_and_margin_is_not_available(on: Stage) -> None:
    await on.trade(size=0.1)
    balance = await on.client.fetch_balance()
    bound = on.exchange.initial_margin(on.account)
    assert balance.wallet == on.exchange.wallet(on.account)
    assert abs(balance.equity - on.exchange.equity(on.account)) < 1
    assert abs(balance.available - on.exchange.available(on.account)) < 1
    assert bound > 100 and balance.available < balance.equity - bound / 2


@pytest.mark.needs(Capability.SET_LEVERAGE)
async def test_leverage_is_chosen_and_bounded(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.client.set_leverage(bitcoin, 3)
    await on.trade()
    assert on.exchange.leverage(on.account, bitcoin.venue_symbol) == 3
    with pytest.raises(OrderRejected):
        await on.client.set_leverage(bitcoin, 999)


async def test_every_credential_is_named_as_the_spec_names_it(on: Stage) -> None:
    assert set(on.credentials.values) <= {*on.spec.credential_fields, *on.spec.credential_fields_optional}
    assert set(on.spec.credential_fields) <= set(on.credentials.values)
    assert any(is_secret(name) for name in on.spec.credential_fields)


async def test_a_strangers_secret_is_refused_and_nothing_happens(on: Stage) -> None:
    stranger = on.world.enrol(on.spec.name, "stranger", Decimal(0))
    wrong = [(name, mixed) for name, mixed in mixtures(on.spec, on.credentials, stranger) if is_secret(name)]
    assert wrong
    for name, mixed in wrong:
        async with on.another_client(credentials=mixed) as client:
            request = await on.request()
            with pytest.raises((AuthenticationFailed, OrderRejected)) as refusal:
                await client.place_order(request)
            assert not await on.client.fetch_fills()
            assert stranger[name] not in str(refusal.value)


async def test_access_is_verified_before_anything_is_sent(on: Stage) -> None:
    await on.client.verify_access()
    stranger = on.world.enrol(on.spec.name, "another stranger", Decimal(1000))
    for name, mixed in mixtures(on.spec, on.credentials, stranger):
        async with on.another_client(credentials=mixed) as client:
            with pytest.raises(AuthenticationFailed) as refusal:
                await client.verify_access()
        assert not is_secret(name) or stranger[name] not in str(refusal.value)


async def test_acting_without_credentials_is_one_clear_error(on: Stage) -> None:
    request = await on.request()
    async with on.another_client(credentials=None) as reader:
        assert (await reader.fetch_order_book(request.instrument)).bids
        with pytest.raises(Misconfigured, match="credential"):
            await reader.place_order(request)


async def test_a_credential_that_can_be_none_is_one_clear_error(on: Stage) -> None:
    """Where any text could be a secret, the venue says so; where it can't, nothing is asked."""
    for name in on.spec.credential_fields:
        broken = with_field(on.credentials, name, "not a credential")
        with pytest.raises((Misconfigured, AuthenticationFailed)) as error:
            await _verify(on, broken)
        assert not is_secret(name) or "not a credential" not in str(error.value)


async def test_a_missing_credential_is_named_unless_another_tells_it(on: Stage) -> None:
    for name in on.spec.credential_fields:
        try:
            await _verify(on, with_field(on.credentials, name, ""))
        except (Misconfigured, AuthenticationFailed) as error:
            assert name in str(error)
        else:
            assert not is_secret(name), f"{on.spec.name} lets somebody act without {name}"


async def _verify(on: Stage, credentials: Credentials) -> None:
    client: BaseExchangeClient = on.another_client(credentials=credentials)
    async with client:
        await client.verify_access()
